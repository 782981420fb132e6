"""When the frames of a video are shown, by its packets, without decoding them."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from facewave.pictures import is_pictures
from facewave.video import opened


class Mark(NamedTuple):
    """When a frame is shown, in a container's units, and whether it can be decoded on its own."""

    pts: int
    is_keyframe: bool


class Marks(NamedTuple):
    """A video's frames, without decoding them.

    Attributes:
        shown: in the order in which they are shown, without those that were cut away without
            encoding the rest anew, as in ``Clip``.
        start: the container's first time, from which ``Clip`` counts.
        second: of a unit.
        whole: whether every frame has a time, and one that can be true.
    """

    shown: list[Mark]
    start: int
    second: Fraction
    whole: bool

    def time(self, pts: int) -> float:
        """A frame's time as ``Clip`` tells it (s)."""
        return 1000 * ((pts - self.start) * float(self.second)) / 1000

    @property
    def length(self) -> float:
        """From the first frame to the last (s); 0 if there are none."""
        return float((self.shown[-1].pts - self.shown[0].pts) * self.second) if self.shown else 0.0


def marks(path: Path) -> Marks:
    """What a video's packets say of its frames; none of pictures, or of what cannot be opened."""
    shown: list[Mark] = []
    start, second, whole = 0, Fraction(1), True
    if is_pictures(path):
        return Marks(shown, start, second, whole)
    try:
        container, stream = opened(path)
    except (av.FFmpegError, OSError, ValueError):
        return Marks(shown, start, second, whole)
    start, second = stream.start_time or 0, stream.time_base or second
    # AVI knows only when frames are decoded, which need not be the order in which they are shown.
    whole = container.format.name != "avi" or not stream.codec_context.has_b_frames
    with container, suppress(av.FFmpegError):
        for packet in container.demux(stream):
            if packet.pts is not None and not packet.is_discard:
                shown.append(Mark(packet.pts, packet.is_keyframe))
            whole = whole and (packet.pts is not None or not packet.size)
    return Marks(sorted(shown), start, second, whole)


def frame_times(path: Path) -> list[float]:
    """The times of a video's frames (s from the first), without decoding them; [] if it has none.

    Frames that were cut away without encoding the rest anew are left out, as in ``Clip``.
    """
    told = marks(path)
    times = [float(mark.pts * told.second) for mark in told.shown]
    return [time - times[0] for time in times]
