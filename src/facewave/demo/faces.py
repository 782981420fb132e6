"""A still portrait that can be posed: landmarks, action units, and smooth warps that move them.

An action unit (AU; Ekman & Friesen 1978) moves groups of landmarks; the picture between them
follows a smooth field, a sum of Gaussians through all control landmarks, in which those that do not
move hold their surroundings still. The face is cut along the lips: the fields above and below the
cut are separate, so that a mouth opens without stretching, and the gap is painted.

Lengths are relative to the distance between the pupils unless they are called px.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray
from skimage import data

from facewave.errors import UserError

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Floats = NDArray[np.floating[Any]]
Find = Callable[[Picture], Floats]  # the landmarks (478, 3) of the face in a square picture, px

# The head in skimage.data.astronaut() (512 x 512 px), with a margin; drawn larger than it is
# filmed, because it is resampled several times.
_CROP = (slice(6, 230), slice(114, 338))
_BACKDROP = (slice(0, 160), slice(352, 512))  # the shuttle: no face
CANVAS = 336  # px

# Indices of MediaPipe's face mesh: (the subject's right, left) or, on the midline, (both, none).
_GROUPS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "brow inner": ((107, 55), (336, 285)),
    "brow middle": ((66, 65, 105, 52), (296, 295, 334, 282)),
    "brow outer": ((63, 53, 70, 46), (293, 283, 300, 276)),
    "glabella": ((9, 8), ()),
    "forehead": ((151, 108, 69, 104, 337, 299, 333), ()),
    "upper lid": ((158, 159, 160, 157, 161), (385, 386, 387, 384, 388)),
    "lower lid": ((153, 145, 144, 154, 163), (380, 374, 373, 381, 390)),
    "eye corners": ((33, 133), (263, 362)),
    "iris": ((468, 469, 471), (473, 474, 476)),
    "under eye": ((119, 118, 101), (348, 347, 330)),
    "cheek": ((50, 205, 36), (280, 425, 266)),
    "outer cheek": ((147, 213, 187), (376, 433, 411)),
    "nose root": ((193, 122), (417, 351)),
    "nose bridge": ((168, 6, 197, 195), ()),
    "nose tip": ((1, 4, 2), ()),
    "nose wing": ((64, 48, 98), (294, 278, 327)),
    "nasolabial": ((165, 92, 206), (391, 322, 426)),
    "upper lip middle": ((0, 13), ()),
    "upper lip": ((37, 39, 82, 81), (267, 269, 312, 311)),
    "upper lip side": ((40, 185, 80, 191), (270, 409, 310, 415)),
    "corner": ((61, 78), (291, 308)),
    "beside corner": ((57, 43), (287, 273)),
    "lower lip side": ((91, 146, 88, 95), (321, 375, 318, 324)),
    "lower lip": ((84, 181, 87, 178), (314, 405, 317, 402)),
    "lower lip middle": ((17, 14), ()),
    "under lip": ((18, 200, 83, 313), ()),
    "chin": ((152, 199, 175, 148, 377), ()),
    "jaw": ((176, 149, 150), (400, 378, 379)),
    "jaw angle": ((136, 172, 58), (365, 397, 288)),
    "side": ((132, 93, 234, 127, 162), (361, 323, 454, 356, 389)),
    "hairline": ((21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251), ()),
}
# The lips' edges from the subject's right corner to the left one, above and below.
_OUTER_UP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
_OUTER_LOW = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
_INNER_UP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_INNER_LOW = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
# Lips next to the corners go halfway with them.
_BETWEEN = {185: (40, 61), 191: (80, 78), 146: (91, 61), 95: (88, 78),
            409: (270, 291), 415: (310, 308), 375: (321, 291), 324: (318, 308)}  # fmt: skip
_PUPILS = (468, 473)

# What an AU at strength 1 does: group -> (outwards, down).
_Moves = dict[str, tuple[float, float]]
ACTION_UNITS: dict[str, _Moves] = {
    "AU1": {"brow inner": (0, -0.15), "brow middle": (0, -0.08), "glabella": (0, -0.08),
            "forehead": (0, -0.04)},
    "AU2": {"brow outer": (0, -0.14), "brow middle": (0, -0.10), "brow inner": (0, -0.02),
            "upper lid": (0, -0.01)},
    "AU4": {"brow inner": (-0.07, 0.12), "brow middle": (-0.04, 0.10), "brow outer": (0, 0.06),
            "glabella": (0, 0.05), "nose root": (0, 0.02), "upper lid": (0, 0.015)},
    "AU5": {"upper lid": (0, -0.065), "lower lid": (0, 0.015), "iris": (0, -0.01)},
    "AU6": {"lower lid": (0, -0.04), "under eye": (0, -0.06), "cheek": (0.02, -0.08)},
    "AU7": {"lower lid": (0, -0.04), "upper lid": (0, 0.045), "iris": (0, 0.005)},
    "AU9": {"nose wing": (0.02, -0.09), "nasolabial": (0, -0.07), "nose tip": (0, -0.04),
            "nose root": (-0.01, 0.02), "brow inner": (-0.02, 0.05), "lower lid": (0, -0.03),
            "under eye": (0, -0.04), "upper lip middle": (0, -0.05), "upper lip": (0, -0.06),
            "upper lip side": (0, -0.04)},
    "AU10": {"upper lip middle": (0, -0.11), "upper lip": (0, -0.12), "upper lip side": (0, -0.08),
             "nasolabial": (0.01, -0.07), "nose wing": (0.02, -0.03), "cheek": (0, -0.02)},
    "AU12": {"corner": (0.15, -0.12), "beside corner": (0.12, -0.09), "cheek": (0.04, -0.05),
             "outer cheek": (0.06, -0.04), "upper lip side": (0.10, -0.07),
             "upper lip": (0.04, -0.03), "lower lip side": (0.10, -0.05), "lower lip": (0.04, 0),
             "nasolabial": (0.05, -0.05)},
    "AU15": {"corner": (0.02, 0.12), "beside corner": (0.02, 0.11), "upper lip side": (0.01, 0.06),
             "lower lip side": (0.01, 0.06), "nasolabial": (0, 0.02), "jaw": (0, 0.01)},
    "AU17": {"lower lip middle": (0, -0.07), "lower lip": (0, -0.07), "lower lip side": (0, -0.03),
             "upper lip middle": (0, -0.04), "upper lip": (0, -0.04), "under lip": (0, -0.08),
             "chin": (0, -0.06), "jaw": (0, -0.02)},
    "AU20": {"corner": (0.14, 0.03), "beside corner": (0.12, 0.04), "upper lip side": (0.09, 0.01),
             "lower lip side": (0.10, 0.04), "upper lip": (0.04, 0), "lower lip": (0.05, 0.03),
             "outer cheek": (0.05, 0.01)},
    "AU23": {"corner": (-0.07, 0), "beside corner": (-0.04, 0), "upper lip middle": (0, 0.035),
             "upper lip": (-0.02, 0.035), "upper lip side": (-0.05, 0.02),
             "lower lip middle": (0, -0.05), "lower lip": (-0.02, -0.05),
             "lower lip side": (-0.05, -0.03), "under lip": (0, -0.02)},
    "AU25": {"upper lip middle": (0, -0.03), "upper lip": (0, -0.03), "upper lip side": (0, -0.01),
             "lower lip middle": (0, 0.08), "lower lip": (0, 0.075), "lower lip side": (0, 0.035),
             "under lip": (0, 0.03)},
    "AU26": {"lower lip middle": (0, 0.26), "lower lip": (-0.01, 0.24),
             "lower lip side": (-0.02, 0.13), "corner": (-0.04, 0.05),
             "beside corner": (-0.02, 0.07), "upper lip side": (-0.03, 0.01),
             "under lip": (0, 0.27), "chin": (0, 0.28), "jaw": (0, 0.24), "jaw angle": (0, 0.10),
             "outer cheek": (-0.02, 0.05)},
    "AU45": {"upper lid": (0, 0.12), "lower lid": (0, -0.02), "iris": (0, 0.04)},
}  # fmt: skip
# Features that distinguish people; a subject has each at a random strength of either sign.
_BUILD: dict[str, _Moves] = {
    "wide eyes": {"eye corners": (0.03, 0), "upper lid": (0, -0.02), "lower lid": (0, 0.02)},
    "low brows": {"brow inner": (0, 0.05), "brow middle": (0, 0.05), "brow outer": (0, 0.05)},
    "wide mouth": {"corner": (0.07, 0), "upper lip side": (0.05, 0), "lower lip side": (0.05, 0),
                   "upper lip": (0.02, 0), "lower lip": (0.02, 0), "beside corner": (0.05, 0)},
    "full lips": {"upper lip": (0, -0.02), "upper lip middle": (0, -0.02),
                  "lower lip": (0, 0.03), "lower lip middle": (0, 0.03)},
    "wide jaw": {"jaw": (0.07, 0), "jaw angle": (0.08, 0), "outer cheek": (0.05, 0),
                 "side": (0.04, 0)},
    "long chin": {"chin": (0, 0.10), "jaw": (0, 0.06), "under lip": (0, 0.03)},
    "wide nose": {"nose wing": (0.04, 0), "nose tip": (0, 0.02)},
}  # fmt: skip
# The portrait smiles; this, and closing the lips, removes the smile.
_UNSMILE = {"AU12": -1.15, "AU15": 0.45, "AU6": -0.5, "AU20": -0.2, "AU10": -0.35, "AU25": -0.15}
_REACH = 0.25  # standard deviation of the Gaussians
_RIDGE = 0.008  # lets neighbouring controls disagree a little instead of tearing the skin
_INSIDE = np.array([58, 22, 24], np.float32)  # an open mouth, RGB
_TEETH = np.array([214, 200, 184], np.float32)


@dataclass(frozen=True)
class Face:
    """A still that can be posed; lengths in px of the canvas."""

    picture: Picture  # (CANVAS, CANVAS, 3)
    points: Floats  # (478, 3) landmarks; the third is depth, towards the camera < 0
    moves: Floats  # (poses, 478, 2), how far each pose at strength 1 moves each landmark
    # (2, poses, CANVAS * CANVAS * 2), the same for each pixel, above and below the lips' cut.
    fields: Floats


TURNS = {"yaw": (1, 0), "pitch": (0, 1)}  # a small turn of the head moves near points most
POSES = (*ACTION_UNITS, *TURNS)  # order of Face.moves


def people(model: Path, seed: int, numbers: Iterable[int]) -> dict[int, Face]:
    """The subjects of these numbers, each of its own seed; ``model`` is the landmarker's file."""
    base = BaseOptions(model_asset_buffer=model.read_bytes())
    options = vision.FaceLandmarkerOptions(base_options=base)
    seeds = {i: np.random.SeedSequence(seed, spawn_key=(1, i)) for i in numbers}
    with vision.FaceLandmarker.create_from_options(options) as landmarker:

        def find(picture: Picture) -> Floats:
            image = mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(picture))
            faces = landmarker.detect(image).face_landmarks
            if not faces:
                raise UserError("the landmarker finds no face in the portrait: is its file right?")
            return np.array([(p.x, p.y, p.z) for p in faces[0]], np.float32) * len(picture)

        portrait = _neutral(find)
        return {i: _subject(portrait, find, np.random.default_rng(s)) for i, s in seeds.items()}


