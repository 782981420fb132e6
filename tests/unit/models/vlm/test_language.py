"""The language model on all tiny backbones: it is the stock one until something is added."""

from collections.abc import Sequence
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Cache

from facewave.errors import UserError
from facewave.models.vlm.backbones import load
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.face_tokens import AdapterKind
from facewave.models.vlm.model import (
    IGNORED,
    LanguageModel,
    LanguageModelConfig,
    append_answers,
)
from facewave.models.vlm.positions import positions
from facewave.models.vlm.prefix import prefixed
from facewave.params import LanguageModelKind, Lora
from making_language import (
    KINDS,
    PAIR,
    PLACES,
    TOKENS,
    WORDS,
    answers_of,
    inputs_of,
    language_model,
    numbers_of,
    turn,
)

# Where families cannot differ: one that reads prompts in both directions, and one with positions.
FEW: tuple[LanguageModelKind, ...] = ("tiny-paligemma2", "tiny-qwen2.5-vl")
ADAPTED: list[tuple[LanguageModelKind, AdapterKind]] = [
    *((kind, "linear") for kind in KINDS),
    *((kind, "transformer") for kind in FEW),
    *((kind, "cross") for kind in FEW),
]
# What is added to a backbone, each alone and all at once.
ADDED: dict[str, dict[str, Any]] = {
    "tokens": {},
    "everything": {"adapter": "cross", "lora": True, "prefix": 4, "projector": True},
}
PLAIN = ([turn("Who?")], [turn("And how does this one feel?", seed=1)])
EXTRA = ("numbers_nSKD", "faces_nS")
NEAR: dict[str, Any] = {"atol": 1e-4, "rtol": 0}  # of scores down to -200, in single precision


def pair_of(model: LanguageModel) -> Sequence[Sequence[Turn]]:
    return PAIR if model.faces else PLAIN


def loss(model: LanguageModel, inputs: dict[str, Tensor], answers: Sequence[list[int]]) -> Tensor:
    return model(**append_answers(inputs, answers, model.backbone))["loss"]


def alone(inputs: dict[str, Tensor], model: LanguageModel, at: int) -> dict[str, Tensor]:
    """One conversation of a batch by itself, without padding."""
    faces = {name: x[at : at + 1] for name, x in inputs.items() if name in EXTRA}
    return model.backbone.inputs([pair_of(model)[at]]) | faces


def spell(model: LanguageModel) -> None:
    """Make it write letters, and nothing else."""
    letters = model.backbone.processor.tokenizer.convert_tokens_to_ids(list(ascii_letters))
    weight = model.model.get_output_embeddings().weight
    others = torch.ones(len(weight), dtype=torch.bool)
    others[letters] = False
    weight[others] = 0


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> LanguageModelKind:
    return request.param


@pytest.fixture(params=ADDED)
def model(request: pytest.FixtureRequest, kind: LanguageModelKind) -> LanguageModel:
    return language_model(kind, **ADDED[request.param])


@torch.inference_mode()
def test_what_adds_nothing_is_the_stock_model_and_no_hook_stays(kind: LanguageModelKind) -> None:
    model, stock = language_model(kind, adapter=None), load(kind, "hub")
    inputs = model.backbone.inputs(PLAIN[:1])
    given = model.log_likelihoods(inputs, answers_of(model))
    for answer, found in zip(answers_of(model), given[0], strict=True):
        by_hand = torch.zeros(())
        for at, token in enumerate(answer):
            so_far = append_answers(inputs, [answer[:at]], stock) if at else dict(inputs)
            so_far.pop("labels", None)
            so_far |= positions(stock.model, so_far)
            logits = stock.model(**so_far, use_cache=False).logits[0, -1]
            by_hand += logits.log_softmax(-1)[token]
        torch.testing.assert_close(found, by_hand, **NEAR)
    plain = stock.inputs(PLAIN)
    logits = stock.model(**plain).logits
    fresh, changed = (
        language_model(kind, adapter=None, lora=True, disturbed=d) for d in (False, True)
    )
    assert torch.equal(fresh.model(**plain).logits, logits)
    assert not torch.allclose(changed.model(**plain).logits, logits, atol=1e-3)
    model = language_model(kind, adapter="cross", prefix=4)
    inputs = inputs_of(model)
    model.log_likelihoods(inputs, answers_of(model))
    model.write(inputs, 2)
    loss(model, inputs, answers_of(model)[:2])
    assert torch.equal(model.model(**plain).logits, logits)


