"""The configurations of the families' default weights, as they are published.

From them alone parameters and memory can be counted (on torch's meta device), and models of the
real size can be made with random weights, without a download.
"""

from typing import Any

from transformers import (
    Gemma3Config,
    InternVLConfig,
    PaliGemmaConfig,
    Qwen2_5_VLConfig,
    Qwen3VLConfig,
    SmolVLMConfig,
)

_SIGLIP: dict[str, Any] = {  # SigLIP-So400m, with patches of 14 pixels
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "patch_size": 14,
}
_QWEN_TOKENS: dict[str, Any] = {
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
}


def paligemma2() -> Any:
    """google/paligemma2-3b-mix-224: SigLIP-So400m and Gemma 2 of 2.6 billion."""
    text = {"model_type": "gemma2", "hidden_size": 2304, "intermediate_size": 9216}
    text |= {"num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4}
    text |= {"head_dim": 256, "query_pre_attn_scalar": 256, "vocab_size": 257216}
    vision = _SIGLIP | {"image_size": 224, "projection_dim": 2304, "vision_use_head": False}
    return PaliGemmaConfig(
        vision_config=vision, text_config=text, image_token_index=257152, projection_dim=2304
    )


def qwen2_5_vl() -> Any:
    """Qwen/Qwen2.5-VL-3B-Instruct."""
    text: dict[str, Any] = {"hidden_size": 2048, "intermediate_size": 11008}
    text |= {"num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2}
    text |= {"vocab_size": 151936, "max_window_layers": 70}
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    text["rope_parameters"] |= {"mrope_section": [16, 24, 24]}
    vision: dict[str, Any] = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420}
    vision |= {"num_heads": 16, "patch_size": 14, "out_hidden_size": 2048, "window_size": 112}
    vision |= {"fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2}
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=True,
        **_QWEN_TOKENS,
    )


def qwen3_vl() -> Any:
    """Qwen/Qwen3-VL-4B-Instruct."""
    text: dict[str, Any] = {"hidden_size": 2560, "intermediate_size": 9728, "head_dim": 128}
    text |= {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8}
    text |= {"vocab_size": 151936, "max_position_embeddings": 262144}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 5e6, "mrope_interleaved": True}
    text["rope_parameters"] |= {"mrope_section": [24, 20, 20]}
    vision: dict[str, Any] = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096}
    vision |= {"num_heads": 16, "patch_size": 16, "out_hidden_size": 2560}
    vision |= {"deepstack_visual_indexes": [5, 11, 17], "num_position_embeddings": 2304}
    return Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **_QWEN_TOKENS
    )


def gemma3() -> Any:
    """google/gemma-3-4b-it: SigLIP-So400m and a text part of 3.9 billion."""
    text: dict[str, Any] = {"hidden_size": 2560, "intermediate_size": 10240, "head_dim": 256}
    text |= {"num_hidden_layers": 34, "num_attention_heads": 8, "num_key_value_heads": 4}
    text |= {"vocab_size": 262208, "sliding_window": 1024, "query_pre_attn_scalar": 256}
    text["rope_parameters"] = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    vision = _SIGLIP | {"image_size": 896, "vision_use_head": False}
    return Gemma3Config(vision_config=vision, text_config=text)


def internvl3() -> Any:
    """OpenGVLab/InternVL3-2B-hf: InternViT-300M and Qwen2.5 of 1.5 billion."""
    text: dict[str, Any] = {"model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960}
    text |= {"num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2}
    text |= {"vocab_size": 151674, "tie_word_embeddings": False, "rope_parameters": {}}
    text["rope_parameters"] |= {"rope_type": "default", "rope_theta": 1e6}
    return InternVLConfig(text_config=text, tie_word_embeddings=False)


def smolvlm2() -> Any:
    """HuggingFaceTB/SmolVLM2-2.2B-Instruct: SigLIP-So400m and SmolLM2 of 1.7 billion."""
    text: dict[str, Any] = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192}
    text |= {"num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 32}
    text |= {"head_dim": 64, "vocab_size": 49280, "pad_token_id": 2}
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 273768.0}
    vision = _SIGLIP | {"model_type": "smolvlm_vision", "image_size": 384}
    return SmolVLMConfig(
        text_config=text, vision_config=vision, image_token_id=49190, scale_factor=3
    )
