"""MATLAB structures: values of fields, and damage that SciPy has names for."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from facewave.errors import UserError
from facewave.labels import apart
from facewave.labels.structure import _DAMAGE, fields
from miniatures import imdb_mat


def test_fields_are_text_or_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(imdb_mat("imdb", name=["Zoë", ""], gender=[1.0, 0.0]))
    read = fields(str(path), "imdb", "gender", "name")
    assert read == [[1.0, 0.0], ["Zoë", ""]]
    assert apart.ask("structure", str(path), "imdb", "gender", "name") == read


def test_damage_is_an_error_that_the_process_tells(tmp_path: Path) -> None:
    path, numbers, whole = tmp_path / "a.mat", io.BytesIO(), imdb_mat("imdb", gender=[0.0] * 4)
    savemat(numbers, {"imdb": np.zeros((3, 3))})
    for content in (
        b"", b"no matlab", whole[:200], whole[: len(whole) // 2], imdb_mat("wiki", gender=[1.0]),
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), numbers.getvalue(),
        imdb_mat("imdb", gender=["x"]), imdb_mat("imdb", name=[3.0]),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises((ValueError, *_DAMAGE)) as told:
            fields(str(path), "imdb", "name", "gender")
        assert not isinstance(told.value, UserError)
