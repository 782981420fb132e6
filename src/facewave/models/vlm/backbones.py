"""Vision-language models of transformers, and how each family is prompted.

A new image-text-to-text model is one more ``Family`` in ``FAMILIES``: where its weights are, and
how a conversation and its pictures become the processor's arguments.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
from transformers.utils.import_utils import is_bitsandbytes_available
from transformers.video_utils import VideoMetadata

from facewave.errors import UserError
from facewave.models.vlm import tiny
from facewave.params import LanguageModelKind

FACE = "<face>"  # the placeholder of a face token in a prompt
PREFIX = "<prefix>"  # and of a virtual token of prefix tuning
HUB = "hub"
_TASKS = ("answer ", "caption ", "cap ", "describe ", "detect ", "segment ", "ocr")  # PaliGemma's


@dataclass(frozen=True, eq=False)
class Turn:
    """A question about a clip and, where it is an example, its answer."""

    # Frames of one size, each (h, w, 3) RGB uint8; there may be none.
    pictures: Sequence[NDArray[np.uint8]]
    duration: float  # of the clip that they are spread over, s
    question: str  # may contain ``FACE``
    answer: str = ""  # "" if the model is to give it


@dataclass(frozen=True, kw_only=True)
class Family:
    """How a family's models are loaded and prompted."""

    hub: str  # the id of the default weights
    revision: str = ""  # their pinned commit; "": the newest, which is then recorded
    terms: str = ""  # where a person accepts the terms of gated weights; "" if there are none
    # Of its processor, for conversations, without padding.
    arguments: Callable[[Any, Sequence[Sequence[Turn]]], dict[str, Any]]
    lead: str = ""  # what comes between a prompt and its answer
    vision: str  # the submodule that sees pictures
    projector: str  # the submodule that brings image features to the text's width
    type: str  # transformers' name for such a model
    tiny: Callable[[], tuple[Any, Any]]  # makes a random model and its processor


@dataclass(frozen=True, eq=False)
class Backbone:
    """A loaded model."""

    model: Any  # transformers' image-text-to-text model, in evaluation mode, nothing trainable
    processor: Any  # its processor, whose tokenizer has ``FACE`` and ``PREFIX``
    family: Family  # how it is prompted
    revision: str  # the weights' commit, "" for a folder or a tiny model
    face_id: int  # the id of ``FACE``
    prefix_id: int  # the id of ``PREFIX``

    @property
    def hidden(self) -> int:
        """H, the width of the text embeddings."""
        return int(self.model.get_input_embeddings().embedding_dim)

    def inputs(self, conversations: Sequence[Sequence[Turn]]) -> dict[str, torch.Tensor]:
        """The model's inputs for conversations that each end with a question, padded left."""
        arguments = self.family.arguments(self.processor, conversations)
        inputs = self.processor(**arguments, padding=True, padding_side="left", return_tensors="pt")
        inputs.pop("labels", None)  # PaliGemma's, of an answer that is not there
        return dict(inputs)

    def answer_ids(self, answer: str) -> list[int]:
        """The tokens of an answer, with the one that ends it."""
        tokenizer = self.processor.tokenizer
        ids = tokenizer(self.family.lead + answer, add_special_tokens=False)["input_ids"]
        return [*ids, tokenizer.eos_token_id]


