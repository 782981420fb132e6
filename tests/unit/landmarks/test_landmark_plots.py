"""The picture of the worst clips: the right ones, the same bytes, and no clip stops it."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.landmarks import schema
from facewave.landmarks.plots import worst, worst_by_measure
from making import trajectory, write_landmarks, write_video
from running import ROOT

FAULTLESS = {
    "frames": 50, "face_frames": 50, "face_share": 1.0, "others_share": 0.0, "duration": 2.0,
    "longest_gap": 0.0, "face_px": 100.0, "sharpness": 20.0, "yaw": 5.0, "pitch": 5.0, "roll": 5.0,
    "jumps": 0, "still": 0,
}  # fmt: skip


def index_of(*rows: dict[str, object]) -> pd.DataFrame:
    table = pd.DataFrame([{"shard": "part-00000.parquet"} | FAULTLESS | row for row in rows])
    return table.astype({"jumps": "Int64", "still": "Int64"})


def test_the_worst_by_each_measure_with_its_value() -> None:
    index = index_of(
        {},
        {"face_share": 0.5, "others_share": 0.25, "longest_gap": 0.7, "face_px": 30.0},
        {"face_share": 0.6, "sharpness": 1.5, "yaw": 44.0, "pitch": 31.0},
        {"roll": 20.0, "jumps": 3, "still": 2, "face_px": 31.0},
    )
    assert worst_by_measure(index) == {
        1: ["face_share 0.5", "others_share 0.25", "longest_gap 0.7", "face_px 30"],
        2: ["sharpness 1.5", "yaw 44", "pitch 31"],
        3: ["roll 20", "jumps 3", "still 2"],
    }


def test_what_is_faultless_is_no_worst() -> None:
    found = worst_by_measure(index_of({}, {}))
    named = {text.split()[0] for texts in found.values() for text in texts}
    assert named == {"face_px", "sharpness", "yaw", "pitch", "roll"}  # there is always a worst


def test_clips_without_frames_or_measures_are_passed_over() -> None:
    names = ("face_px", "sharpness", "yaw", "pitch", "roll")
    nothing: dict[str, object] = dict.fromkeys(names, np.nan)
    index = index_of(
        {"shard": "", "face_share": 0.0} | nothing,
        {"face_share": 0.0, "still": None} | nothing,
        {"yaw": 9.0},
    )
    found = worst_by_measure(index)
    assert 0 not in found
    assert found[1] == ["face_share 0"]
    assert "yaw 9" in found[2]
    assert worst_by_measure(index[:1]) == {}
    assert worst_by_measure(index[:0]) == {}


def test_rows_are_named_by_their_labels_not_by_their_places() -> None:
    index = index_of({}, {"jumps": 5}).set_index(pd.Index([7, 3]))
    assert "jumps 5" in worst_by_measure(index)[3]


measures = st.fixed_dictionaries(
    {
        "face_share": st.floats(0, 1),
        "longest_gap": st.floats(0, 9),
        "face_px": st.floats(1, 500) | st.just(np.nan),
        "jumps": st.integers(0, 9),
    }
)


@given(st.lists(measures, min_size=1, max_size=6))
def test_nobody_is_worse_than_the_worst(rows: list[dict[str, object]]) -> None:
    index = index_of(*rows)
    for at, texts in worst_by_measure(index).items():
        for name in (text.split()[0] for text in texts):
            values = index[name].astype(float)
            least = name in ("face_share", "face_px", "sharpness")
            assert values[at] == (values.min() if least else values.max())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Four clips: a video, one of which a part counts, a folder of pictures, one without frames."""
    clips = {
        "video": trajectory(12, seed=1, gaps=(2, 3)),
        "part": trajectory(60, seed=2, gaps=(30, 31, 32)),
        "pictures": trajectory(9, seed=3, gaps=(8,)),
        "nothing": schema.EMPTY,
    }
    write_landmarks(tmp_path, clips, unusable=("nothing", "part"), parts={"part": (0.8, 1.6)})
    raw = tmp_path / "raw"
    write_video(raw / "clips/video.mp4", 12)
    write_video(raw / "clips/part.mp4", 60)
    folder = raw / "clips/pictures.mp4"  # its name in the index
    folder.mkdir()
    for number in range(9):
        picture = np.full((40 + number, 60, 3), 25 * number, np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return tmp_path


def drawn(project: Path, name: str, index: pd.DataFrame | None = None) -> bytes:
    folder = project / "data/landmarks/demo"
    index = schema.read_index(folder) if index is None else index
    worst(index, project / "raw", folder, 25.0, project / name)
    return (project / name).read_bytes()


def test_the_same_clips_give_the_same_bytes(project: Path) -> None:
    assert len(worst_by_measure(schema.read_index(project / "data/landmarks/demo"))) == 3
    first = drawn(project, "one.png")
    assert drawn(project, "two.png") == first
    picture = cv2.imread(str(project / "one.png"))
    assert picture is not None
    assert picture.shape[0] > 200
    assert picture.shape[1] == 720
    assert picture.std() > 10


def test_each_kind_of_clip_changes_the_picture(project: Path) -> None:
    """So that all of them were decoded and drawn."""
    first = drawn(project, "one.png")
    for number in range(9):
        path = project / f"raw/clips/pictures.mp4/{number}.png"
        assert cv2.imwrite(str(path), np.full((40, 60, 3), 255 - 20 * number, np.uint8))
    second = drawn(project, "two.png")
    write_video(project / "raw/clips/video.mp4", 5)
    third = drawn(project, "three.png")
    assert len({first, second, third}) == 3


def test_no_clips_make_a_picture_all_the_same(project: Path) -> None:
    index = schema.read_index(project / "data/landmarks/demo")
    assert drawn(project, "none.png", index[:0]).startswith(b"\x89PNG")
    only = index[index["video_idx"] == "nothing"]
    assert drawn(project, "none.png", only).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["video.mp4", "part.mp4", "pictures.mp4"])
def test_a_clip_that_is_gone_stops_nothing(project: Path, name: str) -> None:
    gone = project / "raw/clips" / name
    if gone.is_dir():
        shutil.rmtree(gone)
    else:
        gone.unlink()
    assert drawn(project, "one.png").startswith(b"\x89PNG")


def test_a_picture_that_is_broken_stops_nothing(project: Path) -> None:
    for number in (0, 1, 4):
        (project / f"raw/clips/pictures.mp4/{number}.png").write_bytes(b"no picture")
    assert drawn(project, "one.png").startswith(b"\x89PNG")


def test_signs_in_a_name_are_drawn_as_they_are(project: Path) -> None:
    index = schema.read_index(project / "data/landmarks/demo")
    shutil.move(project / "raw/clips/video.mp4", project / "raw/clips/$a_{b$ ü.mp4")
    index["file_path"] = index["file_path"].replace("clips/video.mp4", "clips/$a_{b$ ü.mp4")
    assert drawn(project, "one.png", index).startswith(b"\x89PNG")


def test_the_demo_s_worst_clips(tmp_path: Path) -> None:
    """The committed index names real clips; those without a face are among the worst."""
    folder = ROOT / "data/trajectories/demo"
    index = schema.read_index(folder)
    found = worst_by_measure(index)
    assert any("face_share 0" in texts for texts in found.values())
    worst(index, ROOT / "data/raw/demo", folder, 25.0, tmp_path / "one.png")
    worst(index, ROOT / "data/raw/demo", folder, 25.0, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert 20_000 < (tmp_path / "one.png").stat().st_size < 1_000_000
