"""How much of a GPU's memory a language model of the real size takes, counted without one.

The published configuration is built on torch's meta device, where tensors have shapes and no
numbers, and a real step or a real scoring of labels runs there, while every storage that comes and
goes is counted. Attention is what GPUs run: fused where transformers takes PyTorch's or flex
attention, which keeps queries, keys, values, the output and one number a row (Dao, 2023).
"""

import math
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from transformers import AutoModelForImageTextToText
from transformers.integrations.sdpa_attention import repeat_kv
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.quantizers.quantizers_utils import should_convert_module

from facewave.models.vlm.backbones import Backbone, spared
from facewave.models.vlm.conversations import FACE, PREFIX, Turn
from facewave.models.vlm.face_tokens import FaceTokensConfig
from facewave.models.vlm.families import FAMILIES
from facewave.models.vlm.model import Inputs, LanguageModel, LanguageModelConfig, append_answers
from facewave.params import Language, LanguageModelKind

RESERVE = 10**9  # bytes that CUDA itself and gaps between tensors take, about
WORDS = 64  # tokens of a question
ANSWER = 2  # tokens of an answer but for its end
_LABELS = 8  # of a scoring: as many as are scored at a time
_STEPS, _WIDTHS = 10, (52,)  # of a clip's wavelet numbers: they hardly matter
_TRAINED = 16  # bytes of a weight, its gradient and AdamW's two moments, all in 32 bits
# NF4 in blocks of 64 whose scales are of 8 bits and have a scale of 32 bits for 256 of them
# (QLoRA, Dettmers et al., 2023).
_IN_4_BITS = (4 + 8 / 64 + 32 / (64 * 256)) / 8
_QWEN_BOUNDS = {"shortest_edge": 3136, "longest_edge": 12845056}  # of a picture's pixels
_ATEN = torch.ops.aten
_INDEXED = (_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default)


@dataclass(frozen=True)
class Memory:
    """What a step, or the answering of a batch, takes at its peak, in bytes."""

    weights: int  # of the backbone
    trained: int  # weights beside it; in training with their gradients and AdamW's moments
    kept: int  # for the backward pass, when the loss is known; 0 without one
    working: int  # what more there is at the worst moment

    @property
    def total(self) -> int:
        """All that PyTorch allocates at the peak."""
        return self.weights + self.trained + self.kept + self.working


def life_size(kind: LanguageModelKind, device: str) -> Backbone:
    """A backbone of the published size in bfloat16, with random weights and a tiny tokenizer.

    On the device "meta" it has no numbers at all and takes no memory. A token is a byte of text.

    Raises:
        ValueError: the family's published configuration is not known.
    """
    family = FAMILIES[kind.removeprefix("tiny-")]
    if family.published is None:
        raise ValueError(f"the published configuration of {kind} is not known")
    tiny, processor = family.tiny()
    config = family.published()
    for name, value in tiny.config.to_dict().items():
        if name.endswith(("token_id", "token_index")):
            setattr(config, name, value)
    _enlarge(processor, config)
    build: Any = AutoModelForImageTextToText.from_config
    with torch.device(device):
        model = build(config, dtype=torch.bfloat16)
    processor.tokenizer.add_tokens([FACE, PREFIX], special_tokens=True)
    ids = processor.tokenizer.convert_tokens_to_ids([FACE, PREFIX])
    return Backbone(model.eval().requires_grad_(False), processor, family, "", *ids)


def of_training(
    kind: LanguageModelKind, settings: Language, words: int = WORDS, answer: int = ANSWER
) -> Memory:
    """Of a training step on a GPU, as ``settings`` say.

    Args:
        kind: the model, whose weights are those that its family's default has.
        settings: section ``train.language``; mode zero_shot counts as finetune.
        words: tokens of a question beside pictures, face tokens and prefix.
        answer: tokens of an answer but for its end.

    Raises:
        ValueError: the model's published configuration is not known.
    """
    model = _language_model(kind, settings)
    has_prefix = settings.prefix and settings.mode != "pretrain"  # which this model goes without
    model.checkpoint_gradients("never" if has_prefix else settings.checkpointing)
    inputs = _inputs(model, settings, settings.batch_size, words)
    answers = [model.backbone.answer_ids("x" * answer)] * settings.batch_size
    batch = append_answers(inputs, answers, model.backbone)
    return of_step(model.train(), batch, settings.quantized)


