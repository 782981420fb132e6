"""Facial-action rules: faces made by hand get the emotion that they act."""

import re

import numpy as np
from numpy.typing import NDArray

from facewave.labels.readers import CORPORA
from facewave.labels.schema import SEVEN, components
from facewave.landmarks.tools import tool
from facewave.models import knowledge
from facewave.models.knowledge import BLENDSHAPES, DEAD, LIVE, PROTOTYPES
from facewave.models.real_faces import FACES
from making import NAMES, REPOSITORY

MEAN, STD = np.array([FACES[name] for name in BLENDSHAPES]).T
WORDS = (*SEVEN, "contempt")
COMPOUNDS = CORPORA["abaw_compound"].tracks["compound"].words


def face(*shown: int, by: float = 2.0) -> NDArray[np.float64]:
    """A still face, (1, B), but for what some action units move, in standard deviations."""
    names = {name for unit in shown for name in knowledge.ACTIONS[unit]}
    values = [m + by * max(s, 0.02) if name in names else 0.0
              for name, m, s in zip(BLENDSHAPES, MEAN, STD, strict=True)]  # fmt: skip
    return np.array([values])


def actions(blendshapes: NDArray[np.float64]) -> NDArray[np.float64]:
    return knowledge.read_actions(blendshapes, BLENDSHAPES, MEAN, STD)


def best(blendshapes: NDArray[np.float64], words: tuple[str, ...] = WORDS) -> str:
    emotions = [components(word) for word in words]
    return words[int(knowledge.scores(actions(blendshapes), emotions)[0].argmax())]


def test_the_usual_values_are_of_the_landmarker_s_blendshapes() -> None:
    assert tuple(FACES) == tool.NAMES[:-1]


def test_each_prototype_is_recognised_and_a_still_face_is_neutral() -> None:
    for word in WORDS:
        core = [unit for unit, weight in knowledge.prototype(components(word)).items()
                if weight == 1]  # fmt: skip
        assert best(face(*core)) == word
    assert best(face()) == best(np.array([MEAN]) / 2) == "neutral"


def test_a_laughing_face_is_neither_disgusted_nor_sad() -> None:
    laughing = face(6, 7, 10, 12, 25, 26)
    assert best(laughing) == "happy"
    scores = knowledge.scores(actions(laughing), [components(word) for word in WORDS])[0]
    order = [WORDS[i] for i in np.argsort(-scores)]
    assert order.index("sad") > 3
    assert order.index("disgust") > 1
    assert knowledge.scores(actions(laughing), [frozenset({"happy"})])[0, 0] > 1.5


def test_what_contradicts_counts_only_where_it_is_shown() -> None:
    for emotion, unit in (("happy", 4), ("happy", 15), ("sad", 12), ("surprise", 4), ("fear", 12)):
        name = [frozenset({emotion})]
        shown, calm = face(*knowledge.prototype(name[0]).keys() - {5, 6, 9, 11}), MEAN[None]
        moved = [BLENDSHAPES.index(n) for n in knowledge.ACTIONS[unit]]
        base, more, less = shown.copy(), shown.copy(), shown.copy()
        base[:, moved] = calm[:, moved]
        more[:, moved] += 1
        less[:, moved] = 0
        at, above, below = (knowledge.scores(actions(x), name)[0, 0] for x in (base, more, less))
        assert above < at - 0.3, (emotion, unit)
        assert abs(below - at) < 1e-9, (emotion, unit)
    assert knowledge.contradicting(PROTOTYPES[frozenset({"happy"})]) == [4, 15, 17]
    happy_disgust = PROTOTYPES[frozenset({"happy", "disgust"})]
    assert knowledge.contradicting(happy_disgust) == [15, 17]  # it lowers the brows itself


def test_compounds_have_their_own_prototypes_or_those_of_their_parts() -> None:
    table = {
        "Happily Surprised": {1: 1, 2: 1, 12: 1, 25: 1, 5: 0.64, 26: 0.67},
        "sadness_anger": {4: 1, 15: 1, 6: 0.26, 7: 0.48, 11: 0.2, 17: 0.5},
        "Disgustedly Surprised": {1: 1, 2: 1, 5: 1, 10: 1, 4: 0.45, 9: 0.37, 17: 0.66, 24: 0.33},
        "happiness_contempt": {6: 0.51, 12: 1, 14: 1, 25: 1},
    }
    for word, expected in table.items():
        assert knowledge.prototype(components(word)) == expected
        assert knowledge.knows(components(word))
    for word in ("anxiety", "sadness_helplessness", "calm", "Other"):
        assert not knowledge.knows(components(word))
        scores = knowledge.scores(actions(face()), [components(word)])
        assert scores.tolist() == [[-np.inf]]
    assert best(face(1, 2, 12, 25, 26), ("Happily Surprised", "Sadly Angry")) == "Happily Surprised"
    # 6 emotions, contempt, 12 compounds; anything that Du et al. found in fewer people weighs less.
    assert len(PROTOTYPES) == 19
    assert all(0.2 <= w <= 1 for units in PROTOTYPES.values() for w in units.values())
    assert {unit for units in PROTOTYPES.values() for unit in units} - {11} <= set(
        knowledge.ACTIONS
    )


