"""The graph between the models: where faces are looked for, and how each is followed.

A face is looked for where its landmarks were in the frame before. Where nobody is followed the
detector runs, and while somebody is, it looks for others now and then. A single face comes out as
from MediaPipe's FaceLandmarker in VIDEO mode: which model sees what follows
face_landmarker_graph.cc and face_landmarks_detector_graph.cc of MediaPipe 0.10.35; the modules
beside this one have the parts. What MediaPipe does not do: every face is followed and smoothed for
itself; small and turned faces are searched for (``views``); a cut ends all tracks.

What answers for the models is handed in: LiteRT for one clip (``litert``), or what answers many
clips together (``landmarks/batches.py``).
"""

import math
from collections.abc import Sequence
from typing import Literal, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from facewave.landmarks.engines import cuts, detector, geometry, regions
from facewave.landmarks.engines.engine import Face, Sighting
from facewave.landmarks.engines.regions import Region
from facewave.landmarks.engines.smoothing import OneEuro

ModelName = Literal["detector", "landmarks", "blendshapes"]
_SIDE = 256  # pixels that the landmark model sees
_LEAST_PRESENCE = 0.5  # min_face_presence_confidence: FaceLandmarkerOptions
_SURE, _SURE_PRESENCE = 0.7, 0.9  # scores of a face that is one of several, or was searched for
_UPRIGHT = 0.9  # score below which a face may be turned;
_BETTER = 0.05  # by how much it is better then
_NEAR = 2.0  # sides of the region of a face, which is then a third of what the detector sees
_MOST = 5  # faces that are followed at a time
_LOOK_MS, _SOON_MS = 500, 100  # between two looks for more faces; the latter after a loss,
_LOSS_MS = 2000  # for so long
_VIEWS_MS = 40  # the same for each view of a search, which then costs a fifth of following a face
_TILES = 2  # level of ``regions.views`` with which tiles begin
_LARGE = 8  # views: more are not worth a look soon after a loss
_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])  # fmt: skip
"""The points that blendshapes are told from: face_blendshapes_graph.cc."""
NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The blendshapes, in the model's order: face_blendshapes_graph.cc."""


class Models(Protocol):
    """What answers for the models.

    Attributes:
        canonical: the standard face of the models' file.
    """

    canonical: geometry.Canonical

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a model, in its file's order, for n inputs (n, ...): each (n, values)."""
        ...


class _Track:
    """One face from frame to frame."""

    def __init__(self, number: int, region: Region) -> None:
        self.number, self.region = number, region
        self.smooth = OneEuro()


