"""Memory that is counted without a GPU: against a real step, and against counting by hand."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facewave.models.vlm import memory, model
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.families import FAMILIES
from facewave.models.vlm.memory import Memory
from facewave.models.vlm.model import (
    Inputs,
    LanguageModel,
    LanguageModelConfig,
    append_answers,
)
from facewave.params import Language, LanguageModelKind, Lora
from facewave.params import load as load_params
from making_language import KINDS, answers_of, inputs_of, language_model
from running import ROOT

SETTINGS: Language = replace(load_params(ROOT / "params.yaml").train.language, face_tokens=0)


def really_saved(model: LanguageModel, batch: Inputs) -> int:
    """Bytes of all that a forward pass keeps for the backward pass, but for weights."""
    weights = {x.untyped_storage()._cdata for x in [*model.parameters(), *model.buffers()]}
    saved: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(**batch)["loss"]
    loss.backward()
    return sum(storage.nbytes() for storage in saved.values())


def test_what_is_counted_is_what_a_real_step_saves(kind: LanguageModelKind) -> None:
    language = language_model(kind, lora=True).train()
    batch = append_answers(inputs_of(language), answers_of(language)[:2], language.backbone)
    real = really_saved(language, batch)
    language.to("meta")
    counted = memory.of_step(language, batch)
    given = sum(tensor.nbytes for tensor in batch.values())
    assert real <= counted.kept <= real + given + 1000  # the batch itself is there, too
    assert 0 < counted.working < counted.kept / 2
    own, total = language.counts()
    assert counted.trained == 16 * own
    assert counted.weights == 4 * (total - own)


def test_on_large_gpus_paligemma_learns_with_fused_attention(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    language = language_model("tiny-paligemma2")
    attention = language.model.get_decoder().config
    for device, shared, learning in (
        ("cpu", 232448, "eager"),
        ("meta", 101376, "eager"),
        ("meta", 232448, "flex_attention"),
    ):
        gpu = SimpleNamespace(shared_memory_per_block_optin=shared)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda gpu=gpu: gpu)
        language.to(device)
        for mode, expected in ((True, learning), (False, "eager")):
            language.train(mode)
            assert attention._attn_implementation == expected


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> LanguageModelKind:
    return request.param


def short(name: str, layers: int, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have a family's published configuration with fewer layers."""
    family = FAMILIES[name]

    def published() -> Any:
        config: Any = family.published() if family.published else None
        config.text_config.num_hidden_layers = layers
        config.text_config.layer_types = config.text_config.layer_types[:layers]
        for depth in ("depth", "num_hidden_layers"):
            if hasattr(config.vision_config, depth):
                setattr(config.vision_config, depth, 1)
        return config

    monkeypatch.setitem(FAMILIES, name, replace(family, published=published, **changes))


def a_layer(
    name: LanguageModelKind,
    settings: Language,
    monkeypatch: pytest.MonkeyPatch,
    count: Callable[..., Memory] = memory.of_training,
    **changes: Any,
) -> Memory:
    """What one more layer takes."""
    found = []
    for layers in (2, 3):
        with monkeypatch.context() as patch:
            short(name, layers, patch, **changes)
            found.append(count(name, settings))
    less, more = (vars(each) for each in found)
    return Memory(**{part: more[part] - less[part] for part in more})