def test_each_of_the_seven_compounds_is_recognised_by_what_half_the_people_show() -> None:
    """Du, Tao and Martinez 2014, table 1."""
    table = {
        "Fearfully_Surprised": {1: 1, 2: 1, 5: 1, 20: 1, 25: 1, 4: 0.47, 10: 0.35, 11: 0.22,
                                26: 0.51},
        "Happily_Surprised": {1: 1, 2: 1, 12: 1, 25: 1, 5: 0.64, 26: 0.67},
        "Sadly_Surprised": {1: 1, 4: 1, 25: 1, 26: 1, 2: 0.27, 6: 0.31},
        "Disgustedly_Surprised": {1: 1, 2: 1, 5: 1, 10: 1, 4: 0.45, 9: 0.37, 17: 0.66, 24: 0.33},
        "Angrily_Surprised": {4: 1, 25: 1, 26: 1, 5: 0.35, 7: 0.5, 10: 0.34},
        "Sadly_Fearful": {1: 1, 4: 1, 20: 1, 25: 1, 2: 0.46, 5: 0.24, 6: 0.34, 15: 0.3},
        "Sadly_Angry": {4: 1, 15: 1, 6: 0.26, 7: 0.48, 11: 0.2, 17: 0.5},
    }  # fmt: skip
    assert tuple(table) == COMPOUNDS
    jaw = BLENDSHAPES.index("jawOpen")
    for word, expected in table.items():
        assert knowledge.prototype(components(word)) == expected
        for share in (0.5, 0.2):
            shown = [unit for unit, weight in expected.items() if weight >= share and unit in LIVE]
            acting = face(*shown)
            if 26 not in shown:  # lips may part without the jaw
                acting[:, jaw] = 0
            assert best(acting, COMPOUNDS) == word


def test_dead_channels_are_not_looked_at_and_no_channel_decides_alone() -> None:
    assert set(LIVE) == set(knowledge.ACTIONS) - {5, 6, 9}
    assert not set(BLENDSHAPES) & set(DEAD)
    for name in set(DEAD) & set(FACES):
        assert FACES[name][0] < 0.04, name
    assert len(FACES) == 52
    wild = np.array([MEAN + 1000])
    assert actions(wild).max() == 3
    assert actions(-wild).min() == -3
    tiny = MEAN[None] + np.where(STD < 0.02, 0.01, 0)  # less than the landmarker's noise
    assert np.abs(actions(tiny)).max() <= 0.5


def test_valence_and_arousal_follow_smile_frown_and_movement() -> None:
    smiling, frowning, still, wild = (
        knowledge.valence_and_arousal(actions(x))[0]
        for x in (face(12, 25), face(4, 7, 24), face(), face(*LIVE))
    )
    assert smiling[0] > 0.8
    assert frowning[0] < -0.8
    assert abs(still[0]) < 0.3
    assert abs(wild[0]) < 1e-9
    assert wild[1] > 0.9 > smiling[1] > still[1]
    np.testing.assert_allclose(
        knowledge.valence_and_arousal(actions(np.array([MEAN]))), [[0, 0]], atol=1e-9
    )


def test_contempt_is_one_sided() -> None:
    names = list(BLENDSHAPES)
    left = MEAN[None].copy()
    left[0, names.index("mouthDimpleLeft")] += 0.1
    both = left.copy()
    both[0, names.index("mouthDimpleRight")] += 0.1
    column = LIVE.index(14)
    assert actions(left)[0, column] > 2.9
    np.testing.assert_allclose(actions(both)[0, column], actions(left)[0, column], rtol=0.1)


def test_blendshapes_are_named_with_the_action_unit_that_they_are_nearest_to() -> None:
    assert [knowledge.with_unit(name) for name in ("mouthSmileLeft", "jawOpen", "mouthLeft")] == [
        "mouthSmileLeft (AU12)", "jawOpen (AU26)", "mouthLeft",
    ]  # fmt: skip
    assert set(NAMES) - set(knowledge.NEAREST) == {
        "_neutral", "mouthClose", "mouthLeft", "mouthRight",
    }  # fmt: skip
    assert set(knowledge.NEAREST) - set(NAMES) <= {"tongueOut"}  # of ARKit alone
    for name, unit in knowledge.NEAREST.items():
        other = name.replace("Left", "*").replace("Right", "Left").replace("*", "Right")
        if unit not in (61, 62):  # the eyes turn to one side together
            assert knowledge.NEAREST[other] == unit
    # The rules read what is nearest, but for stand-ins.
    differing = {unit for unit, names in knowledge.ACTIONS.items()
                 if {knowledge.NEAREST[name] for name in names} != {unit}}  # fmt: skip
    assert differing == {23, 25}
    guide = (REPOSITORY / "docs/guide.md").read_text("utf-8")
    for unit in set(knowledge.NEAREST.values()):
        (row,) = re.findall(rf"^\| {unit} \|.*\| (.*) \|$", guide, re.MULTILINE)
        named = {name for name, nearest in knowledge.NEAREST.items() if nearest == unit}
        assert {name.strip("` ") for name in row.split(",")} == named
