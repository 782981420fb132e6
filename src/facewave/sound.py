"""Decodes the sound of clips with FFmpeg: one channel, on the clip's own clock.

t = 0 is the time of the first picture, as in ``video.py``, or of the first sound where there are no
pictures. Of several tracks the one that FFmpeg takes by default is heard, as it would be played
with the pictures: one marked as default before others, then the richest. Each piece is put where
its time says: what comes before t = 0 is left out, and what edit lists cut away with it. Priming is
cut away where the container says how long it is; AVI does not, and MP3 in it is 25 ms late.
"""

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from facewave import unreadable
from facewave.pictures import is_pictures
from facewave.video import FORMATS

RATE = 16_000  # samples a second, which is what speech is recognised from
NO_SOUND = "it has no sound"
_FORMATS = f"{FORMATS},wav,mp3,flac"  # containers that sound comes in alone
# A jump in time shorter than this is rounding of the container's, and no gap: many count in ms.
_TOLERANCE_S = 0.01
# A longest gap, unless the header promises a longer clip; and what no header is believed beyond.
_LONGEST_S = 10.0
_DAY_S = 86_400.0
_PIECE = 1 << 20  # samples of a gap at a time

Samples = NDArray[np.float32]


class Sound:
    """The sound of a clip, read once from front to end.

    Attributes:
        problem: why there is none, "" if there is.
    """

    def __init__(self, path: Path, rate: int = RATE) -> None:
        self.problem, self._rate = "", rate
        self._source: tuple[InputContainer, AudioStream] | None = None
        if is_pictures(path):
            self.problem = NO_SOUND
            return
        try:
            options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
            container = av.open(f"file:{path}", options=options, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError):
            self.problem = unreadable.why(path)
            return
        pictures = container.streams.best("video")
        stream = container.streams.best("audio", pictures)
        if not isinstance(stream, AudioStream):
            self.problem = NO_SOUND
            container.close()
            return
        first = pictures or stream
        self._origin = float((first.start_time or 0) * (first.time_base or 0))
        duration = (container.duration or 0) / av.time_base
        self._longest = min(max(duration, _LONGEST_S), _DAY_S)
        codec = getattr(stream.codec_context, "name", "")  # no context: no decoder
        self._frames = _decoded(container, stream) if codec else iter(())
        self._ahead = next(self._frames, None)
        if self._ahead is None:
            self.problem = f"its sound cannot be decoded ({codec or 'no decoder for it'})"
            container.close()
            return
        self._source = container, stream

    def pieces(self) -> Generator[Samples]:
        """Consecutive samples from t = 0 on, in [-1, 1]: the mean of the channels, NaN in gaps.

        A gap is where the container has no sound, or damaged packets. A time that goes back, or
        leaps farther than the clip is long, is not believed.
        """
        if self._source is None or self._ahead is None:
            return
        written = 0
        with self._source[0]:
            for start, samples in self._placed():
                for at in range(written, start, _PIECE):
                    yield np.full(min(_PIECE, start - at), np.nan, np.float32)
                fresh = samples[max(0, written - start) :]
                written = max(written, start + len(samples))
                if len(fresh):
                    yield fresh

    def _placed(self) -> Iterator[tuple[int, Samples]]:
        """Resampled pieces, each with the number of its first sample, which may be below 0."""
        resampler: AudioResampler | None = None
        form, now, at = "", math.nan, 0
        for frame in self._read():
            time = now if frame.time is None else frame.time - self._origin
            known = 0.0 if math.isnan(now) else now
            if math.isnan(time) or time - known > self._longest:  # missing, or wild
                time = known
            this_form = f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"
            if resampler is None or this_form != form or not abs(time - now) <= _TOLERANCE_S:
                if resampler:
                    yield from _mixed(resampler, None, at)
                resampler = AudioResampler(format="fltp", rate=self._rate)
                form, now, at = this_form, time, round(time * self._rate)
            now += frame.samples / frame.sample_rate
            frame.pts = None
            for start, samples in _mixed(resampler, frame, at):
                at = start + len(samples)
                yield start, samples
        if resampler:
            yield from _mixed(resampler, None, at)

    def _read(self) -> Iterator[av.AudioFrame]:
        if self._ahead is not None:
            yield self._ahead
        yield from self._frames


def read(path: Path, rate: int, start: float = 0.0, end: float = math.inf) -> Samples:
    """The sound of a clip from ``start`` to ``end`` (s), gaps as silence; empty without sound.

    ``rate`` is in samples a second.
    """
    first = max(0, round(start * rate))
    last = round(end * rate) if math.isfinite(end) else None
    kept, at = [np.zeros(0, np.float32)], 0
    for piece in Sound(path, rate).pieces():
        if last is not None and at >= last:
            break
        kept.append(piece[max(0, first - at) : None if last is None else last - at])
        at += len(piece)
    return np.nan_to_num(np.concatenate(kept), nan=0.0)


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[av.AudioFrame]:
    """The frames of a track; damaged packets are passed over, a damaged rest is its end."""
    with suppress(av.FFmpegError):
        for packet in container.demux(stream):
            with suppress(av.FFmpegError):
                yield from packet.decode()


def _mixed(
    resampler: AudioResampler, frame: av.AudioFrame | None, at: int
) -> Iterator[tuple[int, Samples]]:
    """What a resampler gives for a frame, None for its end: one channel, from number ``at`` on."""
    for piece in resampler.resample(frame):
        samples = piece.to_ndarray().mean(axis=0, dtype=np.float32)
        yield at, samples
        at += len(samples)
