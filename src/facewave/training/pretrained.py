"""A frame encoder's own answers as a model: nothing is learnt from the dataset's labels.

Legend of names: n clips, F frames that the encoder looked at, W its words, C classes.
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
from facewave.training import untrained
from facewave.training.schema import Trained
from facewave.training.untrained import Given
from facewave.workspace import Clips

if TYPE_CHECKING:
    from facewave.appearance.schema import Config as Encoder

_FEW = 10  # files answered together: the mean over fewer says more of them than of the encoder


class TrainedPretrained(Trained):
    """The encoder's mean log answer over a clip's frames with a face, as one of the classes.

    That is the geometric mean of the frames' probabilities, over those words alone that the classes
    have; a class that the encoder has no word for gets no probability.

    Args (others as in ``Trained``):
        words: the encoder's.
        columns: each class's position in ``words``, -1 for none.
        correction: what is subtracted from the mean log answers, as if the words were equally
            frequent: nothing (``none``); their mean over the training clips (``train``); or that
            over the clips that are answered together (``test``). Then each answer also follows
            from the other test clips: it is transductive. Over fewer than 10 files (the
            windows of one clip, say) that of the training clips serves.
        log_prior_C: what answers for a clip without a face.
        mean_W: the mean log answer over the training clips.
    """

    type = "pretrained"
    kind = "pretrained"
    targets = ()
    inputs = ()

    def __init__(
        self,
        classes: Sequence[str],
        words: Sequence[str],
        columns: Sequence[int],
        correction: str,
        log_prior_C: NDArray[np.float64],
        mean_W: NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.classes, self.words, self.columns = tuple(classes), tuple(words), tuple(columns)
        self.correction, self.log_prior_C, self.mean_W = correction, log_prior_C, mean_W
        self.wavelets, self.about = wavelets, about
        self.encoder = about["encoder"]["encoder"]

    @property
    def unknown(self) -> list[str]:
        """The classes that get no probability."""
        return [name for name, at in zip(self.classes, self.columns, strict=True) if at < 0]

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
        answers_nW = mean_answers(clips, len(self.words))
        seen = untrained.has_face(answers_nW)
        if self.correction != "none":
            together = (
                self.correction == "test" and clips.table.loc[seen, "file_path"].nunique() >= _FEW
            )
            mean_W = answers_nW[seen].mean(axis=0) if together else self.mean_W
            answers_nW = answers_nW - mean_W
        known = [code for code, at in enumerate(self.columns) if at >= 0]
        probabilities_nC = np.zeros((len(clips), len(self.classes)))
        chosen = [self.columns[code] for code in known]
        probabilities_nC[:, known] = softmax(answers_nW[:, chosen], axis=1)
        return untrained.by_face(clips, self.classes, seen, probabilities_nC, self.log_prior_C)

    def describe(self) -> dict[str, Any]:
        """Whose words, how corrected, ``transductive`` if by other test clips, and ``unknown``."""
        return {
            "kind": self.kind,
            "encoder": self.about["encoder"]["encoder"],
            "words": list(self.words),
            "correction": self.correction,
            "transductive": self.correction == "test",
            "unknown": self.unknown,
            "about": self.about,
        }

    def save(self, path: Path) -> None:
        """Write the folder; the same numbers give the same bytes."""
        config = {
            "classes": list(self.classes),
            "words": list(self.words),
            "columns": list(self.columns),
            "correction": self.correction,
        }
        tensors = {"log_prior": self.log_prior_C, "mean": self.mean_W}
        untrained.write(path, self, config, tensors)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedPretrained":
        """Rebuild it from its folder."""
        classes, words, columns = config["classes"], config["words"], config["columns"]
        if len(columns) != len(classes) or not all(-1 <= at < len(words) for at in columns):
            raise ValueError("columns do not fit classes and words")
        shapes = {"log_prior": len(classes), "mean": len(words)}
        numbers = untrained.read_numbers(path, shapes)
        made = (config["correction"], numbers["log_prior"], numbers["mean"])
        return cls(classes, words, columns, *made, config["wavelets"], config["about"])


def learn(given: Given) -> TrainedPretrained:
    """Match words and classes, and take means over the training clips.

    Raises:
        UserError: the encoder has no words, or none that a class has.
    """
    encoder = given.clips.encoder()
    columns = _columns(encoder, given.classes)
    answers_nW = mean_answers(given.clips, len(encoder.words))[given.is_train_n]
    seen_nW = answers_nW[untrained.has_face(answers_nW)]
    mean_W = seen_nW.mean(axis=0) if len(seen_nW) else np.zeros(len(encoder.words))
    correction = given.settings.pretrained.correction
    about = given.about | {"encoder": _described(encoder)}
    made = (columns, correction, given.log_prior_C, mean_W, dict(given.clips.wavelets), about)
    return TrainedPretrained(given.classes, encoder.words, *made)


def _described(encoder: "Encoder") -> dict[str, Any]:
    """What looked at the faces, as JSON gives it back."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(encoder)))
    return described


def _columns(encoder: "Encoder", classes: Sequence[str]) -> list[int]:
    """The position of each class's word among the encoder's, -1 for none."""
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
    words = [labels.components(word) for word in encoder.words]
    names = [labels.components(name) for name in classes]
    columns = [words.index(name) if name in words else -1 for name in names]
    if max(columns) < 0:
        raise UserError(
            f"train: pretrained: none of the encoder's words ({', '.join(encoder.words)}) is one "
            f"of the classes ({', '.join(classes)}). Name another encoder, or take another model."
        )
    return columns


@lru_cache(maxsize=2)  # all clips, which the partitions of a run share, and those of one part
def mean_answers(clips: Clips, n_words: int) -> NDArray[np.float64]:
    """The mean log answers over the frames with a face, (n, W); NaN for a clip without any."""
    answers_nW = np.full((len(clips), n_words), np.nan)
    for row, video_idx in enumerate(clips.table["video_idx"]):
        seen = clips.appearance(video_idx)
        if seen is not None and seen.valid_F.any():
            answers_FW = seen.expression_FW[seen.valid_F, :n_words]
            answers_nW[row] = answers_FW.mean(axis=0, dtype=np.float64)
    return answers_nW


TRAINED = TrainedPretrained
