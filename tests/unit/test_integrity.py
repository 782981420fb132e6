"""A changed byte is noticed, or what is read is the same; a write that fails loses nothing."""

import errno
import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import shards
from facewave.errors import UserError, explain
from facewave.files import locked, opened, sealed, write_csv, write_json
from facewave.landmarks import cache, schema
from facewave.landmarks import shards as landmark_shards
from facewave.landmarks.schema import ClipFacts
from making import remember
from trajectories import NAMES, random_trajectory

FACTS = ClipFacts(25.0, 640, 360, 12)
KEYS = ["a" * 64, "b" * 64]


def flips(path: Path, count: int, tail: int = 0) -> Any:
    """Change one bit of a file at a time; half of them among the last ``tail`` bytes."""
    whole, draw = path.read_bytes(), random.Random(0)
    for number in range(count):
        first = len(whole) - tail if tail and number % 2 else 0
        at = draw.randrange(first, len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        yield at
    path.write_bytes(whole)


def read(path: Path) -> list[Any]:
    """All that a one-clip shard says."""
    (entry,) = schema.entries(path)
    clip = schema.read_clip(path)
    arrays = [v.tobytes() for v in vars(clip).values() if isinstance(v, np.ndarray)]
    return [entry, clip.names, clip.layout, *arrays]


def test_no_flipped_byte_of_a_trajectory_is_taken_for_data(tmp_path: Path) -> None:
    path = tmp_path / f"{KEYS[0]}.parquet"
    schema.write_clip(path, FACTS, [random_trajectory(8)], NAMES)
    before, noticed = read(path), 0
    for at in flips(path, 150, tail=6000):
        if not schema.entries(path) or not shards.is_whole(path):
            noticed += 1
        else:
            assert read(path) == before, at
    assert noticed > 100


def test_no_flipped_byte_of_features_or_of_a_model_is_taken_for_data(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "blendshapes": np.arange(12.0, dtype=np.float32),
        "functions": np.ones((2, 2)),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    files = sorted(tmp_path.iterdir())
    content = {"k": 6, "blocks": ["blendshapes"], "nested": {"0.1": [0.1, None, "ü"]}}
    write_json(tmp_path / "config.json", sealed(content, files))
    for path in [*files, tmp_path / "config.json"]:
        for at in flips(path, 60):
            try:
                text = (tmp_path / "config.json").read_text("utf-8")
                assert opened(json.loads(text), tmp_path) == content or "sha256" not in text, at
            except (FileNotFoundError, ValueError):
                continue
            assert path.name == "config.json", at
    assert opened(json.loads((tmp_path / "config.json").read_text("utf-8")), tmp_path) == content


def test_a_damaged_cache_entry_and_a_damaged_shard_are_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []
    folder = tmp_path / "shards"

    def gather() -> bytes:
        for key in KEYS:
            if not cache.has(key):
                made.append(key)
                remember(key, random_trajectory(8, seed=ord(key[0])), FACTS)
        (found,) = {name for name, _ in landmark_shards.gather(KEYS, folder).values()}
        return (folder / found).read_bytes()

    before = shards.mended(gather)
    assert made == KEYS
    (shard,) = folder.iterdir()
    middle = bytearray(before)
    middle[1000] ^= 1
    shard.write_bytes(middle)
    assert shards.mended(gather) == before
    assert made == KEYS
    cached = cache.place(KEYS[1])
    damaged = bytearray(cached.read_bytes())
    damaged[1000] ^= 1
    cached.write_bytes(damaged)
    shard.unlink()
    assert shards.mended(gather) == before
    assert made == [*KEYS, KEYS[1]]
    assert f"{cached} was damaged; rebuilding it" in capsys.readouterr().out
    shard.write_bytes(middle)
    with pytest.raises(UserError, match=rf"{shard.name} is damaged .*Delete it and run"):
        shards.mended(lambda: schema.read_clip(shard))
    assert shard.exists()  # only the cache is cleared


Write = Callable[[Path], object]
WRITERS: dict[str, Write] = {
    "a.json": lambda path: write_json(path, {"a": 1}),
    "a.csv": lambda path: write_csv(path, pd.DataFrame({"a": [1]})),
    "a.parquet": lambda path: schema.write_clip(path, FACTS, [random_trajectory(3)], NAMES),
}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_write_that_fails_names_the_file_and_leaves_the_old_one(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    places = ("tempfile.mkstemp", "os.fsync", "pathlib.Path.chmod", "pathlib.Path.replace")
    for name, write in WRITERS.items():
        write(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        for place in places:
            with monkeypatch.context() as patch:
                patch.setattr(place, fail)
                with pytest.raises(SystemExit) as stop:
                    explain(partial(write, tmp_path / name))
            said = capsys.readouterr().err
            assert stop.value.code == 1
            assert str(tmp_path / name) in said, (place, said)
            assert said.count("\n") == 1
            assert (tmp_path / name).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)


def test_a_folder_that_cannot_be_written_to_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    for call in (
        lambda: write_json(tmp_path / "file/a.json", {}),
        lambda: locked(tmp_path / "file/folder").__enter__(),
    ):
        with pytest.raises(SystemExit) as stop:
            explain(call)
        said = capsys.readouterr().err
        assert stop.value.code == 1
        assert str(tmp_path / "file") in said
        assert said.count("\n") == 1
