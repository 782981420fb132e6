"""The loop: takes the newest picture, follows the faces in it, and answers every hop."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facewave.app.live import keys
from facewave.app.live.answering import Asker, Smoother, told
from facewave.app.live.clock import Clock
from facewave.app.live.measuring import Counts
from facewave.app.live.memory import Memory, Window
from facewave.app.live.newest import Feed
from facewave.app.live.screens import Screen, State
from facewave.app.live.sources import Frame
from facewave.app.live.writing import Writing
from facewave.errors import UserError
from facewave.landmarks import quality
from facewave.landmarks.engines.engine import Landmarker
from facewave.landmarks.follow import Spot

_PATIENCE_S = 0.1  # that is waited for a picture before keys are read again
_SHOWN_S = 0.1  # between two pictures of the screen
_ROUNDING = 1e-6  # of frame times, as a share of a hop
_MEASURES = ("face_share", "face_px", "yaw", "pitch", "sharpness")


@dataclass(frozen=True)
class Options:
    """How a camera is watched.

    Attributes:
        window, hop, smooth: seconds of a window, from one answer to the next, and over which
            answers are averaged.
        seconds: after which it ends; None: when it is told to, or the source ends.
        everybody: answer for everybody in sight, not for whom landmarks.whose chooses.
        out: the file that answers go to from the start; None: to none before key s.
        save_video: keep the frames that are looked at while answers are written.
    """

    window: float = 3.0
    hop: float = 0.2
    smooth: float = 1.0
    seconds: float | None = None
    everybody: bool = False
    out: Path | None = None
    save_video: bool = False


class Watch:
    """One camera that is watched.

    Args:
        feed: where pictures are taken from.
        landmarker: follows the faces.
        memory: keeps what was seen.
        asker: answers.
        screen: shows the answers.
        pressed: the keys since the last call.
        options: see there.
        clock: what latency is told by.
        open_file: opens the file that answers go to.
    """

    def __init__(
        self,
        feed: Feed,
        landmarker: Landmarker,
        memory: Memory,
        asker: Asker,
        screen: Screen,
        pressed: keys.Read,
        options: Options,
        clock: Clock,
        open_file: Callable[[Path | None], Writing],
    ) -> None:
        self._feed, self._landmarker, self._memory, self._asker = feed, landmarker, memory, asker
        self._screen, self._pressed, self._options, self._clock = screen, pressed, options, clock
        self._smoother = Smoother(asker.model, options.smooth)
        self._open_file, self._writing = open_file, ExitStack()
        self._file: Writing | None = None
        self._state = State()
        self._milliseconds = self._hop = -1
        self._shown = float("-inf")

    def run(self) -> Counts:
        """Watch until the end: of the source, of the time, by key q, or by Ctrl-C.

        Raises:
            UserError: the source cannot be opened or broke off, or a file cannot be written.
        """
        state, began = self._state, None
        with self._writing:
            if self._options.out:
                self._write_to(self._options.out)
            try:
                while True:
                    typed = self._pressed()
                    if self._clock.now() - self._shown >= _SHOWN_S:
                        self._shown = self._clock.now()
                        typed += self._screen.show(state)
                    if any(self._is_end(key) for key in typed):
                        break
                    frame = self._feed.take(_PATIENCE_S)
                    state.counts.dropped = self._feed.dropped
                    if frame is None and self._feed.is_over:
                        break
                    if frame is not None:
                        began = frame.captured if began is None else began
                        since, state.counts.seconds = state.counts.seconds, frame.time
                        if state.is_paused:
                            state.counts.paused += frame.time - since
                        else:
                            self._look(frame)
                    most = self._options.seconds
                    if most and began is not None and self._clock.now() - began >= most:
                        break
            except KeyboardInterrupt:  # the usual end
                pass
            self._screen.show(state)
        return state.counts

    def _is_end(self, key: str) -> bool:
        """Do what a key says; whether it says to end."""
        state = self._state
        match key:
            case keys.PAUSE:
                state.is_paused = not state.is_paused
                state.message = "paused: no picture is looked at" if state.is_paused else ""
            case keys.MARK:
                self._mark()
            case keys.SAVE:
                self._save()
        return key == keys.QUIT

    def _mark(self) -> None:
        time, clock = round(self._state.counts.seconds, 3), _clock()
        if self._file is None:
            self._state.message = "nothing is written: press s first, then m marks moments"
            return
        number = self._file.mark(time, clock)
        self._screen.tell({"mark": number, "time": time, "clock": clock})
        self._state.message = f"mark {number} at {time:.1f} s"

    def _save(self) -> None:
        """Start writing, or stop."""
        if self._file is not None:
            self._state.message = f"{self._file.path} is written"
            self._writing.close()
            self._file = self._state.writing = None
            return
        try:
            self._write_to(None)
        except (UserError, OSError) as error:  # it goes on without a file
            self._state.message = str(error)

    def _write_to(self, path: Path | None) -> None:
        self._file = self._writing.enter_context(self._open_file(path))
        self._state.writing = self._file.path
        self._state.message = f"writing {self._file.path}"

    def _look(self, frame: Frame) -> None:
        """Follow the faces of a frame, and answer if a hop is over."""
        self._milliseconds = max(self._milliseconds + 1, round(frame.time * 1000))
        sightings = self._landmarker.look(frame.picture, self._milliseconds)
        self._memory.add(frame, sightings)
        height, width = frame.picture.shape[:2]
        self._state.spots = {
            track: Spot(*quality.spot(face.landmarks_PC, width, height))
            for track, face, _ in sightings
        }
        self._state.frame = frame
        self._state.counts.looked += 1
        if self._file is not None:
            self._file.show(frame)
        hop = int(frame.time / self._options.hop + _ROUNDING)
        if hop > self._hop:
            self._hop = hop
            self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        windows = self._memory.windows(self._landmarker.names, self._options.everybody)
        records = [self._record(frame, window) for window in windows] or [self._record(frame, None)]
        self._state.records = records

    def _record(self, frame: Frame, window: Window | None) -> dict[str, Any]:
        """The answer of a window, written and shown."""
        counts = self._state.counts
        answer, reason = None, "no face"
        measures: dict[str, float] = {}
        if window is not None:
            answer, reason, measures = self._asker.ask(window)
            if answer is not None:
                answer = self._smoother.add(window.person, frame.time, answer)
        latency = round(1000 * (self._clock.now() - frame.captured), 1)
        record: dict[str, Any] = {
            "time": round(frame.time, 3),
            "clock": _clock(),
            "person": window.person if window else None,
            "others": window.others if window else 0,
            "reason": reason,
        }
        if answer is not None and window is not None:
            counts.latencies_ms.append(latency)
            record |= told(answer, self._asker.model)
        else:
            counts.reasons[re.split(r"[:(\d]", reason)[0].strip()] += 1
        known = {name: measures[name] for name in _MEASURES if name in measures}
        if window is not None:
            known["brightness"] = round(window.brightness, 4)
        record["quality"] = {name: None if of != of else of for name, of in known.items()}
        record |= {"latency_ms": latency, "dropped": counts.dropped, "fps": round(counts.fps, 1)}
        self._screen.tell(record)
        if self._file is not None:
            self._file.add(record, answer)
        return record


def _clock() -> str:
    """The time of day, with its zone."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


def check(options: Options) -> None:
    """Check that options make sense.

    Raises:
        UserError: they do not.
    """
    if not 0 < options.hop <= options.window < float("inf"):
        raise UserError(
            f"--window is {options.window:g} s and --hop {options.hop:g} s; a hop is more than 0 "
            "and no longer than a window."
        )
    if not 0 <= options.smooth < float("inf"):
        raise UserError(f"--smooth is {options.smooth:g} s; name 0 or more.")
    if options.seconds is not None and not 0 < options.seconds < float("inf"):
        raise UserError(f"--seconds is {options.seconds:g}; name more than 0.")
