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


def whole(width: int, height: int) -> Region:
    """The smallest upright square with all of a picture in its middle."""
    side = max(width, height)
    return Region(width / 2, height / 2, side, side)


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


def overlap(one: Region, other: Region) -> float:
    """Intersection over union of two regions, as if both were upright."""
    sides = [
        min(a + b / 2, c + d / 2) - max(a - b / 2, c - d / 2)
        for a, b, c, d in (
            (one.x, one.width, other.x, other.width),
            (one.y, one.height, other.y, other.height),
        )
    ]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    return shared / (one.width * one.height + other.width * other.height - shared)


def associate(tracked: list[Region], detected: list[Region], least: float) -> list[Region]:
    """Tracked and detected regions; of two that overlap by more than ``least``, the later one.

    (association_calculator.h.)
    """
    kept: list[Region] = []
    for region in [*tracked, *detected]:
        kept = [other for other in kept if overlap(region, other) <= least]
        kept.append(region)
    return kept


def _angle(start: NDArray[np.float32], end: NDArray[np.float32]) -> float:
    return math.atan2(end[1] - start[1], end[0] - start[0])
