"""Cuts inside a clip."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 32  # pixels of the small pictures that are compared
_SAMPLED = 128  # pixels of a picture's longer side, at most, that they are made of
_LEAST = 27.0  # levels of 255: the default threshold of PySceneDetect's ContentDetector


class Cuts:
    """Compares each picture of a clip with the one before it.

    As PySceneDetect's ContentDetector does: by the mean difference of hue (0 to 179), saturation
    and brightness (0 to 255); here of small pictures.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.int16] | None = None

    def between(self, picture: NDArray[np.uint8]) -> bool:
        """Whether there is a cut between the last picture and this one (height, width, 3), RGB."""
        now = small(picture)
        before, self._before = self._before, now
        return before is not None and float(np.abs(now - before).mean()) > _LEAST


def small(picture: NDArray[np.uint8]) -> NDArray[np.int16]:
    """A picture (height, width, 3), RGB, as it is compared: hue, saturation, brightness."""
    step = max(1, max(picture.shape[:2]) // _SAMPLED)
    sampled = cv2.resize(picture[::step, ::step], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(sampled, cv2.COLOR_RGB2HSV).astype(np.int16)
