"""What the models that answer without training have in common.

Legend of names: n clips, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from facewave.files import replacing, write_json
from facewave.params import Train
from facewave.training.schema import Trained, classification, damaged
from facewave.workspace import Clips


@dataclass(frozen=True, eq=False)
class Given:
    """What such a model is made from.

    Attributes:
        clips: all usable clips of the dataset.
        is_train_n: which of them are the training part.
        is_val_n: which of them are the validation part.
        log_prior_C: the classes' shares of the training part, logarithms.
        folder: of the partition, where the other roles are.
    """

    clips: Clips
    is_train_n: NDArray[np.bool_]
    is_val_n: NDArray[np.bool_]
    log_prior_C: NDArray[np.float64]
    classes: tuple[str, ...]
    settings: Train
    folder: Path
    about: dict[str, Any]


def has_face(numbers_nK: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which clips have numbers, (n,): those without a face are NaN."""
    return np.asarray(~np.isnan(numbers_nK).any(axis=1))


def by_face(
    clips: Clips,
    classes: Sequence[str],
    seen_n: NDArray[np.bool_],
    probabilities_nC: NDArray[np.float64],
    log_prior_C: NDArray[np.float64],
) -> pd.DataFrame:
    """Answers as ``Trained.answer`` gives them; the prior's for clips in which no face was seen."""
    prior_C = np.exp(log_prior_C)
    probabilities_nC = np.where(seen_n[:, None], probabilities_nC, prior_C / prior_C.sum())
    predicted = np.array(classes, object)[probabilities_nC.argmax(axis=1)]
    answered_from = np.where(seen_n, "face", "prior")
    return classification(clips, answered_from, predicted, classes, probabilities_nC)


def write(
    path: Path, model: Trained, config: Mapping[str, Any], numbers: Mapping[str, NDArray[Any]]
) -> None:
    """Write a model's folder: its config beside what all have, and its numbers."""
    with replacing(path / "model.safetensors") as temporary:
        save_file(dict(numbers), temporary)
    shared = {"wavelets": model.wavelets, "about": model.about}
    write_json(path / "config.json", {"type": model.type} | dict(config) | shared)


def read_numbers(path: Path, sizes: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    """A folder's numbers, one array of each name and size.

    Raises:
        UserError: the file is damaged, or the config is another model's.
    """
    try:
        numbers = load_file(path / "model.safetensors")
    except SafetensorError as error:
        raise damaged(path, error) from None
    if {name: array.shape for name, array in numbers.items()} != {
        name: (size,) for name, size in sizes.items()
    }:
        raise damaged(path, ValueError("config.json and model.safetensors do not fit"))
    return numbers
