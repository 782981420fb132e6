"""Rules on facial actions (models/knowledge.py) as a model: nothing is learnt but what is usual.

Legend of names: n clips, B blendshapes, C classes.
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
from facewave.training import untrained
from facewave.training.schema import Trained
from facewave.training.untrained import Given
from facewave.workspace import Clips


class TrainedKnowledge(Trained):
    """The scores of the rules, softmaxed: they rank the classes and measure no certainty.

    Args (others as in ``Trained``):
        emotions: what each class is made of, words of the seven.
        standardise: by real ``faces`` in general, or by the training clips' inputs (``train``).
        log_prior_C: what answers for a clip without a face.
        mean_B: what is usual of each of ``knowledge.BLENDSHAPES``.
        std_B: how much it varies.
    """

    type = "knowledge"
    kind = "knowledge"
    targets = ()
    inputs = ()

    def __init__(
        self,
        classes: Sequence[str],
        emotions: Sequence[Sequence[str]],
        standardise: str,
        log_prior_C: NDArray[np.float64],
        mean_B: NDArray[np.float64],
        std_B: NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.classes, self.emotions = tuple(classes), [frozenset(words) for words in emotions]
        self.standardise, self.log_prior_C = standardise, log_prior_C
        self.mean_B, self.std_B = mean_B, std_B
        self.wavelets, self.about = wavelets, about

    @property
    def unknown(self) -> list[str]:
        """The classes that get no probability."""
        pairs = zip(self.classes, self.emotions, strict=True)
        return [name for name, emotion in pairs if not knowledge.knows(emotion)]

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by the face; a clip without any gets the training classes' shares.

        Returns:
            As in ``Trained``, and columns ``valence`` and ``arousal`` in [-1, 1], NaN without a
            face.
        """
        blendshapes_nB = mean_blendshapes(clips)
        seen = untrained.has_face(blendshapes_nB)
        actions_nA = knowledge.read_actions(
            blendshapes_nB, knowledge.BLENDSHAPES, self.mean_B, self.std_B
        )
        scores_nC = knowledge.scores(actions_nA, self.emotions) / knowledge.TEMPERATURE
        probabilities_nC = softmax(scores_nC, axis=1)
        answers = untrained.by_face(clips, self.classes, seen, probabilities_nC, self.log_prior_C)
        affect_n2 = knowledge.valence_and_arousal(actions_nA)
        return answers.assign(valence=affect_n2[:, 0], arousal=affect_n2[:, 1])

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
            "classes": list(self.classes),
            "emotions": [sorted(emotion) for emotion in self.emotions],
            "standardise": self.standardise,
        }
        numbers = {"log_prior": self.log_prior_C, "mean": self.mean_B, "std": self.std_B}
        untrained.write(path, self, config, numbers)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedKnowledge":
        """Rebuild it from its folder."""
        classes, emotions = config["classes"], config["emotions"]
        if len(emotions) != len(classes):
            raise ValueError("emotions do not fit classes")
        n = len(knowledge.BLENDSHAPES)
        numbers = untrained.read_numbers(path, {"log_prior": len(classes), "mean": n, "std": n})
        made = (config["standardise"], numbers["log_prior"], numbers["mean"], numbers["std"])
        return cls(classes, emotions, *made, config["wavelets"], config["about"])


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
    emotions = [labels.components(name) for name in given.classes]
    if not any(map(knowledge.knows, emotions)):
        raise UserError(
            f"train: knowledge: no class ({', '.join(given.classes)}) has a rule. Take another "
            "model."
        )
    wavelets = dict(given.clips.wavelets)
    made = (standardise, given.log_prior_C, *statistics_B2.T.copy(), wavelets, given.about)
    return TrainedKnowledge(given.classes, [sorted(e) for e in emotions], *made)


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
