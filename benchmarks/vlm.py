"""What face tokens cost beside frames: ``python benchmarks/vlm.py``.

On a GPU both default backbones in their real sizes and bfloat16, elsewhere the tiny ones; the
weights are random, and a token is a byte of text. A training step (LoRA, face tokens, two clips,
one answer) with four frames and no face tokens, with ten face tokens, and with twice and four times
the frames: its time, the tokens read a second, and the peak of memory (the GPU's, else that of the
process, Python and libraries included).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForImageTextToText, PaliGemmaConfig, Qwen2_5_VLConfig

from facewave.models.vlm import face_tokens
from facewave.models.vlm.backbones import FACE, FAMILIES, PREFIX, Backbone, Turn
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig, append_answers
from facewave.params import LanguageModelKind, Lora

GPU = torch.cuda.is_available()
CLIPS, TOKENS, STEPS, WIDTHS = 2, 10, 10, (52,)
QUESTION = "Which emotion does the person show? "  # as long in bytes as the project's in words
# Frames, and face tokens; the first is what the others are compared with.
SETTINGS = ((4, 0), (4, TOKENS), (8, 0), (16, 0))


def paligemma2(model: Any, processor: Any) -> Any:
    """google/paligemma2-3b-mix-448: SigLIP-So400m and Gemma 2 of 2.6 billion."""
    processor.image_processor.size = {"height": 448, "width": 448}
    processor.image_processor.image_seq_length = processor.image_seq_length = 1024
    text: dict[str, Any] = {"model_type": "gemma2", "hidden_size": 2304, "intermediate_size": 9216}
    text |= {"num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4}
    text |= {"head_dim": 256, "query_pre_attn_scalar": 256, "vocab_size": 257216}
    vision: dict[str, Any] = {
        "model_type": "siglip_vision_model",
        "hidden_size": 1152,
        "intermediate_size": 4304,
    }
    vision |= {"num_hidden_layers": 27, "num_attention_heads": 16, "patch_size": 14}
    vision |= {"image_size": 448, "projection_dim": 2304}
    token = model.config.image_token_id
    return PaliGemmaConfig(
        vision_config=vision, text_config=text, image_token_index=token, projection_dim=2304
    )


def qwen2_5_vl(model: Any, processor: Any) -> Any:
    """Qwen/Qwen2.5-VL-3B-Instruct."""
    processor.video_processor.size = {"shortest_edge": 3136, "longest_edge": 12845056}
    own = model.config
    text = own.text_config.to_dict() | {"hidden_size": 2048, "intermediate_size": 11008}
    text |= {"num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2}
    text |= {"vocab_size": 151936, "layer_types": None, "max_window_layers": 70}
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    text["rope_parameters"] |= {"mrope_section": [16, 24, 24]}
    vision: dict[str, Any] = {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
    }
    vision |= {"patch_size": 14, "out_hidden_size": 2048, "window_size": 112}
    vision |= {"fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2}
    tokens = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    named: dict[str, Any] = {name: getattr(own, name) for name in tokens}
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **named
    )


REAL: dict[LanguageModelKind, Callable[[Any, Any], Any]] = {
    "paligemma2": paligemma2,
    "qwen2.5-vl": qwen2_5_vl,
}


def language_model(kind: LanguageModelKind) -> LanguageModel:
    """A backbone with random weights, LoRA and face tokens."""
    family = FAMILIES[kind]
    model, processor = family.tiny()
    if GPU:
        config = REAL[kind](model, processor)
        build: Any = AutoModelForImageTextToText.from_config
        with torch.device("cuda"):
            model = build(config, dtype=torch.bfloat16)
    processor.tokenizer.add_tokens([FACE, PREFIX], special_tokens=True)
    backbone = Backbone(model.eval().requires_grad_(False), processor, family, "")
    faces = face_tokens.FaceTokensConfig("transformer", STEPS, WIDTHS, TOKENS, backbone.hidden)
    lora = Lora(8, 16, 0.05, ["q_proj", "v_proj"])
    return LanguageModel(
        LanguageModelConfig(kind, "hub", "", "finetune", ("happy", "sad"), faces=faces, lora=lora),
        backbone,
    )


def batch(model: LanguageModel, frames: int, tokens: int) -> dict[str, torch.Tensor]:
    """Clips of noise with their answers."""
    noise = np.random.default_rng(0)
    pictures = list(noise.integers(0, 255, (frames, 224, 224, 3), dtype=np.uint8))
    turn = Turn(pictures, 3.0, QUESTION + FACE * tokens)
    answers = [model.bare.answer_ids("happy")] * CLIPS
    made = append_answers(model.bare.inputs([[turn]] * CLIPS), answers, 0)
    if tokens:
        made["numbers_nSKD"] = torch.from_numpy(noise.normal(size=(CLIPS, 1, STEPS, sum(WIDTHS))))
        made["numbers_nSKD"] = made["numbers_nSKD"].float()
        made["faces_nS"] = torch.ones(CLIPS, 1, dtype=torch.bool)
    device = "cuda" if GPU else "cpu"
    return {name: torch.as_tensor(x).to(device) for name, x in made.items()}


def begin() -> float:
    """From here on the peak of memory counts."""
    if GPU:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")
    return time.perf_counter()


def end(start: float) -> tuple[float, float]:
    """Seconds since, and the peak in GiB."""
    if GPU:
        torch.cuda.synchronize()
        return time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**30
    spent = time.perf_counter() - start
    status = Path("/proc/self/status").read_text("ascii")
    return spent, int(status.partition("VmHWM:")[2].split()[0]) / 2**20


def main() -> None:
    """Print a table for each backbone."""
    parser = argparse.ArgumentParser(description="What face tokens cost beside frames.")
    parser.add_argument("--rounds", type=int, default=5, help="medians are printed")
    rounds = parser.parse_args().rounds
    print(f"{torch.cuda.get_device_name() if GPU else 'CPU, tiny models'}, {CLIPS} clips a step")
    for kind in REAL:
        torch.manual_seed(0)
        model = language_model(kind)
        model.train()
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=1e-5)
        batches = {(frames, tokens): batch(model, frames, tokens) for frames, tokens in SETTINGS}
        module = model.faces
        found = {setting: list[tuple[float, float]]() for setting in SETTINGS}
        for done in range(-1, rounds):  # the first warms up
            for setting, inputs in batches.items():
                model.faces = module if setting[1] else None
                start = begin()
                model(**inputs)["loss"].backward()
                optimizer.step()
                optimizer.zero_grad()
                measured = end(start)
                if done >= 0:
                    found[setting].append(measured)
        print(f"\n{kind}: {model.counts()[1] / 1e6:.0f} million parameters, {rounds} rounds")
        print(f"{'':26} {'tokens':>7} {'ms/step':>8} {'tokens/s':>9} {'GiB':>6} {'time':>6} memory")
        base = found[SETTINGS[0]]
        for frames, tokens in SETTINGS:
            own, read = found[frames, tokens], int(batches[frames, tokens]["attention_mask"].sum())
            spent, peak = (median(one[i] for one in own) for i in (0, 1))
            # Ratios are taken within a round: a machine that others share is slow for minutes.
            times, more = (
                median(a[i] / b[i] for a, b in zip(own, base, strict=True)) for i in (0, 1)
            )
            print(
                f"{frames:3} frames, {tokens:2} face tokens {read / CLIPS:7.0f} {1e3 * spent:8.1f} "
                f"{read / spent:9.0f} {peak:6.2f} {times:6.2f} {more:6.2f}"
            )


if __name__ == "__main__":
    main()
