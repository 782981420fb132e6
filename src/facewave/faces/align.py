"""Where a face is in a picture, and the aligned square that is cut out of it. Pure.

Legend of names: T frames, P points, 2: x and y in pixels from the picture's top left corner, 4: a
square's x and y (of its centre), side, and angle (degrees by which its x axis is turned clockwise);
n pictures.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.landmarks.headpose import LEFT, RIGHT, STABLE
from facewave.params import Align

Pictures = NDArray[np.uint8]

_HIGHER = 0.05  # of the box's height: landmarks end at the forehead's rim, encoders' faces above it
# Of a face that is seen from the front: the box's longer side over the stable points' root-mean-
# square distance from their centre, and how far the box's centre is below theirs, in sides. Medians
# over nine real clips.
_SIDE, _BELOW = 3.46, 0.176


def squares(points_TP2: NDArray[np.floating], align: Align) -> NDArray[np.float32]:
    """The squares around a face's landmarks, (T, 4); NaN where these are.

    box: upright, as large as the longer side of the points' box. points: of a similarity transform
    by the points that expressions hardly move (landmarks/headpose.py): an opened mouth does not
    change it, and the eyes stay level.
    """
    if align == "box":
        low_T2, high_T2 = points_TP2.min(axis=1), points_TP2.max(axis=1)
        size_T2, middle_T2 = high_T2 - low_T2, (low_T2 + high_T2) / 2
        x_T, y_T = middle_T2[:, 0], middle_T2[:, 1] - _HIGHER * size_T2[:, 1]
        return np.stack([x_T, y_T, size_T2.max(axis=1), 0 * x_T], axis=1).astype(np.float32)
    stable = points_TP2[:, STABLE].astype(np.float64)
    centre_T2 = stable.mean(axis=1)
    side_T = _SIDE * np.sqrt(((stable - centre_T2[:, None]) ** 2).sum(axis=2).mean(axis=1))
    across_T2 = (points_TP2[:, LEFT] - points_TP2[:, RIGHT]).mean(axis=1)
    across_T2 = across_T2 / np.hypot(*across_T2.T)[:, None]
    below_T2 = np.stack([-across_T2[:, 1], across_T2[:, 0]], axis=1)
    middle_T2 = centre_T2 + _BELOW * side_T[:, None] * below_T2
    angle_T = np.degrees(np.arctan2(across_T2[:, 1], across_T2[:, 0]))
    return np.column_stack([middle_T2, side_T, angle_T]).astype(np.float32)


def cut(picture: Pictures, square_4: NDArray[np.floating], margin: float, side: int) -> Pictures:
    """A face's square and a margin around it, upright, (side, side, 3).

    Args:
        picture: (height, width, 3); its edges are repeated where the square leaves it.
        square_4: finite.
        margin: on each side, as a share of the square.
        side: pixels of the result.
    """
    x, y, own_side, angle = map(float, square_4)
    length = max(1, round(own_side * (1 + 2 * margin)))
    turn = cv2.getRotationMatrix2D((0, 0), angle, 1.0)
    # The centre comes to rest in the middle, by whole pixels: nothing is smoothed if nothing turns.
    turn[:, 2] = np.round((length - 1) / 2 - turn[:, :2] @ [x - 0.5, y - 0.5])
    square = cv2.warpAffine(picture, turn, (length, length), borderMode=cv2.BORDER_REPLICATE)
    return _fitted(square, side)


def middle(faces: Sequence[Pictures], margin: float, narrower: float, side: int) -> Pictures:
    """Cut-out faces with a narrower margin and of another size, (n, side, side, 3)."""
    parts = []
    for face in faces:
        length = max(1, round(len(face) * (1 + 2 * narrower) / (1 + 2 * margin)))
        start = (len(face) - length) // 2
        parts.append(_fitted(face[start : start + length, start : start + length], side))
    return np.stack(parts)


def brightness(picture: Pictures, square_4: NDArray[np.floating]) -> float:
    """The mean of the grey face, in [0, 1]."""
    grey = cv2.cvtColor(cut(picture, square_4, 0.0, 32), cv2.COLOR_RGB2GRAY)
    return float(grey.mean()) / 255


def _fitted(picture: Pictures, side: int) -> Pictures:
    interpolation = cv2.INTER_AREA if side < len(picture) else cv2.INTER_LINEAR
    fitted = cv2.resize(picture, (side, side), interpolation=interpolation)
    return fitted.astype(np.uint8, copy=False)
