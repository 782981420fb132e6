"""The 68 points of the iBUG markup (Sagonas et al., ICCVW 2013): of the mesh, and as a shape. Pure.

Many tools find these; so 478 points against 68 is a question that one clip can answer.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Which point each is the mirror image of: jaw, brows, nose, eyes, mouth.
PARTNERS = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])  # fmt: skip
# Of merged sides: those on the person's right, and in the middle.
POINTS = np.flatnonzero(np.arange(68) <= PARTNERS)
# MediaPipe's points that are nearest to them, as most converters between the two have it.
MESH = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
])  # fmt: skip
_OUTER_CORNERS = (36, 45)  # of the eyes: the picture's left and right in an unmirrored video


def shape(points_TPC: Floats) -> Floats:
    """Points without position, size and roll, (T, 68, 2), x to the right, y up.

    Less their mean, over their root-mean-square distance from it (the centroid size of Dryden and
    Mardia, Statistical Shape Analysis, 2016, over the root of 68), turned until the outer corners
    of the eyes are level. Yaw and pitch stay: they cannot be told from two dimensions.

    Args:
        points_TPC: (T, 68, 2) in square pixels of any size, y down; NaN: no face.
    """
    centred = (points_TPC - points_TPC.mean(axis=1, keepdims=True)) * (1.0, -1.0)
    size_T = np.sqrt((centred**2).sum(axis=2).mean(axis=1))
    right, left = (centred[:, corner] for corner in _OUTER_CORNERS)
    x, y = (left - right).T
    roll_T = np.arctan2(y, x)
    cosine, sine = np.cos(roll_T), np.sin(roll_T)
    turn_T22 = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (centred / size_T[:, None, None]) @ turn_T22


def of_mesh(landmarks_TPC: Floats, aspect: float) -> Floats:
    """The 68 of a mesh in picture widths and heights, in square pixels; ``aspect``: of these."""
    return landmarks_TPC[:, MESH, :2] * (aspect, 1.0)
