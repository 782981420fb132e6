"""Small random models of the backbones' own classes, with tokenizer and processor, made in code.

They have learnt nothing, but run all that the real ones run, in seconds on a CPU and without a
download. Their weights follow from one seed; their chat templates write what the real ones do.
"""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForImageTextToText,
    Gemma3Config,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLProcessor,
    InternVLVideoProcessor,
    PaliGemmaConfig,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SiglipImageProcessor,
    SmolVLMConfig,
    SmolVLMImageProcessor,
)

HIDDEN = 48
_SIDE, _PATCH = 28, 14
_VOCABULARY = 2048  # rows of the embedding; none of the tokenizers has as many tokens
_TEXT: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": _VOCABULARY,
}
_VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": _PATCH,
}


def _template(begin: str, parts: dict[str, str], end: str, ask: str, first: str = "") -> str:
    """A chat template.

    Args:
        begin: what comes before a message.
        parts: what stands for the parts of each type but text.
        end: what comes after a message.
        ask: what comes before an answer that is to be given.
        first: what comes before all messages.
    """
    return (
        f"{first}{{% for message in messages %}}{begin}{{% for part in message.content %}}"
        f"{{{{ {parts}.get(part.type, part.text) }}}}{{% endfor %}}{end}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{ask}{{% endif %}}"
    )


_CHATML = {"begin": "<|im_start|>{{ message.role }}\n", "end": "<|im_end|>\n"}
_CHATML["ask"] = "<|im_start|>assistant\n"
_MARKED = "<|vision_start|><|{}_pad|><|vision_end|>"
_QWEN = _template(**_CHATML, parts={x: _MARKED.format(x) for x in ("image", "video")})
_INTERNVL = _template(**_CHATML, parts={"image": "<IMG_CONTEXT>\n"})
_IDEFICS = _template(
    begin="{{ message.role | capitalize }}:{{ '' if message.content[0].type == 'image' else ' ' }}",
    parts={"image": "<image>"},
    end="<end_of_utterance>\n",
    ask="Assistant:",
    first="<|im_start|>",
)
_GEMMA = _template(
    begin="<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n",
    parts={"image": "<start_of_image>"},
    end="<end_of_turn>\n",
    ask="<start_of_turn>model\n",
    first="{{ bos_token }}",
)


