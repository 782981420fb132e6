"""Time and memory of vision-language models: ``python benchmarks/vlm.py``.

On a GPU both default backbones in their real sizes and in bfloat16, elsewhere the tiny ones. The
weights are random and a token is a byte of text, so speed and memory are real and answers are not.

Training: a step (LoRA, two clips, one answer) with frames alone, with ten face tokens of each
adapter, with twice and four times the frames, and with gradient checkpointing: its time, the
prompts' tokens read a second, and the peak of memory. Scoring: clips a second when each of 11 or 43
labels is an answer of a few tokens. Memory is what PyTorch has allocated on the GPU (CUDA itself
takes about half a GB more), else the process's peak, Python and libraries included.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, PaliGemmaConfig, Qwen2_5_VLConfig

from facewave.models.vlm import face_tokens
from facewave.models.vlm.backbones import FACE, FAMILIES, PREFIX, Backbone, Turn
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig, append_answers
from facewave.params import LanguageModelKind, Lora

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
CLIPS, TOKENS, STEPS, WIDTHS = 2, 10, 10, (52,)
QUESTION = "Which emotion does the person show? "  # as long in bytes as the project's in words
ADAPTERS: tuple[face_tokens.AdapterKind, ...] = ("linear", "transformer", "cross")
LABELS = ((11, 3), (43, 6))  # of MAFW, and of its compounds: how many, and tokens of each


class Setting(NamedTuple):
    """What a clip's prompt shows, and whether activations are computed again (checkpointing)."""

    frames: int
    adapter: face_tokens.AdapterKind | None = None
    checkpointing: bool = False


# The first with and the first without checkpointing are what the others are compared with; the
# second shows how much of a difference is noise. One frame stands for a grid of all.
SETTINGS = (
    *(Setting(4), Setting(4), *(Setting(4, adapter) for adapter in ADAPTERS)),
    *(Setting(8), Setting(16), Setting(1, "linear")),
    *(Setting(4, None, True), Setting(4, "linear", True)),
    *(Setting(8, None, True), Setting(16, None, True), Setting(1, "linear", True)),
)


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
    "qwen2.5-vl": qwen2_5_vl,
    "paligemma2": paligemma2,
}


def language_model(kind: LanguageModelKind) -> LanguageModel:
    """A backbone with random weights and LoRA."""
    family = FAMILIES[kind]
    model, processor = family.tiny()
    if GPU:
        config = REAL[kind](model, processor)
        build: Any = AutoModelForImageTextToText.from_config
        with torch.device(DEVICE):
            model = build(config, dtype=torch.bfloat16)
    processor.tokenizer.add_tokens([FACE, PREFIX], special_tokens=True)
    ids = processor.tokenizer.convert_tokens_to_ids([FACE, PREFIX])
    backbone = Backbone(model.eval().requires_grad_(False), processor, family, "", *ids)
    lora = Lora(8, 16, 0.05, ["q_proj", "v_proj"])
    return LanguageModel(
        LanguageModelConfig(kind, "hub", "", "finetune", ("happy", "sad"), lora=lora), backbone
    )


def prompts(model: LanguageModel, setting: Setting) -> dict[str, Tensor]:
    """Of clips of noise."""
    noise = np.random.default_rng(0)
    pictures = list(noise.integers(0, 255, (setting.frames, 224, 224, 3), dtype=np.uint8))
    question = QUESTION + FACE * (TOKENS if setting.adapter else 0)
    inputs = model.backbone.inputs([[Turn(pictures, 3.0, question)]] * CLIPS)
    if setting.adapter:
        numbers = noise.normal(size=(CLIPS, 1, STEPS, sum(WIDTHS)))
        inputs["numbers_nSKD"] = torch.from_numpy(numbers).float()
        inputs["faces_nS"] = torch.ones(CLIPS, 1, dtype=torch.bool)
    return inputs


def to_device(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch where the model is."""
    return {name: torch.as_tensor(x).to(DEVICE) for name, x in inputs.items()}


class Cost:
    """Time (s) and peak of memory (GiB) of what runs ``measured`` by it."""

    def __init__(self) -> None:
        self.seconds, self.peaks = list[float](), list[float]()
        self.fits = True

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure a block; one that needs more memory than there is ends, and is not repeated."""
        if GPU:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")
        start = time.perf_counter()
        try:
            yield
        except torch.OutOfMemoryError:
            self.fits = False
            return
        if GPU:
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - start)
        status = Path("/proc/self/status").read_text("ascii")
        peak = int(status.partition("VmHWM:")[2].split()[0]) * 2**10
        self.peaks.append((torch.cuda.max_memory_allocated() if GPU else peak) / 2**30)

    def settle(self, warm_up: bool) -> None:
        """Give back what a block that did not fit has left; leave out one that warmed up."""
        if not self.fits:
            gc.collect()
            torch.cuda.empty_cache()
        if warm_up:
            self.seconds.clear()
            self.peaks.clear()


def bytes_trained(module: nn.Module) -> int:
    """Of its weights and of AdamW's two moments, in 32 bits."""
    return sum(3 * 4 * weight.numel() for weight in module.parameters() if weight.requires_grad)


