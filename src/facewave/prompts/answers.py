"""What a language model answers about clips: probabilities of the labels, texts, numbers.

Legend of names: n clips, C labels, T targets.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from facewave.errors import UserError
from facewave.labels.schema import spoken
from facewave.models.vlm.backbones import Backbone, precision
from facewave.models.vlm.model import Inputs, LanguageModel
from facewave.on_torch import enough_memory
from facewave.params import Language
from facewave.prompts import reasons
from facewave.prompts.examples import Collator, Examples
from facewave.prompts.reading import read, read_leniently

SENTENCE = 24  # tokens that may stand around a label: of a text cut short the end may be missing
REMEDY = (
    "Lower train.language.inference_batch_size, frames or side, or set quantized: true (facewave "
    "doctor --model counts what they take)."
)
_WORKERS = 4  # processes that decode clips while a GPU computes


def workers() -> int:
    """How many processes decode clips: none without a GPU, which leaves the cores to the model."""
    return min(_WORKERS, joblib.cpu_count()) if torch.cuda.is_available() else 0


def to_device(inputs: Inputs, model: LanguageModel) -> Inputs:
    """A batch on the model's device, its pictures in the precision in which they are seen."""
    backbone: Any = model.model
    seen = next(backbone.get_submodule(model.backbone.family.vision).parameters()).dtype

    def moved(name: str, x: Tensor) -> Tensor:
        dtype = seen if name.startswith("pixel_values") else None
        return x.to(backbone.device, dtype) if isinstance(x, Tensor) else x

    return {name: moved(name, x) for name, x in inputs.items()}


def probabilities(
    model: LanguageModel,
    examples: Examples,
    words: Sequence[str],
    settings: Language,
    temperature: float = 1.0,
) -> NDArray[np.float32]:
    """Of the labels, (n, C), by the likelihood of their words; each row adds up to 1, or is NaN.

    The likelihoods' logarithms are divided by the temperature (Guo et al., 2017), which leaves the
    likeliest label as it is. It says for how many clips several labels are the likeliest, of which
    the first is taken.

    Raises:
        UserError: they are numbers for no clip, or a GPU's memory is too small.
    """
    logs_nC = likelihoods(model, examples, words, settings)
    if n_ties := int(((logs_nC == logs_nC.amax(1, keepdim=True)).sum(1) > 1).sum()):
        tqdm.write(
            f"{n_ties} of {len(logs_nC)} clips: several labels are equally likely", sys.stderr
        )
    return _finite(torch.softmax(logs_nC / temperature, 1)).float().numpy()


def likelihoods(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> Tensor:
    """The logarithms of the likelihoods of labels' words, (n, C) float64, in nats.

    ``by_length`` takes the mean over an answer's tokens instead of the sum; ``by_prior`` subtracts
    the log likelihood of the same words after the same prompt with nothing to see (contextual
    calibration in the logits: Zhao et al., 2021, in the additive form of Holtzman et al., 2021).
    With reasons the model writes one first, and the labels are scored behind it.

    Raises:
        UserError: a GPU's memory is too small.
    """
    get_ids = reasons.label_ids if settings.reasons != "none" else Backbone.answer_ids
    answers = [get_ids(model.backbone, spoken(word)) for word in words]
    logs_nC = _log_likelihoods(model, examples, answers, settings, "answers")
    if settings.by_prior:
        logs_nC = logs_nC - _log_likelihoods(model, examples.blanks(), answers, settings, "priors")
    if settings.by_length:
        logs_nC = logs_nC / torch.tensor([len(answer) for answer in answers])
    return logs_nC


def written(
    model: LanguageModel, examples: Examples, words: Sequence[str], settings: Language
) -> tuple[list[str], list[str]]:
    """The label that each written answer names, read strictly, and leniently (reading.py).

    With reasons the label is behind their mark; leniently, an answer without one is read whole.
    """
    said = list(texts(model, examples, settings, longest(model, settings)))
    lenient = [read_leniently(_label(text, settings) or text, words) for text in said]
    return [named(text, words, settings) for text in said], lenient


def named(text: str, words: Sequence[str], settings: Language) -> str:
    """The label that a written answer names, read strictly."""
    return read(_label(text, settings), words)


def longest(model: LanguageModel, settings: Language) -> int:
    """How many tokens an answer may have."""
    of_labels = [len(model.backbone.answer_ids(spoken(word))) for word in model.config.classes]
    of_reason = 0 if settings.reasons == "none" else reasons.TOKENS
    return max(of_labels) + SENTENCE + of_reason


def _label(text: str, settings: Language) -> str:
    return text if settings.reasons == "none" else reasons.label(text)


def texts(
    model: LanguageModel, examples: Examples, settings: Language, max_tokens: int
) -> Iterator[str]:
    """What the model writes about each clip, in at most ``max_tokens`` tokens.

    Raises:
        UserError: a GPU's memory is too small.
    """
    with enough_memory(REMEDY):
        for batch in _batches(model, examples, settings, "answers"):
            yield from model.write(batch, max_tokens)


@enough_memory(REMEDY)
def values(model: LanguageModel, examples: Examples, settings: Language) -> NDArray[np.float32]:
    """The regressed targets, (n, T); NaN in the rows of clips without an answer.

    Raises:
        UserError: they are numbers for no clip, or a GPU's memory is too small.
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
        tqdm.write(
            f"{n_others} of {len(answers)} clips have no answer: it is not a number", sys.stderr
        )
    return answers.where(is_number_n[:, None], torch.nan)


@enough_memory(REMEDY)
def _log_likelihoods(
    model: LanguageModel,
    examples: Examples,
    answers: Sequence[Sequence[int]],
    settings: Language,
    title: str,
) -> Tensor:
    with torch.inference_mode():
        batches = _batches(model, examples, settings, title)
        return torch.cat([_of_batch(model, b, answers, settings).double().cpu() for b in batches])


def _of_batch(
    model: LanguageModel, batch: Inputs, answers: Sequence[Sequence[int]], settings: Language
) -> Tensor:
    """Log likelihoods of answers, (n, C), behind the reasons that the model writes, if it is to."""
    if settings.reasons == "none":
        return model.log_likelihoods(batch, answers)
    written = model.write(batch, reasons.TOKENS)
    starts = [reasons.start_ids(model.backbone, text) for text in written]
    return model.log_likelihoods(batch, answers, starts)


def _batches(
    model: LanguageModel, examples: Examples, settings: Language, title: str
) -> Iterator[Inputs]:
    size, to_batch = settings.inference_batch_size, Collator.of(model)
    loader: Any = DataLoader(examples, size, collate_fn=to_batch, num_workers=workers())
    for batch in tqdm(loader, title, unit="batch", leave=False):
        with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
            yield to_device(batch, model)
