"""People: which tracks of a clip are one person's. Pure.

A track follows a face without a break. Where it ends (the face is turned away or covered, leaves,
or meets another) and one begins later, both may be of the same person: told by how much their
pictures look alike, by the shape of the face, and by where they were. Two tracks in one frame are
two people.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.landmarks import headpose
from facewave.landmarks.follow import Spot

_AROUND = 0.8  # sizes of the face to each side of its centre: hair and collar are in it
_BINS = (12, 6, 6)  # of hue, saturation and brightness
_GREYISH = 25  # levels of saturation, of 255, below which a hue is noise
_SHAPE = 7.0  # weight of the distance of faces' shapes, which is in sizes of the face;
_MOST_SHAPE = 0.25  # the most that it counts: one who turns or laughs has another shape, too
_UNLIKE = 0.55  # how unlike two people are, at least
_NEVER = 1e9  # the distance of two that are seen together: no mean with it is small
_NEAR = 0.15  # what is taken off the distance of tracks that go on where another ended
_SOON_S = 1.0  # within this time,
_REACH = 1.0  # and within so many sizes of the face


@dataclass(frozen=True, eq=False)
class Track:
    """What was seen of one track.

    Attributes:
        start, end: seconds of its first and last sighting.
        first, last: where the face was then.
        looks: the mean of its pictures' ``looks``.
        count: of these pictures.
        shot: in which it was seen; a cut ends all tracks.
        shape: of the face, as ``shape`` has it.
    """

    start: float
    end: float
    first: Spot
    last: Spot
    looks: NDArray[np.float64]
    count: int
    shot: int
    shape: NDArray[np.float64]

    def seen_as(self, looks: NDArray[np.float64]) -> "Track":
        """With one more picture."""
        count = self.count + 1
        return replace(self, looks=self.looks + (looks - self.looks) / count, count=count)


def track(time: float, spot: Spot, shot: int) -> Track:
    """A track that begins."""
    looks, shape = np.zeros(math.prod(_BINS)), np.zeros((len(headpose.STABLE), 3))
    return Track(time, time, spot, spot, looks, 0, shot, shape)


def looks(picture: NDArray[np.uint8], face: Spot) -> NDArray[np.float64]:
    """The colours in and around a face in a picture (height, width, 3), RGB, as shares.

    Zeros of a face outside the picture.
    """
    half = _AROUND * face.size
    rows = slice(max(0, round(face.y - half)), max(0, round(face.y + half)))
    columns = slice(max(0, round(face.x - half)), max(0, round(face.x + half)))
    if not picture[rows, columns].size:
        return np.zeros(math.prod(_BINS))
    step = max(1, round(face.size / 64))
    hsv = cv2.cvtColor(picture[rows, columns][::step, ::step], cv2.COLOR_RGB2HSV)
    hsv[..., 0][hsv[..., 1] < _GREYISH] = 0
    histogram = cv2.calcHist([hsv], [0, 1, 2], None, list(_BINS), [0, 180, 0, 256, 0, 256])
    return histogram.ravel().astype(float) / histogram.sum()


def shape(
    landmarks_TPC: NDArray[np.float32], pose_T44: NDArray[np.float32], aspect: float
) -> NDArray[np.float64]:
    """The mean of the points that expressions hardly move, without the head's pose, (S, 3).

    In sizes of the face; of pictures whose width over their height is ``aspect``.
    """
    pose_free_TPC = headpose.separate(landmarks_TPC, pose_T44, aspect).pose_free_TPC
    return np.nan_to_num(pose_free_TPC[:, list(headpose.STABLE)]).mean(axis=0)


def link(tracks: Sequence[Track]) -> list[int]:
    """The person of each track, numbered from 0 in the order of the tracks.

    Agglomerative clustering with average linkage: of all that are never seen together, the two most
    alike become one, as long as there are any that are alike.
    """
    if len(tracks) < 2:
        return [0] * len(tracks)
    from scipy.cluster.hierarchy import fcluster  # slow to load, and seldom needed
    from scipy.cluster.hierarchy import linkage as cluster

    people = fcluster(cluster(_apart(tracks), "average"), _UNLIKE, criterion="distance")
    numbers = {person: number for number, person in enumerate(dict.fromkeys(people))}
    return [numbers[person] for person in people]


def _apart(tracks: Sequence[Track]) -> NDArray[np.float64]:
    """How unlike two tracks are, of all pairs in the order of ``itertools.combinations``.

    By their looks (Hellinger distance), shapes and places.
    """
    looks_NH = np.stack([track.looks for track in tracks])
    shapes_NSC = np.stack([track.shape for track in tracks])
    start_N, end_N = (np.array([getattr(t, name) for t in tracks]) for name in ("start", "end"))
    first_N3, last_N3 = (np.array([getattr(t, name) for t in tracks]) for name in ("first", "last"))
    shot_N = np.array([track.shot for track in tracks])
    apart = []
    for one in range(len(tracks) - 1):
        others = slice(one + 1, None)
        is_first_n = start_N[one] <= start_N[others]
        came_n = np.where(is_first_n, start_N[others], start_N[one])
        left_n = np.where(is_first_n, end_N[one], end_N[others])
        alike_n = np.sqrt(looks_NH[one] * looks_NH[others]).sum(axis=1)
        shapes_n = ((shapes_NSC[one] - shapes_NSC[others]) ** 2).sum(axis=2).mean(axis=1)
        distance_n = np.sqrt(np.maximum(0.0, 1 - alike_n))
        distance_n += np.minimum(_SHAPE * np.sqrt(shapes_n), _MOST_SHAPE)
        left_n3 = np.where(is_first_n[:, None], last_N3[one], last_N3[others])
        came_n3 = np.where(is_first_n[:, None], first_N3[others], first_N3[one])
        size_n = np.maximum(np.minimum(left_n3[:, 2], came_n3[:, 2]), 1e-9)
        move_n = np.hypot(*(came_n3 - left_n3)[:, :2].T) / size_n
        goes_on_n = (
            (shot_N[one] == shot_N[others]) & (came_n - left_n <= _SOON_S) & (move_n <= _REACH)
        )
        distance_n = np.maximum(0.0, distance_n - _NEAR * goes_on_n)
        apart.append(np.where(came_n <= left_n, _NEVER, distance_n))
    return np.concatenate(apart)
