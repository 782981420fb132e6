"""What a face does, in words: a text that any language model can read, without training.

A clip is divided into ``parts`` equal ones, and each action's level is its mean in each of them:
the scaling coefficients of the Haar wavelet, whatever the clip's length. Levels are in standard
deviations of real faces (models/real_faces.py), by the actions of models/knowledge.py. What is told
is rounded, so that noise does not change the words.

Legend of names: T frames, P parts, A actions, W an encoder's words.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.appearance.schema import Appearance
from facewave.landmarks import headpose
from facewave.landmarks.schema import Trajectory
from facewave.models import knowledge
from facewave.models.real_faces import FACES
from facewave.params import Facts

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
_TURNED = 10.0  # degrees by which a head is turned if it is said to be
_STEP = 5  # degrees that they are rounded to
# Of yaw and pitch, below 0 and above.
_SIDES = (("to the picture's left", "to the picture's right"), ("down", "up"))


def told(trajectory: Trajectory | None, settings: Facts) -> str:
    """What a clip's face does, as sentences; "" where no face is seen.

    The actions that are shown most come first, each with how strong it is at most and when: from
    its onset over its apex to its offset, in seconds. Then how the head is turned, in degrees as
    the person would say it of the picture, and in how much of the clip the face is seen.
    """
    if trajectory is None or not trajectory.valid_T.any():
        return ""
    part_T, edges_P = _divided(trajectory.times_T, settings.parts)
    sentences = [
        *_of_actions(trajectory, part_T, edges_P, settings.actions),
        *_of_head(trajectory, part_T, settings.parts),
    ]
    seen = round(100 * trajectory.valid_T.mean() / _STEP) * _STEP
    if seen < 100:
        sentences.append(f"The face is seen in {seen} % of the frames.")
    return " ".join(sentences) or "The face hardly moves."


def expressed(appearance: Appearance | None, words: tuple[str, ...], parts: int) -> str:
    """What a frame encoder says of a clip's face over time, as a sentence; "" where it says none.

    The word is that of the highest mean log answer in each part, and its share of the mean answers.
    """
    if appearance is None or not words or not appearance.valid_F.any():
        return ""
    part_F, _ = _divided(appearance.times_F, parts)
    logs_PW = _means(appearance.expression_FW[:, : len(words)], appearance.valid_F, part_F, parts)
    said: list[str] = []
    for logs_W in logs_PW[~np.isnan(logs_PW).any(axis=1)]:
        shares_W = np.exp(logs_W - logs_W.max())
        share = round(10 * float(shares_W.max() / shares_W.sum())) * 10
        said.append(f"{words[int(logs_W.argmax())]} ({share} %)")
    runs = [word for at, word in enumerate(said) if not at or word != said[at - 1]]
    return f"A network for expressions sees, in this order: {', '.join(runs)}."


def _divided(times_T: Floats, parts: int) -> tuple[NDArray[np.int64], Floats]:
    """The part of each frame, (T,), and where the parts begin and end (s), (P + 1,)."""
    gap = float(np.median(np.diff(times_T))) if len(times_T) > 1 else 0.0
    edges_P = np.linspace(times_T[0], times_T[-1] + gap + 1e-9, parts + 1)
    return np.searchsorted(edges_P, times_T + 1e-9, side="right").clip(1, parts) - 1, edges_P


def _of_actions(
    trajectory: Trajectory, part_T: NDArray[np.int64], edges_P: Floats, most: int
) -> list[str]:
    """A sentence on the actions that are shown most, at most so many."""
    names, live = trajectory.names, knowledge.BLENDSHAPES
    if set(live) - set(names):  # another tool's
        return []
    statistics = np.array([FACES[name] for name in live])
    blendshapes = trajectory.blendshapes_TB[:, [names.index(name) for name in live]]
    means = _means(blendshapes, trajectory.valid_T, part_T, len(edges_P) - 1)
    levels_PA = knowledge.read_actions(means, live, *statistics.T)
    peaks_A = np.nanmax(levels_PA, axis=0)
    order = sorted(
        np.flatnonzero(peaks_A >= _STRENGTHS[-1][0]), key=lambda at: -round(peaks_A[at], 1)
    )
    shows = []
    for at in order[:most]:
        level_P = np.nan_to_num(levels_PA[:, at], nan=-np.inf)
        strength = next(word for least, word in _STRENGTHS if peaks_A[at] >= least)
        shown = np.flatnonzero(level_P >= max(_STRENGTHS[-1][0], peaks_A[at] / 2))
        when = _when(shown, int(level_P.argmax()), edges_P)
        shows.append(f"{NAMES[knowledge.LIVE[at]]} {strength}, {when}")
    return [f"Face: {'; '.join(shows)}."] if shows else []


def _when(shown: NDArray[np.int64], apex: int, edges_P: Floats) -> str:
    """From an action's onset over its apex to its offset."""
    parts = len(edges_P) - 1
    if len(shown) == parts:
        return "throughout"
    start, end = edges_P[shown[0]], edges_P[shown[-1] + 1]
    middle = (edges_P[apex] + edges_P[apex + 1]) / 2
    since = "from the start" if shown[0] == 0 else f"from {start:.1f} s"
    until = "to the end" if shown[-1] == parts - 1 else f"to {end:.1f} s"
    return f"{since} {until}, most at {middle:.1f} s"


def _of_head(trajectory: Trajectory, part_T: NDArray[np.int64], parts: int) -> list[str]:
    """A sentence on where the head is turned most, if it is."""
    angles_T3 = headpose.angles(trajectory.pose_T44)
    angles_P3 = _means(angles_T3, trajectory.valid_T, part_T, parts)
    turns = []
    for angle_P, (below, above) in zip(angles_P3.T, _SIDES, strict=False):
        if np.isnan(angle_P).all():
            continue
        most = angle_P[np.nanargmax(np.abs(angle_P))]
        if abs(most) >= _TURNED:
            changes = np.nanmax(angle_P) - np.nanmin(angle_P) >= _TURNED
            degrees = round(abs(most) / _STEP) * _STEP
            side = above if most > 0 else below
            turns.append(f"{degrees} degrees {side} {'at most' if changes else 'throughout'}")
    return [f"Head: turned {' and '.join(turns)}."] if turns else []


def _means(
    values: NDArray[np.floating], valid_T: NDArray[np.bool_], part_T: NDArray[np.int64], parts: int
) -> Floats:
    """The mean of each column in each part of the clip, NaN where nothing is seen in it."""
    table = pd.DataFrame(np.where(valid_T[:, None], values.astype(np.float64), np.nan))
    return table.groupby(part_T).mean().reindex(range(parts)).to_numpy()
