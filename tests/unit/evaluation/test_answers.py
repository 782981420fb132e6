"""Answers to a partition's test clips: whose, from what, and in which order."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from facewave import params
from facewave.errors import UserError
from facewave.evaluation.answers import describe, predict
from facewave.models.classifiers.classifier import ClassifierConfig, Majority, build
from facewave.models.vlm import backbones, face_tokens
from facewave.models.vlm import model as vlm_model
from facewave.params import Block, LanguageModelKind
from facewave.training.schema import Trained, TrainedLanguage
from making import REPOSITORY

WORDS = ("happy", "sad", "angry")
STEPS, SUBJECTS = 3, 9
TEXTS = ["video_idx", "file_path", "subject", "source", "actual"]
PROBABILITIES = [f"p_{word}" for word in WORDS]


def table() -> pd.DataFrame:
    """27 clips of 9 subjects in 3 folds; two of fold 2's are not usable."""
    n = 3 * SUBJECTS
    return pd.DataFrame(
        {
            "video_idx": [f"{i:02}" for i in range(n)],
            "file_path": [f"clips/{i:02}.mp4" for i in range(n)],
            "subject": [f"s{i // 3}" for i in range(n)],
            "source": "film",
            "actual": [WORDS[i % 3] for i in range(n)],
            "fold": [i // 3 % 3 + 1 for i in range(n)],
            "split": ["test" if i < 4 else "train" for i in range(n)],
            "validation": pd.NA,
            "usable": [i not in (3, 13) for i in range(n)],
            "at": range(n)[::-1],
        }
    )


def numbers(clips: pd.DataFrame) -> dict[Block, Any]:
    """Random numbers at each clip's place; NaN where there is no face."""
    rng = np.random.default_rng(0)
    shapes: dict[Block, tuple[int, ...]] = {"blendshapes": (52,), "head": (7,)}
    found: dict[Block, Any] = {}
    for name, shape in shapes.items():
        found[name] = rng.normal(size=(len(clips), STEPS, *shape)).astype(np.float32)
        found[name][clips.loc[~clips["usable"], "at"]] = np.nan
    return found


def model(inputs: tuple[Block, ...] = ("blendshapes", "head")) -> Trained:
    """A linear classifier with random weights."""
    widths = {"blendshapes": 52, "head": 7}
    config = ClassifierConfig("logistic", WORDS, STEPS, tuple(widths[name] for name in inputs))
    module = build(config)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return Trained(module.eval(), config, inputs, {})


def prior(*codes: int) -> Trained:
    """The frequencies of some clips' classes."""
    module = build(ClassifierConfig("majority", WORDS))
    assert isinstance(module, Majority)
    module.fit(torch.tensor(codes))
    return Trained(module.eval(), ClassifierConfig("majority", WORDS), ("blendshapes", "head"), {})


def by_hand(trained: Trained, place: int, blocks: dict[Block, Any]) -> NDArray[np.float64]:
    """One clip alone, through the module itself."""
    row = np.concatenate([blocks[name][place] for name in trained.inputs], axis=1)
    with torch.inference_mode():
        logits = trained.module(torch.from_numpy(row)[None])[0].double().numpy()
    return np.exp(logits) / np.exp(logits).sum()


@pytest.mark.parametrize("inputs", [("blendshapes", "head"), ("head", "blendshapes"), ("head",)])
def test_every_test_clip_has_the_model_s_answer_to_its_own_numbers(
    inputs: tuple[Block, ...],
) -> None:
    clips = table().sample(frac=1, random_state=0)
    blocks, trained = numbers(clips), model(inputs)
    found = predict(trained, prior(0, 0, 1), clips, blocks, 2)
    test = clips[clips["fold"] == 2]
    assert list(found) == [*TEXTS, "partition", "predicted", "answered_from", *PROBABILITIES]
    pd.testing.assert_frame_equal(found[TEXTS], test[TEXTS])
    assert set(found["partition"]) == {"2"}
    said = found[PROBABILITIES].to_numpy()
    assert found["predicted"].tolist() == [WORDS[code] for code in said.argmax(axis=1)]
    usable = test["usable"].to_numpy()
    assert usable.sum() == 7
    for row, place in zip(said[usable], test.loc[usable, "at"], strict=True):
        np.testing.assert_allclose(row, by_hand(trained, place, blocks), atol=0.51e-4)
    assert len({tuple(row) for row in said[usable]}) == 7


def test_a_clip_without_a_face_is_answered_by_the_prior_alone() -> None:
    clips = table()
    blocks = numbers(clips)
    found = predict(model(), prior(1, 1, 1, 2, 0), clips, blocks, 2)
    blind = found[found["answered_from"] == "prior"]
    assert blind["video_idx"].tolist() == ["03", "13"]
    assert set(found["answered_from"]) == {"prior", "face"}
    np.testing.assert_allclose(
        blind[PROBABILITIES].to_numpy(), [[2 / 8, 4 / 8, 2 / 8]] * 2, atol=1e-4
    )
    assert set(blind["predicted"]) == {"sad"}
    # Whatever numbers it has, and whatever the prior says of the others.
    for name in blocks:
        blocks[name][clips.loc[~clips["usable"], "at"]] = 7.0
    pd.testing.assert_frame_equal(predict(model(), prior(1, 1, 1, 2, 0), clips, blocks, 2), found)
    faces = found["answered_from"] == "face"
    again = predict(model(), prior(2), clips, blocks, 2)
    pd.testing.assert_frame_equal(again[faces], found[faces])
    assert set(again.loc[~faces, "predicted"]) == {"angry"}


def test_clips_of_other_parts_change_nothing() -> None:
    clips = table()
    blocks = numbers(clips)
    before = predict(model(), prior(0), clips, blocks, 3)
    for block in blocks.values():
        block[clips.loc[clips["fold"] != 3, "at"]] = np.nan
    pd.testing.assert_frame_equal(predict(model(), prior(0), clips, blocks, 3), before)


def test_probabilities_have_four_digits() -> None:
    clips = table()
    found = predict(model(), prior(0), clips, numbers(clips), "split")[PROBABILITIES].to_numpy()
    np.testing.assert_array_equal(found, found.round(4))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1.5e-4)
    assert len(found) == 4


