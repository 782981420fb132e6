"""From samples to trajectories: spectrum, cepstrum and loudness every hundredth of a second.

Legend of names: S samples, T rows, W samples of a window, B bands of the spectrum, M of the mel
scale.
"""

from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from facewave.params import Block
from facewave.sound import RATE
from facewave.voice.pitch import WINDOW, pitch
from facewave.voice.schema import CHANNELS, HOP_S

VERSION = 2  # of what is made of samples: raise it with every change
HOP = round(RATE * HOP_S)  # samples between rows
_WINDOW = 400  # samples of a spectrum (25 ms, Hann), in a transform of
_POINTS = 512
_LEAST = 1e-10  # power that counts: -100 dB
_DIGITS = 3  # kept: processors differ in later ones, and files are smaller

Floats = NDArray[np.float32]


def signals(sound_S: Floats) -> dict[Block, Floats]:
    """The blocks of a piece of sound, name -> (T, C), one row every ``HOP`` samples, centred on it.

    What lies before and after the piece counts as silence.
    """
    frames_TW = windows(sound_S, _WINDOW)
    hann_W = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    magnitude_TB = np.abs(scipy.fft.rfft(frames_TW * hann_W, _POINTS))
    mel_TM = _decibels(magnitude_TB**2 @ _mel_bands(len(CHANNELS["mel"])).T)
    rise_TM = np.maximum(np.diff(mel_TM, axis=0, prepend=mel_TM[:1]), 0)
    hertz_B = scipy.fft.rfftfreq(_POINTS, 1 / RATE)
    total_T = magnitude_TB.sum(axis=1)
    centroid_T = magnitude_TB @ hertz_B / np.where(total_T > 0, total_T, 1) / 1000
    pitch_T, voicing_T = pitch(windows(sound_S, WINDOW))
    loudness_T = _decibels((frames_TW**2).mean(axis=1))
    prosody = [pitch_T, voicing_T, loudness_T, centroid_T, rise_TM.mean(axis=1)]
    blocks: dict[Block, NDArray[np.float64]] = {
        "mel": mel_TM,
        "prosody": np.column_stack(prosody),
        "mfcc": scipy.fft.dct(mel_TM, norm="ortho")[:, : len(CHANNELS["mfcc"])],
    }
    return {name: values.round(_DIGITS).astype(np.float32) for name, values in blocks.items()}


def windows(sound_S: Floats, width: int) -> NDArray[np.float64]:
    """The ``width`` samples around each row of a piece of sound, (T, width); silence beyond it."""
    n_rows = -(-len(sound_S) // HOP)
    padded_S = np.pad(sound_S.astype(np.float64), (width // 2, width // 2 + HOP))
    return np.lib.stride_tricks.sliding_window_view(padded_S, width)[::HOP][:n_rows]


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(power, _LEAST))


@cache
def _mel_bands(count: int) -> NDArray[np.float64]:
    """Triangles of equal area, evenly apart on Slaney's mel scale, (M, B).

    The scale is linear up to 1,000 Hz, 15 mel, and from there on logarithmic, 27 mel to 6,400 Hz
    (Slaney, Auditory Toolbox, Interval Research Technical Report 1998-010).
    """
    step = np.log(6.4) / 27
    highest = 15 + np.log(RATE / 2 / 1000) / step
    mel = np.linspace(0, highest, count + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(step * (mel - 15)))
    hertz_B = scipy.fft.rfftfreq(_POINTS, 1 / RATE)
    rising = (hertz_B - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz_B) / np.diff(edges)[1:, None]
    return np.maximum(np.minimum(rising, falling), 0) * 2 / (edges[2:] - edges[:-2])[:, None]
