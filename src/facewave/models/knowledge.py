"""Emotions from facial actions, by rules that others have published: nothing is learnt.

An action unit (AU) of FACS is read from the blendshapes that move as it does; an emotion's score is
the mean of its actions, in standard deviations of real faces, less that of the actions shown which
contradict it.

- The prototypes, of compounds too, are those of Du, Tao and Martinez, "Compound facial expressions
  of emotion", PNAS 111 (2014) E1454, table 1: an action that more than 70 % of the people use has
  weight 1, a rarer one the share of the people that use it. Contempt is EMFACS's AU 14, of
  the side that shows more of it (Ekman and Friesen 1983; Ekman, Friesen and Hager, FACS, 2002).
- ``ACTIONS`` and ``NEAREST`` follow the blendshapes' own definitions (Apple, ARKit:
  BlendShapeLocation) and the usual comparison with FACS (Ekman, Friesen and Hager 2002; Ozel,
  "ARKit to FACS cheat sheet", melindaozel.com): AU 4 is browDown, AU 12 mouthSmile, and so on.
- Larsen, Norris and Cacioppo (Psychophysiology 40, 2003, 776): the corners' puller (AU 12) rises
  and the brows' lowerer (AU 4) falls with how pleasant something is. So valence is read from them,
  and each contradicts the other.

Legend of names: n clips, B blendshapes, A actions, C emotions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 0.5  # half a standard deviation more of an emotion's actions: e times as likely
_LEAST = 0.02  # what a standard deviation counts as at least: below it is the landmarker's noise
_MOST = 3.0  # standard deviations that count at most: one wild channel decides nothing alone

# FaceLandmarker gives these hardly any movement, whatever the face does: they are left out.
DEAD = (
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeWideLeft", "eyeWideRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)


def _sides(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


# Action unit -> the blendshapes that move as it does. AU 11 has none.
ACTIONS: dict[int, tuple[str, ...]] = {
    1: ("browInnerUp",),
    2: _sides("browOuterUp"),
    4: _sides("browDown"),
    5: _sides("eyeWide"),
    6: _sides("cheekSquint"),
    7: _sides("eyeSquint"),
    9: _sides("noseSneer"),
    10: _sides("mouthUpperUp"),
    12: _sides("mouthSmile"),
    14: _sides("mouthDimple"),
    15: _sides("mouthFrown"),
    17: ("mouthShrugLower",),
    20: _sides("mouthStretch"),
    23: ("mouthRollLower", "mouthRollUpper"),
    24: _sides("mouthPress"),
    25: (*_sides("mouthLowerDown"), "jawOpen"),
    26: ("jawOpen",),
}
# Actions without a rule, and nearer ones to blendshapes that stand in for another above: the lower
# lip drawn down is AU 16, which parts the lips (AU 25); lips rolled in are AU 28. AU 61 and 62 are
# eyes to the person's left and right.
_OTHERS: dict[int, tuple[str, ...]] = {
    16: _sides("mouthLowerDown"),
    17: ("mouthShrugUpper",),
    18: ("mouthPucker",),
    19: ("tongueOut",),
    22: ("mouthFunnel",),
    28: ("mouthRollLower", "mouthRollUpper"),
    29: ("jawForward",),
    30: ("jawLeft", "jawRight"),
    34: ("cheekPuff",),
    45: _sides("eyeBlink"),
    61: ("eyeLookOutLeft", "eyeLookInRight"),
    62: ("eyeLookInLeft", "eyeLookOutRight"),
    63: _sides("eyeLookUp"),
    64: _sides("eyeLookDown"),
}
# Blendshape -> the action unit that it is nearest to. mouthClose, mouthLeft and mouthRight have
# none.
NEAREST = {
    name: unit for table in (ACTIONS, _OTHERS) for unit, names in table.items() for name in names
}
LIVE = tuple(unit for unit, names in ACTIONS.items() if not set(names) & set(DEAD))
BLENDSHAPES = tuple(dict.fromkeys(name for unit in LIVE for name in ACTIONS[unit]))
_ONE_SIDED = 14  # the side that does more counts

# Actions that pull the same part of the face the other way, or that tell of the opposite.
_OPPOSED = ((12, 15), (12, 17), (12, 4), (2, 4))

Emotion = frozenset[str]  # the words of the seven that it is made of; more than one: a compound
NEUTRAL: Emotion = frozenset({"neutral"})


def _prototypes() -> dict[Emotion, dict[int, float]]:
    table = {
        "happy": "12 25 6:51",
        "sad": "4 15 1:60 6:50 11:26 17:67",
        "fear": "1 4 20 25 2:57 5:63 26:33",
        "angry": "4 7 24 10:26 17:52 23:29",
        "surprise": "1 2 25 26 5:66",
        "disgust": "9 10 17 4:31 24:26",
        "contempt": "14",
        "happy surprise": "1 2 12 25 5:64 26:67",
        "happy disgust": "10 12 25 4:32 6:61 9:59",
        "sad fear": "1 4 20 25 2:46 5:24 6:34 15:30",
        "sad angry": "4 15 6:26 7:48 11:20 17:50",
        "sad surprise": "1 4 25 26 2:27 6:31",
        "sad disgust": "4 10 1:49 6:61 9:20 11:35 15:54 17:47 25:43",
        "fear angry": "4 20 25 5:40 7:39 10:30 11:33",
        "fear surprise": "1 2 5 20 25 4:47 10:35 11:22 26:51",
        "fear disgust": "1 4 10 20 25 2:64 5:50 6:26 9:28 15:33",
        "angry surprise": "4 25 26 5:35 7:50 10:34",
        "angry disgust": "4 10 17 7:60 9:57 24:36",
        "disgust surprise": "1 2 5 10 4:45 9:37 17:66 24:33",
    }
    prototypes = {}
    for words, units in table.items():
        parts = [unit.partition(":") for unit in units.split()]
        weights = {int(unit): float(percent or 100) / 100 for unit, _, percent in parts}
        prototypes[frozenset(words.split())] = weights
    return prototypes


PROTOTYPES = _prototypes()


def prototype(emotion: Emotion) -> dict[int, float]:
    """An emotion's actions, unit -> weight; {} if nothing is known of it.

    A compound that is not in the table has the actions of all that it is made of.
    """
    if emotion in PROTOTYPES:
        return PROTOTYPES[emotion]
    parts = [PROTOTYPES.get(frozenset({word}), {}) for word in emotion]
    if not all(parts):
        return {}
    units = {unit for part in parts for unit in part}
    return {unit: max(part.get(unit, 0) for part in parts) for unit in sorted(units)}


def knows(emotion: Emotion) -> bool:
    """Whether there is a rule for an emotion."""
    return emotion == NEUTRAL or bool(prototype(emotion))


def contradicting(actions: Mapping[int, float]) -> list[int]:
    """The units opposed to those that most people use, unless they are among the actions too."""
    opposed = {b if a == unit else a for unit in actions for a, b in _OPPOSED
               if unit in (a, b) and actions[unit] == 1}  # fmt: skip
    return sorted(opposed - set(actions))


def with_unit(blendshape: str) -> str:
    """A blendshape's name with the action unit that it is nearest to: ``mouthSmileLeft (AU12)``."""
    return f"{blendshape} (AU{NEAREST[blendshape]})" if blendshape in NEAREST else blendshape