def _chat(processor: Any, turns: Sequence[Turn], media: Callable[[Turn], list[str]]) -> str:
    """A conversation in the model's own chat template."""
    messages: list[dict[str, Any]] = []
    for turn in turns:
        content = [{"type": kind} for kind in media(turn)]
        content.append({"type": "text", "text": turn.question})
        messages.append({"role": "user", "content": content})
        if turn.answer:
            content = [{"type": "text", "text": turn.answer}]
            messages.append({"role": "assistant", "content": content})
    return processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def _qwen(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """A clip's frames are a video, with its times; a single picture is an image.

    With the settings that come with the weights (min_pixels: 3136), frames of 224 x 224 keep their
    size, and two of them are 64 tokens; transformers' defaults would enlarge them to 336 x 336.
    """
    media: dict[int, list[str]] = {0: [], 1: ["image"]}
    texts = [
        _chat(processor, turns, lambda turn: media.get(len(turn.pictures), ["video"]))
        for turns in conversations
    ]
    arguments: dict[str, Any] = {"text": texts}
    turns = [turn for turns in conversations for turn in turns]
    if stills := [turn.pictures[0] for turn in turns if len(turn.pictures) == 1]:
        arguments["images"] = stills
    if shown := [turn for turn in turns if len(turn.pictures) > 1]:
        arguments |= {
            "videos": [np.stack(turn.pictures) for turn in shown],
            "video_metadata": [
                VideoMetadata(
                    total_num_frames=len(turn.pictures),
                    fps=len(turn.pictures) / max(turn.duration, 1e-3),
                    frames_indices=list(range(len(turn.pictures))),
                    duration=turn.duration,
                )
                for turn in shown
            ],
            "do_sample_frames": False,
            "cap_pixels_per_frame": True,  # as in Qwen's own code
        }
    return arguments


def _paligemma(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """All pictures come first, then the text; the model knows no turns.

    A question is asked as the model was trained to be: after a task's name (big_vision's README of
    PaliGemma), which is "answer en" unless the question begins with one.
    """
    pictures = _pictures(conversations)
    if not all(pictures):
        raise UserError(
            "params.yaml: train.language.frames is 0, and PaliGemma answers about pictures only. "
            "Show at least one."
        )
    texts = [
        processor.image_token * len(of_one)
        + "\n".join(
            text for turn in turns for text in (_as_task(turn.question), turn.answer) if text
        )
        for turns, of_one in zip(conversations, pictures, strict=True)
    ]
    return {"text": texts, "images": pictures}


def _as_task(question: str) -> str:
    return question if question.startswith(_TASKS) else f"answer en {question}"


def _idefics(processor: Any, conversations: Sequence[Sequence[Turn]]) -> dict[str, Any]:
    """Every frame is an image, which is not split into tiles."""
    texts = [
        _chat(processor, turns, lambda turn: ["image"] * len(turn.pictures))
        for turns in conversations
    ]
    pictures = _pictures(conversations)
    if not any(pictures):
        return {"text": texts}
    return {"text": texts, "images": pictures, "do_image_splitting": False}


def _pictures(conversations: Sequence[Sequence[Turn]]) -> list[list[NDArray[np.uint8]]]:
    return [[picture for turn in turns for picture in turn.pictures] for turns in conversations]


FAMILIES: dict[str, Family] = {
    "paligemma2": Family(
        hub="google/paligemma2-3b-mix-224",  # 256 tokens a picture; at 448 pixels they are 1,024
        terms="https://huggingface.co/google/paligemma2-3b-mix-224",
        arguments=_paligemma,
        vision="model.vision_tower",
        projector="model.multi_modal_projector",
        type="paligemma",
        tiny=tiny.paligemma2,
    ),
    "qwen2.5-vl": Family(
        hub="Qwen/Qwen2.5-VL-3B-Instruct",
        revision="66285546d2b821cf421d4f5eb2576359d3770cd3",
        arguments=_qwen,
        vision="model.visual",
        projector="model.visual.merger",
        type="qwen2_5_vl",
        tiny=tiny.qwen2_5_vl,
    ),
    "smolvlm": Family(
        hub="HuggingFaceTB/SmolVLM-256M-Instruct",
        arguments=_idefics,
        lead=" ",
        vision="model.vision_model",
        projector="model.connector",
        type="idefics3",
        tiny=tiny.smolvlm,
    ),
}


def load(kind: LanguageModelKind, weights: str, quantized: bool = False) -> Backbone:
    """A backbone in evaluation mode, frozen, on the GPU if there is one, in ``precision``.

    Args:
        kind: which family; ``tiny-``: random weights, whatever ``weights`` says.
        weights: "hub"; another hub id, or ID@REVISION; or a folder.
        quantized: the weights in 4 bits (NF4 of QLoRA, Dettmers et al., 2023).

    Raises:
        UserError: the weights cannot be loaded, or not in 4 bits.
    """
    family = FAMILIES[kind.removeprefix("tiny-")]
    if kind.startswith("tiny-"):
        model, processor, revision = *family.tiny(), ""
    else:
        model, processor, revision = _pretrained(family, weights, quantized)
    processor.tokenizer.add_tokens([FACE, PREFIX], special_tokens=True)
    ids = processor.tokenizer.convert_tokens_to_ids([FACE, PREFIX])
    _add_rows(model, processor.tokenizer)
    if not quantized:  # quantized weights are on the GPU already
        model.to(PartialState().device)  # each of several processes has its own
    return Backbone(model.eval().requires_grad_(False), processor, family, revision, *ids)


def spared(family: Family) -> list[str]:
    """The modules that keep their precision in a model in 4 bits, by their whole names."""
    return [family.vision, family.projector, "lm_head"]


def precision() -> torch.dtype:
    """The type of a backbone's weights and of its computation: 16 bits on a GPU.

    bfloat16 if the GPU has it, otherwise (as Colab's T4) float16, whose range is small.
    """
    if not torch.cuda.is_available():
        return torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def _add_rows(model: Any, tokenizer: Any) -> None:
    """Give new tokens rows where a model has none to spare: padding's, which it never writes."""
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) <= rows:
        return
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            table.weight[rows:] = table.weight[tokenizer.pad_token_id]


def _pretrained(family: Family, weights: str, quantized: bool) -> tuple[Any, Any, str]:
    source, _, revision = weights.partition("@")
    if Path(weights).is_dir():
        source, revision = weights, ""
    elif weights == HUB:
        source, revision = family.hub, family.revision
    options: dict[str, Any] = {"dtype": precision()}
    if quantized:
        if not (torch.cuda.is_available() and is_bitsandbytes_available()):
            raise UserError(
                "params.yaml: train.language.quantized needs a GPU and bitsandbytes (pip install "
                "bitsandbytes). Install it, or set quantized: false."
            )
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            llm_int8_skip_modules=spared(family),
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=precision(),
        )
    try:
        # trust_remote_code: otherwise transformers asks, and a y runs the folder's code.
        config = AutoConfig.from_pretrained(
            source, revision=revision or None, trust_remote_code=False
        )
        commit = _commit(source, revision)
        pinned: dict[str, Any] = {"revision": commit or None, "trust_remote_code": False}
        if config.model_type != family.type:
            raise UserError(
                f"params.yaml: train.language.weights: {source} is a model of type "
                f"{config.model_type}, not {family.type}. Name weights of that type, or another "
                "train.model."
            )
        processor = AutoProcessor.from_pretrained(source, **pinned)
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            source,
            use_safetensors=True,  # other files of weights are pickles
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below
            **options,
            **pinned,
        )
    except (OSError, HFValidationError, KeyError, ValueError, SafetensorError) as error:
        raise UserError(_advice(family, source, str(error))) from None
    model, info = loaded
    absent = sorted([*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])])
    if absent:  # they would be random
        problem = f"{len(absent)} tensors are missing or of another shape, as {absent[0]}"
        raise UserError(_advice(family, source, problem))
    return model, processor, commit


def _commit(source: str, revision: str) -> str:
    """The commit that a revision named when its configuration was fetched, "" for a folder."""
    if Path(source).is_dir():
        return ""
    file = try_to_load_from_cache(source, "config.json", revision=revision or None)
    return Path(file).parent.name if isinstance(file, str) else ""


def _advice(family: Family, source: str, problem: str) -> str:
    if re.search(r"gated repo|is restricted|40[13] Client Error", problem):
        terms = family.terms or f"https://huggingface.co/{source}"
        return (
            f"the weights of {source} are gated: accept their terms at {terms} with your account, "
            "then log in with: hf auth login. Or name a folder that has them in "
            "train.language.weights."
        )
    reason = problem.strip().partition("\n")[0].rstrip(".")
    if Path(source).is_dir():
        return (
            f"{source} is not a complete model ({reason}). train.language.weights names a folder "
            "with config.json, the files of processor and tokenizer, and weights as safetensors; "
            "no others are read, since reading them can run code."
        )
    return (
        f"the weights of {source} cannot be loaded ({reason}). Connect to the internet once, or "
        "name a folder with the model's safetensors files in train.language.weights."
    )
