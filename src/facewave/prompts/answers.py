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
from facewave.prompts.reading import read

_SENTENCE = 24  # tokens that may stand around a label: of a text cut short the end may be missing
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
    """Of the labels, (n, C), by the likelihood of their words; each row adds up to 1, or is NaN.

    ``by_length`` takes the mean over an answer's tokens instead of the sum; ``by_prior`` subtracts
    the log likelihood of the same words after the same prompt with nothing to see (contextual
    calibration in the logits: Zhao et al., 2021, in the additive form of Holtzman et al., 2021).

    It says for how many clips several labels are the likeliest, of which the first is taken.

    Raises:
        UserError: they are numbers for no clip.
    """
    answers = [model.backbone.answer_ids(spoken(word)) for word in words]
    logs_nC = _log_likelihoods(model, examples, answers, settings, "answers")
    if settings.by_prior:
        logs_nC = logs_nC - _log_likelihoods(model, examples.blanks(), answers, settings, "priors")
    if settings.by_length:
        logs_nC = logs_nC / torch.tensor([len(answer) for answer in answers])
    if n_ties := int(((logs_nC == logs_nC.amax(1, keepdim=True)).sum(1) > 1).sum()):
        tqdm.write(f"{n_ties} of {len(logs_nC)} clips: several labels are equally likely")
    return _finite(torch.softmax(logs_nC, 1)).float().numpy()


def written(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> list[str]:
    """The label that each written answer names, "" if it is none (reading.read)."""
    longest = max(len(model.backbone.answer_ids(spoken(word))) for word in words)
    return [read(text, words) for text in texts(model, examples, settings, longest + _SENTENCE)]


def texts(
    model: LanguageModel, examples: Examples, settings: Language, max_tokens: int
) -> Iterator[str]:
    """What the model writes about each clip, in at most ``max_tokens`` tokens."""
    for batch in _batches(model, examples, settings, "answers"):
        yield from model.write(batch, max_tokens)


def values(model: LanguageModel, examples: Examples, settings: Language) -> NDArray[np.float32]:
    """The regressed targets, (n, T); NaN in the rows of clips without an answer.

    Raises:
        UserError: they are numbers for no clip.
    """
    with torch.inference_mode():
        batches = _batches(model, examples, settings, "answers")
        values_nT = torch.cat([model.values(batch).float().cpu() for batch in batches])
    return _finite(values_nT).numpy()


def _finite(answers: Tensor) -> Tensor:
    """The answers, (n, ...); of clips with some that are no numbers, as float16 overflows, NaN.

    Raises:
        UserError: they are no numbers for any clip.
    """
    is_number_n = answers.isfinite().all(1)
    if len(answers) and not is_number_n.any():
        remedy = "Train it again with lower rates (train.language.lr)."
        if precision() == torch.float16:
            remedy = "This GPU has no bfloat16, and float16 overflows: use one that has."
        raise UserError(f"the language model's answers are not numbers. {remedy}")
    if n_others := int((~is_number_n).sum()):
        tqdm.write(f"{n_others} of {len(answers)} clips have no answer: it is not a number")
    return answers.where(is_number_n[:, None], torch.nan)


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
    size = settings.inference_batch_size
    loader = DataLoader(examples, size, collate_fn=to_batch, num_workers=workers())
    for batch in tqdm(loader, title, unit="batch", leave=False):
        with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
            yield to_device(batch, model)