def of_answering(
    kind: LanguageModelKind, settings: Language, words: int = WORDS, answer: int = ANSWER
) -> Memory:
    """Of scoring labels for a batch of clips on a GPU; arguments as of ``of_training``.

    Before the labels, ``words`` have what the model has written.

    Raises:
        ValueError: the model's published configuration is not known.
    """
    model = _language_model(kind, settings)
    inputs = _inputs(model, settings, settings.inference_batch_size, words)
    with _fused_attention(), _Allocated(model) as allocated, torch.no_grad():
        model.log_likelihoods(inputs, [model.backbone.answer_ids("x" * answer)] * _LABELS)
    weights, largest = _weights(model, settings.quantized)
    return Memory(weights, 4 * model.counts()[0], 0, allocated.peak + largest)


def of_step(model: LanguageModel, batch: Inputs, quantized: bool = False) -> Memory:
    """Of forward, backward and AdamW on prompts with answers, which are on the CPU.

    The model is on the meta device and in training mode. Its weights are brought to the precision
    of its embeddings, and stay so: it is of no other use afterwards.
    """
    half = model.model.get_input_embeddings().weight.dtype
    for weight in model.model.parameters():  # autocast brings LoRA's to 16 bits for its products
        weight.data = weight.data.to(half)
    with _fused_attention(), _Allocated(model) as allocated:
        loss = model(**batch)["loss"]
        kept = allocated.now
        loss.backward()
    weights, largest = _weights(model, quantized)
    return Memory(weights, _TRAINED * model.counts()[0], kept, allocated.peak - kept + largest)


