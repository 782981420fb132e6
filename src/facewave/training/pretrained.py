"""A frame encoder's own answers as a model: nothing is learnt from the dataset's labels.

Legend of names: n clips, F frames that the encoder looked at, V its words, C classes, W answers of
all targets.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.targets import CLASSES, PLANE, QUADRANT, Target, split
from facewave.training import untrained
from facewave.training.untrained import Given, Untrained
from facewave.workspace import Clips

if TYPE_CHECKING:
    from facewave.appearance.schema import Config as Encoder

_FEW = 10  # files answered together: the mean over fewer says more of them than of the encoder


class TrainedPretrained(Untrained):
    """The encoder's mean log answer over a clip's frames with a face.

    For the classes that is the geometric mean of the frames' probabilities, over those words alone
    that the classes have. A class that is no word of the encoder, but names two emotions which both
    are ("Sadly_Angry"), has the mean of the two words' log answers: a compound told from two basic
    emotions, by nothing that was learnt of compounds. Any other class gets no probability. Valence
    and arousal are the means of the encoder's own where it has them, and else, like dominance and
    the quadrant, what its words say of them (``untrained.by_words``). It knows of nothing else.

    Args (others as in ``Untrained``):
        words: the encoder's.
        columns: each class's positions in ``words``: one, two of a compound, none; () without
            classes.
        correction: what is subtracted from the mean log answers, as if the words were equally
            frequent: nothing (``none``); their mean over the training clips (``train``); or that
            over the clips that are answered together (``test``). Then each answer also follows
            from the other test clips: it is transductive. Over fewer than 10 files (the
            windows of one clip, say) that of the training clips serves.
        mean_V: the mean log answer over the training clips.
    """

    type = "pretrained"
    kind = "pretrained"

    def __init__(
        self,
        targets: Sequence[Target],
        words: Sequence[str],
        columns: Sequence[Sequence[int]],
        correction: str,
        prior_W: NDArray[np.float64],
        mean_V: NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.targets, self.words = tuple(targets), tuple(words)
        self.columns = tuple(map(tuple, columns))
        self.prior_W, self.margin_W = prior_W, np.full_like(prior_W, np.nan)
        self.correction, self.mean_V = correction, mean_V
        self.wavelets, self.about = wavelets, about
        self.encoder = about["encoder"]["encoder"]

    @property
    def unknown(self) -> list[str]:
        """The classes that get no probability."""
        return [name for name, at in zip(self.classes, self.columns, strict=True) if not at]

    @property
    def compounds(self) -> dict[str, list[str]]:
        """The classes that are told from two words of the encoder, and these words."""
        named = zip(self.classes, self.columns, strict=True)
        return {name: [self.words[one] for one in at] for name, at in named if len(at) > 1}

    def knows(self, target: Target) -> bool:
        """Classes that it has words for, and the plane."""
        if target.name == CLASSES:
            return any(self.columns)
        return target.name in (*PLANE, QUADRANT)

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by the encoder; a clip in which it saw no face gets the training classes' shares.

        Raises:
            UserError: another encoder has looked at these clips.
        """
        expected, found = self.about["encoder"], _described(clips.encoder())
        if any(found[key] != expected[key] for key in ("encoder", "words", "identity")):
            raise UserError(
                f"the model answers with the encoder {expected['encoder']}, but {found['encoder']} "
                "(or another version of it) has looked at these faces. Name the first in "
                "appearance.encoder, or train the model again: dvc repro train"
            )
        numbers = self.about["encoder"]["numbers"]
        means_nV = mean_answers(clips, len(self.words) + len(numbers))
        logs_nV, numbers_nV = np.split(means_nV, [len(self.words)], axis=1)
        seen = untrained.has_face(means_nV)
        if self.correction != "none":
            together = (
                self.correction == "test" and clips.table.loc[seen, "file_path"].nunique() >= _FEW
            )
            logs_nV = logs_nV - (logs_nV[seen].mean(axis=0) if together else self.mean_V)
        said = untrained.by_words(self.targets, self.words, softmax(logs_nV, axis=1))
        answers = []
        for target, answer_nW in zip(self.targets, split(self.targets, said), strict=True):
            if target.name == CLASSES and self.knows(target):
                known = [code for code, at in enumerate(self.columns) if at]
                answer_nW = np.zeros((len(clips), target.width))
                means = [logs_nV[:, list(self.columns[code])].mean(axis=1) for code in known]
                answer_nW[:, known] = softmax(np.stack(means, axis=1), axis=1)
            elif target.name in numbers:
                answer_nW = np.clip(numbers_nV[:, [numbers.index(target.name)]], -1, 1)
            answers.append(answer_nW)
        answers_nW = np.concatenate(answers, axis=1)
        return self.by_face(clips, seen, answers_nW)

    def describe(self) -> dict[str, Any]:
        """Whose words, how corrected, ``transductive`` if by other test clips, and what it lacks.

        ``compounds`` has the words that classes are told from, ``unknown`` classes without any.
        """
        return {
            "kind": self.kind,
            "encoder": self.about["encoder"]["encoder"],
            "words": list(self.words),
            "correction": self.correction,
            "transductive": self.correction == "test",
            "compounds": self.compounds,
            "unknown": self.unknown,
            "about": self.about,
        }

    def save(self, path: Path) -> None:
        """Write the folder; the same numbers give the same bytes."""
        config = {
            "words": list(self.words),
            "columns": [list(at) for at in self.columns],
            "correction": self.correction,
        }
        untrained.write(path, self, config, {"mean": self.mean_V})

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedPretrained":
        """Rebuild it from its folder."""
        targets, words = untrained.targets_of(config), config["words"]
        columns = config["columns"]
        n_classes = sum(target.width for target in targets if target.name == CLASSES)
        places = [place for at in columns for place in at]
        if len(columns) != n_classes or not all(0 <= place < len(words) for place in places):
            raise ValueError("columns do not fit classes and words")
        numbers = untrained.read_numbers(path, targets, {"mean": (len(words),)})
        made = (config["correction"], numbers["prior"], numbers["mean"])
        model = cls(targets, words, columns, *made, config["wavelets"], config["about"])
        model.margin_W = numbers["margin"]
        return model


