"""The facial transformation: how a face of standard shape is turned, moved and scaled. Pure.

Right-handed coordinates in centimetres: x to the right, y up, z towards the camera, which is at 0.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FIELD_OF_VIEW = 63.0  # degrees, vertical: face_landmarker.cc; the near plane is at 1
_POSITION = 5  # numbers a vertex, the first three of which are its position: mesh_3d.proto
_COMPACT = 1e-3  # picture sizes: a face of a smaller radius has no pose (geometry_pipeline.cc)


@dataclass(frozen=True, eq=False)
class Canonical:
    """The standard face: its points (468, 3), and their weights in Procrustes analysis (468,)."""

    points_PC: Floats
    weights_P: Floats


def read(content: bytes) -> Canonical:
    """The standard face in geometry_pipeline_metadata_landmarks.binarypb.

    A protocol buffer as in geometry_pipeline_metadata.proto: 1 is the mesh, whose 3 are its
    vertices' numbers; each 2 has a point's index as 1 and its weight as 2.
    """
    numbers: list[float] = []
    weights: dict[int, float] = {}
    for field, value in _fields(content):
        if field == 1 and isinstance(value, bytes):
            numbers += [float(number) for inner, number in _fields(value) if inner == 3]
        elif field == 2 and isinstance(value, bytes):
            point = dict(_fields(value))
            weights[int(point[1])] = float(point[2])
    points_PC = np.array(numbers).reshape(-1, _POSITION)[:, :3]
    return Canonical(points_PC, np.array([weights.get(i, 0.0) for i in range(len(points_PC))]))


def _fields(content: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Numbers and values of a protocol buffer's fields, of the three kinds that occur."""
    at = 0

    def whole() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(content):
        field, kind = divmod(whole(), 8)
        if kind == 0:
            yield field, whole()
        elif kind == 2:
            length = whole()
            yield field, content[at : at + length]
            at += length
        elif kind == 5:
            yield field, struct.unpack_from("<f", content, at)[0]
            at += 4
        else:
            raise ValueError(f"a field of kind {kind}")


def similarity(source_PC: Floats, target_PC: Floats, weights_P: Floats) -> Floats:
    """The rotation, scale and shift (4, 4) that bring points nearest to others, by least squares.

    Weighted orthogonal Procrustes analysis without reflections (Akca 2003, section 2.4,
    doi:10.3929/ethz-a-004656648).
    """
    share = weights_P / weights_P.sum()
    middle, aim = share @ source_PC, share @ target_PC
    centred = source_PC - middle
    weighted = centred * share[:, None]
    left, stretch, right = np.linalg.svd(target_PC.T @ weighted)
    if np.linalg.det(left) * np.linalg.det(right) < 0:
        left[:, 2] *= -1
        stretch[2] *= -1
    matrix = np.eye(4)
    matrix[:3, :3] = stretch.sum() / np.vdot(weighted, centred) * (left @ right)
    matrix[:3, 3] = aim - matrix[:3, :3] @ middle
    return matrix


def pose(
    landmarks_PC: NDArray[np.float32], width: int, height: int, face: Canonical
) -> NDArray[np.float32] | None:
    """The facial transformation matrix (4, 4) of a face's points, in picture sizes as they are.

    The points' depths are only relative. So their scale is estimated as if there was no
    perspective, then once more with it, before the standard face is fitted to them.
    (geometry_pipeline.cc.) None of a face that is too small to tell.
    """
    points = landmarks_PC[: len(face.weights_P)].astype(float)  # without those of the irises
    flat = points[:, :2] - points[:, :2].mean(axis=0)
    if math.sqrt(float((flat**2).sum(axis=1).max())) <= _COMPACT:
        return None
    used = np.flatnonzero(face.weights_P)
    standard_PC, weights_P = face.points_PC[used], face.weights_P[used]
    tall = 2 * math.tan(math.radians(_FIELD_OF_VIEW) / 2)  # of the picture, at the near plane
    wide = tall * width / height
    near_PC = (points * (1, -1, 1) + (-0.5, 0.5, 0)) * (wide, tall, wide)
    depths_P = near_PC[used, 2] - near_PC[:, 2].mean() + 1

    def seen(scale: float) -> Floats:
        z = depths_P / scale
        return np.column_stack([near_PC[used, 0] * z, near_PC[used, 1] * z, -z])

    def size(points_PC: Floats) -> float:
        return float(np.linalg.norm(similarity(standard_PC, points_PC, weights_P)[:3, 0]))

    scale = size(near_PC[used] * (1, 1, -1))
    scale *= size(seen(scale))
    return similarity(standard_PC, seen(scale), weights_P).astype(np.float32)
