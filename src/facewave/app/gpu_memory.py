"""``facewave doctor --model``: whether a GPU has the memory for a language model."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Literal, cast

import torch

from facewave import params
from facewave.app.doctor import Finding
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.models.vlm import memory
from facewave.models.vlm.families import FAMILIES
from facewave.models.vlm.memory import Memory
from facewave.params import Language, LanguageModelKind, Params
from facewave.prompts import answers, reasons
from facewave.prompts.templates import question
from facewave.workspace import Dataset

_CARDS = (8, 16, 24, 40, 80)  # GB of common GPUs
_PER_TOKEN = 3  # characters of a question: English has four and more
_MARKS = 16  # tokens around a question, about
_TOLD, _SAID = "x" * 600, "x" * 1000  # what a prompt tells in sentences, and a long transcript
_GB = 1e9

_Batch = Literal["batch_size", "inference_batch_size"]


def examine(name: str) -> list[Finding]:
    """Whether the GPU, or without one which GPUs, can train a model and answer with it.

    As section ``train.language`` of params.yaml says; where it is too small, what to lower. Without
    the dataset's labels its prompts are counted with seven. Attention is what the GPU would run,
    and without one what the small ones do (backbones.flex_attention_fits): large ones need less.

    Raises:
        UserError: the name is none of a model whose size is known, or params.yaml is not in order.
    """
    known = [kind for kind, family in FAMILIES.items() if family.published]
    if name not in known:
        raise UserError(
            f"{name} is none of the models whose memory can be counted. Name one of "
            f"{', '.join(known)}."
        )
    loaded = params.load()
    kind, language = cast(LanguageModelKind, name), loaded.train.language
    classes = _classes(loaded)
    words, label = _question(loaded, classes), max(map(_tokens, classes), default=0)
    written = 0 if language.reasons == "none" else reasons.TOKENS
    trained = replace(language, mode="finetune") if language.mode == "zero_shot" else language
    answer = label + written + answers.SENTENCE * (trained.mode == "reinforce")
    shown = f"{language.frames} frames of {language.side} pixels, {len(classes)} labels"
    return [
        _finding(
            f"{name}, mode {trained.mode}, batch_size {trained.batch_size}, {shown}",
            (
                (settings, memory.of_training(kind, settings, words, answer))
                for settings in _lowered(trained, "batch_size")
            ),
        ),
        _finding(
            f"{name}, answers, inference_batch_size {language.inference_batch_size}, {shown}",
            (
                (settings, memory.of_answering(kind, settings, words + written, label))
                for settings in _lowered(language, "inference_batch_size")
            ),
        ),
    ]


def _classes(loaded: Params) -> Sequence[str]:
    """The words to choose from, () where numbers are learnt."""
    if loaded.train.is_regression:
        return ()
    with suppress(UserError):  # nobody has made the labels yet
        return Dataset(loaded.train.dataset, loaded).classes
    return labels.SEVEN


def _question(loaded: Params, classes: Sequence[str]) -> int:
    """Tokens of the longest question, about; face tokens are not among them."""
    language = loaded.train.language
    said = "" if language.transcript == "none" else _SAID
    targets = loaded.train.targets if loaded.train.is_regression else []
    told = (classes, targets, said, 0, _TOLD, _TOLD, _TOLD)
    return _MARKS + max(_tokens(question(prompt, *told)) for prompt in language.prompts)


def _tokens(text: str) -> int:
    return -(-len(text) // _PER_TOKEN)


def _lowered(settings: Language, batch: _Batch) -> Iterator[Language]:
    """The settings, and others that need less and less, by what costs least first."""
    yield settings
    if batch == "batch_size":
        if settings.checkpointing != "always" and not settings.prefix:
            settings = replace(settings, checkpointing="always")
            yield settings
        while settings.batch_size > 1:
            more = 2 * settings.accumulation
            settings = replace(settings, batch_size=settings.batch_size // 2, accumulation=more)
            yield settings
    while settings.inference_batch_size > 1 and batch == "inference_batch_size":
        settings = replace(settings, inference_batch_size=settings.inference_batch_size // 2)
        yield settings
    if not settings.quantized:
        settings = replace(settings, quantized=True)
        yield settings
    while settings.frames > 1:
        settings = replace(settings, frames=settings.frames // 2)
        yield settings


def _finding(what: str, needs: Iterator[tuple[Language, Memory]]) -> Finding:
    """What the settings take, and where that is too much, which lower ones would do."""
    name, size = _gpu()
    smallest = size or _CARDS[0] * _GB
    steps: list[tuple[Language, float]] = []
    for settings, needed in needs:
        if not steps:
            state = _told(needed)
        steps.append((settings, needed.total + memory.RESERVE))
        if steps[-1][1] <= smallest:
            break
    first = steps[0][1]
    if size:
        state += f"; {name} has {size / _GB:.1f} GB"
        return Finding(what, state, "" if first <= size else _advice(steps, size), first > size)
    enough = [card for card in _CARDS if first <= card * _GB]
    state += f"; no GPU here: {enough[0]} GB would do" if enough else "; no common GPU would do"
    smaller = [card for card in _CARDS if card not in enough]
    advice = [f"with {card} GB {_advice(steps, card * _GB)}" for card in smaller]
    return Finding(what, state, "; ".join(advice))


def _gpu() -> tuple[str, int]:
    """The name and the memory (bytes) of the GPU that is used; "" and 0 if there is none."""
    if not torch.cuda.is_available():
        return "", 0
    properties = torch.cuda.get_device_properties(0)
    return properties.name, properties.total_memory


def _told(needed: Memory) -> str:
    parts = asdict(needed) | {"CUDA": memory.RESERVE}
    names = {"kept": "kept for the backward pass", "working": "at work"}
    listed = ", ".join(
        f"{names.get(part, part)} {size / _GB:.1f}"
        for part, size in parts.items()
        if size >= 0.05 * _GB
    )
    return f"{sum(parts.values()) / _GB:.1f} GB ({listed})"


def _advice(steps: list[tuple[Language, float]], size: float) -> str:
    """The first settings that fit, by what they change."""
    settings, needed = next((step for step in steps if step[1] <= size), steps[-1])
    before, after = asdict(steps[0][0]), asdict(settings)
    changed = {key: value for key, value in after.items() if value != before[key]}
    listed = ", ".join(f"{key}: {json.dumps(value)}" for key, value in changed.items())
    listed = listed.replace('"', "")
    if needed > size:
        return f"even {listed} takes {needed / _GB:.1f} GB"
    return f"set train.language.{listed} ({needed / _GB:.1f} GB)"
