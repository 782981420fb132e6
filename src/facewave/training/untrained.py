"""What the models that answer without training have in common.

Legend of names: n clips, W answers of all targets.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from facewave import plane
from facewave.files import replacing, write_json
from facewave.params import Block, Train
from facewave.targets import NEUTRAL, PLANE, QUADRANT, QUADRANTS, Target, quadrants
from facewave.training.conformal import margin
from facewave.training.schema import Trained, answers_of, damaged
from facewave.workspace import Clips


@dataclass(frozen=True, eq=False)
class Given:
    """What such a model is made from.

    Attributes:
        clips: of the dataset, those that it can judge.
        is_train_n: which of them are the training part.
        is_val_n: which of them are the validation part.
        truth_nW: what is known of them, NaN where nothing is.
        prior_W: the training part's frequencies, means and shares.
        targets: what is asked.
        folder: of the partition, where the other roles are.
    """

    clips: Clips
    is_train_n: NDArray[np.bool_]
    is_val_n: NDArray[np.bool_]
    truth_nW: NDArray[np.float64]
    prior_W: NDArray[np.float64]
    targets: tuple[Target, ...]
    settings: Train
    folder: Path
    about: dict[str, Any]


def has_face(numbers_nK: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which clips have numbers, (n,): those without a face are NaN."""
    return np.asarray(~np.isnan(numbers_nK).any(axis=1))


class Untrained(Trained):
    """A model that answers without training.

    Attributes (others as in ``Trained``):
        prior_W: what answers for a clip without a face; of an ensemble, nothing.
        margin_W: half the widths of the prediction intervals, NaN where nobody knows; the
            validation part says it (``with_margins``).
    """

    inputs: tuple[Block, ...] = ()
    prior_W: NDArray[np.float64]
    margin_W: NDArray[np.float64]

    @abstractmethod
    def knows(self, target: Target) -> bool:
        """Whether it answers a target."""

    def by_face(
        self, clips: Clips, seen_n: NDArray[np.bool_], answers_nW: NDArray[np.float64]
    ) -> pd.DataFrame:
        """Answers as ``Trained.answer`` gives them; the prior's for clips without a face."""
        known_W = np.concatenate(
            [np.full(target.width, self.knows(target)) for target in self.targets]
        )
        answers_nW = np.where(seen_n[:, None], answers_nW, self.prior_W)
        answers_nW = np.where(known_W, answers_nW, np.nan)
        margins_nW = np.where(seen_n[:, None], self.margin_W, np.nan)
        answered_from = np.where(seen_n, "face", "prior")
        return answers_of(clips, answered_from, self.targets, answers_nW, margins_nW)


_Model = TypeVar("_Model", bound=Untrained)


def with_margins(model: _Model, given: Given) -> _Model:
    """The model with prediction intervals by its answers to the validation part (fit.margin)."""
    val, truth_nW = given.clips.select(given.is_val_n), given.truth_nW[given.is_val_n]
    if len(val) and any(target.kind == "number" for target in model.targets):
        answers = model.answer(val)
        columns = [name for target in model.targets for name in target.numbers]
        for target in (one for one in model.targets if one.kind == "number"):
            at = columns.index(target.numbers[0])
            distances = np.abs(answers[target.numbers[0]].to_numpy(float) - truth_nW[:, at])
            distances = distances[(answers["answered_from"] != "prior").to_numpy()]
            model.margin_W[at] = margin(distances[~np.isnan(distances)])
    return model


def by_words(
    targets: Sequence[Target], words: Sequence[str], shares_nC: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What probabilities of words say of other targets, (n, W); NaN of those they do not.

    Valence, arousal and dominance are the mean of the words' positions (plane.py); a quadrant has
    the probability of the words in it, and the four share that of words in none.

    Args:
        targets: what is asked.
        words: which have a position.
        shares_nC: their probabilities.
    """
    known = [(at, position) for at, word in enumerate(words) if (position := plane.position(word))]
    places_CP = np.array([position for _, position in known]).reshape(len(known), len(PLANE))
    shares_nC = shares_nC[:, [at for at, _ in known]]
    with np.errstate(invalid="ignore"):
        shares_nC = shares_nC / shares_nC.sum(axis=1, keepdims=True)
    answers = []
    for target in targets:
        answer_nW = np.full((len(shares_nC), target.width), np.nan)
        if target.name in PLANE and known:
            answer_nW = shares_nC @ places_CP[:, [PLANE.index(target.name)]]
        elif target.name == QUADRANT and known:
            smallest = 1e-9 * (NEUTRAL in target.names)  # a zone that holds 0 alone
            of_words = quadrants(places_CP[:, 0], places_CP[:, 1], smallest)
            is_in_CW = of_words[:, None] == np.array(target.names)
            spread_W = np.isin(target.names, QUADRANTS) / len(QUADRANTS)
            answer_nW = shares_nC @ np.where(
                is_in_CW.any(axis=1, keepdims=True), is_in_CW, spread_W
            )
        answers.append(answer_nW)
    return np.concatenate(answers, axis=1)


def write(
    path: Path, model: Untrained, config: Mapping[str, Any], numbers: Mapping[str, NDArray[Any]]
) -> None:
    """Write a model's folder: its config and numbers beside those that all have."""
    shared = {"prior": model.prior_W, "margin": model.margin_W}
    with replacing(path / "model.safetensors") as temporary:
        save_file(shared | dict(numbers), temporary)
    targets = [asdict(target) for target in model.targets]
    about = {"targets": targets, "wavelets": model.wavelets, "about": model.about}
    write_json(path / "config.json", {"type": model.type} | dict(config) | about)


def targets_of(config: Mapping[str, Any]) -> tuple[Target, ...]:
    """The targets in a folder's config."""
    return tuple(Target(**one | {"names": tuple(one["names"])}) for one in config["targets"])


def read_numbers(
    path: Path, targets: Sequence[Target], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float64]]:
    """A folder's numbers: those that all have, and one array of each name and shape.

    Raises:
        UserError: the file is damaged, or the config is another model's.
    """
    try:
        numbers = load_file(path / "model.safetensors")
    except SafetensorError as error:
        raise damaged(path, error) from None
    width = sum(target.width for target in targets)
    expected = dict(shapes) | {"prior": (width,), "margin": (width,)}
    if {name: array.shape for name, array in numbers.items()} != expected:
        raise damaged(path, ValueError("config.json and model.safetensors do not fit"))
    return numbers