@torch.inference_mode()
def test_answers_that_have_begun_are_scored_as_parts_of_the_whole(model: LanguageModel) -> None:
    inputs, answers = inputs_of(model, pair_of(model)), answers_of(model)
    starts = [model.backbone.answer_ids(text)[:-1] for text in ("Why", "It rains, so")]
    given = model.log_likelihoods(inputs, answers, starts)
    for at, start in enumerate(starts):
        single = alone(inputs, model, at)
        before = -loss(model, single, [start])
        for code, answer in enumerate(answers):
            together = -loss(model, single, [start + answer])
            torch.testing.assert_close(given[at, code], together - before, **NEAR)


@torch.inference_mode()
@pytest.mark.parametrize("kind", FEW)
def test_many_labels_are_scored_a_few_at_a_time(
    kind: LanguageModelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    language, copies = language_model(kind), list[int]()
    inputs, answers = inputs_of(language), answers_of(language) * 7
    repeat = Cache.batch_repeat_interleave

    def counted(cache: Cache, repeats: int) -> None:
        copies.append(repeats)
        repeat(cache, repeats)

    monkeypatch.setattr(Cache, "batch_repeat_interleave", counted)
    found = language.log_likelihoods(inputs, answers)
    assert sum(copies) == len(answers)
    assert max(copies) <= 8
    once = language.log_likelihoods(inputs, answers_of(language))
    torch.testing.assert_close(found, once.repeat(1, 7), **NEAR)


@torch.inference_mode()
@pytest.mark.parametrize("kind", FEW)
def test_near_answers_do_not_tie_in_16_bits(kind: LanguageModelKind) -> None:
    language = language_model(kind, adapter=None, half=True, disturbed=False)
    inputs = {
        name: x.to(torch.bfloat16) if name.startswith("pixel_values") else x
        for name, x in inputs_of(language, PLAIN).items()
    }
    letters = [[token] for token in range(40, 80)]  # of one token each
    with torch.autocast("cpu", torch.bfloat16):  # as on a GPU
        scores_nC = language.log_likelihoods(inputs, letters)
    assert scores_nC.dtype == torch.float32
    assert all(len(set(row)) == len(letters) for row in scores_nC.tolist())
    rounded_nC = language.model(**inputs).logits[:, -1, 40:80].log_softmax(1)
    assert any(len(set(row)) < len(letters) for row in rounded_nC.tolist())


@torch.inference_mode()
def test_a_clip_is_answered_alike_alone_in_a_batch_and_uncached(model: LanguageModel) -> None:
    inputs, answers = inputs_of(model, pair_of(model)), answers_of(model)
    cached_nC = model.log_likelihoods(inputs, answers)
    assert cached_nC.shape == (2, len(WORDS))
    assert (cached_nC[0] - cached_nC[1]).abs().max() > 1e-3
    for code, answer in enumerate(answers):
        whole = [-loss(model, alone(inputs, model, at), [answer]) for at in (0, 1)]
        torch.testing.assert_close(cached_nC[:, code], torch.stack(whole), **NEAR)
    # Answers of two lengths in one batch: a mean over clips.
    both = -loss(model, inputs, [answers[0], answers[2]])
    torch.testing.assert_close(both, (cached_nC[0, 0] + cached_nC[1, 2]) / 2, **NEAR)
    assert (inputs["attention_mask"] == 0).any()
    spell(model)
    texts = model.write(inputs, 5)
    assert [len(text) for text in texts] == [5, 5]
    assert texts == [model.write(alone(inputs, model, at), 5)[0] for at in (0, 1)]
    model.model.generation_config.use_cache = False
    assert model.write(inputs, 5) == texts


@torch.inference_mode()
def test_a_regression_reads_the_same_alone_in_a_batch_and_loaded(kind: LanguageModelKind) -> None:
    added: dict[str, Any] = {"lora": True, "prefix": 4, "targets": ("valence", "arousal")}
    model, fresh = (language_model(kind, "cross", disturbed=d, **added) for d in (True, False))
    assert model.head
    model.head.fit(torch.tensor([[3.0, 0.0], [5.0, 0.0], [9.0, 1.0]]))
    inputs = inputs_of(model)
    values_nT = model.values(inputs)
    assert values_nT.shape == (2, 2)
    torch.testing.assert_close(model(**inputs)["values"], values_nT)
    each = torch.cat([model.values(alone(inputs, model, at)) for at in (0, 1)])
    torch.testing.assert_close(each, values_nT, **NEAR)
    fresh.load_trained(model.trained())
    assert torch.equal(fresh.values(inputs), values_nT)
    plain = language_model(kind, adapter=None)
    with pytest.raises(ValueError, match="without labels there is no loss"):
        plain(**plain.backbone.inputs(PLAIN))
    with pytest.raises(ValueError, match="the model has no regression head"):
        plain.values(plain.backbone.inputs(PLAIN))


@torch.inference_mode()
@pytest.mark.parametrize(("kind", "adapter"), ADAPTED)
def test_answers_follow_every_face_shown(kind: LanguageModelKind, adapter: AdapterKind) -> None:
    model = language_model(kind, adapter)
    numbers, answers = numbers_of(2), answers_of(model)
    absent = torch.tensor([[False], [True]])

    def scores(numbers: Tensor, faces: Tensor | None = None) -> Tensor:
        return model.log_likelihoods(inputs_of(model, PAIR, numbers, faces), answers)

    own = scores(numbers)
    assert (own - scores(numbers + 1)).abs().amax(1).min() > 1e-3
    assert (own - scores(numbers.flip(2))).abs().amax(1).min() > 1e-3
    without = scores(torch.where(absent[..., None, None], numbers, torch.nan), absent)
    assert without.isfinite().all()
    torch.testing.assert_close(without[1], own[1])
    assert (own - without)[0].abs().max() > 1e-3
    assert torch.equal(without, scores(numbers + ~absent[..., None, None] * 7, absent))
    with pytest.raises(ValueError, match="a model with face tokens needs the clips' numbers"):
        model.log_likelihoods(model.backbone.inputs(PAIR), answers)
    example = [turn(answer="sad", seed=2), turn("Now?" + PLACES, answer="happy", seed=3)]
    talks = [[*example, turn()], [*example, turn("Well?" + PLACES, seed=1)]]
    numbers = numbers_of(2, 3)
    inputs = inputs_of(model, talks, numbers)
    assert ((inputs["input_ids"] == model.backbone.face_id).sum(1) == 3 * TOKENS).all()
    own = model.log_likelihoods(inputs, answers_of(model))
    for shown in range(3):
        changed = numbers.clone()
        changed[:, shown] += 1
        other = model.log_likelihoods(inputs_of(model, talks, changed), answers_of(model))
        assert (own - other).abs().amax(1).min() > 1e-4
    swapped = inputs_of(model, talks, numbers[:, [1, 0, 2]])
    assert (own - model.log_likelihoods(swapped, answers_of(model))).abs().amax(1).min() > 1e-4
    single = model.backbone.inputs(talks[:1]) | {
        "numbers_nSKD": numbers[:1],
        "faces_nS": torch.ones(1, 3, dtype=torch.bool),
    }
    torch.testing.assert_close(model.log_likelihoods(single, answers_of(model))[0], own[0], **NEAR)


@torch.inference_mode()
@pytest.mark.parametrize("kind", FEW)
def test_cross_attends_to_the_prompt_but_its_placeholders(kind: LanguageModelKind) -> None:
    model, seen = language_model(kind, "cross"), []
    assert model.faces
    model.faces.register_forward_hook(lambda *call: seen.append(call[2]))
    numbers, answers = numbers_of(1), answers_of(model)

    def tokens(talk: list[Turn]) -> Tensor:
        inputs = inputs_of(model, [talk], numbers)
        seen.clear()
        for answer in answers:
            loss(model, inputs, [answer])
        model.log_likelihoods(inputs, answers)
        model.model.generation_config.use_cache = False
        model.write(inputs, 3)
        assert len(seen) >= len(answers) + 2
        for other in seen[1:]:  # whatever the answer, and however much of it there is
            torch.testing.assert_close(other, seen[0])
        return seen[0]

    own = tokens([turn()])
    assert not torch.allclose(own, tokens([turn("How?" + PLACES)]), atol=1e-5)
    assert not torch.allclose(own, tokens([turn(seed=4)]), atol=1e-5)
    model, seen = language_model(kind, "cross", prefix=2), []
    assert model.faces
    model.faces.register_forward_hook(lambda *call: seen.append(call[2]))
    inputs, embedding = inputs_of(model), model.model.get_input_embeddings()
    model.log_likelihoods(inputs, answers_of(model))
    for place in (model.backbone.face_id, model.backbone.prefix_id):
        embedding.weight[place] = torch.randn(model.backbone.hidden)
        model.log_likelihoods(inputs, answers_of(model))
    assert len(seen) == 3
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[1], seen[2])


