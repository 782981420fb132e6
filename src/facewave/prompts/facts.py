"""What a face does, in words: a text that any language model can read, without training.

A clip is divided into ``parts`` equal ones, and each action's level is its mean in each of them:
the scaling coefficients of the Haar wavelet, whatever the clip's length. Levels are in standard
deviations of real faces (models/real_faces.py), by the actions of models/knowledge.py. What is told
is rounded before anything is decided by it, so that noise seldom changes the words and no number
contradicts them. Where nothing is known, nothing is told.

Legend of names: T frames, P parts, A actions, W an encoder's words.
"""

import math
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.appearance.schema import Appearance
from facewave.landmarks import headpose
from facewave.landmarks.schema import Trajectory
from facewave.models import knowledge
from facewave.models.real_faces import FACES
from facewave.params import Facts
from facewave.workspace import Clips

Floats = NDArray[np.float64]

# FACS's names of the actions that are read here (Ekman, Friesen and Hager, 2002), as one would say
# them of a face.
NAMES = {
    1: "inner brows raised",
    2: "outer brows raised",
    4: "brows lowered",
    7: "eyelids tightened",
    10: "upper lip raised",
    12: "lip corners pulled up",
    14: "lip corners tightened",
    15: "lip corners pulled down",
    17: "chin raised",
    20: "lips stretched",
    23: "lips tightened",
    24: "lips pressed together",
    25: "lips parted",
    26: "jaw dropped",
}
_STRENGTHS = ((2.0, "strongly"), (1.0, "clearly"), (0.5, "slightly"))  # from so many deviations on
_CHANGED = 0.5  # deviations between first and last part: what is shown throughout rises or falls
_STEP = 5  # degrees, percent or pixels that these are rounded to
_TURNED = 10  # degrees, rounded, by which a head is turned if it is said to be
_SMALL = 65  # pixels, 64 rounded: points of a smaller face are coarse (benchmarks, "Small faces")
# Sharpness (landmarks/quality.py): five sharp faces of 243 to 265 pixels had 5.0 to 17.3, and 2.1
# to 3.2 blurred by a Gaussian whose standard deviation is 1/64 of the face.
_BLURRED = 3.0
# Of yaw and pitch, below 0 and above.
_SIDES = (("to the picture's left", "to the picture's right"), ("down", "up"))
_ALL = "throughout"


def of_clips(clips: Clips, settings: Facts) -> list[str]:
    """What the face does in each clip (``told``)."""
    names, sizes = clips.table["video_idx"], clips.index["face_px"]
    return [told(clips.trajectory(name), settings, sizes.at[name]) for name in names]


def told(trajectory: Trajectory | None, settings: Facts, face_px: float = math.nan) -> str:
    """What a clip's face does, as sentences; "" where no face is seen or nothing is known of it.

    The actions that are shown most come first (if blendshapes tell them, as other tools' channels
    do not), each with how strong it is at most and when: from
    its onset over its apex to its offset, in seconds. Then where the head is turned most, in
    degrees to the picture's sides, and when; and what is wrong with the pictures: in how many the
    face is seen, whether it is small or blurred.

    Args:
        trajectory: of the clip, None where there is none.
        settings: how many actions are told, and of how many parts of the clip.
        face_px: the face's size in pixels, NaN where it is not known.
    """
    if trajectory is None or not trajectory.valid_T.any():
        return ""
    part_T, edges_P = _divided(trajectory.times_T, settings.parts)
    sentences = [
        *_of_actions(trajectory, part_T, edges_P, settings.actions),
        *_of_head(trajectory, part_T, edges_P),
        *_of_quality(trajectory, face_px),
    ]
    return " ".join(sentences)


def expressed(appearance: Appearance | None, words: tuple[str, ...], parts: int) -> str:
    """What a frame encoder says of a clip's face over time, as a sentence; "" where it says none.

    The word is that of the highest mean log answer in each part, and its share of the mean answers.
    """
    if appearance is None or not words or not appearance.valid_F.any():
        return ""
    part_F, _ = _divided(appearance.times_F, parts)
    logs_PW = _means(appearance.expression_FW[:, : len(words)], appearance.valid_F, part_F, parts)
    answers: list[str] = []
    for logs_W in logs_PW[~np.isnan(logs_PW).any(axis=1)]:
        shares_W = np.exp(logs_W - logs_W.max())
        share = round(10 * float(shares_W.max() / shares_W.sum())) * 10
        answers.append(f"{words[int(logs_W.argmax())]} ({share} %)")
    in_order = ", ".join(answer for answer, _ in groupby(answers))
    return f"A network for expressions sees, in this order: {in_order}."


def _divided(times_T: Floats, parts: int) -> tuple[NDArray[np.int64], Floats]:
    """The part of each frame, (T,), and the parts' bounds in s from the first frame, (P + 1,)."""
    gap = float(np.median(np.diff(times_T))) if len(times_T) > 1 else 0.0
    since_T = times_T - times_T[0]  # a row may be a part of a longer clip
    edges_P = np.linspace(0, since_T[-1] + gap + 1e-9, parts + 1)
    return np.searchsorted(edges_P, since_T + 1e-9, side="right").clip(1, parts) - 1, edges_P


