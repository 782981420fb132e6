"""The families of vision-language models: where their weights are, and how each is spoken to.

A new image-text-to-text model of transformers is one more ``Family`` in ``FAMILIES``: how a
conversation and its pictures become the processor's arguments, and what its parts are called.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import AutoProcessor, Idefics3Processor

from facewave.models.vlm import conversations, published, tiny
from facewave.models.vlm.conversations import Picture, Turn
from facewave.params import Pixels


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family's models are loaded and prompted."""

    hub: str  # the id of the default weights
    revision: str = ""  # their pinned commit; "": the newest, which is then recorded
    terms: str = ""  # where a person accepts the terms of gated weights; "" if there are none
    processor: Any = AutoProcessor  # transformers' class that loads the processor
    # Of its processor, for conversations, without padding.
    arguments: Callable[[Any, Sequence[Sequence[Turn]]], dict[str, Any]]
    # Of its processor and a picture: the picture at a size within bounds of its area. None: the
    # family's models see pictures of one size only.
    resize: Callable[[Any, Picture, Pixels], Picture] | None = None
    lead: str = ""  # what comes between a prompt and its answer
    end: str = ""  # the token that ends an answer; "": the tokenizer's own
    answer_type: int = 0  # what ``token_type_ids`` are in an answer
    vision: str  # the submodule that sees pictures
    projector: str  # the submodule that brings image features to the text's width
    # Of its text part in training on a large GPU, by transformers' name; "": as it is otherwise.
    attention: str = ""
    checkpoints: bool = False  # whether activations are better computed again, by default
    type: str  # transformers' name for such a model
    tiny: Callable[[], tuple[Any, Any]]  # makes a random model and its processor
    # Makes the default weights' configuration; None: it is small enough to try.
    published: Callable[[], Any] | None = None


FAMILIES: dict[str, Family] = {
    "paligemma2": Family(
        hub="google/paligemma2-3b-mix-224",  # 256 tokens a picture; at 448 pixels they are 1,024
        terms="https://huggingface.co/google/paligemma2-3b-mix-224",
        arguments=conversations.paligemma,
        answer_type=1,  # read left to right; the prompt is read in both directions
        vision="model.vision_tower",
        projector="model.multi_modal_projector",
        # It caps attention's scores, which of the fused kernels only this one can; without one, the
        # square of the prompt's tokens is kept for the backward pass. Where nothing is kept, there
        # is no need to compile it.
        attention="flex_attention",
        checkpoints=True,
        type="paligemma",
        tiny=tiny.paligemma2,
        published=published.paligemma2,
    ),
    "gemma3": Family(
        hub="google/gemma-3-4b-it",
        revision="093f9f388b31de276ce2de164bdc2081324b9767",
        terms="https://huggingface.co/google/gemma-3-4b-it",
        # 256 tokens a picture, however large; 1 as a token type means: of an image.
        arguments=partial(conversations.images, media=conversations.bare, do_pan_and_scan=False),
        end="<end_of_turn>",
        vision="model.vision_tower",
        projector="model.multi_modal_projector",
        type="gemma3",
        tiny=tiny.gemma3,
        published=published.gemma3,
    ),
    "qwen2.5-vl": Family(
        hub="Qwen/Qwen2.5-VL-3B-Instruct",
        revision="66285546d2b821cf421d4f5eb2576359d3770cd3",
        arguments=conversations.qwen,
        resize=conversations.resize_as_qwen,
        vision="model.visual",
        projector="model.visual.merger",
        type="qwen2_5_vl",
        tiny=tiny.qwen2_5_vl,
        published=published.qwen2_5_vl,
    ),
    "qwen3-vl": Family(
        hub="Qwen/Qwen3-VL-4B-Instruct",  # nearest in size to the other two at 3 billion
        revision="ebb281ec70b05090aa6165b016eac8ec08e71b17",
        arguments=conversations.qwen3,
        resize=conversations.resize_as_qwen,
        vision="model.visual",
        projector="model.visual.merger",
        type="qwen3_vl",
        tiny=tiny.qwen3_vl,
        published=published.qwen3_vl,
    ),
    "internvl3": Family(
        hub="OpenGVLab/InternVL3-2B-hf",
        revision="cb57a075cb75a2e6d1b668b128d48bb00ae321d2",
        # 256 tokens a picture, which is not split into tiles.
        arguments=partial(
            conversations.images, media=conversations.numbered, nested=False, crop_to_patches=False
        ),
        vision="model.vision_tower",
        projector="model.multi_modal_projector",
        type="internvl",
        tiny=tiny.internvl3,
        published=published.internvl3,
    ),
    "smolvlm": Family(
        hub="HuggingFaceTB/SmolVLM-256M-Instruct",
        arguments=partial(conversations.images, media=conversations.bare, do_image_splitting=False),
        lead=" ",
        vision="model.vision_model",
        projector="model.connector",
        type="idefics3",
        tiny=tiny.smolvlm,
    ),
    "smolvlm2": Family(
        hub="HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        revision="482adb537c021c86670beed01cd58990d01e72e4",
        processor=Idefics3Processor,  # the same without videos, for which SmolVLM2's asks for more
        arguments=partial(
            conversations.images, media=conversations.timed, do_image_splitting=False
        ),
        lead=" ",
        vision="model.vision_model",
        projector="model.connector",
        type="smolvlm",
        tiny=tiny.smolvlm2,
        published=published.smolvlm2,
    ),
}