def read_actions(
    blendshapes_nB: NDArray[np.floating],
    names: Sequence[str],
    mean_B: NDArray[np.floating],
    std_B: NDArray[np.floating],
) -> NDArray[np.float64]:
    """How much each action of ``LIVE`` is shown, (n, A), in standard deviations within +-3.

    Args:
        blendshapes_nB: of clips, averaged over their frames.
        names: of the blendshapes.
        mean_B: what is subtracted.
        std_B: what is divided by, unless it is less than 0.02.
    """
    z_nB = (blendshapes_nB - mean_B) / np.maximum(std_B, _LEAST)
    z_nB = np.clip(z_nB.astype(np.float64), -_MOST, _MOST)
    columns = []
    for unit in LIVE:
        moving = z_nB[:, [names.index(name) for name in ACTIONS[unit]]]
        columns.append(moving.max(axis=1) if unit == _ONE_SIDED else moving.mean(axis=1))
    return np.stack(columns, axis=1)


def scores(actions_nA: NDArray[np.float64], emotions: Sequence[Emotion]) -> NDArray[np.float64]:
    """The emotions' scores, (n, C), in standard deviations; -inf for one without a rule.

    An emotion's is the weighted mean of its actions less the mean of those that contradict it, of
    which only what is shown counts: no smile is no sign of disgust. ``NEUTRAL`` is what remains
    when nothing moves: its score is the mean of all actions, negative.
    """
    at = {unit: column for column, unit in enumerate(LIVE)}
    scores_nC = np.full((len(actions_nA), len(emotions)), -np.inf)
    for column, emotion in enumerate(emotions):
        actions = {unit: weight for unit, weight in prototype(emotion).items() if unit in at}
        if emotion == NEUTRAL:
            scores_nC[:, column] = -actions_nA.mean(axis=1)
        elif actions:
            shown_nA = actions_nA[:, [at[unit] for unit in actions]]
            scores_nC[:, column] = np.average(shown_nA, axis=1, weights=list(actions.values()))
            if against := [at[unit] for unit in contradicting(prototype(emotion))]:
                scores_nC[:, column] -= np.maximum(actions_nA[:, against], 0).mean(axis=1)
    return scores_nC


def valence_and_arousal(actions_nA: NDArray[np.float64]) -> NDArray[np.float64]:
    """How pleasant and how excited a face looks, (n, 2), both in [-1, 1].

    Valence is tanh((AU 12 - AU 4) / 2), after Larsen et al. Arousal is tanh of the mean of all
    actions: a face that does much is taken for excited, which is a convention of ours.
    """
    smile, frown = (actions_nA[:, LIVE.index(unit)] for unit in (12, 4))
    return np.tanh(np.stack([(smile - frown) / 2, actions_nA.mean(axis=1)], axis=1))
