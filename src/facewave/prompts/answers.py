"""What a language model answers about clips: probabilities of the labels, texts, numbers.

Legend of names: n clips, C labels, T targets.
"""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from facewave.errors import UserError
from facewave.models.vlm.backbones import Backbone, precision
from facewave.models.vlm.model import Inputs, LanguageModel
from facewave.params import Language
from facewave.prompts.examples import Examples, collate
from facewave.prompts.templates import read, spoken

_WORKERS = 4  # that decode clips while a GPU computes


def workers() -> int:
    """Processes that read clips: none without a GPU, which leaves the cores to the model."""
    return min(_WORKERS, os.cpu_count() or 1) if torch.cuda.is_available() else 0


def to_device(inputs: Inputs, model: LanguageModel) -> Inputs:
    """A batch where the model is; pictures in its precision."""
    backbone: Any = model.model
    return {
        name: x.to(backbone.device, backbone.dtype)
        if name.startswith("pixel_values")
        else x.to(backbone.device)
        if isinstance(x, Tensor)
        else x
        for name, x in inputs.items()
    }


def probabilities(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> NDArray[np.float32]:
    """Of the labels, (n, C), by the likelihood of their words, rows adding up to 1.

    ``by_length`` takes the mean over an answer's tokens instead of the sum; ``by_prior`` subtracts
    the log likelihood of the same words after the same prompt with nothing to see (contextual
    calibration in the logits: Zhao et al., 2021, with the additive form of Holtzman et al., 2021).

    Raises:
        UserError: they are no numbers.
    """
    answers = [model.bare.answer_ids(spoken(word)) for word in words]
    logs_nC = _log_likelihoods(model, examples, answers, settings, "answers")
    if settings.by_prior:
        logs_nC -= _log_likelihoods(model, examples.blanks(), answers, settings, "priors")
    if settings.by_length:
        logs_nC /= torch.tensor([len(answer) for answer in answers])
    return _finite(torch.softmax(logs_nC, 1)).float().numpy()


def written(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> list[str]:
    """The label that each written answer is, "" where it is none (templates.read)."""
    most = max(len(model.bare.answer_ids(spoken(word))) for word in words) + 4
    return [read(said, words) for said in texts(model, examples, settings, most)]


def texts(model: LanguageModel, examples: Examples, settings: Language, most: int) -> Iterator[str]:
    """What the model writes about each clip, in at most so many tokens."""
    for batch in _batches(model, examples, settings, "answers"):
        yield from model.write(batch, most)


def values(model: LanguageModel, examples: Examples, settings: Language) -> NDArray[np.float32]:
    """The regressed targets, (n, T).

    Raises:
        UserError: they are no numbers.
    """
    with torch.inference_mode():
        batches = _batches(model, examples, settings, "answers")
        found = torch.cat([model.values(batch).float().cpu() for batch in batches])
    return _finite(found).numpy()


def _finite(found: Tensor) -> Tensor:
    """What was found, if it is all numbers: else the first label would stand for nothing."""
    if not found.isfinite().all():
        cure = "Train it again with a lower train.language.lr."
        if precision() == torch.float16:
            cure = "This GPU has no bfloat16, and float16 overflows: use one that has."
        raise UserError(f"the language model's answers are no numbers. {cure}")
    return found


def _log_likelihoods(
    model: LanguageModel,
    examples: Examples,
    answers: Sequence[Sequence[int]],
    settings: Language,
    what: str,
) -> Tensor:
    with torch.inference_mode():
        found = [
            model.log_likelihoods(batch, answers).double().cpu()
            for batch in _batches(model, examples, settings, what)
        ]
    return torch.cat(found)


def _batches(
    model: LanguageModel, examples: Examples, settings: Language, what: str
) -> Iterator[Inputs]:
    made = partial(_collate, model.bare, model.faces is not None)
    loader = DataLoader(examples, settings.batch_size, collate_fn=made, num_workers=workers())
    for batch in tqdm(loader, what, unit="batch", leave=False):
        with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
            yield to_device(batch, model)


def _collate(backbone: Backbone, faces: bool, examples: Any) -> Inputs:
    return collate(backbone, examples, faces=faces, answered=False)
