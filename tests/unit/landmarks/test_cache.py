"""The cache of detections: found again by content, filled by what a dataset ships."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_landmarks_schema import NAMES, assert_equal, random_trajectory

from facewave.errors import UserError
from facewave.landmarks import cache, model_file, schema
from facewave.landmarks.schema import EMPTY, ClipFacts
from making import SETTINGS, remember, write_to_shard

AA, BB = "a" * 64, "b" * 64
FPS = 25.0  # of pictures
FACTS = ClipFacts(fps=25.0, width=640, height=360, declared_frames=12)


def test_the_key_is_of_the_bytes_not_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    shutil.copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    (tmp_path / "c.mp4").write_bytes(b"two")
    a, b, c = (cache.key(tmp_path / f"{name}.mp4", FPS, SETTINGS) for name in "abc")
    assert a == b != c


def test_the_key_changes_with_landmarker_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"one")
    keys = {cache.key(clip, FPS, SETTINGS)}
    monkeypatch.setattr(model_file, "SHA256", "0" * 64)
    keys.add(cache.key(clip, FPS, SETTINGS))
    monkeypatch.setattr(cache, "VERSION", 99)
    keys.add(cache.key(clip, FPS, SETTINGS))
    for changes in ({"fps": 10.0}, {"max_side": 640}, {"whose": "largest"}, {"whose": "longest"}):
        keys.add(cache.key(clip, FPS, replace(SETTINGS, **changes)))
    assert len(keys) == 7


def test_limits_time_and_workers_do_not_change_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    others = replace(
        SETTINGS, scheduler="tcp://a:1", time_limit_s=1.0, at_least={}, at_most={"yaw": 9}
    )
    key = cache.key(tmp_path / "a.mp4", FPS, SETTINGS)
    assert cache.key(tmp_path / "a.mp4", FPS, others) == key


def test_what_is_put_is_found() -> None:
    clip = random_trajectory(12)
    remember("ab12", clip, FACTS)
    assert_equal(schema.read_clip(cache.place("ab12")), clip)
    assert schema.read_facts(cache.place("ab12")) == FACTS


BROKEN = replace(FACTS, problem="no frame can be decoded")


def make_pack(folder: Path, key: str = AA) -> None:
    """A folder as stage extract writes it: one clip with frames, one that failed."""
    with schema.shard(folder / "part-00000.parquet", NAMES) as writer:
        write_to_shard(writer, key, random_trajectory(12), FACTS)
        write_to_shard(writer, BB, EMPTY, BROKEN)


def test_a_shipped_pack_fills_the_cache(tmp_path: Path) -> None:
    make_pack(tmp_path)
    assert cache.fill(tmp_path, {AA, BB}) == {AA, BB}
    assert_equal(schema.read_clip(cache.place(AA)), random_trajectory(12))
    assert schema.read_facts(cache.place(AA)) == FACTS
    assert_equal(schema.read_clip(cache.place(BB)), EMPTY)
    assert schema.read_facts(cache.place(BB)) == BROKEN


def test_only_what_is_wanted_is_taken(tmp_path: Path) -> None:
    make_pack(tmp_path)
    own = random_trajectory(12, seed=7)
    remember(AA, own, FACTS)
    assert cache.fill(tmp_path, {BB, 64 * "c"}) == {BB}
    assert_equal(schema.read_clip(cache.place(AA)), own)


def test_no_pack_no_keys(tmp_path: Path) -> None:
    assert cache.fill(tmp_path / "absent", {AA}) == set()


def test_a_long_clip_comes_whole_out_of_a_pack(tmp_path: Path) -> None:
    long = random_trajectory(2100)
    with schema.shard(tmp_path / "part-00000.parquet", NAMES) as writer:
        write_to_shard(writer, BB, random_trajectory(5, seed=1))
        write_to_shard(writer, AA, long)
    assert cache.fill(tmp_path, {AA, BB}) == {AA, BB}
    assert_equal(schema.read_clip(cache.place(AA)), long)


def test_a_damaged_shard_of_a_pack_gives_nothing(tmp_path: Path) -> None:
    make_pack(tmp_path)
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


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures; to the key they are bytes and names."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.png").write_bytes(b"picture %d" % number)
    return folder


def test_a_renamed_picture_is_another_clip(pictures: Path) -> None:
    key = cache.key(pictures, FPS, SETTINGS)
    (pictures / "3.png").rename(pictures / "7.png")  # it now comes later
    assert cache.key(pictures, FPS, SETTINGS) != key
    (pictures / "7.png").rename(pictures / "3.png")
    assert cache.key(pictures, FPS, SETTINGS) == key


def test_another_content_or_one_picture_less_is_another_clip(pictures: Path) -> None:
    keys = {cache.key(pictures, FPS, SETTINGS)}
    (pictures / "2.png").write_bytes(b"another")
    keys.add(cache.key(pictures, FPS, SETTINGS))
    (pictures / "2.png").unlink()
    keys.add(cache.key(pictures, FPS, SETTINGS))
    assert len(keys) == 3


def test_of_pictures_the_frame_rate_counts_of_videos_not(pictures: Path, tmp_path: Path) -> None:
    assert cache.key(pictures, 25.0, SETTINGS) != cache.key(pictures, 30.0, SETTINGS)
    (tmp_path / "a.mp4").write_bytes(b"one")
    assert cache.key(tmp_path / "a.mp4", 25.0, SETTINGS) == cache.key(
        tmp_path / "a.mp4", 30.0, SETTINGS
    )


def test_neither_the_order_of_writing_nor_the_place_nor_other_files_count(
    pictures: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for number in (3, 1, 2):
        shutil.copy(pictures / f"{number}.png", again)
    (again / "notes.txt").write_text("no picture")
    assert cache.key(again, FPS, SETTINGS) == cache.key(pictures, FPS, SETTINGS)