def learn(given: Given) -> TrainedPretrained:
    """Match words and classes, and take means over the training clips.

    Raises:
        UserError: the encoder has no words, or none that a class has.
    """
    encoder = given.clips.encoder()
    columns = _columns(encoder, given.targets)
    logs_nV = mean_answers(given.clips, len(encoder.words))[given.is_train_n]
    seen_nV = logs_nV[untrained.has_face(logs_nV)]
    mean_V = seen_nV.mean(axis=0) if len(seen_nV) else np.zeros(len(encoder.words))
    correction = given.settings.pretrained.correction
    about = given.about | {"encoder": _described(encoder)}
    made = (columns, correction, given.prior_W, mean_V)
    wavelets = dict(given.clips.wavelets)
    model = TrainedPretrained(given.targets, encoder.words, *made, wavelets, about)
    if model.compounds:
        told = (f"{name} from {' and '.join(of)}" for name, of in model.compounds.items())
        model.about["answers_by"] = f"the words of {encoder.encoder}; {', '.join(told)}"
    return untrained.with_margins(model, given)


def _described(encoder: "Encoder") -> dict[str, Any]:
    """What looked at the faces, as JSON gives it back."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(encoder)))
    return described


def _columns(encoder: "Encoder", targets: Sequence[Target]) -> list[list[int]]:
    """The positions among the encoder's words of each class's word, or of the two that it is of.

    Raises:
        UserError: it can answer none of the targets.
    """
    if encoder.identity is None:
        raise UserError(
            "train: pretrained: no encoder has looked at the faces. Name one in "
            "appearance.encoder of params.yaml, fer say; stage embed says if its file is missing."
        )
    if not encoder.words:
        raise UserError(
            f"train: pretrained: the encoder ({encoder.encoder}) does not answer in words. Name "
            "one that does in appearance.encoder of params.yaml, fer say, or take another model."
        )
    classes = [name for target in targets if target.name == CLASSES for name in target.names]
    words = [labels.components(word) for word in encoder.words]
    names = [labels.components(name) for name in classes]
    columns = [_places(name, words) for name in names]
    others = [target for target in targets if target.name in (*PLANE, QUADRANT)]
    if not any(columns) and not others:
        raise UserError(
            f"train: pretrained: none of the encoder's words ({', '.join(encoder.words)}) is one "
            f"of the classes ({', '.join(classes)}), and it knows nothing else of train.targets. "
            "Name another encoder, or take another model."
        )
    return columns


def _places(name: frozenset[str], words: Sequence[frozenset[str]]) -> list[int]:
    """Where a class's emotions stand: as one word, or as two words of one emotion each."""
    if name in words:
        return [words.index(name)]
    basic = [frozenset([emotion]) for emotion in sorted(name)]
    if len(basic) == 2 and all(one in words for one in basic):
        return [words.index(one) for one in basic]
    return []


@lru_cache(maxsize=2)  # all clips, which the partitions of a run share, and those of one part
def mean_answers(clips: Clips, width: int) -> NDArray[np.float64]:
    """The mean answers over the frames with a face, (n, width); NaN for a clip without any.

    An encoder's words, whose answers are logarithms, come before its numbers.
    """
    means_nV = np.full((len(clips), width), np.nan)
    for row, video_idx in enumerate(clips.table["video_idx"]):
        seen = clips.appearance(video_idx)
        if seen is not None and seen.valid_F.any():
            answers_FV = seen.expression_FW[seen.valid_F, :width]
            means_nV[row] = answers_FV.mean(axis=0, dtype=np.float64)
    return means_nV


TRAINED = TrainedPretrained
