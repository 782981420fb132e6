"""Trained models, whatever they are: what they answer, and what comes back from their folders."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.models.classifiers.classifier import ClassifierConfig, build
from facewave.params import Block, ClassifierKind
from facewave.prompts import answers
from facewave.targets import Target, number
from facewave.training import schema
from facewave.training.classifier import TrainedClassifier
from facewave.training.schema import Trained
from facewave.workspace import Clips
from making import NO_ENCODER, contents, words

WORDS = ("happy", "sad", "angry")
STEPS, WIDTHS = 6, (52, 7)
INPUTS: tuple[Block, ...] = ("blendshapes", "head")
PROBABILITIES = [f"p_{word}" for word in WORDS]
# "score.a" has no bounds, and nobody knows how far off its answers are.
TARGETS = (
    words(*WORDS),
    number("valence"),
    Target("aus", "presence", ("AU1", "AU12")),
    number("score.a"),
)
NUMBERS = [name for target in TARGETS for name in target.numbers]
MARGIN = 0.4
ABOUT = {"dataset": "demo", "partition": "split"}
WAVELETS = {"transform": "dct", "k": STEPS, "blendshapes": ["a", "b"], "sides": "apart",
            "encoder": NO_ENCODER}  # fmt: skip
SIZES: dict[ClassifierKind, dict[str, Any]] = {
    "majority": {},
    "logistic": {},
    "svm": {"pca": 2},
    "trees": {"kept": 3, "trees": 4},
    "mlp": {"binned": True, "hidden": 5, "dropout": 0.5, "shake": True},
    "gru": {"kept": 4, "pca": 3, "hidden": 5, "dropout": 0.5},
    "transformer": {"hidden": 6, "dropout": 0.5},
}


def classifier(kind: ClassifierKind, inputs: tuple[Block, ...] = INPUTS) -> TrainedClassifier:
    """One with random weights, buffers and class prior."""
    torch.manual_seed(1)
    widths = tuple(dict(zip(INPUTS, WIDTHS, strict=True))[name] for name in inputs)
    shape: dict[str, Any] = {} if kind == "majority" else {"steps": STEPS, "widths": widths}
    config = ClassifierConfig(kind, TARGETS, **shape, **SIZES[kind])
    module = build(config)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape) * 0.3)
        else:  # of trees: positions of inputs and of nodes
            tensor.copy_(torch.randint(0, 15, tensor.shape))
    nan = float("nan")
    module.prior.fit(torch.tensor([[0, 1, 0, 0.5, 1, 0, 7]] * 3 + [[0, 0, 1, nan, 0, 0, nan]]))
    if kind != "majority":
        module.margin.fill_(nan)[3] = MARGIN
    return TrainedClassifier(module.eval(), config, inputs, WAVELETS, ABOUT)


def clips() -> Clips:
    """Nine clips in another order than their numbers; two have no usable face."""
    table = pd.DataFrame(
        {
            "video_idx": [f"{i}" for i in range(9)],
            "usable": [i not in (3, 5) for i in range(9)],
            "at": range(9)[::-1],
        },
        index=range(10, 19),
    )
    rng = np.random.default_rng(0)
    blocks: dict[Block, Any] = {
        name: rng.normal(size=(9, STEPS, width)).astype(np.float32)
        for name, width in zip(INPUTS, WIDTHS, strict=True)
    }
    for block in blocks.values():
        block[table.loc[~table["usable"], "at"]] = np.nan
    return Clips(table, blocks, Path(), 25.0, Path(), pd.DataFrame(), {})


def by_hand(trained: TrainedClassifier, some: Clips, row: int) -> np.ndarray:
    """The answers to a clip, through the module itself."""
    at = some.table["at"].iloc[row]
    numbers = np.concatenate([some.blocks[name][at] for name in trained.inputs], axis=1)
    with torch.inference_mode():
        return trained.module.answers(torch.from_numpy(numbers)[None])[0].numpy()


def test_a_classifier_answers_from_numbers_or_the_prior_also_when_loaded(tmp_path: Path) -> None:
    assert SIZES.keys() == set(get_args(ClassifierKind))
    for kind in SIZES:
        for inputs in (INPUTS, INPUTS[::-1], INPUTS[1:]):
            some, trained = clips(), classifier(kind, inputs)
            found = trained.answer(some)
            assert list(found) == [
                *("answered_from", "predicted", *PROBABILITIES),
                *("predicted_valence", "low_valence", "high_valence"),
                *("predicted_AU1", "predicted_AU12"),
                *("predicted_score.a", "low_score.a", "high_score.a"),
            ]
            assert found.index.tolist() == some.table.index.tolist()
            probabilities = found[PROBABILITIES].to_numpy()
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
            chosen = [WORDS[code] for code in probabilities.argmax(axis=1)]
            assert found["predicted"].tolist() == chosen
            numbers = found[NUMBERS].to_numpy()
            for row, usable in enumerate(some.table["usable"]):
                assert found["answered_from"].iloc[row] == ("face" if usable else "prior")
                prior = np.array([1 / 7, 4 / 7, 2 / 7, 0.5, 0.75, 0, 7])
                expected = by_hand(trained, some, row) if usable else prior
                np.testing.assert_allclose(numbers[row], expected, rtol=1e-5, atol=1e-7)
            if kind != "majority":
                assert len({tuple(row) for row in numbers}) == 8
            sees = some.table["usable"].to_numpy() & (kind != "majority")
            for end, sign in (("low", -1), ("high", 1)):
                expected = np.clip(found["predicted_valence"] + sign * MARGIN, -1, 1)
                np.testing.assert_allclose(
                    found[f"{end}_valence"], np.where(sees, expected, np.nan), rtol=1e-5, atol=1e-7
                )
                assert found[f"{end}_score.a"].isna().all()
            pd.testing.assert_frame_equal(trained.answer(some.select([4, 3])), found.iloc[[4, 3]])
            assert trained.answer(some.select([])).empty
        a, b, c = (tmp_path / kind / name for name in "abc")
        classifier(kind).save(a)
        classifier(kind).save(b)
        loaded = schema.load(a)
        loaded.save(c)
        assert set(contents(a)) == {"config.json", "model.safetensors"}
        assert contents(a) == contents(b) == contents(c)
        pd.testing.assert_frame_equal(loaded.answer(clips()), classifier(kind).answer(clips()))
        assert loaded.describe() == classifier(kind).describe()
        assert loaded.describe()["kind"] == kind
        assert (loaded.inputs, loaded.wavelets, loaded.classes) == (INPUTS, WAVELETS, WORDS)
        assert (loaded.targets, loaded.writes, loaded.needs_face) == (TARGETS, False, True)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")  # an MLP without units
def test_damaged_and_missing_folders_are_refused(tmp_path: Path) -> None:
    classifier("logistic").save(tmp_path)
    whole = contents(tmp_path)
    config = json.loads(whole["config.json"])
    older = {name: value for name, value in config["wavelets"].items() if name != "sides"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"wavelets": older}))
    with pytest.raises(UserError, match="an earlier version of facewave has written it"):
        schema.load(tmp_path)
    models: list[dict[str, Any]] = [
        *({"steps": steps} for steps in (STEPS + 1, "six", -1)),
        *({"widths": widths} for widths in ([3], 5)),
        *({"targets": targets} for targets in (config["model"]["targets"][1:], None, ["classes"])),
        *({"kind": kind} for kind in ("mlp", "trees", "majority", "forest")),
        *({"kept": 2}, {"pca": 2}, {"depth": 3}),
    ]
    configs = [config | {"model": config["model"] | model} for model in models]
    configs += [{name: config[name] for name in config if name != key} for key in config]
    configs.append(config | {"type": "pickle"})
    damages = [(name, whole[name][:kept]) for name in whole for kept in (0, 60, -9)]
    damages += [("config.json", json.dumps(damaged).encode()) for damaged in configs]
    for name, damaged in damages:
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(UserError, match=r"is damaged .*dvc repro -f train"):
            schema.load(tmp_path)
        (tmp_path / name).write_bytes(whole[name])
    for name in whole:
        (tmp_path / name).unlink()
        with pytest.raises(UserError, match=r"is not here\. Train it"):
            schema.load(tmp_path)


def test_a_model_checks_features_and_knows_its_role_and_what_it_learnt_from() -> None:
    class Made:
        config = WAVELETS

    made: Any = Made()
    trained = classifier("mlp")
    trained.check(made, "demo")
    made.config = WAVELETS | {"k": 5, "more": 1}
    with pytest.raises(
        UserError, match=r"features/demo differs in k .*\(k: 6\).*dvc repro wavelet"
    ):
        trained.check(made, "demo")
    made.config = WAVELETS | {"blendshapes": ["b", "a"]}
    with pytest.raises(UserError, match=r"differs in blendshapes .*\(as now\)"):
        trained.check(made, "demo")
    train = params.load(Path(__file__).parents[3] / "params.yaml").train
    chosen = replace(train, model="mlp", baselines=["svm", "logistic"])
    expected = {"model": "mlp", "majority": "majority", "svm": "svm", "logistic": "logistic"}
    assert schema.roles(chosen) == expected
    regression = replace(chosen, model="tiny-smolvlm", targets=["valence"], baselines=["svm"])
    assert schema.roles(regression) == {
        "model": "tiny-smolvlm", "majority": "majority", "svm": "svm",
    }  # fmt: skip
    several = replace(chosen, students=2, normalize="person")
    assert schema.roles(several) == expected | {
        "model": "students", "unnormalized": "mlp", "teacher": "mlp", "student-1": "mlp",
        "student-2": "mlp",
    }  # fmt: skip
    seeds = {role: schema.settings_of(role, several).seed for role in schema.roles(several)}
    assert seeds == dict.fromkeys(seeds, train.seed) | {
        f"student-{n}": train.seed + n for n in (1, 2)
    }
    before = [("other", "1")]
    trained = classifier("majority")
    trained.about = ABOUT | {"before": before}
    assert trained.learnt_from == {("demo", "split"), *before}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from language_project import write_project

    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    return folder


def language_model(folder: Path, **options: Any) -> tuple[Trained, Clips]:
    """A tiny one, saved and loaded, and three clips, the first without a usable face."""
    from facewave.workspace import Dataset
    from language_project import write_model

    trained = schema.load(write_model(folder, **options))
    return trained, Dataset("demo", params.load()).clips().select([0, 1, 2])


def test_language_models_answer_as_prompted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    trained, some = language_model(project, shots=("003", "004", "005"), by_length=True)
    found = trained.answer(some)
    probabilities = found[[f"p_{word}" for word in trained.classes]]
    assert list(found) == ["answered_from", "predicted", *probabilities]
    assert (probabilities.idxmax(axis=1) == "p_" + found["predicted"]).all()
    assert found["answered_from"].tolist() == ["frames", "face", "face"]
    assert found.index.tolist() == some.table.index.tolist()
    assert (trained.inputs, trained.needs_face, trained.writes) == ((), False, False)
    alone = language_model(project, by_length=True)[0].answer(some)
    assert not np.array_equal(alone[list(probabilities)], probabilities)  # without examples
    with pytest.raises(UserError, match="demo lacks clips that the model shows as examples"):
        language_model(project, shots=("003", "lost"))[0].answer(some)

    trained, _ = language_model(project, answers="generation", frames=0, faces=True)
    assert (trained.inputs, trained.needs_face, trained.writes) == (("blendshapes",), True, True)
    with monkeypatch.context() as context:
        context.setattr(answers, "texts", lambda *_: iter([" Sad.\n", "sad or happy", "fear"]))
        found = trained.answer(some)
    assert found["predicted"].tolist() == ["sad", "", "fear"]
    assert found[schema.LENIENTLY].tolist() == ["sad", "sad", "fear"]
    assert found["answered_from"].tolist() == ["words", "face", "face"]
    assert found["p_sad"].tolist() == pytest.approx([1, 1 / 7, 0])

    trained, _ = language_model(project, targets=("valence", "arousal"), objective="mse")
    assert trained.targets == (number("valence"), number("arousal"))
    found = trained.answer(some)
    columns = [name for t in trained.targets for name in (*t.numbers, *t.ends)]
    assert list(found) == ["answered_from", *columns]
    assert found.filter(regex="low_|high_").isna().all(axis=None)
    assert np.isfinite(found[["predicted_valence", "predicted_arousal"]]).all(axis=None)

    prompt = "{labels}?{face}{transcript}"
    described: Any = language_model(
        project, faces=True, mode="pretrain", prompt=prompt, transcript="speech"
    )[0]
    assert described.needs_transcript
    found = described.describe()
    assert found["prompt"] == (
        f'{", ".join(described.classes)}? How the face moves: <face>. The person says: "..."'
    )
    assert (found["weights"], found["kind"], found["lora"]) == ("", "tiny-qwen2.5-vl", None)
    face = (found["face_tokens"], found["adapter"], found["inputs"])
    assert face == (3, "linear", ["blendshapes"])
    assert 0 < found["trained"] < found["parameters"]
    json.dumps(found)
    config = described.module.config
    described.module.config = replace(config, kind="smolvlm", mode="zero_shot")
    found = described.describe()
    assert (found["weights"], found["trained"]) == ("HuggingFaceTB/SmolVLM-256M-Instruct", 0)
    described.settings = replace(described.settings, transcript="none")
    assert "..." not in described.describe()["prompt"]
