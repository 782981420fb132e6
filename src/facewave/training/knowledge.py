"""Rules on facial actions (models/knowledge.py) as a model: nothing is learnt but what is usual.

Legend of names: n clips, B blendshapes, C classes, W answers of all targets.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.models import knowledge
from facewave.models.real_faces import FACES, PEOPLE
from facewave.targets import CLASSES, PLANE, QUADRANT, Target, split
from facewave.training import untrained
from facewave.training.untrained import Given, Untrained
from facewave.workspace import Clips

_SEVEN = [frozenset({word}) for word in labels.SEVEN]


class TrainedKnowledge(Untrained):
    """The scores of the rules, softmaxed: they rank the classes and measure no certainty.

    Valence and arousal are rules of their own (``knowledge.valence_and_arousal``); dominance and
    the quadrant are what the words say of them (``untrained.by_words``), by the scores of the seven
    where the classes are no target. They know of nothing else.

    Args (others as in ``Untrained``):
        emotions: what each class is made of, words of the seven; [] without classes.
        standardise: by real ``faces`` in general, or by the training clips' inputs (``train``).
        mean_B: what is usual of each of ``knowledge.BLENDSHAPES``.
        std_B: how much it varies.
    """

    type = "knowledge"
    kind = "knowledge"

    def __init__(
        self,
        targets: Sequence[Target],
        emotions: Sequence[Sequence[str]],
        standardise: str,
        prior_W: NDArray[np.float64],
        mean_B: NDArray[np.float64],
        std_B: NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.targets, self.emotions = tuple(targets), [frozenset(words) for words in emotions]
        self.standardise = standardise
        self.prior_W, self.margin_W = prior_W, np.full_like(prior_W, np.nan)
        self.mean_B, self.std_B = mean_B, std_B
        self.wavelets, self.about = wavelets, about

    @property
    def unknown(self) -> list[str]:
        """The classes that get no probability."""
        pairs = zip(self.classes, self.emotions, strict=True)
        return [name for name, emotion in pairs if not knowledge.knows(emotion)]

    def knows(self, target: Target) -> bool:
        """Classes that have a rule, and the plane."""
        if target.name == CLASSES:
            return any(map(knowledge.knows, self.emotions))
        return target.name in (*PLANE, QUADRANT)

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by the face; a clip without any gets what is usual in the training part."""
        blendshapes_nB = mean_blendshapes(clips)
        seen = untrained.has_face(blendshapes_nB)
        actions_nA = knowledge.read_actions(
            blendshapes_nB, knowledge.BLENDSHAPES, self.mean_B, self.std_B
        )
        affect_n2 = knowledge.valence_and_arousal(actions_nA)
        said = untrained.by_words(self.targets, labels.SEVEN, _probabilities(actions_nA, _SEVEN))
        answers = []
        for target, answer_nW in zip(self.targets, split(self.targets, said), strict=True):
            if target.name == CLASSES and self.knows(target):
                answer_nW = _probabilities(actions_nA, self.emotions)
            elif target.name in PLANE[:2]:
                answer_nW = affect_n2[:, [PLANE.index(target.name)]]
            answers.append(answer_nW)
        answers_nW = np.concatenate(answers, axis=1)
        return self.by_face(clips, seen, answers_nW)

    def describe(self) -> dict[str, Any]:
        """By what it is standardised, and what it does not know or see."""
        return {
            "kind": self.kind,
            "standardise": self.standardise,
            "people": PEOPLE if self.standardise == "faces" else None,
            "temperature": knowledge.TEMPERATURE,
            "dead": list(knowledge.DEAD),
            "unknown": self.unknown,
            "about": self.about,
        }

    def save(self, path: Path) -> None:
        """Write the folder; the same numbers give the same bytes."""
        config = {
            "emotions": [sorted(emotion) for emotion in self.emotions],
            "standardise": self.standardise,
        }
        untrained.write(path, self, config, {"mean": self.mean_B, "std": self.std_B})

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedKnowledge":
        """Rebuild it from its folder."""
        targets, emotions = untrained.targets_of(config), config["emotions"]
        if len(emotions) != sum(target.width for target in targets if target.name == CLASSES):
            raise ValueError("emotions do not fit classes")
        n = len(knowledge.BLENDSHAPES)
        numbers = untrained.read_numbers(path, targets, {"mean": (n,), "std": (n,)})
        made = (config["standardise"], numbers["prior"], numbers["mean"], numbers["std"])
        model = cls(targets, emotions, *made, config["wavelets"], config["about"])
        model.margin_W = numbers["margin"]
        return model


def learn(given: Given) -> TrainedKnowledge:
    """Match classes and rules, and take the statistics that params.yaml asks for.

    Raises:
        UserError: no class has a rule, or the clips have other blendshapes.
    """
    standardise = given.settings.knowledge.standardise
    statistics_B2 = np.array([FACES[name] for name in knowledge.BLENDSHAPES])
    if standardise == "train":
        blendshapes_nB = mean_blendshapes(given.clips)[given.is_train_n]
        seen_nB = blendshapes_nB[untrained.has_face(blendshapes_nB)]
        if len(seen_nB) < 2:
            raise UserError(
                "train.knowledge.standardise is train, but fewer than two training clips show a "
                "face. Set it to faces."
            )
        statistics_B2 = np.stack([seen_nB.mean(axis=0), seen_nB.std(axis=0, ddof=1)], axis=1)
    classes = [name for target in given.targets if target.name == CLASSES for name in target.names]
    emotions = [labels.components(name) for name in classes]
    others = [target for target in given.targets if target.name in (*PLANE, QUADRANT)]
    if not any(map(knowledge.knows, emotions)) and not others:
        raise UserError(
            f"train: knowledge: no class ({', '.join(classes)}) has a rule, and the rules know "
            "nothing else of train.targets. Take another model."
        )
    wavelets = dict(given.clips.wavelets)
    made = (standardise, given.prior_W, *statistics_B2.T.copy(), wavelets, given.about)
    model = TrainedKnowledge(given.targets, [sorted(e) for e in emotions], *made)
    return untrained.with_margins(model, given)


def _probabilities(
    actions_nA: NDArray[np.float64], emotions: Sequence[frozenset[str]]
) -> NDArray[np.float64]:
    """The scores of emotions, softmaxed, (n, C)."""
    scores_nC = knowledge.scores(actions_nA, emotions) / knowledge.TEMPERATURE
    probabilities_nC: NDArray[np.float64] = softmax(scores_nC, axis=1)
    return probabilities_nC


@lru_cache(maxsize=2)  # all clips, which the partitions of a run share, and those of one part
def mean_blendshapes(clips: Clips) -> NDArray[np.float64]:
    """``knowledge.BLENDSHAPES`` averaged over the frames with a face, (n, B); NaN without any.

    Raises:
        UserError: a clip has other blendshapes.
    """
    means_nB = np.full((len(clips), len(knowledge.BLENDSHAPES)), np.nan)
    for row, video_idx in enumerate(clips.table["video_idx"]):
        seen = clips.trajectory(video_idx)
        if seen is None or not seen.valid_T.any():
            continue
        if missing := [name for name in knowledge.BLENDSHAPES if name not in seen.names]:
            raise UserError(
                f"clip {video_idx}: its blendshapes lack {missing[0]}, which the rules of model "
                "knowledge need. Take another model."
            )
        columns = [seen.names.index(name) for name in knowledge.BLENDSHAPES]
        means_nB[row] = seen.blendshapes_TB[seen.valid_T][:, columns].mean(axis=0, dtype=np.float64)
    return means_nB


TRAINED = TrainedKnowledge
