"""The one-euro filter of landmarks (Casiez et al. 2012, doi:10.1145/2207676.2208639). Pure."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Hz, Hz a speed, Hz: ConfigureLandmarksSmoothingCalculator in face_landmarks_detector_graph.cc.
_LEAST_CUTOFF, _BETA, _SPEED_CUTOFF = 0.05, 80.0, 1.0
_RATE = 30.0  # frames a second, where times do not tell: landmarks_smoothing_calculator.proto
_LEAST_SIZE = 1e-6  # pixels: a smaller face is not smoothed


class OneEuro:
    """Smooths one face's points over time; a new face needs a new filter."""

    def __init__(self) -> None:
        self._time, self._rate = 0, _RATE
        self._raw_PC: Floats | None = None
        self._smooth_PC = self._speed_PC = np.zeros(0)

    def __call__(self, points_PC: NDArray[np.float32], milliseconds: int) -> NDArray[np.float32]:
        """The points (P, 3), in pixels, smoothed; ``milliseconds`` must increase.

        Speeds count in sizes of the face, which are the mean of its box's width and height. A time
        of 0 counts as unknown. (one_euro_filter.cc, landmarks_smoothing_calculator_utils.cc.)
        """
        raw_PC = points_PC.astype(float)
        size = float(np.ptp(raw_PC[:, :2], axis=0).mean())
        if size < _LEAST_SIZE:
            return points_PC
        if self._time:
            self._rate = 1000 / (milliseconds - self._time)
        self._time = milliseconds
        if self._raw_PC is None:
            self._smooth_PC, self._speed_PC = raw_PC, np.zeros_like(raw_PC)
        else:
            speed_PC = (raw_PC - self._raw_PC) * (self._rate / size)
            share = self._share(np.array(_SPEED_CUTOFF))
            self._speed_PC = self._speed_PC + share * (speed_PC - self._speed_PC)
            share = self._share(_LEAST_CUTOFF + _BETA * np.abs(self._speed_PC))
            self._smooth_PC = self._smooth_PC + share * (raw_PC - self._smooth_PC)
        self._raw_PC = raw_PC
        return self._smooth_PC.astype(np.float32)

    def _share(self, cutoff: Floats) -> Floats:
        """How much of a new value low-pass filters of these cutoffs (Hz) take."""
        return 1 / (1 + self._rate / (2 * math.pi * cutoff))