@torch.inference_mode()
def test_a_clip_of_many_frames(model: LanguageModel) -> None:
    """Longer than the window of PaliGemma's layers, and Qwen's time runs ahead of its words."""
    said = "Who?" + PLACES * bool(model.faces)
    inputs = inputs_of(model, [[turn(said, frames=64)], [turn(said + "!", frames=32)]])
    given = model.log_likelihoods(inputs, answers_of(model))
    for code in (0, 2):
        whole = -loss(model, inputs, [answers_of(model)[code]] * 2)
        torch.testing.assert_close(given[:, code].mean(), whole, **NEAR)


@torch.inference_mode()
def test_no_frames(kind: LanguageModelKind) -> None:
    model = language_model(kind)
    unseen = [[turn(frames=0)], [turn("And now?" + PLACES, frames=0)]]
    if kind == "tiny-paligemma2":
        with pytest.raises(UserError, match=r"train\.language\.frames is 0.*Show at least one"):
            model.backbone.inputs(unseen)
        return
    blind = inputs_of(model, unseen)
    first = model.log_likelihoods(blind, answers_of(model))
    model.write(inputs_of(model), 3)  # nothing of other clips is left afterwards
    torch.testing.assert_close(model.log_likelihoods(blind, answers_of(model)), first)
    for at in (0, 1):
        single = inputs_of(model, unseen[at : at + 1], numbers_of(2)[at : at + 1])
        whole = -loss(model, single, [answers_of(model)[2]])
        torch.testing.assert_close(first[at, 2], whole, **NEAR)


