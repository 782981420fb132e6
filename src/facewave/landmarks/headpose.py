"""Where the head is and how it is turned, apart from what the face does. Pure.

Coordinates here: picture widths, x to the right, y up, z towards the camera.
Legend: T frames, P points, S stable points, C coordinates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Floats = NDArray[np.float64]

# Points of MediaPipe's mesh that expressions hardly move, in the same order on the person's right
# and left: corners of the eyes, side of the nose, temples (two), rim of the forehead (three).
RIGHT = (33, 133, 198, 127, 234, 109, 67, 54)
LEFT = (263, 362, 420, 356, 454, 338, 297, 284)
_MIDDLE = (10, 168, 6, 197, 195, 4)  # rim of the forehead, bridge of the nose downwards, its tip
# Of thirty sets compared on eight real clips, turned, shifted and shrunk, this one leaves the least
# motion in other rigid points among those that leave the brows theirs.
STABLE = (*RIGHT, *_MIDDLE, *LEFT)
# Degrees by which the line from the bridge to the rim leans back in a face seen from the front: the
# mean of eight clips (15 to 21), where the facial transformation matrix defines the front.
_LEANING = 17.0
# OpenFace's names of the pose (mm, rad; R = Rx Ry Rz, Baltrusaitis et al., FG 2018), and from its
# axes (y down, z away from the camera) to the landmarker's (y up, z towards it), or back.
POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
_AXES = np.diag([1.0, -1.0, -1.0])
_MM = 10.0  # in a centimetre
_BRIDGE, _RIM = (6, 197, 195), (10, 109, 338, 67, 297)


@dataclass(frozen=True, eq=False)
class Head:
    """The parts of ``landmarks = translation + scale * rotation @ pose_free``; NaN: no face."""

    pose_free_TPC: Floats  # from the front, at scale 1: the eyes' outer corners are about 1.5 apart
    rotation_T33: Floats  # from the front to the head's orientation
    translation_T3: Floats  # the centre of the stable points
    scale_T: Floats  # their root-mean-square distance from it


def separate(
    landmarks_TPC: NDArray[np.float32], pose_T44: NDArray[np.float32], aspect: float
) -> Head:
    """Remove the head's pose from a clip's landmarks.

    A similarity transformation of the stable points to their mean over the clip: Procrustes
    analysis (Gower 1975, Psychometrika 40), each rotation after Kabsch (1976, Acta
    Crystallographica A32). The facial transformation matrix only aligns the points for the mean,
    whose own left, right and top give the front: the matrix is off by up to 6 degrees, depending on
    where in the picture the face is.

    ``landmarks_TPC`` and ``pose_T44`` are those of a Trajectory, of pictures whose width over their
    height is ``aspect``.
    """
    seen = np.isfinite(landmarks_TPC).all(axis=(1, 2)) & _rotates(pose_T44)
    shapes = landmarks_TPC.shape[1:], (3, 3), (3,), ()
    head = Head(*(np.full((len(seen), *shape), np.nan) for shape in shapes))
    if not seen.any():
        return head
    points = landmarks_TPC[seen] * np.array([1.0, -1.0 / aspect, -1.0])
    stable = points[:, STABLE]
    centre = stable.mean(axis=1)
    stable = stable - centre[:, None]
    scale = np.sqrt((stable**2).sum(axis=2).mean(axis=1))
    stable /= scale[:, None, None]
    turned = Rotation.from_matrix(pose_T44[seen, :3, :3]).as_matrix()
    # One iteration is enough: another moves no point by 1e-4 of the distance between the eyes.
    reference = (stable @ turned).mean(axis=0)
    turned = _rotations(reference, stable)
    turned = turned @ _front((stable @ turned).mean(axis=0))
    head.rotation_T33[seen] = turned
    head.translation_T3[seen] = centre
    head.scale_T[seen] = scale
    head.pose_free_TPC[seen] = ((points - centre[:, None]) / scale[:, None, None]) @ turned
    return head


def angles(pose_T44: NDArray[np.float32]) -> Floats:
    """Yaw, pitch and roll in degrees, (T, 3), of facial transformation matrices; 0: to the camera.

    Positive: the face turns to the picture's right, up, and its top to the picture's left. In the
    camera space that MediaPipe assumes: shifting the picture by a tenth changes yaw by 1 to 3.
    """
    angles_T3 = np.full((len(pose_T44), 3), np.nan)
    seen = _rotates(pose_T44)
    if seen.any():
        turned = Rotation.from_matrix(pose_T44[seen, :3, :3])
        angles_T3[seen] = turned.as_euler("YXZ", degrees=True) * (1, -1, 1)
    return angles_T3


def to_openface(pose_T44: NDArray[np.float32]) -> Floats:
    """``POSE`` as OpenFace writes it, (T, 6; mm, rad), of facial transformation matrices (cm)."""
    pose_T6 = np.full((len(pose_T44), 6), np.nan)
    seen = np.isfinite(pose_T44).all(axis=(1, 2))
    if seen.any():
        pose = pose_T44[seen].astype(np.float64)
        pose_T6[seen, :3] = _MM * pose[:, :3, 3] @ _AXES
        pose_T6[seen, 3:] = Rotation.from_matrix(_AXES @ pose[:, :3, :3] @ _AXES).as_euler("XYZ")
    return pose_T6


def from_openface(pose_T6: Floats) -> NDArray[np.float32]:
    """The reverse of ``to_openface``: matrices (T, 4, 4; cm) of ``POSE`` (mm, rad)."""
    pose_T44 = np.full((len(pose_T6), 4, 4), np.nan, np.float32)
    seen = np.isfinite(pose_T6).all(axis=1)
    if seen.any():
        turned = Rotation.from_euler("XYZ", pose_T6[seen, 3:]).as_matrix()
        pose_T44[seen] = np.eye(4)
        pose_T44[seen, :3, :3] = _AXES @ turned @ _AXES
        pose_T44[seen, :3, 3] = pose_T6[seen, :3] @ _AXES / _MM
    return pose_T44


def _rotates(pose_T44: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which matrices are finite and roughly rotations: no mirror images, nothing flat."""
    finite = np.isfinite(pose_T44).all(axis=(1, 2))
    return np.logical_and(finite, np.linalg.det(np.nan_to_num(pose_T44[:, :3, :3])) > 0)


def _rotations(reference_SC: Floats, points_TSC: Floats) -> Floats:
    """The rotations R (T, 3, 3) that bring R @ reference closest to each frame's points."""
    left, _, right = np.linalg.svd(np.einsum("tsi,sj->tij", points_TSC, reference_SC))
    # No mirror images: the last axis is flipped where the determinant is -1.
    left[:, :, -1] *= np.linalg.det(left @ right)[:, None]
    return left @ right


def _front(reference_SC: Floats) -> Floats:
    """The rotation (3, 3) from the front to the orientation of the mean of the stable points."""

    def middle(points: tuple[int, ...]) -> Floats:
        return np.mean(reference_SC[[STABLE.index(point) for point in points]], axis=0)

    right = middle(LEFT) - middle(RIGHT)  # the picture's
    right /= np.linalg.norm(right)
    up = middle(_RIM) - middle(_BRIDGE)
    up -= (up @ right) * right
    up /= np.linalg.norm(up)
    leaning = Rotation.from_euler("X", _LEANING, degrees=True).as_matrix()
    return np.stack([right, up, np.cross(right, up)], axis=1) @ leaning