class Tracker:
    """Follows the faces of one clip, as ``engine.Landmarker`` says.

    Args:
        models: answer what it asks.
        smooth: whether points are smoothed over time, as MediaPipe's are.
    """

    def __init__(self, models: Models, smooth: bool) -> None:
        self._models, self._smooth = models, smooth
        self.names: tuple[str, ...] = ()
        self._cuts = cuts.Cuts()
        self._tracks: list[_Track] = []
        self._count = 0  # of tracks so far
        self._level = 0  # of ``regions.views``, at which the last face was found
        self._look_at = self._search_at = 0  # milliseconds
        self._searched_at = self._lost_at = -_LOSS_MS
        self._shot = 0
        self._looks = 0  # for more faces than are followed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Sighting]:
        """The faces in a picture (height, width, 3), RGB; ``milliseconds`` must increase."""
        followed = len(self._tracks)
        if self._cuts.between(picture):
            self._tracks = []
            self._shot += 1
        seen = _landmarks(self._models, picture, [track.region for track in self._tracks])
        points = {
            track: points_PC
            for track, (points_PC, presence) in zip(self._tracks, seen, strict=True)
            if presence > _LEAST_PRESENCE
        }
        self._drop_doubles(points)
        if len(points) < followed:
            self._look_at = self._lost_at = milliseconds
            self._search_at = min(self._search_at, self._searched_at + _LOOK_MS)
        if not points or milliseconds >= self._look_at:
            found = self._find(picture, milliseconds, list(points))
            points |= found
        self._tracks = list(points)
        for track, points_PC in points.items():
            track.region = regions.of_landmarks(points_PC)
            if self._smooth:
                points[track] = track.smooth(points_PC, milliseconds)
        sightings = self._describe(points, *picture.shape[1::-1])
        self.names = NAMES if sightings else self.names
        return sightings

    def _drop_doubles(self, points: dict[_Track, NDArray[np.float32]]) -> None:
        """Keep one of two tracks that have run into the same face, as a new one.

        Which of the two faces that met it is, their tracks cannot tell.
        """
        tracks = list(points)
        spots = [regions.of_landmarks(points[track]) for track in tracks]
        for i, track in enumerate(tracks):
            met = [j for j in range(i) if tracks[j] in points and regions.same(spots[i], spots[j])]
            if met:
                del points[track]
            for j in met:
                tracks[j].number = self._new()

    def _new(self) -> int:
        self._count += 1
        return self._count - 1

    def _find(
        self, picture: NDArray[np.uint8], milliseconds: int, tracks: Sequence[_Track]
    ) -> dict[_Track, NDArray[np.float32]]:
        """Faces that are not followed yet, and their points.

        While somebody is followed, or was a moment ago, at the level where the last face was found.
        While nobody is, in the whole picture, and now and then at all levels until there is a face.
        """
        levels = regions.views(picture.shape[1], picture.shape[0])
        level, found = min(self._level, len(levels) - 1), {}
        if not tracks:
            found = self._detect(picture, levels[0], (), sure=False)
            self._level = 0 if found else level
        if not found and milliseconds >= self._look_at:
            views = levels[level]
            soon = milliseconds < self._lost_at + _LOSS_MS and len(views) <= _LARGE
            self._look_at = milliseconds + (
                _SOON_MS if soon else max(_LOOK_MS, _VIEWS_MS * len(views))
            )
            if tracks:
                views = self._looked_at(levels, level)
            if tracks or level:
                found = self._detect(picture, views, tracks, sure=True)
        if not found and not tracks and milliseconds >= self._search_at:
            self._searched_at = milliseconds
            self._search_at = milliseconds + _VIEWS_MS * sum(map(len, levels))
            for self._level in range(1, len(levels)):
                found = self._detect(picture, levels[self._level], (), sure=True)
                if found:
                    break
            else:
                self._level = level
        return found

    def _looked_at(self, levels: list[list[Region]], level: int) -> list[Region]:
        """Where others are looked for while somebody is followed: always in the whole picture.

        If the last face was found in smaller views, in those; else every other time in one tile.
        """
        self._looks += 1
        if level:
            return levels[0] + levels[level]
        tiles = next((tiles for tiles in levels[_TILES:] if len(tiles) > 1), [])
        k, odd = divmod(self._looks, 2)
        return levels[0] + ([tiles[k % len(tiles)]] if odd and tiles else [])

    def _detect(
        self,
        picture: NDArray[np.uint8],
        views: Sequence[Region],
        tracks: Sequence[_Track],
        *,
        sure: bool,
    ) -> dict[_Track, NDArray[np.float32]]:
        """Faces in some views of the picture that no track has; only ``sure`` ones, or any."""
        taken = [track.region for track in tracks]
        places: list[tuple[float, Region]] = []
        for score, region in _detections(self._models, picture, views):
            others = (*taken, *(place for _, place in places))
            if not any(regions.same(region, other) for other in others):
                places.append((score, region))
        places = places[: _MOST - len(tracks)]
        for i, (score, region) in enumerate(places):
            if score < _UPRIGHT:
                places[i] = _turned(self._models, picture, score, region, keep=not sure)
        regions_sure = [region for score, region in places if score >= _SURE or not sure]
        seen = _landmarks(self._models, picture, regions_sure)
        found_points: dict[_Track, NDArray[np.float32]] = {}
        for i, (points_PC, presence) in enumerate(seen):
            needed = _SURE_PRESENCE if sure or i else _LEAST_PRESENCE
            spot = regions.of_landmarks(points_PC)
            others = (*taken, *(track.region for track in found_points))
            if presence > needed and not any(regions.same(spot, other) for other in others):
                found_points[_Track(self._new(), spot)] = points_PC
        return found_points

    def _describe(
        self, points: dict[_Track, NDArray[np.float32]], width: int, height: int
    ) -> list[Sighting]:
        """Sightings of faces with these points, in pixels; a face too small for a pose is none."""
        if not points:
            return []
        inputs = np.stack([points_PC[_POINTS, :2] for points_PC in points.values()])
        (blendshapes_NB,) = self._models("blendshapes", inputs)
        sightings = []
        for (track, points_PC), blendshapes_B in zip(points.items(), blendshapes_NB, strict=True):
            landmarks_PC = (points_PC / np.array([width, height, width])).astype(np.float32)
            pose_44 = geometry.pose(landmarks_PC, width, height, self._models.canonical)
            if pose_44 is not None:
                face = Face(landmarks_PC, blendshapes_B, pose_44)
                sightings.append(Sighting(track.number, face, self._shot))
        return sightings


def _detections(
    models: Models, picture: NDArray[np.uint8], views: Sequence[Region]
) -> list[tuple[float, Region]]:
    """Scores and regions of the faces that the detector finds in some views, the best first."""
    values = [
        detector.values(view.cut(picture, detector.SIDE, cv2.BORDER_CONSTANT)) for view in views
    ]
    answers, logits = models("detector", np.stack(values))
    detections: list[tuple[float, Region]] = []
    for view, boxes, scores in zip(views, answers, logits, strict=True):
        found = detector.decode(boxes.reshape(-1, detector.VALUES), scores)
        detections += [
            (score, regions.of_detection(box, points_KC).within(view))
            for score, box, points_KC in zip(*found, strict=True)
        ]
    return sorted(detections, key=lambda detection: -detection[0])


def _turned(
    models: Models, picture: NDArray[np.uint8], score: float, region: Region, *, keep: bool
) -> tuple[float, Region]:
    """A detection of doubtful score, or a better one of the same face, near and at four turns.

    The detector takes many a face that is upside down for an upright one, but less surely.
    ``keep`` it unless the face is turned.
    """
    large = max(region.width, region.height)
    side, near = _NEAR * large, large / 2  # beyond it is the face beside this one
    turns = [Region(region.x, region.y, side, side, k * math.pi / 2) for k in range(4)]
    detections = _detections(models, picture, turns)
    here = [(better, place) for better, place in detections
            if math.hypot(place.x - region.x, place.y - region.y) < near]  # fmt: skip
    for better, place in here[:1]:
        agrees = math.cos(place.angle - region.angle) > math.cos(math.pi / 4)
        if better > score + _BETTER and not (keep and agrees):
            return better, place
    return score, region


def _landmarks(
    models: Models, picture: NDArray[np.uint8], places: Sequence[Region]
) -> list[tuple[NDArray[np.float32], float]]:
    """The points (478, 3), in pixels, of what is in each place, and how sure it is a face."""
    if not places:
        return []
    cut = [place.cut(picture, _SIDE, cv2.BORDER_REPLICATE) for place in places]
    points, presence, _ = models("landmarks", np.stack(cut) * np.float32(1 / 255))
    aspect = picture.shape[1] / picture.shape[0]
    return [
        (place.project(points_V.reshape(-1, 3), _SIDE, aspect), float(expit(logit.item())))
        for place, points_V, logit in zip(places, points, presence, strict=True)
    ]