def train(model: LanguageModel, rounds: int) -> None:
    """Print what a training step costs in each setting."""
    configs = [
        face_tokens.FaceTokensConfig(kind, STEPS, WIDTHS, TOKENS, model.backbone.hidden)
        for kind in ADAPTERS
    ]
    adapters = {config.kind: face_tokens.FaceTokens(config).to(DEVICE) for config in configs}
    optimizers = {
        kind: torch.optim.AdamW(module.parameters(), lr=1e-5) for kind, module in adapters.items()
    }
    lora = torch.optim.AdamW([x for x in model.parameters() if x.requires_grad], lr=1e-5)
    answers = [model.backbone.answer_ids("happy")] * CLIPS
    batches = [append_answers(prompts(model, setting), answers, 0) for setting in SETTINGS]
    costs = [Cost() for _ in SETTINGS]
    order = np.random.default_rng(0)
    model.train()

    def step(setting: Setting, inputs: dict[str, Tensor], cost: Cost) -> None:
        model.faces = adapters[setting.adapter] if setting.adapter else None
        if setting.checkpointing:
            model.checkpoint_gradients()
        else:
            model.model.activation_checkpointing_disable()
        used = [lora, *([optimizers[setting.adapter]] if setting.adapter else [])]
        with cost.measured():
            with torch.autocast(DEVICE, torch.bfloat16, enabled=GPU):  # as Trainer does
                loss = model(**inputs)["loss"]
            loss.backward()
            for optimizer in used:
                optimizer.step()
        for optimizer in used:
            optimizer.zero_grad()

    for done in range(-1, rounds):
        for at in order.permutation(len(SETTINGS)):
            if costs[at].fits:
                step(SETTINGS[at], to_device(batches[at]), costs[at])
                costs[at].settle(done < 0)
    model.faces = None
    print(f"{'':44} {'tokens':>7} {'ms/step':>8} {'tokens/s':>9} {'GiB':>7} {'time':>7} memory")
    all_bytes = sum(map(bytes_trained, adapters.values()))
    bases: dict[bool, tuple[list[float], list[float]]] = {}
    for setting, inputs, cost in zip(SETTINGS, batches, costs, strict=True):
        again = " again" * (setting.checkpointing in bases and setting == SETTINGS[0])
        name = f"{setting.frames:3} frames{again}, {setting.adapter or 'no'} face tokens"
        name += ", checkpointing" * setting.checkpointing
        read = int(inputs["attention_mask"].sum())
        if not cost.fits:
            print(f"{name:44} {read / CLIPS:7.0f} out of memory")
            continue
        own = bytes_trained(adapters[setting.adapter]) if setting.adapter else 0
        # What the other settings' adapters hold is none of this one's.
        peaks = [peak - GPU * (all_bytes - own) / 2**30 for peak in cost.peaks]
        base = bases.setdefault(setting.checkpointing, (cost.seconds, peaks))
        # Ratios are taken within a round: a machine that others share is slow for minutes.
        times, memory = (
            median(a / b for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in zip((cost.seconds, peaks), base, strict=True)
        )
        spent = median(cost.seconds)
        print(
            f"{name:44} {read / CLIPS:7.0f} {1e3 * spent:8.1f} {read / spent:9.0f} "
            f"{median(peaks):7.3f} {times:7.3f} {memory:6.3f}"
        )


def score(model: LanguageModel, rounds: int) -> None:
    """Print what the likelihoods of all labels cost."""
    model.eval()
    settings = [(frames, labels) for frames in (1, 4) for labels in LABELS]
    costs = [Cost() for _ in settings]
    for done in range(-1, rounds):
        for (frames, (labels, length)), cost in zip(settings, costs, strict=True):
            words = torch.randint(3, 250, (labels, length)).tolist()
            if cost.fits:
                inputs = to_device(prompts(model, Setting(frames)))
                with (
                    cost.measured(),
                    torch.inference_mode(),
                    torch.autocast(DEVICE, torch.bfloat16, enabled=GPU),
                ):
                    model.log_likelihoods(inputs, words)
                cost.settle(done < 0)
    print(f"{'scoring':44} {'clips/s':>7} {'GiB':>7}")
    for (frames, (labels, length)), cost in zip(settings, costs, strict=True):
        name = f"{frames:3} frames, {labels} labels of {length} tokens"
        if cost.fits:
            print(f"{name:44} {CLIPS / median(cost.seconds):7.2f} {median(cost.peaks):7.3f}")
        else:
            print(f"{name:44} out of memory")


def main() -> None:
    """Print two tables for each backbone."""
    parser = argparse.ArgumentParser(description="Time and memory of vision-language models.")
    parser.add_argument("--rounds", type=int, default=10, help="medians are printed")
    rounds = parser.parse_args().rounds
    print(f"{torch.cuda.get_device_name() if GPU else 'CPU, tiny models'}, {CLIPS} clips a step")
    for kind in REAL:
        torch.manual_seed(0)
        model = language_model(kind)
        print(f"\n{kind}: {model.counts()[1] / 1e6:.0f} million parameters, {rounds} rounds")
        train(model, rounds)
        score(model, rounds)


if __name__ == "__main__":
    main()
