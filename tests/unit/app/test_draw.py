"""The video of what was seen: as long as the clip, points on the face, gaps in red."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewave.app.draw import draw
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from facewave.video import Clip
from making import SETTINGS, remember, trajectory, write_params, write_video
from running import ROOT

DEMO = ROOT / "data/raw/demo/clips"

pytestmark = pytest.mark.usefixtures("shipped")


def frames(video: Path) -> list[np.ndarray]:
    return [picture for _, _, picture in Clip(video, 25).frames() if picture is not None]


def share(picture: np.ndarray, color: str) -> float:
    """Of the pixels that are clearly green or red."""
    red, green, blue = (picture[..., i].astype(int) for i in range(3))
    strong = green - np.maximum(red, blue) if color == "green" else red - np.maximum(green, blue)
    return float((strong > 60).mean())


def test_every_frame_is_drawn_with_points_bars_and_a_timeline_red_without_a_face(
    tmp_path: Path,
) -> None:
    draw(DEMO / "21.mp4", tmp_path / "out.mp4", 25)
    drawn, clip = frames(tmp_path / "out.mp4"), frames(DEMO / "21.mp4")
    assert len(drawn) == len(clip) == 29
    assert drawn[0].shape == (360 + 24, 360 + 300, 3)
    face, panel, strip = drawn[9][:360, :360], drawn[9][:360, 360:], drawn[9][360:]
    assert share(face, "green") > 0.005
    assert share(panel, "green") > 0.002
    assert share(strip, "green") > 0.2
    assert share(strip, "red") == 0
    # The mark of the present moves along.
    at = [int(drawn[t][363].min(axis=1).argmax()) for t in (0, 14, 28)]
    assert at == sorted(at)
    assert at[2] - at[0] > 500

    draw(DEMO / "93.mp4", tmp_path / "out.mp4", 25)
    picture = frames(tmp_path / "out.mp4")[3]
    assert share(picture[360:], "red") > 0.2
    assert share(picture[:360, 360:], "green") == 0


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 1)
    empty = ClipFacts(30.0, 64, 48, 0, "no frame")
    remember(cache.key(tmp_path / "a.mp4", 25, SETTINGS), EMPTY, empty)
    with pytest.raises(UserError, match=r"a\.mp4: there is no frame to draw"):
        draw(tmp_path / "a.mp4", tmp_path / "out.mp4", 25)
    with pytest.raises(UserError, match=r"Name an \.mp4 file"):
        draw(DEMO / "21.mp4", tmp_path / "out.txt", 25)
    assert list(tmp_path.glob("*out*")) == []


def of_numbers(numbers: range, gaps: tuple[int, ...] = ()) -> Trajectory:
    """What is seen of some frames of a clip at 30 frames a second."""
    frames = np.array(numbers, np.int32)
    return replace(trajectory(len(numbers), gaps=gaps), frames_T=frames, times_T=frames / 30)


def test_at_a_lower_rate_only_what_was_looked_at_is_drawn(shipped: Path, tmp_path: Path) -> None:
    write_params(shipped, landmarks={"fps": 10.0})
    write_video(tmp_path / "a.mp4", 30)
    key = cache.key(tmp_path / "a.mp4", 25, replace(SETTINGS, fps=10.0))
    remember(key, of_numbers(range(0, 30, 3)), ClipFacts(30.0, 64, 48, 30))
    draw(tmp_path / "a.mp4", tmp_path / "out.mp4", 25)
    drawn, clip = frames(tmp_path / "out.mp4"), frames(tmp_path / "a.mp4")
    assert len(drawn) == 10
    assert Clip(tmp_path / "out.mp4", 25).fps == pytest.approx(10)

    def square(picture: np.ndarray) -> float:
        """Where the square, which moves, is: it has much red, in parts of the picture's width."""
        red = picture[..., 0].astype(int) - picture[..., 2]
        return float(np.flatnonzero((red > 90).mean(axis=0) > 0.2).mean() / picture.shape[1])

    for t in range(4):  # later it leaves the picture
        shown = drawn[t][:360, :480]
        assert square(shown) == pytest.approx(square(clip[3 * t]), abs=0.03)
    assert square(clip[6]) - square(clip[3]) > 0.1


def test_frames_with_others_only_are_amber_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(tmp_path / "a.mp4", 12)
    seen = of_numbers(range(12), gaps=(3, 4, 5, 9))
    seen.faces_T[3:5] = 2
    key = cache.key(tmp_path / "a.mp4", 25, SETTINGS)
    remember(key, seen, ClipFacts(30.0, 64, 48, 12))
    draw(tmp_path / "a.mp4", tmp_path / "out.mp4", 25)
    assert "12 frames, 4 of them without the face (2 with other faces only)" in (
        capsys.readouterr().out
    )
    line = frames(tmp_path / "out.mp4")[0][360 + 12].astype(int)
    colors = {"amber": (240, 170, 40), "red": (220, 70, 70), "green": (90, 200, 90)}
    drawn = []
    for t in range(12):
        middle = line[round((t + 0.5) * len(line) / 12)]
        drawn.append(min(colors, key=lambda name: np.abs(middle - colors[name]).sum()))
    assert drawn == [*["green"] * 3, *["amber"] * 2, "red", *["green"] * 3, "red", *["green"] * 2]
