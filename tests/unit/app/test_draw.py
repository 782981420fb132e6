"""The video of what was seen: the clip's times, points on the face, values, hatched gaps."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from facewave.app.draw import draw
from facewave.app.draw import suffix as default_suffix
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import EMPTY, ClipFacts, Trajectory
from facewave.targets import PLANE, Target, number
from facewave.training.schema import answers_of
from facewave.video import Clip
from facewave.workspace import Clips
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


def below(picture: np.ndarray) -> np.ndarray:
    """The timeline's bar, without the strip's margins."""
    return picture[-48:-34, 14:-14]


def test_every_frame_is_drawn_with_points_bars_and_a_timeline_hatched_without_a_face(
    tmp_path: Path,
) -> None:
    draw(DEMO / "21.mp4", tmp_path / "out.mp4", 25)
    drawn, clip = frames(tmp_path / "out.mp4"), frames(DEMO / "21.mp4")
    assert len(drawn) == len(clip) == 29
    assert drawn[0].shape == (480 + 58, 480 + 440, 3)
    face, panel = drawn[9][:480, :480], drawn[9][:480, 480:]
    assert share(face, "green") > 0.005
    assert share(panel, "green") > 0.002
    assert share(below(drawn[9]), "green") > 0.9
    assert share(below(drawn[9]), "red") == 0
    # The mark of the present moves along.
    at = [int(drawn[t][483 + 4].min(axis=1).argmax()) for t in (0, 14, 28)]
    assert at == sorted(at)
    assert at[2] - at[0] > 700

    draw(DEMO / "93.mp4", tmp_path / "out.mp4", 25)
    picture = frames(tmp_path / "out.mp4")[3]
    assert 0.2 < share(below(picture), "red") < 0.8  # hatched
    assert share(picture[:480, 480:], "green") == 0
    assert share(picture[:480, 480:], "red") > 0.01  # bars, hatched


def test_the_videos_are_what_browsers_play_with_the_clips_own_times_and_the_same_bytes(
    tmp_path: Path,
) -> None:
    write_video(tmp_path / "a.mp4", 12)
    times = np.array([0, 1, 2, 3, 10, 11, 12, 13, 14, 25, 26, 27]) / 30
    seen = replace(of_numbers(range(12)), times_T=times)
    key = cache.key(tmp_path / "a.mp4", 25, SETTINGS)
    remember(key, seen, ClipFacts(30.0, 64, 48, 12))
    for suffix, codec in ((".mp4", "h264"), (".webm", "vp9")):
        files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
        for file in files:
            draw(tmp_path / "a.mp4", file, 25)
        assert files[0].read_bytes() == files[1].read_bytes()
        with av.open(files[0]) as container:
            (stream,) = container.streams
            assert stream.codec_context.name == codec
            assert stream.codec_context.pix_fmt == "yuv420p"
            found = [frame.time for frame in container.decode(stream)]
        np.testing.assert_allclose(found, times, atol=6e-4)  # WebM's times are whole milliseconds
    assert default_suffix() == ".seen.mp4"


class Rising:
    """Answers a window by when it begins: valence rises from -1 to 1, arousal is 0.5."""

    targets = (Target("classes", "words", ("happy", "sad")), *map(number, PLANE[:2]))
    inputs, encoder, wavelets = (), "", ()
    classes = targets[0].names
    needs_face = needs_pictures = needs_transcript = needs_voice = False
    normalizes = writes = calibrated = False

    def line(self) -> str:
        return "rising"

    def answer(self, clips: Clips) -> pd.DataFrame:
        seen = [clips.trajectory(name) for name in clips.table["video_idx"]]
        starts = [float(one.times_T[0]) for one in seen if one is not None]
        numbers = np.array([[0.9, 0.1, start / 3 - 1, 0.5] for start in starts])
        return answers_of(clips, np.full(len(clips), "face"), self.targets, numbers)


def test_a_models_answers_move_in_the_plane_and_are_left_out_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facewave.app.predict.choose", lambda name: Rising())
    write_video(tmp_path / "a.mp4", 12)
    seen = replace(of_numbers(range(12)), times_T=np.arange(12.0) * 0.75)  # 9 s: windows up to 6 s
    remember(cache.key(tmp_path / "a.mp4", 25, SETTINGS), seen, ClipFacts(30.0, 64, 48, 12))
    for name, model in (("with", "rising"), ("without", None)):
        draw(tmp_path / "a.mp4", tmp_path / f"{name}.mp4", 25, model)
    drawn, plain = (frames(tmp_path / f"{name}.mp4") for name in ("with", "without"))
    places = []
    for picture in drawn:
        header = picture[:150, 640:].astype(int)
        rows, columns = np.nonzero(np.abs(header - (245, 175, 60)).sum(axis=2) < 120)
        places.append((columns.mean(), rows.mean()))
        assert np.ptp(columns) < 14  # a single dot
    x, y = np.transpose(places)
    left, right = 254, 254 + 128  # of the plane, from the picture's right end
    starts = np.clip(np.arange(12) * 0.75 - 1.5, 0, 6).round(6)
    starts = np.ceil((starts / 0.2).round(6) - 0.5) * 0.2  # of the windows around the frames
    first_seen = np.ceil((starts / 0.75).round(6)) * 0.75  # the first frame of each
    np.testing.assert_allclose(x, left + first_seen / 6 * (right - left), atol=5)
    np.testing.assert_allclose(y, 14 + 128 / 4, atol=2)
    # Nothing else differs but what makes room for it; the picture and the timeline are as they are.
    assert not [p for p in plain if share(p[:150, 640:], "red") > 0]
    np.testing.assert_allclose(drawn[5][:480, :640], plain[5][:480, :640], atol=60)
    np.testing.assert_allclose(drawn[5][480:], plain[5][480:], atol=60)


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 1)
    empty = ClipFacts(30.0, 64, 48, 0, "no frame")
    remember(cache.key(tmp_path / "a.mp4", 25, SETTINGS), EMPTY, empty)
    with pytest.raises(UserError, match=r"a\.mp4: there is no frame to draw"):
        draw(tmp_path / "a.mp4", tmp_path / "out.mp4", 25)
    with pytest.raises(UserError, match=r"Name a \.mp4 or \.webm file"):
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
    assert Clip(tmp_path / "out.mp4", 25).fps == pytest.approx(10, rel=1e-3)

    def square(picture: np.ndarray) -> float:
        """Where the square, which moves, is: it has much red, in parts of the picture's width."""
        red = picture[..., 0].astype(int) - picture[..., 2]
        return float(np.flatnonzero((red > 90).mean(axis=0) > 0.2).mean() / picture.shape[1])

    for t in range(4):  # later it leaves the picture
        shown = drawn[t][:480, :640]
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
    bar = below(frames(tmp_path / "out.mp4")[11]).astype(int)
    colors = {"amber": (245, 175, 60), "red": (235, 85, 85), "green": (80, 200, 110)}
    drawn = []
    for t in range(12):
        middle = round((t + 0.5) * bar.shape[1] / 12)
        part = bar[:, middle - 8 : middle + 8].reshape(-1, 3)
        brightest = part[np.argsort(part.sum(axis=1))[-20:]].mean(axis=0)  # the hatching's lines
        drawn.append(min(colors, key=lambda name: np.abs(brightest - colors[name]).sum()))
    assert drawn == [*["green"] * 3, *["amber"] * 2, "red", *["green"] * 3, "red", *["green"] * 2]


def test_points_hide_no_small_face(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 3)
    rng = np.random.default_rng(0)
    for width in (0.05, 0.15, 0.4):  # of the picture
        seen = of_numbers(range(3))
        points = rng.uniform(-width / 2, width / 2, seen.landmarks_TPC.shape) + 0.5
        seen = replace(seen, landmarks_TPC=points.astype(np.float32))
        remember(cache.key(tmp_path / "a.mp4", 25, SETTINGS), seen, ClipFacts(30.0, 64, 48, 3))
        draw(tmp_path / "a.mp4", tmp_path / "out.mp4", 25)
        picture = frames(tmp_path / "out.mp4")[0][:480, :640]
        x, y = round(640 * width / 2) - 4, round(480 * width / 2) - 4
        assert share(picture[240 - y : 240 + y, 320 - x : 320 + x], "green") < 0.3
