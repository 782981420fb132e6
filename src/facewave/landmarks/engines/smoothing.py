"""The one-euro filter of landmarks (Casiez et al. 2012, doi:10.1145/2207676.2208639). Pure."""

import math

import numpy as np
from numpy.typing import NDArray

# Hz, Hz a speed, Hz: ConfigureLandmarksSmoothingCalculator in face_landmarks_detector_graph.cc.
_LEAST_CUTOFF, _BETA, _SPEED_CUTOFF = 0.05, 80.0, 1.0
_RATE = 30.0  # frames a second, where times do not tell: landmarks_smoothing_calculator.proto
_LEAST_SIZE = 1e-6  # pixels: a smaller face is not smoothed


class OneEuro:
    """Smooths one face's points over time; a new face needs a new filter."""

    def __init__(self) -> None:
        self._time, self._rate = 0, _RATE
        self._raw_PC: NDArray[np.float32] | None = None
        self._smooth_PC = self._speed_PC = np.zeros(0, np.float32)

    def __call__(self, points_PC: NDArray[np.float32], milliseconds: int) -> NDArray[np.float32]:
        """The points (P, 3), in pixels, smoothed; ``milliseconds`` must increase.

        Speeds count in sizes of the face, which are the mean of its box's width and height. A time
        of 0 counts as unknown. (one_euro_filter.cc, landmarks_smoothing_calculator_utils.cc.)
        """
        size = float(np.ptp(points_PC[:, :2], axis=0).mean())
        if size < _LEAST_SIZE:
            return points_PC
        if self._time:
            self._rate = 1000 / (milliseconds - self._time)
        self._time = milliseconds
        if self._raw_PC is None:
            self._smooth_PC, self._speed_PC = points_PC, np.zeros_like(points_PC)
        else:
            speed_PC = (points_PC - self._raw_PC) * np.float32(self._rate / size)
            weight = self._share(np.array(_SPEED_CUTOFF, np.float32))
            self._speed_PC = self._speed_PC + weight * (speed_PC - self._speed_PC)
            weight = self._share(_LEAST_CUTOFF + _BETA * np.abs(self._speed_PC))
            self._smooth_PC = self._smooth_PC + weight * (points_PC - self._smooth_PC)
        self._raw_PC = points_PC
        return self._smooth_PC

    def _share(self, cutoff: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much of a new value low-pass filters of these cutoffs (Hz) take."""
        return 1 / (1 + np.float32(self._rate / (2 * math.pi)) / cutoff)