def test_the_clips_are_left_as_they_were() -> None:
    clips = table()
    blocks = numbers(clips)
    before, numbers_before = clips.copy(), {name: block.copy() for name, block in blocks.items()}
    predict(model(), prior(0), clips, blocks, 2)
    pd.testing.assert_frame_equal(clips, before)
    for name, block in blocks.items():
        np.testing.assert_array_equal(block, numbers_before[name])


def test_without_a_test_clip_it_is_told() -> None:
    clips = table().assign(split="train")
    with pytest.raises(UserError, match="partition split has no test clip; see metrics/clean"):
        predict(model(), prior(0), clips, numbers(clips), "split")


def spoken(kind: LanguageModelKind = "tiny-smolvlm", **changes: Any) -> TrainedLanguage:
    """A language model with LoRA and face tokens, and how it is prompted."""
    own = params.load(REPOSITORY / "params.yaml").train.language
    backbone = backbones.load("tiny-smolvlm", "hub")
    config = vlm_model.LanguageModelConfig(
        kind="tiny-smolvlm",
        weights="hub",
        revision="",
        mode="finetune",
        classes=WORDS,
        faces=face_tokens.FaceTokensConfig("linear", STEPS, (7,), 3, backbone.hidden),
        lora=replace(own.lora, rank=4),
    )
    made = vlm_model.LanguageModel(config, backbone)
    made.config = replace(config, kind=kind)
    return TrainedLanguage(made, replace(own, **changes), ("head",), {}, (), {})


@pytest.mark.parametrize(
    ("kind", "weights"),
    [("tiny-smolvlm", ""), ("smolvlm", "HuggingFaceTB/SmolVLM-256M-Instruct")],
)
def test_random_weights_are_told_from_those_of_the_hub(
    kind: LanguageModelKind, weights: str
) -> None:
    assert describe(spoken(kind))["weights"] == weights


def test_the_prompt_is_told_as_it_is_asked() -> None:
    assert describe(spoken(transcript="speech", prompt="{labels}?{face}{transcript}"))[
        "prompt"
    ] == ('happy, sad, angry? How the face moves: <face>. The person says: "..."')
    assert "..." not in describe(spoken(transcript="none"))["prompt"]


def test_what_was_trained_is_counted() -> None:
    found = describe(spoken())
    assert found["lora"] == {
        "rank": 4, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"],
    }  # fmt: skip
    assert (found["face_tokens"], found["adapter"], found["inputs"]) == (3, "linear", ["head"])
    assert 0 < found["trained"] < found["parameters"]
    asked = spoken()
    asked.model.config = replace(asked.model.config, mode="zero_shot")
    assert describe(asked)["trained"] == 0
