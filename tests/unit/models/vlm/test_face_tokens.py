"""Face tokens alone, and their places in the tiny backbones."""

from typing import Any

import pytest
import torch
from torch import Tensor

from facewave.models.vlm.backbones import Backbone, load
from facewave.models.vlm.face_tokens import (
    AdapterKind,
    FaceTokens,
    FaceTokensConfig,
    placed,
    text_size,
)
from facewave.models.vlm.tiny import HIDDEN
from making_language import KINDS, PLACES, STEPS, TOKENS, WIDTHS, numbers_of, turn

ADAPTERS: tuple[AdapterKind, ...] = ("linear", "transformer", "cross")
NUMBERS = numbers_of(2)[:, 0]
SEEN = torch.tensor([True, True])
PICTURED = ("image_token_id", "video_token_id")  # what configurations call the pictures' tokens
CONTEXT = torch.randn(2, 6, HIDDEN, generator=torch.Generator().manual_seed(3))
IS_TEXT = torch.tensor([[False, False, True, True, True, True], [True] * 6])


def adapter(kind: AdapterKind = "linear") -> FaceTokens:
    torch.manual_seed(1)
    return FaceTokens(FaceTokensConfig(kind, STEPS, WIDTHS, TOKENS, HIDDEN)).eval()


def test_only_cross_looks_at_the_context_and_never_at_padding() -> None:
    there, padding = CONTEXT.clone(), CONTEXT.clone()
    there[0, 3] += 1
    padding[0, 1] += 1e3
    for kind in ADAPTERS:
        module = adapter(kind)
        tokens = module(NUMBERS, SEEN, CONTEXT, IS_TEXT)
        assert tokens.shape == (2, TOKENS, HIDDEN)
        assert torch.equal(tokens, module(NUMBERS, SEEN, padding, IS_TEXT))
        moved = (tokens != module(NUMBERS, SEEN, there, IS_TEXT)).flatten(1).any(1)
        assert moved.tolist() == [kind == "cross", False]
    with pytest.raises(ValueError, match="the adapter cross needs a context and its mask"):
        adapter("cross")(NUMBERS, SEEN)


@pytest.fixture(params=KINDS, scope="module")
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return load(request.param, "hub")


def test_tokens_have_the_size_of_the_text(backbone: Backbone) -> None:
    module = adapter()
    embedding, tokenizer = backbone.model.get_input_embeddings(), backbone.processor.tokenizer
    module.size.copy_(text_size(embedding, len(tokenizer)))
    words = embedding(torch.tensor(tokenizer("What does it show?")["input_ids"]))
    size, expected = (x.pow(2).mean().sqrt().item() for x in (module(1000 * NUMBERS, SEEN), words))
    assert size == pytest.approx(expected, rel=0.2)


def test_hooks_put_as_many_tokens_as_placeholders_and_go_away(backbone: Backbone) -> None:
    inputs = backbone.inputs([[turn()], [turn("Who is it?" + PLACES)]])
    before = backbone.model(**inputs).logits
    tokens = torch.randn(2, TOKENS, HIDDEN)
    seen: list[Tensor] = []
    decoded: list[Tensor] = []

    def get_tokens(read_nLH: Tensor) -> Tensor:
        seen.append(read_nLH)
        return tokens

    def look(_: object, __: object, named: dict[str, Tensor]) -> None:
        decoded.append(named["inputs_embeds"])

    with placed(backbone.model, backbone.face_id, get_tokens):
        after = backbone.model.get_decoder().register_forward_pre_hook(look, with_kwargs=True)
        assert not torch.allclose(backbone.model(**inputs).logits, before, atol=1e-3)
        after.remove()
    assert torch.equal(backbone.model(**inputs).logits, before)
    [read_nLH], places_nL = seen, inputs["input_ids"] == backbone.face_id
    [with_faces] = decoded
    assert torch.equal(with_faces[places_nL].unflatten(0, (2, TOKENS)), tokens)
    assert torch.equal(with_faces[~places_nL], read_nLH[~places_nL])
    text = backbone.model.get_input_embeddings()(inputs["input_ids"])
    shown = [getattr(backbone.model.config, name, -1) for name in PICTURED]
    pictured_nL = torch.isin(inputs["input_ids"], torch.tensor(shown))
    assert pictured_nL.any()
    assert torch.equal(~torch.isclose(read_nLH, text).all(2), pictured_nL)
    with (
        pytest.raises(ValueError, match=r"2 face tokens for each of 1 prompts, but \[3\] place"),
        placed(backbone.model, backbone.face_id, lambda *_: torch.ones(1, 2, HIDDEN)),
    ):
        backbone.model(**backbone.inputs([[turn()]]))
    hooked: Any = (backbone.model.get_decoder(), backbone.model.get_input_embeddings())
    assert not any(module._forward_pre_hooks for module in hooked)