def _neutral(find: Find) -> Face:
    """The portrait without its smile."""
    still = _enlarge(data.astronaut()[_CROP])
    points = find(still)
    unsmile = sum(w * _move(points, ACTION_UNITS[unit]) for unit, w in _UNSMILE.items())
    face = _face(still, points, np.asarray(unsmile, np.float32)[None])
    lips = points[:, :2] + face.moves[0]  # no longer smiling, but still apart: close them
    seam = (lips[list(_INNER_UP)] + lips[list(_INNER_LOW)]) / 2
    gap = np.zeros_like(lips)
    for inner, outer in ((_INNER_UP, _OUTER_UP), (_INNER_LOW, _OUTER_LOW)):
        gap[list(inner)] = gap[list(outer)] = seam - lips[list(inner)]
    face = _face(still, points, face.moves + gap)
    picture = pose(face, np.ones(1, np.float32))
    return _face(picture, find(picture), None)


def _subject(base: Face, find: Find, rng: np.random.Generator) -> Face:
    """Another person: the base face with random features and colours."""
    build = sum(rng.uniform(-1, 1) * _move(base.points, moves) for moves in _BUILD.values())
    centre = base.points[:, :2].mean(axis=0)
    aspect = np.array([rng.uniform(-0.09, 0.09), rng.uniform(-0.09, 0.09)])
    build = build + (base.points[:, :2] - centre) * aspect
    shaped = _face(base.picture, base.points, np.asarray(build, np.float32)[None])
    picture = _colour(pose(shaped, np.ones(1, np.float32)), rng)
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    return _face(picture, find(picture), None)