def _tokenizer(
    special: list[str], pad: str, eos: str, bos: str | None = None, **named: str
) -> tuple[Any, dict[str, int]]:
    """One token per byte, and the special ones with their ids; a beginning is added to texts."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*special, *alphabet])}
    bytewise = Tokenizer(token_models.BPE(ids, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    if bos:
        bytewise.post_processor = TemplateProcessing(f"{bos} $A", None, [(bos, ids[bos])])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytewise, pad_token=pad, eos_token=eos, bos_token=bos, **named
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer, ids


def _build(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForImageTextToText.from_config(config)


_GEMMA_TEXT = _TEXT | {"head_dim": 12, "sliding_window": 64}
_GEMMA_TEXT |= {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}


def paligemma2() -> tuple[Any, Any]:
    """A tiny PaliGemma 2: its model and its processor."""
    tokenizer, _ = _tokenizer(["<pad>", "<eos>", "<bos>"], pad="<pad>", eos="<eos>", bos="<bos>")
    pictures: Any = SiglipImageProcessor(size={"height": _SIDE, "width": _SIDE})
    pictures.image_seq_length = (_SIDE // _PATCH) ** 2
    processor = PaliGemmaProcessor(pictures, tokenizer)
    vision = {"model_type": "siglip_vision_model", "image_size": _SIDE, "projection_dim": HIDDEN}
    config = PaliGemmaConfig(
        vision_config=_VISION | vision,
        text_config=_GEMMA_TEXT | {"model_type": "gemma2"},
        image_token_index=processor.image_token_id,
        projection_dim=HIDDEN,
    )
    return _build(config), processor


def gemma3() -> tuple[Any, Any]:
    """A tiny Gemma 3: its model and its processor."""
    names = {"boi": "<start_of_image>", "eoi": "<end_of_image>", "image": "<image_soft_token>"}
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", *names.values()]
    named = {f"{name}_token": token for name, token in names.items()}
    tokenizer, ids = _tokenizer(special, pad="<pad>", eos="<eos>", bos="<bos>", **named)
    side = 2 * _SIDE
    pictures = Gemma3ImageProcessor(size={"height": side, "width": side})
    processor = Gemma3Processor(pictures, tokenizer, chat_template=_GEMMA, image_seq_length=4)
    indices: dict[str, Any] = {f"{name}_token_index": ids[x] for name, x in names.items()}
    config = Gemma3Config(
        vision_config=_VISION | {"model_type": "siglip_vision_model", "image_size": side},
        text_config=_GEMMA_TEXT | {"layer_types": ["sliding_attention", "full_attention"]},
        mm_tokens_per_image=4,
        **indices,
    )
    model = _build(config)
    blind = model.model.multi_modal_projector.mm_input_projection_weight  # zeros: nothing is seen
    torch.nn.init.normal_(blind, std=0.1, generator=torch.Generator().manual_seed(0))
    return model, processor


def _qwen(
    processor: Any,
    config: Any,
    video: Any,
    patch: int,
    text: dict[str, Any],
    vision: dict[str, Any],
) -> tuple[Any, Any]:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    special += ["<|image_pad|>", "<|video_pad|>"]
    tokenizer, ids = _tokenizer(special, pad="<|endoftext|>", eos="<|im_end|>")
    area = (4 * patch) ** 2  # two merged patches a side
    size = {"shortest_edge": area, "longest_edge": area}
    options: dict[str, Any] = {"size": size, "patch_size": patch}
    pictures = Qwen2VLImageProcessor(**options)
    rope = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 1e4}
    made = config(
        text_config=_TEXT
        | {"rope_parameters": rope}
        | {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]}
        | text,
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
        | {"patch_size": patch, "out_hidden_size": HIDDEN}
        | vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    return _build(made), processor(pictures, tokenizer, video(**options), chat_template=_QWEN)


def qwen2_5_vl() -> tuple[Any, Any]:
    """A tiny Qwen2.5-VL: its model and its processor."""
    vision = {"fullatt_block_indexes": [1], "window_size": 56}
    of = (Qwen2_5_VLProcessor, Qwen2_5_VLConfig, Qwen2VLVideoProcessor)
    return _qwen(*of, patch=_PATCH, text={}, vision=vision)


def qwen3_vl() -> tuple[Any, Any]:
    """A tiny Qwen3-VL: its model and its processor."""
    vision = {"deepstack_visual_indexes": [0], "num_position_embeddings": 16}
    of = (Qwen3VLProcessor, Qwen3VLConfig, Qwen3VLVideoProcessor)
    return _qwen(*of, patch=16, text={"head_dim": 12}, vision=vision)


def internvl3() -> tuple[Any, Any]:
    """A tiny InternVL3: its model and its processor."""
    named = {"start_image_token": "<img>", "end_image_token": "</img>"}
    named |= {"context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *named.values()]
    tokenizer, ids = _tokenizer(special, pad="<|endoftext|>", eos="<|im_end|>", **named)
    side = 2 * _SIDE
    size = {"height": side, "width": side}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size),
        tokenizer,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=_INTERNVL,
    )
    config = InternVLConfig(
        vision_config=_VISION | {"image_size": [side, side]},
        text_config=_TEXT | {"model_type": "qwen2", "tie_word_embeddings": False},
        image_token_id=ids["<IMG_CONTEXT>"],
        image_seq_length=4,
    )
    return _build(config), processor


def _idefics(config: Any, images: Any) -> tuple[Any, Any]:
    special = ["<|im_start|>", "<pad>", "<end_of_utterance>", "<fake_token_around_image>"]
    special += ["<image>", "<global-img>"]
    tokenizer, ids = _tokenizer(special, pad="<pad>", eos="<end_of_utterance>")
    edge = {"longest_edge": 2 * _SIDE}
    pictures = images(size=edge, max_image_size=edge)
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=_IDEFICS)
    made = config(
        text_config=_TEXT | {"model_type": "llama", "pad_token_id": ids["<pad>"]},
        vision_config=_VISION | {"image_size": 2 * _SIDE},
        image_token_id=ids["<image>"],
        scale_factor=2,
    )
    return _build(made), processor


def smolvlm() -> tuple[Any, Any]:
    """A tiny SmolVLM (Idefics 3): its model and its processor."""
    return _idefics(Idefics3Config, Idefics3ImageProcessor)


def smolvlm2() -> tuple[Any, Any]:
    """A tiny SmolVLM2: its model and its processor."""
    return _idefics(SmolVLMConfig, SmolVLMImageProcessor)
