"""Face tokens in tiny random models of both backbones' classes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText, PaliGemmaConfig, Qwen2_5_VLConfig

from facewave.models.face_tokens import Config, FaceTokens, Kind, placed, text_size

FACE, IMAGE, VIDEO, VOCABULARY, HIDDEN = 297, 298, 296, 300, 48
TOKENS, STEPS, WIDTHS = 3, 5, (4, 7)
TEXT = dict(hidden_size=HIDDEN, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, vocab_size=VOCABULARY)  # fmt: skip
WORDS = [5, 6, 7, 8]


build: Any = AutoModelForImageTextToText.from_config


def paligemma2() -> tuple[nn.Module, dict[str, Tensor]]:
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    config = PaliGemmaConfig(
        vision_config=vision | {"projection_dim": HIDDEN},
        text_config=TEXT | {"model_type": "gemma2", "head_dim": 12},
        image_token_index=IMAGE,
        projection_dim=HIDDEN,
    )
    ids = torch.tensor([[IMAGE] * 4 + [FACE] * TOKENS + WORDS])
    inputs = {"input_ids": ids, "pixel_values": torch.randn(1, 3, 28, 28)}
    return build(config).eval(), inputs


def qwen2_5_vl() -> tuple[nn.Module, dict[str, Tensor]]:
    vision: dict[str, Any] = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
    }
    vision |= {"patch_size": 14, "out_hidden_size": HIDDEN, "fullatt_block_indexes": [1]}
    vision |= {"window_size": 56}
    rope = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 1e4}
    config = Qwen2_5_VLConfig(
        text_config=TEXT | {"rope_parameters": rope, "bos_token_id": 1, "eos_token_id": 2},
        vision_config=vision,
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=294,
        vision_end_token_id=295,
    )
    ids = torch.tensor([[294] + [VIDEO] * 8 + [295] + [FACE] * TOKENS + WORDS])
    inputs = {
        "input_ids": ids,
        "pixel_values_videos": torch.randn(32, 3 * 2 * 14 * 14),
        "video_grid_thw": torch.tensor([[2, 4, 4]]),
        "mm_token_type_ids": (ids == VIDEO).int() * 2,
    }
    return build(config).eval(), inputs


@pytest.fixture(params=[paligemma2, qwen2_5_vl], ids=["paligemma2", "qwen2.5-vl"], scope="module")
def made(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Tensor]]:
    torch.manual_seed(0)
    backbone, inputs = request.param()
    return backbone, inputs | {"attention_mask": torch.ones_like(inputs["input_ids"])}


def adapter(kind: Kind = "linear") -> FaceTokens:
    torch.manual_seed(1)
    return FaceTokens(Config(kind, STEPS, WIDTHS, TOKENS, HIDDEN)).eval()


NUMBERS = torch.randn(1, STEPS, sum(WIDTHS), generator=torch.Generator().manual_seed(2))
SEEN = torch.tensor([True])


def logits(made: tuple[Any, dict[str, Tensor]], tokens: Tensor) -> Tensor:
    backbone, inputs = made
    with placed(backbone, FACE, tokens):
        return backbone(**inputs).logits[0, -1]


def test_without_the_hook_the_model_is_the_stock_one(made: tuple[Any, dict[str, Tensor]]) -> None:
    backbone, inputs = made
    before = backbone(**inputs).logits
    logits(made, adapter()(NUMBERS, SEEN))
    assert torch.equal(backbone(**inputs).logits, before)


@pytest.mark.parametrize("kind", ["linear", "transformer"])
def test_other_numbers_and_another_order_of_them_give_other_logits(
    made: tuple[Any, dict[str, Tensor]], kind: Kind
) -> None:
    module = adapter(kind)
    own = logits(made, module(NUMBERS, SEEN))
    assert not torch.allclose(own, logits(made, module(NUMBERS + 1, SEEN)), atol=1e-5)
    assert not torch.allclose(own, logits(made, module(NUMBERS.flip(1), SEEN)), atol=1e-5)
    absent = logits(made, module(NUMBERS, ~SEEN))
    assert not torch.allclose(own, absent, atol=1e-5)
    assert torch.equal(absent, logits(made, module(torch.full_like(NUMBERS, torch.nan), ~SEEN)))


@pytest.mark.parametrize("kind", ["linear", "transformer"])
def test_gradients_reach_all_of_the_adapter(
    made: tuple[Any, dict[str, Tensor]], kind: Kind
) -> None:
    module = adapter(kind)
    both = torch.cat([NUMBERS, NUMBERS])
    tokens = module(both, torch.tensor([True, False]))
    torch.stack([logits(made, one[None]).square().sum() for one in tokens]).sum().backward()
    grads = {name: parameter.grad for name, parameter in module.named_parameters()}
    assert [name for name, grad in grads.items() if grad is None or not grad.abs().sum() > 0] == []


def test_tokens_have_the_size_of_the_text(made: tuple[Any, dict[str, Tensor]]) -> None:
    backbone, _ = made
    module = adapter()
    module.size.copy_(text_size(backbone.get_input_embeddings(), VOCABULARY))
    tokens = module(1000 * NUMBERS, SEEN)
    words = backbone.get_input_embeddings()(torch.tensor([WORDS]))
    assert tokens.pow(2).mean().sqrt().item() == pytest.approx(
        words.pow(2).mean().sqrt().item(), rel=0.2
    )


def test_generation_goes_on_from_the_cache(made: tuple[Any, dict[str, Tensor]]) -> None:
    backbone, inputs = made
    with placed(backbone, FACE, adapter()(NUMBERS, SEEN)):
        how = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None}
        cached = backbone.generate(**inputs, **how, use_cache=True)
        assert torch.equal(cached, backbone.generate(**inputs, **how, use_cache=False))


def test_as_many_places_as_tokens(made: tuple[Any, dict[str, Tensor]]) -> None:
    with pytest.raises(ValueError, match="2 face tokens for each of 1 prompts, but \\[3\\] places"):
        logits(made, adapter()(NUMBERS, SEEN)[:, :2])