def _enlarge(processor: Any, config: Any) -> None:
    """Have a tiny model's processor make as many tokens of a picture as the real one."""
    images, vision = processor.image_processor, config.vision_config
    if hasattr(images, "merge_size"):  # Qwen's: pictures keep their size, within bounds
        for part in (images, processor.video_processor):
            part.size, part.patch_size = dict(_QWEN_BOUNDS), vision.patch_size
        return
    side, *_ = (vision.image_size,) if isinstance(vision.image_size, int) else vision.image_size
    images.size = dict.fromkeys(dict(images.size), side)
    if hasattr(images, "max_image_size"):
        images.max_image_size = {"longest_edge": side}
    counts = (getattr(config, name, None) for name in ("mm_tokens_per_image", "image_seq_length"))
    scale = getattr(config, "scale_factor", 1)
    tokens = next(filter(None, counts), 0) or (side // vision.patch_size // scale) ** 2
    for part in (processor, images):
        for name in ("image_seq_length", "image_seq_len"):
            if hasattr(part, name):
                setattr(part, name, tokens)
    if text := getattr(processor, "full_image_sequence", ""):
        mark = processor.tokenizer.image_token
        before, *_, after = text.split(mark)
        processor.full_image_sequence = before + mark * tokens + after


def _language_model(kind: LanguageModelKind, settings: Language) -> LanguageModel:
    """A model without numbers and all that is trained beside it, but for a prefix (a few MB)."""
    backbone = life_size(kind, "meta")
    learns_lora = settings.mode != "pretrain" and settings.lora.rank
    faces = FaceTokensConfig(
        settings.adapter, _STEPS, _WIDTHS, settings.face_tokens, backbone.hidden
    )
    config = LanguageModelConfig(
        kind=kind,
        weights=settings.weights,
        revision="",
        mode="finetune",
        classes=(),
        faces=faces if settings.face_tokens else None,
        lora=settings.lora if learns_lora else None,
        projector=settings.projector,
    )
    with torch.device("meta"):
        return LanguageModel(config, backbone).eval()


def _inputs(model: LanguageModel, settings: Language, clips: int, words: int) -> Inputs:
    """Of a batch of black clips, as ``settings`` have them."""
    shown, side = 1 + settings.examples, settings.side
    columns = math.ceil(math.sqrt(settings.frames)) if settings.grid else 1
    rows = math.ceil(settings.frames / columns) if settings.grid else 1
    picture = np.zeros((rows * side, columns * side, 3), np.uint8)
    pictures = [picture] * (min(settings.frames, 1) if settings.grid else settings.frames)
    question = "x" * (words + settings.prefix) + FACE * settings.face_tokens
    turns = [Turn(pictures, 3.0, question, "x" * 3 * (at + 1 < shown)) for at in range(shown)]
    inputs = model.backbone.inputs([turns] * clips)
    if model.faces is not None:
        inputs["numbers_nSKD"] = torch.zeros(clips, shown, _STEPS, sum(_WIDTHS))
        inputs["faces_nS"] = torch.ones(clips, shown, dtype=torch.bool)
    return inputs


def _weights(model: LanguageModel, quantized: bool) -> tuple[int, int]:
    """Bytes of a backbone's frozen weights, and of the largest that is unpacked to be used."""
    sizes = {name: x.nbytes for name, x in model.model.named_parameters()}
    trainable = {name for name, x in model.model.named_parameters() if x.requires_grad}
    total = sum(size for name, size in sizes.items() if name not in trainable)
    if not quantized:
        return total, 0
    packed = [
        2 * module.weight.numel()
        for name, module in model.model.named_modules()
        if isinstance(module, nn.Linear)
        and not module.weight.requires_grad
        and should_convert_module(name, spared(model.backbone.family))
    ]
    return total - round(sum(packed) * (1 - _IN_4_BITS / 2)), max(packed)


class _Fused(torch.autograd.Function):
    """Attention that gives and keeps what a fused kernel does, without any numbers."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        row_sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        bias = None if mask is None else mask.to(query.dtype)  # to be added to scores
        ctx.save_for_backward(query, key, value, output, row_sums, bias)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (*map(torch.empty_like, ctx.saved_tensors[:3]), None)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **_: Any,
) -> tuple[Tensor, None]:
    """As transformers' own functions: with a mask, PyTorch's kernels want a key for every head."""
    if attention_mask is not None:
        repeats = query.shape[1] // key.shape[1]
        key, value = repeat_kv(key, repeats), repeat_kv(value, repeats)
    output = _Fused.apply(query, key, value, attention_mask)
    return output.transpose(1, 2).contiguous(), None


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Have transformers' names for fused attention stand for one without numbers."""
    names = ("sdpa", "flex_attention")
    for name in names:
        ALL_ATTENTION_FUNCTIONS[name] = _attend
    ALL_MASK_ATTENTION_FUNCTIONS["flex_attention"] = lambda **_: None  # a few bytes a block
    try:
        yield
    finally:
        for name in names:
            del ALL_ATTENTION_FUNCTIONS[name]
        del ALL_MASK_ATTENTION_FUNCTIONS["flex_attention"]


class _Allocated(TorchDispatchMode):
    """Counts the bytes of storages that are made while it is active, and let go.

    Weights, and what follows from them, are on the meta device; inputs, such as indices, and what
    follows from them alone are real and on the CPU. Of both, an operation makes the former.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now, self.peak = 0, 0
        self._sizes: dict[int, int] = {}
        self._weights = {
            x.untyped_storage()._cdata for x in [*model.parameters(), *model.buffers()]
        }

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _ATEN._to_copy.default:
            kwargs = kwargs | {"device": None}  # what is sent elsewhere stays: indices real
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if any(x.is_meta for x in tensors):
            if func in _INDEXED:
                args = (args[0], _places(args[1]), *args[2:])
            args, kwargs = tree_map_only(Tensor, lambda x: x.to("meta"), (args, kwargs))
        outputs = func(*args, **kwargs)
        self._add(x for x in tree_leaves(outputs) if isinstance(x, Tensor))
        return outputs

    def _add(self, tensors: Iterable[Tensor]) -> None:
        for storage in (x.untyped_storage() for x in tensors):
            key = storage._cdata
            if key not in self._sizes and key not in self._weights:
                self._sizes[key] = storage.nbytes()
                self.now += self._sizes[key]
                weakref.finalize(storage, self._free, key)
        self.peak = max(self.peak, self.now)

    def _free(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def _places(indices: list[Tensor | None]) -> list[Tensor | None]:
    """Indices with the places where a mask is true instead of the mask."""
    places: list[Tensor | None] = []
    for index in indices:
        is_mask = index is not None and index.dtype == torch.bool
        places += index.nonzero(as_tuple=True) if is_mask and index is not None else [index]
    return places
