"""The last seconds of everybody in sight, in memory: what windows are made of.

Legend of names: T frames of a window, N sightings in it, F looks of the encoder.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facewave.app.live.sources import Frame, Picture
from facewave.appearance.encoders.encoder import Encoder
from facewave.appearance.schema import Appearance
from facewave.faces import align
from facewave.landmarks import follow, quality, schema
from facewave.landmarks.engines.engine import Face, Sighting
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.params import Faces

_ROUNDING = 1e-6  # of frame times, as a share of the time between two looks


class Look(NamedTuple):
    """What a look at a face's picture tells, a few times a second.

    Attributes:
        sharpness: as in ``landmarks.quality``.
        brightness: the mean of the grey face, in [0, 1].
        expression_W: the encoder's words and numbers, () without an encoder.
        appearance_E: its embedding.
    """

    sharpness: float
    brightness: float
    expression_W: NDArray[np.float32]
    appearance_E: NDArray[np.float32]


class Eyes:
    """Looks at pictures of faces.

    Args:
        settings: how faces are cut out, as stage crop does.
        encoder: what looks at them; None: nothing does.
    """

    def __init__(self, settings: Faces, encoder: Encoder | None) -> None:
        self.settings, self._encoder = settings, encoder

    def open(self) -> None:
        """Load the encoder now, not at the first face.

        Raises:
            UserError: it cannot be had.
        """
        if self._encoder:
            side = self._encoder.side
            self._encoder(np.zeros((1, side, side, 3), np.uint8))

    def look(self, picture: Picture, face: Face, spot: follow.Spot) -> Look:
        """One look at a face."""
        size = np.array(picture.shape[1::-1], np.float32)
        square_4 = align.squares(face.landmarks_PC[None, :, :2] * size, self.settings.align)[0]
        expression_nW = appearance_nE = np.zeros((1, 0), np.float32)
        if self._encoder:
            margin = self.settings.margin
            cut = align.cut(picture, square_4, margin, self.settings.side)
            shown = align.middle([cut], margin, self._encoder.margin, self._encoder.side)
            expression_nW, appearance_nE = self._encoder(shown)
        return Look(
            quality.sharpness(picture, spot),
            align.brightness(picture, square_4),
            expression_nW[0],
            appearance_nE[0],
        )


class _Seen(NamedTuple):
    """A face in a frame, how much it counts, and a look at it if there was one."""

    track: int
    face: Face
    prominence: float
    look: Look | None


class _Moment(NamedTuple):
    number: int
    time: float
    faces: tuple[_Seen, ...]


@dataclass(frozen=True, eq=False)
class Window:
    """The last seconds of one person, or those since the track began.

    Attributes:
        person: the track of the face; another face, or the same after a break, has another number.
        trajectory: a row for every frame looked at since then.
        facts: the picture's size.
        frames: what measures need of it (``quality.frames_of``).
        appearance: what the encoder saw, a row for each look.
        brightness: the median of the face's, NaN without a look.
        unseen: seconds from the newest frame back to the newest that shows the face.
        others: other faces in the newest frame.
    """

    person: int
    trajectory: Trajectory
    facts: ClipFacts
    frames: NDArray[Any]
    appearance: Appearance
    brightness: float
    unseen: float
    others: int


class Memory:
    """What was seen in the last seconds; older frames are forgotten.

    Args:
        seconds: how many.
        whose: whom ``windows`` follows: the rule of landmarks.whose.
        eyes: what looks at pictures of faces.
    """

    def __init__(self, seconds: float, whose: str, eyes: Eyes) -> None:
        self._seconds, self._rule, self._eyes = seconds, follow.rule_of(whose), eyes
        self._moments: deque[_Moment] = deque()
        self._looked: dict[int, int] = {}  # track: the interval in which it was looked at last
        self._facts = ClipFacts(0.0, 1, 1, 0)

    def add(self, frame: Frame, sightings: Sequence[Sighting]) -> None:
        """Keep what was seen in a frame, and look at faces whose turn it is."""
        height, width = frame.picture.shape[:2]
        self._facts = replace(self._facts, width=width, height=height)
        interval = int(np.floor(frame.time * self._eyes.settings.fps + _ROUNDING))
        faces = []
        for track, face, _ in sightings:
            spot = quality.spot(face.landmarks_PC, width, height)
            look = None
            if self._looked.get(track) != interval:
                look = self._eyes.look(frame.picture, face, spot)
            prominence = follow.prominence(self._rule, spot, width, height)
            faces.append(_Seen(track, face, prominence, look))
        self._looked = {**self._looked, **dict.fromkeys((one.track for one in faces), interval)}
        self._moments.append(_Moment(frame.number, frame.time, tuple(faces)))
        while self._moments[0].time <= frame.time - self._seconds:
            self._moments.popleft()
        known = {one.track for moment in self._moments for one in moment.faces}
        self._looked = {track: at for track, at in self._looked.items() if track in known}

    def windows(self, names: tuple[str, ...], everybody: bool) -> list[Window]:
        """The last seconds of the person who is followed, or of everybody in sight.

        Who is followed is decided by what is in memory alone (``follow.followed``): whoever counts
        most in it, and tracks that are never in sight together are one person. Of that person's
        tracks the newest is answered for: after a break or a cut it may be somebody else's.

        Args:
            names: of the blendshapes.
            everybody: each face in the newest frame, whoever counts most there first.

        Returns:
            None of them without a face in the window.
        """
        faces = [(t, one) for t, moment in enumerate(self._moments) for one in moment.faces]
        if not faces:
            return []
        frames_N = np.array([t for t, _ in faces])
        tracks_N = np.array([one.track for _, one in faces])
        prominence_N = np.array([one.prominence for _, one in faces])
        newest = sorted(self._moments[-1].faces, key=lambda one: -one.prominence)
        if everybody and newest:
            return [self._window(names, one.track) for one in newest]
        compact_N = np.unique(tracks_N, return_inverse=True)[1]
        chosen_N = follow.followed(frames_N, compact_N, prominence_N)
        return [self._window(names, int(tracks_N[chosen_N][-1]))]

    def _window(self, names: tuple[str, ...], track: int) -> Window:
        """What was seen of a track, from its first frame in memory on."""
        moments = list(
            dropwhile(lambda one: track not in {face.track for face in one.faces}, self._moments)
        )
        chosen = [
            (t, one)
            for t, moment in enumerate(moments)
            for one in moment.faces
            if one.track == track
        ]
        trajectory = replace(
            schema.blank(len(moments), names),
            frames_T=np.array([moment.number for moment in moments], np.int32),
            times_T=np.array([moment.time for moment in moments]),
            faces_T=np.array([len(moment.faces) for moment in moments], np.int16),
        )
        for t, one in chosen:
            trajectory.valid_T[t] = True
            trajectory.landmarks_TPC[t] = one.face.landmarks_PC
            trajectory.blendshapes_TB[t] = one.face.blendshapes_B
            trajectory.pose_T44[t] = one.face.pose_44
            if one.look:
                trajectory.sharpness_T[t] = one.look.sharpness
        looks = [(trajectory.times_T[t], one.look) for t, one in chosen if one.look]
        times_T, valid_T = trajectory.times_T, trajectory.valid_T
        return Window(
            track,
            trajectory,
            self._facts,
            quality.frames_of(trajectory, self._facts),
            _appearance(looks),
            float(np.median([look.brightness for _, look in looks])) if looks else np.nan,
            float(times_T[-1] - times_T[valid_T][-1]),
            len(moments[-1].faces) - int(valid_T[-1]),
        )


def _appearance(looks: Sequence[tuple[float, Look]]) -> Appearance:
    """What the encoder saw, over time."""
    if not looks:
        none_FX = np.zeros((0, 0), np.float32)
        return Appearance(np.zeros(0), np.zeros(0, bool), none_FX, none_FX)
    return Appearance(
        np.array([time for time, _ in looks]),
        np.ones(len(looks), bool),
        np.stack([look.expression_W for _, look in looks]),
        np.stack([look.appearance_E for _, look in looks]),
    )
