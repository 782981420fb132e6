"""The cache of detections: found again by content, filled by what a dataset ships."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facewave import assets
from facewave.errors import UserError
from facewave.files import sha256
from facewave.landmarks import cache, schema
from facewave.landmarks.schema import EMPTY, ClipFacts
from making import SETTINGS, remember, write_to_shard
from trajectories import NAMES, assert_equal, random_trajectory

AA, BB = "a" * 64, "b" * 64
FPS = 25.0  # of pictures
FACTS = ClipFacts(fps=25.0, width=640, height=360, declared_frames=12)
PEOPLE = [
    {"center": 3.0, "largest": 9.0, "longest": 40.0},
    {"center": 8.0, "largest": 5.0, "longest": 30.0},
    {"center": 4.0, "largest": 6.0, "longest": 50.0},
]
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
    same: Any = {"at_least": {}, "at_most": {"yaw": 9}, "scheduler": "tcp://a:1", "whose": "all"}
    assert key(time_limit_s=1.0, **same) == key()
    keys = {key(), key(other), key(fps=10.0), key(max_side=640)}
    keys |= {key(engine="mediapipe"), key(device="cuda"), key(smooth=False)}
    monkeypatch.setattr(assets, "LANDMARKER", replace(assets.LANDMARKER, sha256="0" * 64))
    keys.add(key())
    monkeypatch.setattr(cache, "VERSION", 99)
    keys.add(key())
    assert len(keys) == 9


def test_shards_fill_the_cache_with_what_is_wanted(tmp_path: Path) -> None:
    named = [AA, f"{AA}-1", f"{AA}-12", f"{BB}-1", f"{AA}-0", f"{AA}-x", f"{AA}-1/../../z"]
    with schema.shard(tmp_path / "part-00000.parquet", NAMES) as writer:
        write_to_shard(writer, "c" * 64, random_trajectory(5, seed=1))
        for seed, name in enumerate(named):
            write_to_shard(writer, name, random_trajectory(30, seed), FACTS, PEOPLE)
        write_to_shard(writer, BB, EMPTY, BROKEN)
    cache.fill(tmp_path, {AA, BB, "d" * 64})
    there = {str(file.relative_to(cache.folder())) for file in cache.folder().rglob("*.parquet")}
    assert there == {f"{name[:2]}/{name}.parquet" for name in (*named[:4], BB)}
    assert not list(tmp_path.rglob("*z.parquet"))
    for seed, name in enumerate(named[:4]):
        assert_equal(schema.read_clip(cache.place(name)), random_trajectory(30, seed))
        (entry,) = schema.entries(cache.place(name))
        assert (entry.key, entry.facts, entry.people) == (name, FACTS, PEOPLE)
    assert_equal(schema.read_clip(cache.place(BB)), EMPTY)
    assert schema.read_facts(cache.place(BB)) == BROKEN
    cache.place(AA).unlink()
    cache.fill(tmp_path / "absent", {AA})
    whole = (tmp_path / "part-00000.parquet").read_bytes()
    (tmp_path / "part-00000.parquet").write_bytes(whole[:-100])
    cache.fill(tmp_path, {AA, BB})
    assert not cache.has(AA)


def test_whose_trajectory_is_wanted_is_a_choice_among_files() -> None:
    for number, name in ((0, AA), (1, f"{AA}-1"), (2, f"{AA}-2")):
        assert cache.of_person(AA, number) == name
    assert cache.people(cache.place(AA), "center") == []
    remember(f"{AA}-1", random_trajectory(5), FACTS, PEOPLE)  # it alone was pulled, say
    expected = {"center": [f"{AA}-1"], "largest": [AA], "longest": [f"{AA}-2"]}
    for whose in (*expected, "all"):
        assert cache.people(cache.place(AA), whose) == (
            expected[whose] if whose == "center" else []
        )
    remember(AA, random_trajectory(5), FACTS, PEOPLE)
    assert cache.people(cache.place(AA), "all") == []
    remember(f"{AA}-2", random_trajectory(5), FACTS, PEOPLE)
    expected["all"] = [f"{AA}-1", f"{AA}-2", AA]  # the first is the clip's
    for whose, names in expected.items():
        assert cache.people(cache.place(AA), whose) == names
    cache.place(f"{AA}-2").write_bytes(b"")
    assert cache.people(cache.place(AA), "longest") == cache.people(cache.place(AA), "all") == []
    assert cache.people(cache.place(AA), "largest") == [AA]
    remember(BB, random_trajectory(5), FACTS)  # of another tool, whose files do not tell
    for whose in expected:
        assert cache.people(cache.place(BB), whose) == [BB]


def test_a_pack_gives_the_people_who_are_wanted_or_is_left_alone(tmp_path: Path) -> None:
    names = [AA, f"{AA}-1", f"{AA}-2"]

    def pack(*numbers: int) -> Path:
        """With some of the clip's people."""
        folder = tmp_path / "pack {}{}{}".format(*numbers, *"---")
        with schema.shard(folder / "part-00000.parquet", NAMES) as writer:
            for number in numbers:
                clip = random_trajectory(6, seed=number)
                write_to_shard(writer, names[number], clip, FACTS, PEOPLE)
        return folder

    def taken(folder: Path, whose: str) -> list[str]:
        """The last parts of the names under which the wanted people are kept."""
        kept = cache.take([folder], {AA, BB}, whose, sha256).get(AA)
        if kept is None:
            return []
        people = cache.people(cache.place(kept), whose)
        for name in people:
            assert (name[:32], name[32:64]) == (AA[:32], kept[32:64])
            assert name[32:64] != AA[32:64]
            number = int(name[65:] or 0)
            assert_equal(schema.read_clip(cache.place(name)), random_trajectory(6, seed=number))
        return [name[64:] for name in people]

    assert taken(pack(1), "center") == ["-1"]
    assert taken(pack(1), "largest") == taken(pack(1), "all") == []
    assert taken(pack(0, 2), "largest") == [""]
    assert taken(pack(0, 2), "longest") == ["-2"]
    assert taken(pack(0, 2), "all") == []
    assert taken(pack(0, 1, 2), "all") == ["-1", "-2", ""]
    assert not any(map(cache.has, names))


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
