"""The picture of the worst clips: the right ones, the same bytes, and no clip stops it."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave.figures import MEASURES
from facewave.landmarks import schema
from facewave.landmarks.plots import worst, worst_by_measure
from making import trajectory, write_landmarks, write_video

FLAWLESS = {
    "frames": 50, "face_frames": 50, "face_share": 1.0, "others_share": 0.0, "duration": 2.0,
    "longest_gap": 0.0, "face_px": 100.0, "sharpness": 20.0, "yaw": 5.0, "pitch": 5.0, "roll": 5.0,
    "jumps": 0, "still": 0,
}  # fmt: skip
ALWAYS = ("face_px", "sharpness", "yaw", "pitch", "roll")  # there is always a worst


def index_of(*rows: dict[str, object]) -> pd.DataFrame:
    table = pd.DataFrame([{"shard": "part-00000.parquet"} | FLAWLESS | row for row in rows])
    return table.astype({"jumps": "Int64", "still": "Int64"})


def test_the_worst_by_each_measure_with_its_value() -> None:
    index = index_of(
        {},
        {"face_share": 0.5, "others_share": 0.25, "longest_gap": 0.7, "face_px": 30.0},
        {"face_share": 0.6, "sharpness": 1.5, "yaw": 44.0, "pitch": 31.0},
        {"roll": 20.0, "jumps": 3, "still": 2, "face_px": 31.0},
    ).set_index(pd.Index([7, 3, 5, 9]))  # rows are named by their labels
    assert worst_by_measure(index) == {
        3: [
            "frames with the face: 50 %",
            "frames with others only: 25 %",
            "longest time without the face: 0.7 s",
            "size of the face: 30 px",
        ],
        5: [
            "sharpness of the face: 1.5",
            "head turned to a side: 44°",
            "head turned up or down: 31°",
        ],
        9: [
            "head tilted: 20°",
            "jumps of the face: 3",
            "blendshapes that never move: 2",
        ],
    }
    flawless = worst_by_measure(index_of({}, {}))
    assert flawless == {
        0: [f"{MEASURES[name].name}: {MEASURES[name].text(FLAWLESS[name])}" for name in ALWAYS]
    }
    nothing: dict[str, object] = {"face_share": 0.0, **dict.fromkeys(ALWAYS, np.nan)}
    index = index_of({"shard": ""} | nothing, {"still": None} | nothing, {"yaw": 9.0})
    assert worst_by_measure(index)[1] == [
        "frames with the face: 0 %"
    ]  # what has no frames is skipped
    assert "head turned to a side: 9°" in worst_by_measure(index)[2]
    assert worst_by_measure(index[:1]) == worst_by_measure(index[:0]) == {}


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
        assert cv2.imwrite(f"{folder}/{number}.png", picture)
    return tmp_path


@pytest.mark.slow
def test_the_same_clips_give_the_same_bytes_and_others_do_not(project: Path) -> None:
    def draw(index: pd.DataFrame) -> bytes:
        worst(index, project / "raw", project / "data/landmarks/demo", 25.0, project / "worst.png")
        return (project / "worst.png").read_bytes()

    index = schema.read_index(project / "data/landmarks/demo")
    assert len(worst_by_measure(index)) == 3
    first = draw(index)
    assert draw(index) == first
    picture = cv2.imread(str(project / "worst.png"))
    assert picture is not None
    assert picture.shape[0] > 200
    assert picture.shape[1] == 1843  # 9.6 inches
    turquoise = (picture[..., 1] > 200) & (picture[..., 2] < 150)  # the points
    assert turquoise.sum() > 20
    # What is damaged or gone changes the picture and stops nothing, nor do signs in a name.
    for number in (0, 1, 4):
        (project / f"raw/clips/pictures.mp4/{number}.png").write_bytes(b"no picture")
    (project / "raw/clips/part.mp4").unlink()
    shutil.move(project / "raw/clips/video.mp4", project / "raw/clips/$a_{b$ ü.mp4")
    index["file_path"] = index["file_path"].replace("clips/video.mp4", "clips/$a_{b$ ü.mp4")
    damaged = draw(index)
    assert len({first, damaged, draw(index[:0])}) == 3