def prepared(model: LanguageModel) -> Tensor:
    """A number that all that is trained has a part in; one clip has no face."""
    absent = torch.tensor([[True], [False]])
    inputs = inputs_of(model, pair_of(model), faces_nS=absent)
    if model.head is not None:
        return (model.values(inputs) * torch.tensor([1.0, -2.0])).sum()
    return loss(model, inputs, answers_of(model)[1:])


@pytest.mark.parametrize(
    ("adapter", "targets"), [("linear", ()), ("transformer", ("valence", "arousal")), ("cross", ())]
)
def test_gradients_reach_what_is_trained_and_nothing_else(
    kind: LanguageModelKind, adapter: AdapterKind, targets: tuple[str, ...]
) -> None:
    model = language_model(kind, adapter, lora=True, prefix=4, projector=True, targets=targets)
    prepared(model).backward()
    grads = {name: weight.grad for name, weight in model.named_parameters()}
    reached = {name for name, grad in grads.items() if grad is not None and grad.abs().sum() > 0}
    assert reached == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name for name, grad in grads.items() if grad is not None} == reached
    parts = {name.split(".")[0] for name in reached}
    assert parts == {"faces", "model", "prefix", *(["head"] if targets else [])}
    lora = {name for name in reached if "lora_" in name}
    assert {name.split(".lora_")[0].split(".")[-1] for name in lora} == {"q_proj", "v_proj"}
    assert not any("vis" in name for name in lora)
    rest = {name for name in reached if name.startswith("model.")} - lora
    assert rest
    assert all(name.startswith(f"model.{model.backbone.family.projector}.") for name in rest)
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    assert model.counts() == (sum(sizes[name] for name in reached), sum(sizes.values()))
    assert reached <= set(model.trained())