def test_a_layer_of_paligemma_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clips of four pictures."""
    tokens = 2 * (4 * 256 + 77)  # memory.WORDS, "answer en", an answer, a few marks
    plain = replace(SETTINGS, checkpointing="never")
    eager = a_layer("paligemma2", plain, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(model, "flex_attention_fits", lambda: True)
        fused = a_layer("paligemma2", plain, patch)
    again = a_layer("paligemma2", replace(SETTINGS, checkpointing="always"), monkeypatch)
    # Of 8 heads, each pair of tokens: a tanh in 16 bits, a softmax in 32 and in 16.
    pairs = 2 * (tokens // 2) ** 2 * 8 * (2 + 4 + 2)
    assert eager.kept - fused.kept == pytest.approx(pairs, rel=0.05)
    assert eager.kept == pytest.approx(426 * 2**20 * (tokens / 2240) ** 1.4, rel=0.05)
    assert again.kept == pytest.approx(tokens * 2304 * 2, rel=0.01)  # the layer's input
    assert fused.trained == (2304 * 2 + 2048 + 1024) * 8 * 16  # LoRA of queries and values
    prefix = a_layer("paligemma2", replace(SETTINGS, prefix=8), monkeypatch)
    assert prefix.kept > eager.kept  # its hooks and recomputing do not go together
    weights = 2304 * (2 * 2048 + 2 * 1024) + 3 * 2304 * 9216 + 4 * 2304
    assert fused.weights == 2 * weights


def test_a_layer_of_paligemma_in_4_bits_and_its_caches_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = a_layer("paligemma2", replace(SETTINGS, quantized=True), monkeypatch)
    weights = 2304 * (2 * 2048 + 2 * 1024) + 3 * 2304 * 9216
    assert packed.weights == pytest.approx(weights * 4.127 / 8 + 4 * 2304 * 2, rel=0.001)
    tokens = SETTINGS.inference_batch_size * (4 * 256 + 77)
    # Each clip is read once, and its keys and values are copied for eight labels.
    cached = a_layer("paligemma2", SETTINGS, monkeypatch, memory.of_answering)
    assert cached.working == pytest.approx(9 * tokens * 2 * 4 * 256 * 2, rel=0.1)


def test_a_layer_of_qwen_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (
        a_layer("qwen2.5-vl", replace(SETTINGS, frames=n, side=280), monkeypatch) for n in (4, 8)
    )
    tokens = 2 * 2 * 10 * 10  # two clips, two more pairs of frames
    assert 36 * (many.kept - few.kept) == pytest.approx(4.2e6 * tokens, rel=0.15)
    assert few.weights == many.weights


def test_pictures_are_as_many_tokens_as_for_the_real_models() -> None:
    """Of four pictures of 224 x 224; Qwen's come in pairs."""
    tokens: dict[LanguageModelKind, int] = {
        "paligemma2": 4 * 256,
        "gemma3": 4 * 256,
        "qwen2.5-vl": 2 * (224 // 28) ** 2,
        "qwen3-vl": 2 * (224 // 32) ** 2,
        "internvl3": 4 * 256,
        "smolvlm2": 4 * 81,
    }
    assert set(tokens) == {name for name, family in FAMILIES.items() if family.published}
    clip = Turn([np.zeros((224, 224, 3), np.uint8)] * 4, 2.0, "Who?")
    for kind, expected in tokens.items():
        ids = memory.life_size(kind, "meta").inputs([[clip]])["input_ids"]
        assert ids.unique(return_counts=True)[1].max() == expected, kind


def trained(name: LanguageModelKind, rank: int, targets: Any) -> tuple[int, int, int]:
    """Counts of LoRA's numbers and modules, and of all numbers of a model of the real size."""
    lora = Lora(rank, 16, 0.0, targets)
    config = LanguageModelConfig(name, "hub", "", "finetune", (), lora=lora)
    with torch.device("meta"):
        language = LanguageModel(config, memory.life_size(name, "meta"))
    modules = sum(hasattr(module, "lora_A") for module in language.modules())
    own, all_of_it = language.counts()
    return own, modules, all_of_it - own


@pytest.mark.parametrize(
    ("name", "rank", "targets", "millions", "modules", "total"),
    [
        ("qwen2.5-vl", 8, "attention", 1.84, 72, 3754.6),
        ("qwen2.5-vl", 16, "attention", 3.69, 72, 3754.6),
        ("qwen2.5-vl", 64, "all", 119.73, 252, 3754.6),
        ("paligemma2", 8, "attention", 1.60, 52, 3032.2),
        ("paligemma2", 16, "attention", 3.19, 52, 3032.2),
    ],
)
def test_presets_of_lora_on_models_of_the_real_size(
    name: LanguageModelKind, rank: int, targets: str, millions: float, modules: int, total: float
) -> None:
    own, found, all_of_it = trained(name, rank, targets)
    assert own / 1e6 == pytest.approx(millions, abs=0.005)
    assert found == modules
    assert all_of_it / 1e6 == pytest.approx(total, abs=0.05)


def test_a_model_whose_size_is_unknown_is_not_counted() -> None:
    with pytest.raises(ValueError, match="configuration of smolvlm is not known"):
        memory.of_training("smolvlm", SETTINGS)
