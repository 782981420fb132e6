"""The short-range face detector's answer, decoded. Pure.

BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047) with the constants of MediaPipe's
face_detector_graph.cc. Coordinates are shares of the side of the square that the detector sees.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

SIDE = 128  # pixels that the detector sees
_GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell: strides 8, and three times 16; two each
VALUES = 16  # that it tells of each anchor
_LEAST_SCORE = 0.5  # min_detection_confidence
_OVERLAP = 0.5  # of two boxes of one face: face_detector_graph_options.proto


class Detections(NamedTuple):
    """Faces, the best first.

    Attributes:
        scores_N: how sure it is of the best box of each, in [0, 1].
        boxes_N4: left, top, right, bottom.
        points_NKC: eyes (the picture's left one first), nose, mouth, ears, (N, 6, 2).
    """

    scores_N: NDArray[np.float32]
    boxes_N4: NDArray[np.float32]
    points_NKC: NDArray[np.float32]


def values(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the detector takes for a picture (128, 128, 3): levels in [-1, 1] (its metadata)."""
    return picture.astype(np.float32) * np.float32(2 / 255) - 1


def anchors() -> NDArray[np.float32]:
    """The anchors' centres, (896, 2): x and y; all are as large as the picture."""
    grids = []
    for cells, count in _GRIDS:
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres = (np.stack([x, y], axis=1) + 0.5) / cells
        grids.append(np.repeat(centres, count, axis=0))
    return np.concatenate(grids).astype(np.float32)


_ANCHORS = anchors()


def decode(answers_NV: NDArray[np.float32], logits_N: NDArray[np.float32]) -> Detections:
    """The faces in the detector's answer: 896 boxes of 16 numbers each, and their scores' logits.

    Boxes that overlap by more than a half become one, the mean weighted by their scores.
    (tensors_to_detections_calculator.cc, non_max_suppression_calculator.cc.)
    """
    scores = expit(logits_N)
    likely = (scores >= _LEAST_SCORE) & (answers_NV[:, 2:4] >= 0).all(axis=1)
    order = np.flatnonzero(likely)
    order = order[np.argsort(-scores[order], kind="stable")]
    scores, values = scores[order], answers_NV[order] / np.float32(SIDE)
    centres = values[:, :2] + _ANCHORS[order]
    half = values[:, 2:4] / 2
    points = (values[:, 4:].reshape(-1, 6, 2) + _ANCHORS[order][:, None]).reshape(-1, 12)
    table = np.concatenate([centres - half, centres + half, points], axis=1)
    merged, best = [], []
    while len(table):
        same = _overlaps(table[0, :4], table[:, :4]) > _OVERLAP
        same[0] = True  # a box without an area overlaps nothing
        best.append(scores[0])
        merged.append(np.average(table[same], axis=0, weights=scores[same]))
        table, scores = table[~same], scores[~same]
    faces = np.array(merged, np.float32).reshape(-1, 16)
    scores_N = np.array(best, np.float32)
    return Detections(scores_N, faces[:, :4], faces[:, 4:].reshape(-1, 6, 2))


def _overlaps(box: NDArray[np.float32], boxes_N4: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of a box with each of others."""
    shared = np.minimum(box[2:], boxes_N4[:, 2:]) - np.maximum(box[:2], boxes_N4[:, :2])
    area = np.clip(shared, 0, None).prod(axis=1)
    areas = (boxes_N4[:, 2:] - boxes_N4[:, :2]).prod(axis=1)
    union = areas + (box[2:] - box[:2]).prod() - area
    return area / np.where(union > 0, union, 1)
