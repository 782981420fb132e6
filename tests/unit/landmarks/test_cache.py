"""The cache of detections: found again by content, filled by what a dataset ships."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facewave import assets
from facewave.errors import UserError
from facewave.landmarks import cache, schema
from facewave.landmarks.schema import EMPTY, ClipFacts
from making import SETTINGS, remember, write_to_shard
from trajectories import NAMES, assert_equal, random_trajectory

AA, BB = "a" * 64, "b" * 64
FPS = 25.0  # of pictures
FACTS = ClipFacts(fps=25.0, width=640, height=360, declared_frames=12)
BROKEN = replace(FACTS, problem="no frame can be decoded")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "a.mp4").write_bytes(b"one")
    return tmp_path / "a.mp4"


def test_the_key_is_of_all_that_changes_a_detection_and_of_nothing_else(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(path: Path = clip, **changes: Any) -> str:
        return cache.key(path, FPS, replace(SETTINGS, **changes))

    assert key(Path(shutil.copy(clip, clip.with_name("b.mp4")))) == key()
    (other := clip.with_name("c.mp4")).write_bytes(b"two")
    same: Any = {"at_least": {}, "at_most": {"yaw": 9}, "scheduler": "tcp://a:1"}
    assert key(time_limit_s=1.0, **same) == key()
    keys = {key(), key(other), key(fps=10.0), key(max_side=640)}
    keys |= {key(whose="largest"), key(whose="longest"), key(engine="litert")}
    monkeypatch.setattr(assets, "LANDMARKER", replace(assets.LANDMARKER, sha256="0" * 64))
    keys.add(key())
    monkeypatch.setattr(cache, "VERSION", 99)
    keys.add(key())
    assert len(keys) == 9


def test_a_pack_fills_the_cache_with_what_is_wanted(tmp_path: Path) -> None:
    with schema.shard(tmp_path / "part-00000.parquet", NAMES) as writer:
        write_to_shard(writer, "c" * 64, random_trajectory(5, seed=1))
        write_to_shard(writer, AA, random_trajectory(1100), FACTS)
        write_to_shard(writer, BB, EMPTY, BROKEN)
    assert cache.fill(tmp_path, {AA, BB, "d" * 64}) == {AA, BB}
    assert_equal(schema.read_clip(cache.place(AA)), random_trajectory(1100))
    assert schema.read_facts(cache.place(AA)) == FACTS
    assert_equal(schema.read_clip(cache.place(BB)), EMPTY)
    assert schema.read_facts(cache.place(BB)) == BROKEN
    assert not cache.has("c" * 64)
    assert cache.fill(tmp_path / "absent", {AA}) == set()
    whole = (tmp_path / "part-00000.parquet").read_bytes()
    (tmp_path / "part-00000.parquet").write_bytes(whole[:-100])
    assert cache.fill(tmp_path, {AA, BB}) == set()


def test_a_file_cut_short_does_not_count() -> None:
    remember(AA, random_trajectory(12), FACTS)
    whole = cache.place(AA).read_bytes()
    assert cache.has(AA)
    assert not cache.has(BB)
    for kept in (0, len(whole) // 2):
        cache.place(AA).write_bytes(whole[:kept])
        assert not cache.has(AA)


def test_without_a_home_folder_it_says_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FACEWAVE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)  # a container's user, unknown to the system
    with pytest.raises(UserError, match="set FACEWAVE_CACHE"):
        cache.folder()


def test_of_pictures_names_bytes_and_frame_rate_count(clip: Path) -> None:
    folder = clip.parent / "pictures"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.png").write_bytes(b"picture %d" % number)
    key = cache.key(folder, FPS, SETTINGS)
    keys = {key, cache.key(folder, 30.0, SETTINGS)}
    assert cache.key(clip, FPS, SETTINGS) == cache.key(clip, 30.0, SETTINGS)  # it has its own
    again = shutil.copytree(folder, clip.parent / "again")
    (again / "notes.txt").write_text("no picture")
    assert cache.key(again, FPS, SETTINGS) == key
    (folder / "3.png").rename(folder / "7.png")  # it now comes later
    keys.add(cache.key(folder, FPS, SETTINGS))
    (folder / "2.png").write_bytes(b"another")
    keys.add(cache.key(folder, FPS, SETTINGS))
    (folder / "2.png").unlink()
    keys.add(cache.key(folder, FPS, SETTINGS))
    assert len(keys) == 5
