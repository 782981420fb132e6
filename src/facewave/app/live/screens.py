"""Where answers are shown while a camera runs: lines of JSON, a terminal, or a window."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from facewave.app.live import keys
from facewave.app.live.measuring import Counts
from facewave.app.live.sources import Frame
from facewave.app.live.writing import line
from facewave.landmarks.follow import Spot

_BAR = 30  # characters of a probability of 1
_TITLE = "facewave live"
_GREEN, _GREY, _WHITE = (80, 200, 80), (150, 150, 150), (255, 255, 255)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass
class State:
    """What there is to show.

    Attributes:
        records: the newest answers, or why there are none, of each person.
        counts: of frames and answers.
        frame: the newest, None before the first.
        spots: where its faces are, by track.
        is_paused: whether frames are not looked at.
        writing: the file that answers go to.
        message: the last thing that happened.
    """

    records: Sequence[Mapping[str, Any]] = ()
    counts: Counts = field(default_factory=Counts)
    frame: Frame | None = None
    spots: Mapping[int, Spot] = field(default_factory=dict)
    is_paused: bool = False
    writing: Path | None = None
    message: str = ""

    @property
    def status(self) -> str:
        """One line for people."""
        latencies = self.counts.latencies_ms
        words = [
            "paused" if self.is_paused else f"{self.counts.seconds:.1f} s",
            f"{self.counts.fps:.0f} frames a second",
            f"{self.counts.dropped} dropped",
            *([f"latency {latencies[-1]:.0f} ms"] if latencies else []),
            *([f"writing {self.writing}"] if self.writing else ["nothing is written"]),
        ]
        return ", ".join(words)


class Screen(Protocol):
    """What shows answers; use it in a ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def tell(self, record: Mapping[str, Any]) -> None:
        """A record has come: an answer, why there is none, or a mark."""
        ...

    def show(self, state: State) -> list[str]:
        """Show the present state; the keys pressed there."""
        ...


class Lines:
    """Each record as a line of JSON on stdout, for programs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tell(self, record: Mapping[str, Any]) -> None:
        """See ``Screen``."""
        print(line(dict(record)), end="", flush=True)

    def show(self, state: State) -> list[str]:
        """See ``Screen``: what is told is shown already."""
        return []


class Terminal:
    """Words as bars in a terminal.

    Args:
        noun: what the model's numbers for words are: probability or score.
    """

    def __init__(self, noun: str) -> None:
        # Past the stream that writes control characters out: all texts here are plain ones.
        console = Console(file=sys.__stdout__, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._noun = noun

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, record: Mapping[str, Any]) -> None:
        """See ``Screen``."""

    def show(self, state: State) -> list[str]:
        """See ``Screen``."""
        self._live.update(page(state, self._noun), refresh=True)
        return []


def page(state: State, noun: str) -> Group:
    """What a terminal shows."""
    parts: list[Table | Text] = []
    for record in state.records:
        person = record.get("person")
        others = f", {record['others']} more in sight" if record.get("others") else ""
        who = "nobody" if person is None else f"person {person}{others}"
        if record["reason"]:
            parts.append(Text(plain(f"{who}: {record['reason']}"), "yellow"))
            continue
        table = Table(box=None, padding=(0, 2))
        table.add_column(who, min_width=12)
        table.add_column(noun, min_width=_BAR + 8)
        for word, share in ranked(record["words"]):
            table.add_row(plain(word), f"{share:6.1%} {'█' * round(_BAR * share)}")
        for name, number in record["numbers"].items():
            value = number["value"]
            table.add_row(plain(name), "" if value is None else f"{value:+.2f}")
        parts.append(table)
    ends = [Text(plain(state.status), "dim"), Text(keys.HELP, "dim")]
    return Group(*parts, *ends, *([Text(plain(state.message))] if state.message else []))


def ranked(words: Mapping[str, float | None]) -> list[tuple[str, float]]:
    """Words and their shares, the likeliest first."""
    known = [(word, share) for word, share in words.items() if share is not None]
    return sorted(known, key=lambda pair: -pair[1])


def plain(text: str) -> str:
    """A text without control characters, which a terminal would obey."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


class Window:
    """The picture with faces and answers, in a window of OpenCV's. See ``Screen``."""

    def __enter__(self) -> Self:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(cv2.error):  # closed already
            cv2.destroyWindow(_TITLE)

    def tell(self, record: Mapping[str, Any]) -> None:
        """See ``Screen``."""

    def show(self, state: State) -> list[str]:
        """See ``Screen``; closing the window ends it, too."""
        if state.frame is None:
            return []
        cv2.imshow(_TITLE, drawn(state))
        pressed = cv2.waitKey(1)
        if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return [keys.QUIT]
        return keys.known(chr(pressed & 0xFF)) if pressed >= 0 else []


def drawn(state: State) -> NDArray[np.uint8]:
    """The picture of a window, BGR: faces, answers, and what else there is to tell."""
    if state.frame is None:
        return np.zeros((1, 1, 3), np.uint8)
    canvas = cv2.cvtColor(state.frame.picture, cv2.COLOR_RGB2BGR)
    scale = max(0.4, canvas.shape[0] / 1000)
    step = round(32 * scale)
    people = {record.get("person") for record in state.records}
    for track, spot in state.spots.items():
        left, top = round(spot.x - spot.size / 2), round(spot.y - spot.size / 2)
        right, bottom = round(spot.x + spot.size / 2), round(spot.y + spot.size / 2)
        color = _GREEN if track in people else _GREY
        cv2.rectangle(canvas, (left, top), (right, bottom), color, 2)
    lines = []
    for record in state.records:
        if record["reason"]:
            lines.append(record["reason"])
            continue
        lines += [f"{share:4.0%} {word}" for word, share in ranked(record["words"])[:3]]
        numbers = record["numbers"].items()
        lines += [f"{name} {of['value']:+.2f}" for name, of in numbers if of["value"] is not None]
    bottom = canvas.shape[0] - step // 2
    texts = [(step * (number + 1), text) for number, text in enumerate(lines)]
    texts += [(bottom - step, state.message), (bottom, state.status)]
    for y, text in texts:
        place = (step // 2, y)
        ascii_text = text.encode("ascii", "replace").decode()
        for color, thickness in (((0, 0, 0), 4), (_WHITE, 1)):
            cv2.putText(canvas, ascii_text, place, _FONT, scale, color, thickness, cv2.LINE_AA)
    return canvas.astype(np.uint8, copy=False)


def choose(headless: bool, calibrated: bool) -> Screen:
    """The best screen that there is: a window, a terminal, or lines of JSON."""
    if headless or not sys.stdout.isatty():
        return Lines()
    return Window() if _has_window() else Terminal("probability" if calibrated else "score")


def _has_window() -> bool:
    """Whether there is a display, and an OpenCV that can draw on it."""
    there = sys.platform in ("darwin", "win32")
    there = there or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    built = cv2.getBuildInformation()
    return there and not any("GUI:" in one and "NONE" in one for one in built.splitlines())
