"""Pitch by pYIN (Mauch and Dixon, ICASSP 2014), a probabilistic form of YIN.

YIN (de Cheveigne and Kawahara, JASA 2002) takes the first dip of a window's difference from itself,
shifted, that is below a threshold. pYIN takes all thresholds at once, each as probable as a beta
distribution says, and has a hidden Markov model choose one pitch, or none, at every moment.

Legend of names: T rows, W samples of a window, L lags, K thresholds, P pitches.
"""

import numpy as np
import scipy.fft
import scipy.special
from numpy.typing import NDArray

from facewave.sound import RATE
from facewave.voice.schema import HOP_S, LOWEST_HZ, PITCHES_HZ

Floats = NDArray[np.float64]

WINDOW = 1024  # samples: two periods of the lowest pitch
_STEP = 0.2  # semitones: 0.6 % at most beside the truth
_THRESHOLDS = np.linspace(0, 1, 101)[1:]
_BETA = (2, 18)  # of thresholds, as published; their mean is 0.1
_UNLIKELY = 0.01  # weight of the lowest dip where none is below a threshold
_EARLIER = 2.0  # of dips below a threshold each is exp(2) times as likely as the next one
_CHANGE = 0.01  # probability that a voice begins or ends from one row to the next
_OCTAVES_S = 17.0  # at most, that a pitch moves
_LEAST = 1e-12


def pitch(frames_TW: Floats) -> tuple[Floats, Floats]:
    """Semitones over ``LOWEST_HZ`` (NaN without a voice) and the probability of a voice, (T,).

    ``frames_TW`` are the ``WINDOW`` samples around each row.
    """
    n_pitches = int(12 * np.log2(PITCHES_HZ[1] / PITCHES_HZ[0]) / _STEP) + 1
    likely_TP = np.zeros((len(frames_TW), n_pitches))
    weights_K = np.diff(scipy.special.betainc(*_BETA, np.linspace(0, 1, 101)))
    shortest = int(RATE / PITCHES_HZ[1])
    for row, dips_L in enumerate(_differences(frames_TW, int(np.ceil(RATE / PITCHES_HZ[0])) + 1)):
        lags, likely = _dips(dips_L, shortest, weights_K)
        steps = 12 * np.log2(RATE / lags / PITCHES_HZ[0]) / _STEP
        np.add.at(likely_TP[row], np.clip(steps.round().astype(int), 0, n_pitches - 1), likely)
    chosen_T = _path(likely_TP)
    first = 12 * np.log2(PITCHES_HZ[0] / LOWEST_HZ)
    semitones_T = np.where(chosen_T < n_pitches, first + _STEP * chosen_T, np.nan)
    return semitones_T, np.minimum(likely_TP.sum(axis=1), 1)


def _differences(frames_TW: Floats, most: int) -> Floats:
    """YIN's cumulative mean normalised difference of each window at lags 0 to ``most``, (T, L)."""
    half = frames_TW.shape[1] // 2
    points = scipy.fft.next_fast_len(frames_TW.shape[1] + half, real=True)
    head = np.conj(scipy.fft.rfft(frames_TW[:, :half], points))
    products_TL = scipy.fft.irfft(head * scipy.fft.rfft(frames_TW, points), points)[:, : most + 1]
    sums_TW = np.pad(np.cumsum(frames_TW**2, axis=1), ((0, 0), (1, 0)))
    energy_TL = sums_TW[:, half : half + most + 1] - sums_TW[:, : most + 1]
    difference_TL = np.maximum(energy_TL[:, :1] + energy_TL - 2 * products_TL, 0)
    means_TL = np.cumsum(difference_TL[:, 1:], axis=1) / np.arange(1, most + 1)
    silent_T1 = energy_TL[:, :1] <= _LEAST
    rest_TL = np.where(silent_T1, 1, difference_TL[:, 1:] / np.maximum(means_TL, _LEAST))
    return np.pad(rest_TL, ((0, 0), (1, 0)), constant_values=1)


def _dips(dips_L: Floats, shortest: int, weights_K: Floats) -> tuple[Floats, Floats]:
    """The lags of a row's dips, between samples, and how likely each is its period."""
    inner = slice(shortest, len(dips_L) - 1)
    before, here, after = dips_L[shortest - 1 : -2], dips_L[inner], dips_L[shortest + 1 :]
    (at,) = np.nonzero((here < before) & (here <= after))
    if not len(at):
        return np.empty(0), np.empty(0)
    below_DK = here[at, None] < _THRESHOLDS
    rank_DK = np.where(below_DK, np.cumsum(below_DK, axis=0) - 1, np.inf)
    share_DK = np.exp(-_EARLIER * rank_DK)
    total_K = share_DK.sum(axis=0)
    likely = (share_DK / np.where(total_K > 0, total_K, 1)) @ weights_K
    likely[here[at].argmin()] += _UNLIKELY * weights_K[total_K == 0].sum()
    bend = before[at] - 2 * here[at] + after[at]
    moved = (before[at] - after[at]) / (2 * np.where(bend > 0, bend, 1))
    return at.astype(np.float64) + shortest + np.where(bend > 0, moved, 0), likely


def _path(likely_TP: Floats) -> NDArray[np.int64]:
    """The likeliest pitch of every row by Viterbi's algorithm, (T,); P where there is no voice.

    A pitch with and without a voice are two states each; without one all are alike.
    """
    n_rows, n_pitches = likely_TP.shape
    if not n_rows:
        return np.empty(0, np.int64)
    reach = round(_OCTAVES_S * 12 / _STEP * HOP_S)
    kernel = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    with np.errstate(divide="ignore"):
        moves = np.log(kernel / kernel.sum())
        voiced_TP = np.log(np.maximum(likely_TP, _LEAST))
        silence = np.log(np.maximum(1 - likely_TP.sum(axis=1), _LEAST) / n_pitches)
    stays, changes = np.log(1 - _CHANGE), np.log(_CHANGE)
    best = np.full((2, n_pitches), -np.log(2 * n_pitches))  # with a voice, and without
    best = best + np.stack([voiced_TP[0], np.full(n_pitches, silence[0])])
    came_from = np.zeros((n_rows, 2, n_pitches), np.int32)
    places = np.arange(n_pitches)
    for row in range(1, n_rows):
        padded = np.pad(best, ((0, 0), (reach, reach)), constant_values=-np.inf)
        ways = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1) + moves
        nearest = ways.argmax(axis=2)
        value = np.take_along_axis(ways, nearest[..., None], 2)[..., 0]
        origin = nearest + places - reach + n_pitches * np.arange(2)[:, None]
        switched = value[::-1] + changes > value + stays
        came_from[row] = np.where(switched, origin[::-1], origin)
        best = np.where(switched, value[::-1] + changes, value + stays)
        best = best + np.stack([voiced_TP[row], np.full(n_pitches, silence[row])])
    states = np.zeros(n_rows, np.int64)
    states[-1] = best.argmax()
    for row in range(n_rows - 1, 0, -1):
        states[row - 1] = came_from[row].reshape(-1)[states[row]]
    return np.minimum(states, n_pitches)