def test_lora_finds_its_projections_and_nothing_that_sees(kind: LanguageModelKind) -> None:
    everything = {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
    targets: dict[Any, set[str]] = {"attention": {"q_proj", "v_proj"}, "all": everything}
    for preset, expected in targets.items():
        config = LanguageModelConfig(
            kind, "hub", "", "finetune", classes=WORDS, lora=Lora(4, 8, 0.0, preset)
        )
        model = LanguageModel(config, load(kind, "hub"))
        adapted = [name for name, _ in model.named_modules() if name.endswith("lora_A")]
        layers = len(model.model.get_decoder().layers)
        assert len(adapted) == layers * len(expected)
        assert {name.split(".")[-2] for name in adapted} == expected
        seeing = (model.backbone.family.vision, model.backbone.family.projector)
        assert not any(name.startswith(tuple(f"model.{x}" for x in seeing)) for name in adapted)


def test_checkpointing_changes_neither_loss_nor_gradients(kind: LanguageModelKind) -> None:
    found = []
    for checkpointed in (False, True):
        model = language_model(kind, "cross", lora=True, projector=True)
        calls: list[object] = []
        first = model.model.get_decoder().layers[0].self_attn
        first.register_forward_pre_hook(lambda *call, calls=calls: calls.append(call))
        features: list[Tensor] = []
        projector = model.model.get_submodule(model.backbone.family.projector)
        projector.register_forward_pre_hook(
            lambda _, call, features=features: features.append(call[0])
        )
        if checkpointed:
            model.checkpoint_gradients()
        model.train()
        torch.manual_seed(3)  # dropout
        lost = prepared(model)
        lost.backward()
        grads = {n: w.grad for n, w in model.named_parameters() if w.grad is not None}
        found.append((lost.detach(), grads))
        assert len(calls) == 1 + checkpointed
        assert features
        assert not any(x.requires_grad for x in features)  # the vision tower is frozen
    (plain, before), (lost, after) = found
    torch.testing.assert_close(lost, plain)
    assert before.keys() == after.keys()
    for name, grad in before.items():
        torch.testing.assert_close(after[name], grad, msg=name)
    with pytest.raises(UserError, match=r"train\.language\.prefix and train\.language\.checkpoint"):
        language_model(kind, prefix=2).checkpoint_gradients()


@pytest.mark.parametrize("kind", FEW)
@pytest.mark.parametrize("added", ADDED)
def test_what_was_trained_is_loaded(kind: LanguageModelKind, added: str, tmp_path: Path) -> None:
    model, fresh = (language_model(kind, **ADDED[added], disturbed=d) for d in (True, False))
    assert model.faces
    model.faces.standardize.fit(numbers_of(9)[:, 0])  # buffers are learnt before
    model.faces.size.mul_(2)
    save_file(model.trained(), tmp_path / "model.safetensors")
    kept = load_file(tmp_path / "model.safetensors")
    inputs = inputs_of(model, pair_of(model))

    def scores(model: LanguageModel) -> Tensor:
        with torch.inference_mode():
            return model.log_likelihoods(inputs, answers_of(model))

    assert not torch.allclose(scores(fresh), scores(model), atol=1e-3)
    fresh.load_trained(kept)
    assert torch.equal(scores(fresh), scores(model))
    name = next(iter(kept))
    absent = {n: x for n, x in kept.items() if n != name}
    odd = ({"model.lm_head.weight": torch.zeros(2)}, {name: torch.zeros(*kept[name].shape, 2)})
    for wrong in (absent, *(kept | tensor for tensor in odd)):
        with pytest.raises(ValueError, match="its tensors are not those of its configuration"):
            fresh.load_trained(wrong)
    assert torch.equal(scores(fresh), scores(model))


@torch.inference_mode()
def test_a_prefix_begins_as_words_and_all_of_it_has_an_effect(kind: LanguageModelKind) -> None:
    model = language_model(kind, adapter=None, prefix=3)
    inputs, answers = inputs_of(model, PLAIN), answers_of(model)
    own = model.log_likelihoods(inputs, answers)
    assert model.prefix
    learnt = model.prefix.learnt
    n_layers = len(model.model.get_decoder().layers)
    assert learnt.shape[:3] == (2, n_layers, 3)
    for at in torch.cartesian_prod(torch.arange(2), torch.arange(n_layers), torch.arange(3)):
        learnt[tuple(at)] += 1
        assert (model.log_likelihoods(inputs, answers) - own).abs().max() > 1e-4
        learnt[tuple(at)] -= 1
    if kind == "tiny-paligemma2":
        pytest.skip("its prompt is read in both directions: there words would see what follows")
    model, stock = language_model(kind, adapter=None, prefix=7, disturbed=False), load(kind, "hub")
    words = stock.processor.tokenizer(", ".join(WORDS), add_special_tokens=False)["input_ids"]
    inputs = stock.inputs(PLAIN[:1])
    said = prefixed(inputs, 0, 7)
    said["input_ids"][:, :7] = torch.tensor(words[:7])
    answer = answers_of(model)[0]
    whole = append_answers(said, [answer], stock)
    labels = whole.pop("labels")
    whole |= positions(stock.model, whole)
    logits = stock.model(**whole).logits[:, -len(answer) - 1 : -1].log_softmax(-1)
    expected = logits.gather(2, labels[..., None]).sum()
    given = model.log_likelihoods(inputs, [answer])[0, 0]
    torch.testing.assert_close(given, expected, **NEAR)
    plain = language_model(kind, adapter=None).log_likelihoods(inputs, [answer])[0, 0]
    assert (given - plain).abs() > 1e-4


def test_prefixes_stand_before_prompts_and_answers_behind() -> None:
    inputs = {
        "input_ids": torch.tensor([[0, 0, 5, 6, 7, 0], [1, 2, 3, 4, 8, 9]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1, 1, 0], [1] * 6]),
        "token_type_ids": torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]]),
        "pixel_values": torch.ones(2, 3),
    }
    found = prefixed(inputs, 99, 2)
    assert found["input_ids"].tolist() == [[0, 0, 99, 99, 5, 6, 7, 0], [99, 99, 1, 2, 3, 4, 8, 9]]
    assert found["attention_mask"].tolist() == [[0, 0, 1, 1, 1, 1, 1, 0], [1] * 8]
    assert found["token_type_ids"].tolist() == [[0, 0, 0, 0, 0, 0, 1, 1], [0] * 5 + [1] * 3]
    assert found["pixel_values"] is inputs["pixel_values"]
    inputs = {
        "input_ids": torch.tensor([[0, 5], [6, 7]]),
        "attention_mask": torch.tensor([[0, 1], [1, 1]]),
        "token_type_ids": torch.zeros(2, 2, dtype=torch.long),
        "mm_token_type_ids": torch.tensor([[0, 2], [2, 0]]),
        "pixel_values": torch.ones(4, 3),
    }
    found = append_answers(inputs, [[8, 9], [3]], load("tiny-paligemma2", "hub"))
    assert found["input_ids"].tolist() == [[0, 5, 8, 9], [6, 7, 3, 0]]
    assert found["attention_mask"].tolist() == [[0, 1, 1, 1], [1, 1, 1, 0]]
    assert found["token_type_ids"].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]
    assert found["mm_token_type_ids"].tolist() == [[0, 2, 0, 0], [2, 0, 0, 0]]
    gemma = append_answers(inputs, [[8, 9], [3]], load("tiny-gemma3", "hub"))
    assert not gemma["token_type_ids"].any()  # 1 would say that it is an image
    assert found["labels"].tolist() == [[8, 9], [3, IGNORED]]
    assert found["pixel_values"] is inputs["pixel_values"]


