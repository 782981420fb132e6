"""Regions of a picture that hold a face: where they come from, cutting out, mapping back. Pure.

All coordinates are pixels from the picture's top left corner; a region is cut out so that its
corners come to lie on the corners of what a model sees, not on the centres of corner pixels.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_MARGIN = 1.5  # face_detector_graph.cc and face_landmarks_detector_graph.cc: scale_x, scale_y
_STRIDE = 2 / 3  # of tiles, as a share of their side
_SAME = 0.4  # faces' widths
_EYES = (33, 263)  # outer corners, of the mesh: face_landmarks_detector_graph.cc


@dataclass(frozen=True, slots=True)
class Region:
    """A turned rectangle: its centre, its sides, and radians from the x axis towards the y axis."""

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0

    def matrix(self, side: int) -> NDArray[np.float64]:
        """The affine map (2, 3) from a square of ``side`` pixels to the picture."""
        along, down = self.width / side, self.height / side
        c, s = math.cos(self.angle), math.sin(self.angle)
        turned = np.array([[c * along, -s * down], [s * along, c * down]])
        origin = (self.x, self.y) - turned @ (side / 2, side / 2)
        return np.column_stack([turned, origin])

    def cut(self, picture: NDArray[np.uint8], side: int, border: int) -> NDArray[np.uint8]:
        """What a picture (height, width, 3) shows of the region, (side, side, 3).

        ``border`` is OpenCV's way of filling what lies outside the picture.
        """
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size, matrix = (side, side), self.matrix(side)
        cut = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=border)
        return cut.astype(np.uint8, copy=False)

    def project(
        self, points_PC: NDArray[np.float32], side: int, aspect: float
    ) -> NDArray[np.float32]:
        """Points (P, 3) of a cut-out of ``side`` pixels in a picture of width / height ``aspect``.

        Depths are scaled as the top edge is, measured in shares of the picture's width and height;
        so in a picture that is no square they change with the angle, as MediaPipe's do.
        (landmark_projection_calculator.cc.)
        """
        matrix = self.matrix(side)
        flat = points_PC[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        depth = points_PC[:, 2:] * math.hypot(matrix[0, 0], matrix[1, 0] * aspect)
        return np.concatenate([flat, depth], axis=1).astype(np.float32)

    def within(self, view: "Region") -> "Region":
        """Where a region of a square ``view``, in shares of its side, is in the picture."""
        x, y = view.matrix(1) @ (self.x, self.y, 1)
        side = view.width
        return Region(x, y, side * self.width, side * self.height, self.angle + view.angle)


def whole(width: int, height: int, angle: float = 0.0) -> Region:
    """The smallest square with all of a picture in its middle; ``angle`` is of whole quarters."""
    side = max(width, height)
    return Region(width / 2, height / 2, side, side, angle)


def views(width: int, height: int) -> list[list[Region]]:
    """Squares of a picture in which faces are looked for, level by level.

    The detector finds faces that take an eighth or more of what it sees, and are upright. So after
    the whole picture come its three turns, then tiles of its shorter side, of half and of a
    quarter of that, which overlap by at least a third.
    """
    levels = [[whole(width, height)], [whole(width, height, k * math.pi / 2) for k in (1, 2, 3)]]
    for parts in (1, 2, 4):
        side = min(width, height) / parts
        xs, ys = (_spread(length, side) for length in (width, height))
        levels.append([Region(x, y, side, side) for y in ys for x in xs])
    return levels


def _spread(length: float, side: float) -> NDArray[np.float64]:
    """The middles of tiles of one side that cover a length."""
    count = 1 + math.ceil(max(0.0, length - side) / (_STRIDE * side))
    return np.linspace(side / 2, length - side / 2, count) if count > 1 else np.array([length / 2])


def of_detection(box: NDArray[np.float32], points_KC: NDArray[np.float32]) -> Region:
    """The region of a detected face: left, top, right and bottom (4,) and keypoints (6, 2)."""
    left, top, right, bottom = map(float, box)
    angle = _angle(points_KC[0], points_KC[1])
    width, height = _MARGIN * (right - left), _MARGIN * (bottom - top)
    return Region((left + right) / 2, (top + bottom) / 2, width, height, angle)


def of_landmarks(points_PC: NDArray[np.float32]) -> Region:
    """The region in which the next frame's face is looked for, from this frame's points (P, 3)."""
    (left, top), (right, bottom) = points_PC[:, :2].min(axis=0), points_PC[:, :2].max(axis=0)
    side = _MARGIN * float(max(right - left, bottom - top))
    angle = _angle(points_PC[_EYES[0]], points_PC[_EYES[1]])
    return Region(float(left + right) / 2, float(top + bottom) / 2, side, side, angle)


def same(one: Region, other: Region) -> bool:
    """Whether two regions are of one face: no two faces of a picture are nearer to each other."""
    near = _SAME / _MARGIN * min(one.width, other.width)
    return math.hypot(one.x - other.x, one.y - other.y) < near


def _angle(start: NDArray[np.float32], end: NDArray[np.float32]) -> float:
    return math.atan2(end[1] - start[1], end[0] - start[0])
