"""Pictures as they come: the newest alone, at a video's own rate, again after a break."""

from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from cameras import Jumping, frame
from facewave.app.live import sources
from facewave.app.live.clock import Clock
from facewave.app.live.newest import Each, Newest
from facewave.app.live.sources import Frame, Live, Picture, Played, source
from facewave.errors import UnfinishedError, UserError
from facewave.video import Clip
from running import ROOT

CLIP = ROOT / "data/raw/demo/clips/2.mp4"
GREY = np.zeros((2, 2, 3), np.uint8)


class Gated:
    """Gives some frames whenever it is let."""

    label = "gated"

    def __init__(self, error: Exception | None = None) -> None:
        self.go, self.given, self._error = Event(), Event(), error

    def frames(self, clock: Clock, stop: Event) -> Iterator[Frame]:
        for number in range(5):
            yield frame(number)
        self.given.set()
        assert self.go.wait(10)
        yield frame(5)
        if self._error:
            raise self._error


def test_only_the_newest_picture_is_held_and_the_others_are_counted() -> None:
    camera = Gated()
    with Newest(camera, Clock()) as feed:
        assert camera.given.wait(10)
        newest = feed.take(10)
        assert newest is not None
        assert (newest.number, feed.dropped) == (4, 4)
        assert feed.take(0) is None
        assert not feed.is_over
        camera.go.set()
        last = feed.take(10)
        assert last is not None
        assert (last.number, feed.dropped) == (5, 4)
        assert feed.take(10) is None
        assert feed.is_over


def test_what_ends_a_source_is_told_after_its_last_picture() -> None:
    camera = Gated(UserError("it broke off"))
    camera.go.set()
    with Newest(camera, Clock()) as feed:
        feed._thread.join(10)
        assert not feed.is_over
        assert feed.take(1) is not None
        with pytest.raises(UserError, match="broke off"):
            feed.take(1)
        assert feed.is_over


def test_each_gives_every_picture() -> None:
    feed = Each(iter([frame(0), frame(1)]))
    assert [one.number for one in iter(lambda: feed.take(0), None)] == [0, 1]
    assert feed.is_over
    assert feed.dropped == 0


def test_a_video_runs_at_its_own_rate_and_late_frames_were_due_before() -> None:
    clock, stop = Jumping(), Event()
    expected = [time for _, time, _ in Clip(CLIP, 25).frames()]
    times, captured = [], []
    for shown in Played(CLIP).frames(clock, stop):
        times.append(shown.time)
        captured.append(shown.captured)
        clock.time += 0.3 if shown.number == 3 else 0  # whoever decodes was kept from it
    assert np.allclose(times, np.array(expected) - expected[0])
    assert np.allclose(captured, 100 + np.array(times))
    assert clock.now() == pytest.approx(100 + times[-1], abs=0.3)
    assert min(clock.waits) < 0  # it is late, and waits for nothing
    stop.set()
    assert list(Played(CLIP).frames(clock, stop)) == []


def test_a_stream_that_breaks_off_is_opened_again_and_given_up_in_the_end() -> None:
    opened: list[int] = []

    def pictures() -> Generator[Picture]:
        opened.append(len(opened))
        if opened[-1] in (0, 2):
            yield from [GREY] * 2
        if opened[-1] > 2:
            raise sources._LostError("nobody answers")

    clock = Jumping()
    shown = Live("camera 0", pictures).frames(clock, Event())
    first = list(islice(shown, 4))
    assert [one.number for one in first] == [0, 1, 2, 3]
    assert first[2].time == pytest.approx(1.5)  # 0.5 s, and 1 s after one try that gave nothing
    with pytest.raises(UnfinishedError, match="nobody answers"):
        next(shown)
    assert clock.waits == [0.5, 1, 0.5, 1, 2]
    assert len(opened) == 6


def test_a_source_that_cannot_be_opened_is_no_break(tmp_path: Path) -> None:
    def nothing() -> Generator[Picture]:
        yield from ()
        raise sources._LostError("it is locked")

    with pytest.raises(UserError, match="camera 7 cannot be watched: it is locked"):
        next(Live("camera 7", nothing).frames(Jumping(), Event()))
    (tmp_path / "text.mp4").write_text("no video")
    for named in ("nowhere.mp4", str(tmp_path / "text.mp4")):
        with pytest.raises(UserError):
            source(named)


def test_a_camera_is_read_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    class Capture:
        def __init__(self, index: int) -> None:
            assert index == 3
            self.left, self.asked = 2, {}  # type: ignore[var-annotated]
            self.is_released = False
            captures.append(self)

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def set(self, what: int, value: float) -> None:
            self.asked[what] = value

        def read(self) -> tuple[bool, Picture | None]:
            self.left -= 1
            return self.left >= 0, np.full((2, 2, 3), (255, 0, 7), np.uint8)

        def release(self) -> None:
            self.is_released = True

    captures: list[Capture] = []
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    camera = source("3")
    shown = camera.frames(Jumping(), Event())
    assert camera.label == "camera 3"
    assert next(shown).picture[0, 0].tolist() == [7, 0, 255]  # RGB
    assert captures[0].asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    next(shown)
    next(shown)  # it gave no picture, and is opened again
    assert [one.is_released for one in captures] == [True, False]