def backdrop() -> Picture:
    """A piece of the portrait's background, (CANVAS, CANVAS, 3): no face."""
    return _enlarge(data.astronaut()[_BACKDROP])


def pose(face: Face, strengths: Floats) -> Picture:
    """Draw the face with each of its poses at a strength (poses,): (CANVAS, CANVAS, 3)."""
    shift = np.tensordot(strengths, face.moves, 1) + face.points[:, :2]
    up, low = shift[list(_INNER_UP)], shift[list(_INNER_LOW)]
    rest = face.points[list(_INNER_LOW), 1] - face.points[list(_INNER_UP), 1]  # closed
    low[:, 1] = up[:, 1] + np.maximum(low[:, 1] - up[:, 1] - rest, 0)  # lips do not overlap
    cut = (up + low) / 2
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    height = y - np.interp(x, cut[:, 0], cut[:, 1]).astype(np.float32)
    below = np.clip(height + 0.5, 0, 1)[..., None]
    above, under = (_inverse((strengths @ side).reshape(CANVAS, CANVAS, 2)) for side in face.fields)
    field = above + below * (under - above)
    picture = cv2.remap(face.picture, x - field[..., 0], y - field[..., 1], cv2.INTER_CUBIC,
                        borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    return _paint_mouth(picture, up, low)


def _inverse(field: Floats) -> Floats:
    """For each pixel, how far what is there now has moved: remap looks back, fields look ahead."""
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    back = field
    for _ in range(5):  # half steps: whole ones oscillate where the skin stretches twofold
        step = cv2.remap(field, x - back[..., 0], y - back[..., 1], cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        back = (back + step) / 2
    return back


def _paint_mouth(picture: Picture, up: Floats, low: Floats) -> Picture:
    outline = np.concatenate([up, low[::-1]])
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None] / np.float32(255)
    y, x = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    depth = y - np.interp(x, up[:, 0], up[:, 1]).astype(np.float32)
    width = up[-1, 0] - up[0, 0]
    bow = 1 - ((x - up[:, 0].mean()) / (0.5 * width)) ** 2  # teeth recede towards the corners
    teeth = np.clip(1 - depth / (0.11 * width), 0, 1) ** 0.7 * np.clip(bow, 0, 1)
    inside = _INSIDE + 0.8 * teeth[..., None] * (_TEETH - _INSIDE)
    return np.rint(picture + alpha * (inside - picture)).astype(np.uint8)


def _face(picture: Picture, points: Floats, moves: Floats | None) -> Face:
    """A face with the fields of the given moves (poses, 478, 2) px, or of all POSES."""
    if moves is None:
        side = points[list(sum(_GROUPS["side"], ())), 2].mean()
        depth = np.maximum(side - points[:, 2], 0)[:, None]
        units = [_move(points, unit) for unit in ACTION_UNITS.values()]
        moves = np.stack([*units, *(depth * np.array(axis) for axis in TURNS.values())])
    lips = {i for name in _GROUPS if "lip" in name for i in sum(_GROUPS[name], ())}
    controls = sorted(i for pair in _GROUPS.values() for i in sum(pair, ()))
    lower = {i for name in _GROUPS if name.startswith("lower lip") for i in sum(_GROUPS[name], ())}
    upper = lips - lower - set(_GROUPS["under lip"][0])
    sides = [[i for i in controls if i not in other] for other in (lower, upper)]
    fields = np.stack([_field(points, moves, side) for side in sides])
    return Face(picture, points, moves.astype(np.float32), fields)


def _field(points: Floats, moves: Floats, controls: list[int]) -> Floats:
    """Sums of Gaussians through the controls' moves: (poses, CANVAS * CANVAS * 2) px."""
    centres = points[controls, :2].astype(np.float64)
    grid = np.indices((CANVAS, CANVAS), np.float64)[::-1].reshape(2, -1).T
    reach = _REACH * _unit(points)

    def kernel(places: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = (places**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * places @ centres.T
        return np.exp(squares / (-2 * reach**2))

    values = moves[:, controls].transpose(1, 0, 2).reshape(len(controls), -1)
    weights = np.linalg.solve(kernel(centres) + _RIDGE * np.eye(len(controls)), values)
    dense = (kernel(grid) @ weights).reshape(len(grid), len(moves), 2)
    return np.ascontiguousarray(dense.transpose(1, 0, 2), np.float32).reshape(len(moves), -1)


def _move(points: Floats, moves: _Moves) -> Floats:
    """How far a pose moves each landmark, (478, 2) px, along the axes of the (tilted) face."""
    right, left = points[list(_PUPILS), :2]
    across = (left - right) / np.linalg.norm(left - right)  # the picture's right
    down = np.array([-across[1], across[0]]) * np.copysign(1, across[0])
    shift = np.zeros((len(points), 2), np.float32)
    for group, (outwards, downwards) in moves.items():
        for indices, sign in zip(_GROUPS[group], (-1, 1), strict=True):
            middle = not _GROUPS[group][1]
            shift[list(indices)] = (0 if middle else sign * outwards) * across + downwards * down
    for point, (one, other) in _BETWEEN.items():
        shift[point] = (shift[one] + shift[other]) / 2
    return shift * _unit(points)


def _unit(points: Floats) -> float:
    """Distance between the pupils, px."""
    return float(np.linalg.norm(np.subtract(*points[list(_PUPILS), :2])))


def _enlarge(picture: Picture) -> Picture:
    return cv2.resize(picture, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)


def _colour(picture: Picture, rng: np.random.Generator) -> Picture:
    """A random shift of hue, and gains of saturation and brightness."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-7, 3)) % 256
    hsv[..., 1] *= rng.uniform(0.55, 1.2)
    hsv[..., 2] = 255 * (hsv[..., 2] / 255) ** rng.uniform(0.75, 1.5)
    return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)
