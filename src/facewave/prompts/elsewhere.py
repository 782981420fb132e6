"""What finetuning costs elsewhere: how likely the answers to unrelated questions still are.

elsewhere.csv has the questions and answers: plain facts and small tasks that have nothing to do
with faces. They are asked as any question is, beside a grey picture, since not every backbone
answers without one; PaliGemma reads "answer en" before all of them, sums and translations, too, so
that its figures tell what LoRA changes rather than what it knows. Face tokens and a prefix stand in
our prompts alone: they change nothing here. What a trained projector changes is in both figures,
and so not measured.
"""

import csv
from importlib import resources
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from facewave.models.vlm import lora
from facewave.models.vlm.backbones import precision
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import IGNORED, LanguageModel, append_answers
from facewave.models.vlm.positions import positions
from facewave.on_torch import enough_memory
from facewave.prompts.answers import REMEDY, to_device

_SIDE = 224  # pixels of the picture
_DECIMALS = 4


@enough_memory(REMEDY)
def cost(model: LanguageModel, batch_size: int) -> dict[str, float]:
    """The mean log likelihood of a token of the answers, in nats, without LoRA and with it.

    Returns:
        ``before``, ``after`` and ``tokens``, how many there are.

    Raises:
        UserError: a GPU's memory is too small.
    """
    after, n_tokens = _log_likelihood(model, batch_size)
    with lora.disabled(model.model):
        before, _ = _log_likelihood(model, batch_size)
    return {
        "before": round(before, _DECIMALS),
        "after": round(after, _DECIMALS),
        "tokens": n_tokens,
    }


def questions() -> list[tuple[str, str]]:
    """The questions and their answers."""
    text = resources.files("facewave.prompts").joinpath("elsewhere.csv").read_text("utf-8")
    return [(row["question"], row["answer"]) for row in csv.DictReader(text.splitlines())]


@torch.inference_mode()
def _log_likelihood(model: LanguageModel, batch_size: int) -> tuple[float, int]:
    """The mean over the answers' tokens, and how many these are."""
    backbone, pairs = model.backbone, questions()
    grey = np.full((_SIDE, _SIDE, 3), 128, np.uint8)
    total, n_tokens = 0.0, 0
    for start in range(0, len(pairs), batch_size):
        some = pairs[start : start + batch_size]
        inputs = backbone.inputs([[Turn([grey], 0.0, question)] for question, _ in some])
        answers = [backbone.answer_ids(answer) for _, answer in some]
        inputs = to_device(append_answers(inputs, answers, backbone), model)
        labels_nA, whole = inputs.pop("labels"), model.model
        inputs |= positions(whole, inputs)
        with torch.autocast("cuda", precision(), enabled=torch.cuda.is_available()):
            output: Any = whole(**inputs, use_cache=False, logits_to_keep=labels_nA.shape[1] + 1)
        logits_nAV = output.logits[:, :-1].float()
        total -= functional.cross_entropy(
            logits_nAV.flatten(0, 1), labels_nA.flatten(), ignore_index=IGNORED, reduction="sum"
        ).item()
        n_tokens += int((labels_nA != IGNORED).sum())
    return total / n_tokens, n_tokens