def _of_actions(
    trajectory: Trajectory, part_T: NDArray[np.int64], edges_P: Floats, most: int
) -> list[str]:
    """A sentence on the actions that are shown most, at most so many; none if none is known."""
    names, live = trajectory.names, knowledge.BLENDSHAPES
    if set(live) - set(names):  # another tool's
        return []
    statistics = np.array([FACES[name] for name in live])
    blendshapes = trajectory.blendshapes_TB[:, [names.index(name) for name in live]]
    means = _means(blendshapes, trajectory.valid_T, part_T, len(edges_P) - 1)
    levels_PA = knowledge.read_actions(means, live, *statistics.T).round(1)
    peaks_A = np.nanmax(levels_PA, axis=0)
    order = sorted(np.flatnonzero(peaks_A >= _STRENGTHS[-1][0]), key=lambda at: -peaks_A[at])
    shows = []
    for at in order[:most]:
        level_P = np.nan_to_num(levels_PA[:, at], nan=-np.inf)
        strength = next(word for least, word in _STRENGTHS if peaks_A[at] >= least)
        shown = np.flatnonzero(level_P >= max(_STRENGTHS[-1][0], peaks_A[at] / 2))
        apex = int(level_P.argmax())  # of equal ones the first, whatever the noise
        when = _when(shown, apex, edges_P)
        change = round(levels_PA[-1, at] - levels_PA[0, at], 1)  # NaN where one is not seen
        if when == _ALL and abs(change) >= _CHANGED:
            when += ", rising" if change > 0 else ", falling"
        shows.append(f"{NAMES[knowledge.LIVE[at]]} {strength}, {when}")
    return [f"Face: {'; '.join(shows) or 'no action stands out'}."]


def _when(shown: NDArray[np.int64], apex: int, edges_P: Floats) -> str:
    """From an action's onset over its apex to its offset."""
    parts = len(edges_P) - 1
    if len(shown) == parts:
        return _ALL
    start, end = edges_P[shown[0]], edges_P[shown[-1] + 1]
    middle = (edges_P[apex] + edges_P[apex + 1]) / 2
    since = "from the start" if shown[0] == 0 else f"from {start:.1f} s"
    until = "to the end" if shown[-1] == parts - 1 else f"to {end:.1f} s"
    return f"{since} {until}, most at {middle:.1f} s"


def _of_head(trajectory: Trajectory, part_T: NDArray[np.int64], edges_P: Floats) -> list[str]:
    """A sentence on where the head is turned most and when, if it is."""
    angles_T2 = headpose.angles(trajectory.pose_T44)[:, :2]
    angles_P2 = _means(angles_T2, trajectory.valid_T, part_T, len(edges_P) - 1)
    turns = []
    for angle_P, (below, above) in zip(angles_P2.T, _SIDES, strict=True):
        turned_P = _rounded(np.nan_to_num(np.abs(angle_P)))
        most = int(turned_P.argmax())
        if turned_P[most] >= _TURNED:
            is_alike_P = np.sign(angle_P) == np.sign(angle_P[most])
            shown = np.flatnonzero(is_alike_P & (turned_P >= max(_TURNED, turned_P[most] / 2)))
            side = above if angle_P[most] > 0 else below
            turns.append(f"{turned_P[most]:.0f} degrees {side} {_when(shown, most, edges_P)}")
    return [f"Head: turned {'; '.join(turns)}."] if turns else []


def _of_quality(trajectory: Trajectory, face_px: float) -> list[str]:
    """A sentence on what is wrong with the pictures, if anything is known to be."""
    problems = []
    seen, pixels = _rounded(100 * trajectory.valid_T.mean()), _rounded(face_px)
    if seen < 100:
        share = f"{seen:.0f}" if seen else f"fewer than {_STEP}"
        problems.append(f"seen in {share} % of the frames")
    if pixels < _SMALL:
        problems.append(f"small ({pixels:.0f} pixels)")
    sharpness = trajectory.sharpness_T[np.isfinite(trajectory.sharpness_T)]
    if len(sharpness) and np.median(sharpness) < _BLURRED:
        problems.append("blurred")
    return [f"The face is {', '.join(problems)}."] if problems else []


def _rounded(values: Floats | float) -> Any:
    """Numbers to the next multiple of ``_STEP``."""
    return np.round(np.divide(values, _STEP)) * _STEP


def _means(
    values: NDArray[np.floating], valid_T: NDArray[np.bool_], part_T: NDArray[np.int64], parts: int
) -> Floats:
    """The mean of each column in each part of the clip, NaN where nothing is seen in it."""
    table = pd.DataFrame(np.where(valid_T[:, None], values.astype(np.float64), np.nan))
    return table.groupby(part_T).mean().reindex(range(parts)).to_numpy()