@torch.inference_mode()
@pytest.mark.parametrize("kind", FEW)
def test_placeholders_are_never_written_and_an_end_only_if_it_is_the_likeliest(
    kind: LanguageModelKind,
) -> None:
    model = language_model(kind, adapter=None)
    spell(model)
    inputs = model.backbone.inputs(PLAIN[:1])
    [said] = model.write(inputs, 3)
    weight = model.model.get_output_embeddings().weight
    tokenizer, backbone = model.backbone.processor.tokenizer, model.backbone
    letters = tokenizer.convert_tokens_to_ids(list(said))
    assert model.generate(inputs, 3) == [letters]
    before = weight.clone()
    for placeholder in (backbone.face_id, backbone.prefix_id, model.model.config.image_token_id):
        for letter in letters:  # likelier than any letter, wherever that is the likeliest
            weight[placeholder] = 2 * weight[letter]
            assert model.write(inputs, 3) == [said]
        weight[placeholder] = before[placeholder]
    weight[backbone.end_id] = 2 * weight[letters[0]]
    assert model.generate(inputs, 3) == [[backbone.end_id]]


def test_in_16_bits_what_is_trained_keeps_32(kind: LanguageModelKind) -> None:
    """As on a GPU: the backbone in bfloat16, under autocast."""
    model = language_model(kind, "cross", lora=True, prefix=2, projector=True, half=True)
    trainable = {name: w for name, w in model.named_parameters() if w.requires_grad}
    assert {weight.dtype for weight in trainable.values()} == {torch.float32}
    inputs = {
        name: x.to(torch.bfloat16) if name.startswith("pixel_values") else x
        for name, x in inputs_of(model, faces_nS=torch.tensor([[True], [False]])).items()
    }
    answers = answers_of(model)
    with torch.autocast("cpu", torch.bfloat16):
        batch = append_answers(inputs, answers[:2], model.backbone)
        loss = model(**batch)["loss"]
        with torch.no_grad():
            scores = model.log_likelihoods(inputs, answers)
    loss.backward()
    assert [name for name, w in trainable.items() if w.grad is None or not w.grad.any()] == []
    own = -torch.stack([scores[0, 0], scores[1, 1]]).mean()
    assert loss.item() == pytest.approx(own.item(), rel=0.01)
