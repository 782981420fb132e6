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
from facewave.labels.schema import spoken
from facewave.models.vlm.backbones import precision
from facewave.models.vlm.model import Inputs, LanguageModel
from facewave.params import Language
from facewave.prompts.examples import Examples, collate
from facewave.prompts.templates import read

_WORKERS = 4  # processes that decode clips while a GPU computes


def workers() -> int:
    """How many processes decode clips: none without a GPU, which leaves the cores to the model."""
    return min(_WORKERS, os.cpu_count() or 1) if torch.cuda.is_available() else 0


def to_device(inputs: Inputs, model: LanguageModel) -> Inputs:
    """A batch on the model's device, its pictures in the model's precision."""
    backbone: Any = model.model

    def moved(name: str, x: Tensor) -> Tensor:
        dtype = backbone.dtype if name.startswith("pixel_values") else None
        return x.to(backbone.device, dtype) if isinstance(x, Tensor) else x

    return {name: moved(name, x) for name, x in inputs.items()}


def probabilities(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> NDArray[np.float32]:
    """Of the labels, (n, C), by the likelihood of their words; each row adds up to 1.

    ``by_length`` takes the mean over an answer's tokens instead of the sum; ``by_prior`` subtracts
    the log likelihood of the same words after the same prompt with nothing to see (contextual
    calibration in the logits: Zhao et al., 2021, in the additive form of Holtzman et al., 2021).

    Raises:
        UserError: they are not finite.
    """
    answers = [model.backbone.answer_ids(spoken(word)) for word in words]
    logs_nC = _log_likelihoods(model, examples, answers, settings, "answers")
    if settings.by_prior:
        logs_nC = logs_nC - _log_likelihoods(model, examples.blanks(), answers, settings, "priors")
    if settings.by_length:
        logs_nC = logs_nC / torch.tensor([len(answer) for answer in answers])
    return _finite(torch.softmax(logs_nC, 1)).float().numpy()


def written(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> list[str]:
    """The label that each written answer is, "" if it is none (templates.read)."""
    longest = max(len(model.backbone.answer_ids(spoken(word))) for word in words)
    return [read(text, words) for text in texts(model, examples, settings, longest + 4)]


def texts(
    model: LanguageModel, examples: Examples, settings: Language, max_tokens: int
) -> Iterator[str]:
    """What the model writes about each clip, in at most ``max_tokens`` tokens."""
    for batch in _batches(model, examples, settings, "answers"):
        yield from model.write(batch, max_tokens)


def values(model: LanguageModel, examples: Examples, settings: Language) -> NDArray[np.float32]:
    """The regressed targets, (n, T).

    Raises:
        UserError: they are not finite.
    """
    with torch.inference_mode():
        batches = _batches(model, examples, settings, "answers")
        values_nT = torch.cat([model.values(batch).float().cpu() for batch in batches])
    return _finite(values_nT).numpy()


def _finite(answers: Tensor) -> Tensor:
    """The answers, checked: of NaNs, argmax would choose the first label."""
    if not answers.isfinite().all():
        remedy = "Train it again with a lower train.language.lr."
        if precision() == torch.float16:
            remedy = "This GPU has no bfloat16, and float16 overflows: use one that has."
        raise UserError(f"the language model's answers are not numbers. {remedy}")
    return answers


def _log_likelihoods(
    model: LanguageModel,
    examples: Examples,
    answers: Sequence[Sequence[int]],
    settings: Language,
    title: str,
) -> Tensor:
    with torch.inference_mode():
        batches = _batches(model, examples, settings, title)
        return torch.cat([model.log_likelihoods(b, answers).double().cpu() for b in batches])


def _batches(
    model: LanguageModel, examples: Examples, settings: Language, title: str
) -> Iterator[Inputs]:
    to_batch: Any = partial(collate, model)
    loader = DataLoader(examples, settings.batch_size, collate_fn=to_batch, num_workers=workers())
    for batch in tqdm(loader, title, unit="batch", leave=False):
        with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
            yield to_device(batch, model)
