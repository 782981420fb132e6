"""Vision-language models of transformers, loaded: from the hub, a folder, or made at random."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, BitsAndBytesConfig
from transformers.utils.import_utils import is_bitsandbytes_available

from facewave.errors import UserError
from facewave.models.vlm.conversations import FACE, PREFIX, Turn
from facewave.models.vlm.families import FAMILIES, Family
from facewave.models.vlm.float32 import see_in_float32
from facewave.on_torch import enough_memory
from facewave.params import LanguageModelKind, Pixels

HUB = "hub"
_SHARED = 200_000  # bytes a block: H100, H200 and B200 have 232,448, an A100 166,912
_ANY_SIZE = Pixels(0, 0)


@dataclass(frozen=True, eq=False)
class Backbone:
    """A loaded model."""

    model: Any  # transformers' image-text-to-text model, in evaluation mode, nothing trainable
    processor: Any  # its processor, whose tokenizer has ``FACE`` and ``PREFIX``
    family: Family  # how it is prompted
    revision: str  # the weights' commit, "" for a folder or a tiny model
    face_id: int  # the id of ``FACE``
    prefix_id: int  # the id of ``PREFIX``
    pixels: Pixels = _ANY_SIZE  # bounds of a picture's area

    @property
    def hidden(self) -> int:
        """H, the width of the text embeddings."""
        return int(self.model.get_input_embeddings().embedding_dim)

    @property
    def end_id(self) -> int:
        """The token that ends an answer."""
        tokenizer = self.processor.tokenizer
        end = self.family.end
        return int(tokenizer.convert_tokens_to_ids(end) if end else tokenizer.eos_token_id)

    def inputs(self, conversations: Sequence[Sequence[Turn]]) -> dict[str, torch.Tensor]:
        """The model's inputs for conversations that each end with a question, padded left."""
        options: dict[str, Any] = {}
        if self.pixels != _ANY_SIZE:
            conversations = [[self._resized(turn) for turn in turns] for turns in conversations]
            options["do_resize"] = False
        arguments = self.family.arguments(self.processor, conversations) | options
        inputs = self.processor(**arguments, padding=True, padding_side="left", return_tensors="pt")
        inputs.pop("labels", None)  # PaliGemma's, of an answer that is not there
        return dict(inputs)

    def _resized(self, turn: Turn) -> Turn:
        if (resize := self.family.resize) is None:
            return turn
        pictures = [resize(self.processor, picture, self.pixels) for picture in turn.pictures]
        return replace(turn, pictures=pictures)

    def answer_ids(self, answer: str) -> list[int]:
        """The tokens of an answer, with the one that ends it."""
        text = self.family.lead + answer
        ids = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, self.end_id]

    def texts(self, answers: Sequence[Sequence[int]]) -> list[str]:
        """The texts of answers' tokens."""
        texts = self.processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [text.strip() for text in texts]


@enough_memory("Set train.language.quantized: true, or take a smaller model (train.model).")
def load(
    kind: LanguageModelKind, weights: str, quantized: bool = False, pixels: Pixels = _ANY_SIZE
) -> Backbone:
    """A backbone in evaluation mode, frozen, on the GPU if there is one, in ``precision``.

    Args:
        kind: which family; ``tiny-``: random weights, unless ``weights`` is a folder.
        weights: "hub"; another hub id, or ID@REVISION; or a folder.
        quantized: the weights in 4 bits (NF4 of QLoRA, Dettmers et al., 2023).
        pixels: bounds of the area of the pictures that it sees.

    Raises:
        UserError: the weights cannot be loaded, or not in 4 bits, or have no use for ``pixels``;
            or a GPU's memory is too small.
    """
    family = FAMILIES[kind.removeprefix("tiny-")]
    _check(pixels, family, kind)
    if kind.startswith("tiny-") and not Path(weights).is_dir():
        model, processor, revision = *family.tiny(), ""
    else:
        model, processor, revision = _pretrained(family, weights, quantized)
    processor.tokenizer.add_tokens([FACE, PREFIX], special_tokens=True)
    face_id, prefix_id = processor.tokenizer.convert_tokens_to_ids([FACE, PREFIX])
    _add_rows(model, processor.tokenizer)
    if not quantized:  # quantized weights are on the GPU already
        model.to(PartialState().device)  # each of several processes has its own
    model.eval().requires_grad_(False)
    return Backbone(model, processor, family, revision, face_id, prefix_id, pixels)


def _check(pixels: Pixels, family: Family, kind: str) -> None:
    if pixels != _ANY_SIZE and family.resize is None:
        able = ", ".join(name for name, other in FAMILIES.items() if other.resize)
        raise UserError(
            f"params.yaml: train.language.pixels is for {able}. {kind} resizes every picture to "
            "one size: set pixels: {min: 0, max: 0}."
        )
    if pixels.max and pixels.max < pixels.min:
        raise UserError(
            f"params.yaml: train.language.pixels: min ({pixels.min}) is above max ({pixels.max}). "
            "Lower min, or raise max."
        )


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


def flex_attention_fits() -> bool:
    """Whether the GPU has the shared memory that flex attention's kernels want for Gemma's heads.

    It was measured on an H200. For heads of 256 numbers the backward kernel does not even compile
    with the 99 KB a block of cards such as an RTX 4090 (issue 198224 of PyTorch).
    """
    if not torch.cuda.is_available():
        return False
    return bool(torch.cuda.get_device_properties().shared_memory_per_block_optin >= _SHARED)


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
        processor = family.processor.from_pretrained(source, **pinned)
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
    if options["dtype"] == torch.float16:
        see_in_float32(model, family.vision, family.projector)
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
