"""The cache of detections: found again by content, filled by what a dataset ships."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from test_landmarks_schema import NAMES, assert_equal, random_trajectory

from facewave.errors import UserError
from facewave.files import write_csv
from facewave.landmarks import cache, model_file, schema
from facewave.landmarks.schema import EMPTY, ClipFacts

AA, BB = "a" * 64, "b" * 64
FPS = 25.0  # of pictures
FACTS = ClipFacts(fps=25.0, width=640, height=360, declared_frames=12)


def test_the_key_is_of_the_bytes_not_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"one")
    shutil.copy(tmp_path / "a.mp4", tmp_path / "b.mp4")
    (tmp_path / "c.mp4").write_bytes(b"two")
    a, b, c = (cache.key(tmp_path / f"{name}.mp4", FPS) for name in "abc")
    assert a == b != c


def test_the_key_changes_with_landmarker_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"one")
    keys = {cache.key(clip, FPS)}
    monkeypatch.setattr(model_file, "SHA256", "0" * 64)
    keys.add(cache.key(clip, FPS))
    monkeypatch.setattr(cache, "SETTINGS", cache.SETTINGS | {"version": 99})
    keys.add(cache.key(clip, FPS))
    assert len(keys) == 3


def test_what_is_put_is_found() -> None:
    clip = random_trajectory(12)
    cache.put("ab12", FACTS, clip)
    assert_equal(schema.read_clip(cache.place("ab12")), clip)
    assert schema.read_facts(cache.place("ab12")) == FACTS


def make_pack(folder: Path) -> None:
    """A folder as stage extract writes it: one clip with frames, one that failed."""
    with schema.shard(folder / "part-00000.parquet", NAMES) as writer:
        writer.add(random_trajectory(12))
    base = dict.fromkeys(schema.INDEX, "") | {"fps": 25.0, "width": 640, "height": 360,
                                              "declared_frames": 12, "row_group": None}  # fmt: skip
    good = base | {"key": AA, "shard": "part-00000.parquet", "row_group": 0}
    bad = base | {"key": BB, "problem": "no frame can be decoded"}
    index = pd.DataFrame([good, bad]).astype({"row_group": "Int64"})
    write_csv(folder / "index.csv", index)


def test_a_shipped_pack_fills_the_cache(tmp_path: Path) -> None:
    make_pack(tmp_path)
    assert cache.fill(tmp_path) == {AA, BB}
    assert_equal(schema.read_clip(cache.place(AA)), random_trajectory(12))
    assert schema.read_facts(cache.place(AA)) == FACTS
    assert_equal(schema.read_clip(cache.place(BB)), EMPTY)
    assert schema.read_facts(cache.place(BB)) == replace(FACTS, problem="no frame can be decoded")


def test_a_pack_never_replaces_what_was_detected_here(tmp_path: Path) -> None:
    make_pack(tmp_path)
    own = random_trajectory(12, seed=7)
    cache.put(AA, FACTS, own)
    cache.fill(tmp_path)
    assert_equal(schema.read_clip(cache.place(AA)), own)


def test_no_pack_no_keys(tmp_path: Path) -> None:
    assert cache.fill(tmp_path / "absent") == set()


@pytest.mark.parametrize(
    ("column", "value"), [("key", "../../x"), ("shard", "../part-00000.parquet")]
)
def test_a_pack_that_points_elsewhere_is_refused(tmp_path: Path, column: str, value: str) -> None:
    make_pack(tmp_path)
    index = pd.read_csv(tmp_path / "index.csv", dtype=str)
    index.loc[0, column] = value
    index.to_csv(tmp_path / "index.csv", index=False)
    with pytest.raises(UserError, match=r"index\.csv, row 2"):
        cache.fill(tmp_path)


def test_a_file_cut_short_does_not_count() -> None:
    cache.put(AA, FACTS, random_trajectory(12))
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
    key = cache.key(pictures, FPS)
    (pictures / "3.png").rename(pictures / "7.png")  # it now comes later
    assert cache.key(pictures, FPS) != key
    (pictures / "7.png").rename(pictures / "3.png")
    assert cache.key(pictures, FPS) == key


def test_another_content_or_one_picture_less_is_another_clip(pictures: Path) -> None:
    keys = {cache.key(pictures, FPS)}
    (pictures / "2.png").write_bytes(b"another")
    keys.add(cache.key(pictures, FPS))
    (pictures / "2.png").unlink()
    keys.add(cache.key(pictures, FPS))
    assert len(keys) == 3


def test_of_pictures_the_frame_rate_counts_of_videos_not(pictures: Path, tmp_path: Path) -> None:
    assert cache.key(pictures, 25.0) != cache.key(pictures, 30.0)
    (tmp_path / "a.mp4").write_bytes(b"one")
    assert cache.key(tmp_path / "a.mp4", 25.0) == cache.key(tmp_path / "a.mp4", 30.0)


def test_neither_the_order_of_writing_nor_the_place_nor_other_files_count(
    pictures: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for number in (3, 1, 2):
        shutil.copy(pictures / f"{number}.png", again)
    (again / "notes.txt").write_text("no picture")
    assert cache.key(again, FPS) == cache.key(pictures, FPS)
