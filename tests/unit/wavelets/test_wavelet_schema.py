"""The features' contract: what a reader gets, and what it is told of a broken folder."""

from pathlib import Path

import numpy as np
import pytest

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.wavelets import schema
from making import NAMES, Toy, toy, write_toy


@pytest.fixture
def made(tmp_path: Path) -> Toy:
    made = toy()
    write_toy(tmp_path, made)
    return made


def test_arrays_are_mapped_and_ids_stay_text(tmp_path: Path, made: Toy) -> None:
    features = schema.read(tmp_path / "data/features/demo")
    assert isinstance(features.blocks["landmarks"], np.memmap)
    assert features.blocks["landmarks"].shape == (61, 10, 478, 3)
    np.testing.assert_array_equal(features.blocks["blendshapes"][2:], made.blendshapes[1:])
    assert list(features.clips["video_idx"][:3]) == ["undecided", "000", "001"]
    assert list(features.clips["reason"][:3]) == ["", "too few faces", ""]
    assert features.clips["usable"].dtype == bool
    assert features.config["blendshapes"] == list(NAMES)
    assert features.functions_PN.shape == (256, 10)
    np.testing.assert_allclose(features.blocks["timing"][0, :, 1], np.log2(30), rtol=1e-6)


def test_rows_are_joined_by_id_not_by_place(tmp_path: Path, made: Toy) -> None:
    features = schema.read(tmp_path / "data/features/demo")
    table = labels.single_label(labels.read(tmp_path / "data/labels/demo.csv"))
    shuffled = table.sample(frac=1, random_state=0)
    joined = schema.join(shuffled, features)
    assert list(joined["video_idx"]) == list(shuffled["video_idx"])
    assert len(joined) == len(made.table)
    for row in joined.itertuples():
        at = int(row.video_idx)
        assert row.usable == made.usable[at]
        if row.usable:
            np.testing.assert_array_equal(
                features.blocks["blendshapes"][row.at], made.blendshapes[at]
            )


@pytest.mark.usefixtures("made")
def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data/features/demo"
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(whole) == len(schema.BLOCKS) + 3

    def refused(message: str, spoilt: str) -> None:
        with pytest.raises((UserError, ValueError), match=message):
            schema.read(folder)
        (folder / spoilt).write_bytes(whole[spoilt])

    for name in whole:
        (folder / name).unlink()
        refused(f"{name} is not here.*dvc repro wavelet", name)
        if name != "clips.csv":
            (folder / name).write_bytes(whole[name][: len(whole[name]) // 2])
            refused("demo", name)
    np.save(folder / "blendshapes.npy", np.zeros((3, 10, 52), np.float32))
    refused("different lengths", "blendshapes.npy")
    for name in ("landmarks.npy", "functions.npy"):  # only a pickle could hold these
        np.save(folder / name, np.array([{}] * 61, object))
        refused("damaged|object", name)
    schema.read(folder)
