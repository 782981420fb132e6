"""Tiny language models with everything that can be trained beside them, and prompts for them."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from facewave.models.vlm.backbones import load
from facewave.models.vlm.conversations import FACE, Turn
from facewave.models.vlm.face_tokens import AdapterKind, FaceTokensConfig
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.params import LanguageModelKind, Lora

KINDS: tuple[LanguageModelKind, ...] = tuple(k for k in get_args(LanguageModelKind) if "tiny-" in k)
WORDS = ("happy", "sad", "extremely disappointed")
STEPS, WIDTHS, TOKENS = 5, (4, 7), 3  # of face tokens
PLACES = FACE * TOKENS


def turn(question: str = "Who?" + PLACES, answer: str = "", frames: int = 4, seed: int = 0) -> Turn:
    """A clip of noise."""
    noise = np.random.default_rng(seed)
    pictures = [noise.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(frames)]
    return Turn(pictures, frames / 2, question, answer)


# Of different lengths, and so padded.
PAIR = ([turn()], [turn("And how does this one feel?" + PLACES + " Tell!", seed=1)])


def language_model(
    kind: LanguageModelKind,
    adapter: AdapterKind | None = "linear",
    lora: bool = False,
    prefix: int = 0,
    projector: bool = False,
    targets: tuple[str, ...] = (),
    disturbed: bool = True,
    half: bool = False,
    words: tuple[str, ...] = WORDS,
    faces: tuple[int, tuple[int, ...], int] = (STEPS, WIDTHS, TOKENS),
    mode: Any = "finetune",
) -> LanguageModel:
    """One in evaluation mode.

    ``disturbed``: no weight that is trained is where it began; ``half``: a backbone in bfloat16.
    """
    torch.manual_seed(0)
    backbone = load(kind, "hub")
    if half:
        backbone.model.to(torch.bfloat16)
    config = LanguageModelConfig(
        kind=kind,
        weights="hub",
        revision="",
        mode=mode,
        classes=() if targets else words,
        targets=targets,
        faces=FaceTokensConfig(adapter, *faces, backbone.hidden) if adapter else None,
        lora=Lora(4, 8, 0.0, "attention") if lora else None,
        projector=projector,
        prefix=prefix,
    )
    model = LanguageModel(config, backbone).eval()
    if disturbed:
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.3 * torch.randn(weight.shape))
    return model


def numbers_of(clips: int, shown: int = 1) -> Tensor:
    """Wavelet numbers, (n, S, K, D)."""
    noise = torch.Generator().manual_seed(2)
    return torch.randn(clips, shown, STEPS, sum(WIDTHS), generator=noise)


def inputs_of(
    model: LanguageModel,
    conversations: Sequence[Sequence[Turn]] = PAIR,
    numbers_nSKD: Tensor | None = None,
    faces_nS: Tensor | None = None,
) -> dict[str, Tensor]:
    """What the model takes; with face tokens each clip's numbers, too."""
    inputs = model.backbone.inputs(conversations)
    if model.faces is None:
        return inputs
    shown = len(conversations[0])
    if numbers_nSKD is None:
        numbers_nSKD = numbers_of(len(conversations), shown)
    if faces_nS is None:
        faces_nS = torch.ones(len(conversations), shown, dtype=torch.bool)
    return inputs | {"numbers_nSKD": numbers_nSKD, "faces_nS": faces_nS}


def answers_of(model: LanguageModel) -> list[list[int]]:
    """The tokens of every label's words."""
    return [model.backbone.answer_ids(word) for word in WORDS]
