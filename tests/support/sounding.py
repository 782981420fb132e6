"""Clips with sound, made in code."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

Floats = NDArray[np.float32]
RATE = 16_000


def noise(seconds: float, seed: int = 0) -> Floats:
    """Tones that change ten times a second, and some noise, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    pitches = rng.uniform(100, 4000, len(t) // 1600 + 1).repeat(1600)[: len(t)]
    tones = 0.4 * np.sin(2 * np.pi * np.cumsum(pitches) / RATE)
    return (tones + rng.uniform(-0.05, 0.05, len(t))).astype(np.float32)


def tone(hertz: float, seconds: float, level: float = 0.3) -> Floats:
    """A voice-like tone: six harmonics, each half as strong as the one before."""
    t = np.arange(round(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * hertz * n * t) / 2**n for n in range(1, 7)]
    return (level * np.sum(waves, 0)).astype(np.float32)


def click(at: float, seconds: float) -> Floats:
    """Silence, but for 5 ms of noise from ``at`` (s) on."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    first = round(at * RATE)
    sound[first : first + 80] = np.random.default_rng(0).uniform(-0.9, 0.9, 80)
    return sound


def write_sound(
    path: Path,
    *sounds: Floats | None,
    rate: int = RATE,
    codec: str = "pcm_s16le",
    pictures_from: float = 0.0,
    sound_from: float = 0.0,
    times: Sequence[float] | None = None,
    flash: int | None = None,
    default: int = 0,
) -> Path:
    """A video of grey pictures, with sound tracks, each (n,) or (channels, n); None: no track.

    Args:
        path: the file; its suffix names the container.
        sounds: the tracks.
        rate: samples a second.
        codec: of the sound.
        pictures_from: when the first picture is shown, s.
        sound_from: when the sound begins, s.
        times: of the pictures (s from the first); None: 25 a second, for a second.
        flash: the number of a white picture among black ones; None: all are grey.
        default: which track is marked so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [i / 25 for i in range(25)] if times is None else times
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 32
        video.codec_context.time_base = Fraction(1, 1000)
        tracks = []
        for number, sound in enumerate(sounds):
            if sound is not None:
                channels = np.atleast_2d(sound)
                layout = "mono" if len(channels) == 1 else "stereo"
                track = container.add_stream(codec, rate=rate, layout=layout)
                track.disposition = Disposition.default if number == default else Disposition(0)
                tracks.append((channels, layout, track))
        for i, time in enumerate(times):
            level = 9 * i % 256 if flash is None else 255 * (i == flash)
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), "rgb24")
            picture.pts, picture.time_base = round(1000 * (pictures_from + time)), Fraction(1, 1000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for channels, layout, track in tracks:
            for at in range(0, channels.shape[1], 1024):
                piece = np.ascontiguousarray(channels[:, at : at + 1024])
                frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = round(sound_from * rate) + at
                container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return path
