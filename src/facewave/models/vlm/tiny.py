"""Small random models of the backbones' own classes, with tokenizer and processor, made in code.

They have learnt nothing, but run all that the real ones run, in seconds on a CPU and without a
download. Their weights follow from one seed.
"""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from transformers import (
    AutoModelForImageTextToText,
    Idefics3Config,
    Idefics3ImageProcessor,
    Idefics3Processor,
    PaliGemmaConfig,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    SiglipImageProcessor,
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
_VISION: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'video' %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_IDEFICS = (
    "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}:"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>"
    "{% else %} {{ part.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def _tokenizer(special: list[str], pad: str, eos: str, bos: str | None = None) -> Any:
    """One token per byte, and the special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {token: i for i, token in enumerate([*special, *alphabet])}
    bytewise = Tokenizer(token_models.BPE(ids, []))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytewise, pad_token=pad, eos_token=eos, bos_token=bos
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer


def _build(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForImageTextToText.from_config(config)


def paligemma2() -> tuple[Any, Any]:
    """A tiny PaliGemma 2: its model and its processor."""
    tokenizer = _tokenizer(["<pad>", "<eos>", "<bos>"], pad="<pad>", eos="<eos>", bos="<bos>")
    pictures: Any = SiglipImageProcessor(size={"height": _SIDE, "width": _SIDE})
    pictures.image_seq_length = (_SIDE // _PATCH) ** 2
    processor = PaliGemmaProcessor(pictures, tokenizer)
    vision = {"model_type": "siglip_vision_model", "num_attention_heads": 2, "image_size": _SIDE}
    config = PaliGemmaConfig(
        vision_config=_VISION | vision | {"patch_size": _PATCH, "projection_dim": HIDDEN},
        text_config=_TEXT
        | {"model_type": "gemma2", "head_dim": 12, "sliding_window": 64}
        | {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2},
        image_token_index=processor.image_token_id,
        projection_dim=HIDDEN,
    )
    return _build(config), processor


def qwen2_5_vl() -> tuple[Any, Any]:
    """A tiny Qwen2.5-VL: its model and its processor."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    special += ["<|image_pad|>", "<|video_pad|>"]
    tokenizer = _tokenizer(special, pad="<|endoftext|>", eos="<|im_end|>")
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    side = 2 * _SIDE  # two merged patches
    size = {"shortest_edge": side * side, "longest_edge": side * side}
    video = Qwen2VLVideoProcessor(size=size)
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=size), tokenizer, video, chat_template=_CHATML
    )
    rope = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 1e4}
    config = Qwen2_5_VLConfig(
        text_config=_TEXT
        | {"rope_parameters": rope}
        | {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]},
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
        | {"patch_size": _PATCH, "out_hidden_size": HIDDEN}
        | {"fullatt_block_indexes": [1], "window_size": 56},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    return _build(config), processor


def smolvlm() -> tuple[Any, Any]:
    """A tiny SmolVLM (Idefics 3): its model and its processor."""
    special = ["<|im_start|>", "<pad>", "<end_of_utterance>", "<fake_token_around_image>"]
    special += ["<image>", "<global-img>"]
    tokenizer = _tokenizer(special, pad="<pad>", eos="<end_of_utterance>")
    ids = dict(zip(special, tokenizer.convert_tokens_to_ids(special), strict=True))
    edge = {"longest_edge": 2 * _SIDE}
    pictures = Idefics3ImageProcessor(size=edge, max_image_size=edge)
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=_IDEFICS)
    vision = {"num_attention_heads": 2, "image_size": 2 * _SIDE, "patch_size": _PATCH}
    config = Idefics3Config(
        text_config=_TEXT | {"model_type": "llama", "pad_token_id": ids["<pad>"]},
        vision_config=_VISION | vision,
        image_token_id=ids["<image>"],
        scale_factor=2,
    )
    return _build(config), processor
