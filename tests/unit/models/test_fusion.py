"""The network over face and voice, whatever is there of either."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from facewave.models.fusion import Fusion, FusionConfig
from facewave.targets import Target
from making import words

FACE, VOICE = 3, 2  # channels
CONFIG = FusionConfig(
    targets=(words("happy", "sad"), Target("valence", "number", ("valence",))),
    tokens="wavelets",
    rate=10.0,
    steps=1,
    face=FACE,
    voice=VOICE,
    hidden=8,
    dropout=0.0,
    layers=2,
    missing=0.5,
)


def network(**changes: Any) -> Fusion:
    torch.manual_seed(0)
    return Fusion(replace(CONFIG, **changes)).eval()


def batch(lengths: list[tuple[int, int]], longest: int = 6) -> dict[str, Tensor]:
    """Clips with so many tokens of the face and of the voice, padded with noise."""
    generator = torch.Generator().manual_seed(1)
    made: dict[str, Tensor] = {}
    for at, (kind, width) in enumerate((("face", FACE), ("voice", VOICE))):
        counts = torch.tensor([counts[at] for counts in lengths])
        made[kind] = torch.randn(len(lengths), longest, width, generator=generator)
        made[f"{kind}_there"] = torch.arange(longest) < counts[:, None]
    return made


def without(kind: str, made: dict[str, Tensor]) -> dict[str, Tensor]:
    return made | {f"{kind}_there": torch.zeros_like(made[f"{kind}_there"])}


@torch.inference_mode()
def test_a_clip_s_outputs_are_its_own_whatever_stands_beside_it() -> None:
    lengths = [(6, 4), (2, 0), (0, 3), (1, 6)]
    model, made = network(), batch(lengths)
    together = model(**made)
    assert together.shape == (4, 2 + 1)
    for row, (faces, voices) in enumerate(lengths):
        counts = {"face": faces, "voice": voices}
        alone = {kind: made[kind][[row], :count] for kind, count in counts.items()}
        alone |= {f"{kind}_there": torch.ones(1, n, dtype=torch.bool) for kind, n in counts.items()}
        torch.testing.assert_close(model(**alone), together[[row]], rtol=1e-4, atol=1e-5)
    assert not together[0].allclose(together[3])


@torch.inference_mode()
def test_what_is_masked_or_missing_changes_nothing_and_what_is_there_does() -> None:
    model, made = network(), batch([(5, 5)])
    whole = model(**made)
    for kind in ("face", "voice"):
        alone = model(**without(kind, made))
        other = without(kind, made) | {kind: torch.randn_like(made[kind])}
        torch.testing.assert_close(model(**other), alone)
        assert not alone.allclose(whole, atol=1e-3)
    some = made | {"face_there": made["face_there"].clone(), "face": made["face"].clone()}
    some["face_there"][:, [0, 4]], some["face"][:, [0, 4]] = False, torch.nan
    torch.testing.assert_close(model(**made | {"face": some["face"]}), model(**some))
    nothing = without("face", without("voice", batch([(5, 5), (5, 5)])))
    outputs = model(**nothing)
    assert outputs.isfinite().all()
    torch.testing.assert_close(outputs[0], outputs[1])


@torch.inference_mode()
def test_order_and_kind_of_tokens_count() -> None:
    model, made = network(face=2), batch([(6, 6)])
    made["face"] = made["face"][:, :, :2]
    whole = model(**made)
    assert not model(**made | {"face": made["face"].flip(1)}).allclose(whole, atol=1e-4)
    # With one projection for both, only the kinds' own codes tell them apart.
    model.project["face"].load_state_dict(model.project["voice"].state_dict())
    exchanged = made | {"face": made["voice"], "voice": made["face"]}
    assert not model(**exchanged).allclose(model(**made), atol=1e-4)


def test_training_leaves_out_one_of_both_for_as_many_clips_as_asked_never_both() -> None:
    made = batch([(6, 6)] * 4000 + [(6, 0)] * 50 + [(0, 6)] * 50, 6)
    there = {kind: made[f"{kind}_there"] for kind in ("face", "voice")}
    for missing in (0.0, 0.3):
        model = network(missing=missing).train()
        draws = []
        for _ in range(2):
            torch.manual_seed(7)
            left = model._without_some(there)
            draws.append(torch.stack([left["face"].any(1), left["voice"].any(1)]))
        assert torch.equal(*draws)  # the seed fixes them
        faces, voices = draws[0]
        assert (faces | voices).all()
        assert faces[4000:4050].all()
        assert voices[4050:].all()
        for lacking in (~faces[:4000], ~voices[:4000]):
            assert lacking.float().mean().item() == pytest.approx(missing / 2, abs=0.025)
    # And forward does so, in training alone.
    for training, differs in ((True, True), (False, False)):
        model.train(training)
        torch.manual_seed(0)
        one, other = (model(**made) for _ in range(2))
        assert one.allclose(other) != differs


def test_every_weight_learns_from_both_and_those_of_one_from_it_alone() -> None:
    model = network(missing=0.0).train()
    model(**batch([(3, 3), (2, 4)])).sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
    model.zero_grad()
    silent = without("voice", batch([(3, 3)]))
    for nothing in (silent["voice"], silent["voice"][:, :0]):
        there = silent["voice_there"][:, : nothing.shape[1]]
        model(**silent | {"voice": nothing, "voice_there": there}).sum().backward()
    of_voice = [weight for name, weight in model.named_parameters() if ".voice" in name]
    assert len(of_voice) == 3
    assert all(weight.grad is None or not weight.grad.any() for weight in of_voice)


def test_it_has_as_many_layers_as_asked_and_works_at_its_real_size() -> None:
    """A layer has 4 H^2 + 4 H of attention, 2 H F + F + H beside it and 4 H of norms, F = 2 H."""
    for hidden, layers in ((8, 1), (8, 6), (64, 6)):
        model = network(hidden=hidden, layers=layers)
        layer = 4 * hidden**2 + 4 * hidden + 4 * hidden**2 + 3 * hidden + 4 * hidden
        ends = (FACE + 1 + VOICE + 1 + 2) * hidden + 2 * hidden + 3 * (hidden + 1)
        assert sum(weight.numel() for weight in model.parameters()) == layers * layer + ends
    model = network(hidden=64, layers=6, dropout=0.3, missing=0.2).train()
    made = batch([(41, 41)] * 15 + [(41, 0)], longest=41)
    model(**made).square().sum().backward()
    gradients = [weight.grad for weight in model.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in gradients)
