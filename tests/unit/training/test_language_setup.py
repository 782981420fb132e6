"""Which clips a language model learns from, what is built of which settings, and what is kept."""

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.models.vlm import backbones
from facewave.params import Rates
from facewave.prompts import answers, facts
from facewave.prompts.examples import gather
from facewave.pseudo.schema import Pseudo, write
from facewave.training import language_trainer, schema
from facewave.training.__main__ import main as train
from facewave.training.language_setup import Run, prepare
from facewave.workspace import PSEUDO, Dataset
from language_project import second_dataset, write_project
from language_project import settings as write_settings
from making import contents


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two datasets of the same clips."""
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    write_project(folder, mode="pretrain", epochs=1, frames=1)
    second_dataset(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as the current directory."""
    folder = Path(shutil.copytree(made, tmp_path / "project"))
    monkeypatch.chdir(folder)
    return folder


def run(
    dataset: str = "demo",
    subset: tuple[float, float] = (0, 1),
    asked: Sequence[str] = ("classes",),
    ambiguous: Literal["exclude", "soft"] = "exclude",
    track: str = "none",
    imbalance: Literal["none", "weights", "sampler"] = "weights",
    **language: Any,
) -> Run:
    loaded = params.load()
    loaded = replace(loaded, labels=replace(loaded.labels, ambiguous=ambiguous),
                     pseudo=replace(loaded.pseudo, track=track))  # fmt: skip
    options = replace(loaded.train.language, **language)
    settings = replace(
        loaded.train, dataset=dataset, subset=list(subset), targets=list(asked), language=options,
        imbalance=imbalance,
    )  # fmt: skip
    of = Dataset(dataset, replace(loaded, train=settings))
    targets = settings.targets if settings.is_regression else []
    clips = gather(of.clips(), settings.inputs, options, targets)
    return prepare(clips, "split", of, of.read_features(), settings)


def names(examples: Any) -> set[str]:
    return set(examples._clips.table["video_idx"])


def test_it_learns_from_its_slice_of_the_training_part_with_targets_or_not_at_all(
    project: Path,
) -> None:
    ready = run(subset=(0, 0.5), examples=2)
    table = labels.read(Path("data/labels/demo.csv"))
    in_train = table[table["split"] == "train"]
    inside = set(labels.subset(in_train, 0, 0.5)["video_idx"])
    assert ready.train is not None
    assert names(ready.train) == inside
    assert {example.answer for example in ready.train} <= {"happy", "sad", "neutral"}  # type: ignore[attr-defined]
    assert names(ready.val) == set(table.loc[table["split"] == "val", "video_idx"])
    assert set(ready.trained.shots) <= inside
    assert len(ready.trained.shots) == 3
    assert len(ready.trained.about["learnt"]) == len(inside)
    means = [run(subset=slice_).trained.module.faces for slice_ in ((0, 0.5), (0.5, 1))]
    assert not torch.equal(means[0].standardize.mean, means[1].standardize.mean)  # type: ignore[union-attr]
    # A clip whose votes name no single word has none to say.
    voted = table.assign(
        votes=table["votes"].mask(table["excluded"] != "", '{"sad": 2, "fear": 2}')
    )
    labels.write(Path("data/labels/demo.csv"), voted.assign(split="train"), WORDS)
    assert "undecided" not in names(run(ambiguous="soft").train)
    labels.write(Path("data/labels/demo.csv"), table, WORDS)
    ready = run(mode="zero_shot", examples=2)
    assert ready.train is None
    assert ready.trained.module.faces is None
    assert ready.trained.settings.face_tokens == 0
    assert ready.trained.module.counts()[0] == 0
    assert len(ready.trained.shots) == len(ready.trained.about["learnt"]) == 3
    assert ready.trained.about["validated"] == []
    table["valence"], table["arousal"] = np.arange(len(table)) / 10, 0.5
    table.loc[table.index % 2 == 0, "valence"] = np.nan
    labels.write(Path("data/labels/demo.csv"), table, WORDS)
    ready = run(asked=["valence", "arousal"], objective="mse", prompt="{face} {targets}?")
    learnt = table[(table["split"] == "train") & table["valence"].notna()]
    assert names(ready.train) == set(learnt["video_idx"])
    head: Any = ready.trained.module.head
    torch.testing.assert_close(head.mean, torch.tensor([learnt["valence"].mean(), 0.5]).float())
    assert [target.name for target in ready.trained.targets] == ["valence", "arousal"]


def test_it_learns_pseudo_labels_shows_none_as_examples_and_validates_by_none(
    project: Path,
) -> None:
    table = labels.read(Path("data/labels/demo.csv"))
    is_hidden = table["subject"].isin(["s1", "s3"])  # of training and validation
    reason = table["excluded"].mask(is_hidden, str(labels.Reason.LOW_AGREEMENT))
    rank = table["rank"].mask(is_hidden, 0.0)  # they would be shown first
    hidden = table.assign(rank=rank, excluded=reason)  # their words are not sure
    labels.write(Path("data/labels/demo.csv"), hidden, WORDS)
    rows = table.loc[is_hidden, ["video_idx"]]
    rows = rows.assign(word="disgust", confidence=1.0, shares="", source="a model")
    lineage = {"before": [["other", "1"]], "learnt": ["some nan nan"], "validated": []}
    write(PSEUDO, Pseudo(rows.set_index("video_idx"), lineage, "guesses"))
    ready = run(examples=2, track="guesses")
    taught = set(rows["video_idx"][rows["video_idx"].isin(names(ready.train))])
    assert taught == set(table.loc[table["subject"] == "s1", "video_idx"])
    learnt: Any = ready.train
    answers = dict(zip(learnt._clips.table["video_idx"], learnt._clips.answers, strict=True))
    assert {answers[name] for name in taught} == {"disgust"}
    assert not set(ready.trained.shots) & taught
    assert not names(ready.val) & set(rows["video_idx"])
    about = ready.trained.about
    assert (about["pseudo"]["clips"], about["before"]) == (3, [["other", "1"]])
    assert "some nan nan" in about["learnt"]
    assert len(about["learnt"]) == len(learnt) + 1


def test_rare_classes_count_or_are_drawn_more_and_votes_and_smoothing_are_drawn_from(
    project: Path,
) -> None:
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    is_rare = (table["actual"] == "sad") & ~table["subject"].isin(["s1", "s3"])
    table["actual"] = table["actual"].mask(is_rare, "happy")
    votes = '{"sad": 3, "fear": 1}'
    table["votes"] = np.where(table["excluded"] != "", votes, "")
    table["split"] = table["split"].mask(table["excluded"] != "", "train")
    labels.write(path, table, WORDS)

    def weights(run: Run, part: str) -> pd.Series:
        some: Any = run.train if part == "train" else run.val
        found = pd.Series(some._weights_n, some._clips.table["actual"].to_numpy())
        assert found.mean() == pytest.approx(1)
        return found.groupby(level=0).first()

    weighted, drawn, plain = (run(imbalance=way) for way in ("weights", "sampler", "none"))
    for part in ("train", "val"):  # of validation, too, as of classifiers
        found = weights(weighted, part)
        assert found["sad"] > 3 * found["happy"]
        for other in (drawn, plain):
            assert set(weights(other, part)) == {1.0}
    learnt: Any = drawn.train
    draws_n, words = drawn.teaching.draws_n, learnt._clips.table["actual"].to_numpy()
    assert draws_n is not None
    masses = pd.Series(draws_n.numpy(), words).groupby(level=0).sum()
    assert masses.to_numpy() == pytest.approx(len(words) / 3)
    assert weighted.teaching.draws_n is None
    assert len({ready.fingerprint for ready in (weighted, drawn, plain)}) == 3
    # A clip whose votes name no single word teaches the shares of its votes; it validates nothing.
    assert weighted.teaching.shares_nC is None
    assert "undecided" not in names(run(ambiguous="soft").train)
    soft = run(ambiguous="soft", soft_labels=True, label_smoothing=0.7, subset=(0, 1))
    learnt, shares_nC = soft.train, soft.teaching.shares_nC
    assert shares_nC is not None
    at = learnt._clips.table["video_idx"].tolist().index("undecided")
    expected = np.full(7, 0.1)
    expected[[WORDS.index("sad"), WORDS.index("fear")]] += [0.225, 0.075]
    assert shares_nC[at] == pytest.approx(expected)
    others = np.delete(shares_nC, at, axis=0)
    assert others.max(axis=1) == pytest.approx(0.4)
    assert soft.val._shares_nC is None
    assert {learnt[row].answer for row in range(len(learnt))} > {"happy", "sad", "neutral"}
    assert "undecided" not in soft.trained.shots


def test_enough_clips_choose_a_temperature_on_validation_which_changes_no_answer(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("data/labels/demo.csv")
    table = labels.read(path)
    monkeypatch.setattr(language_trainer, "fit", lambda *_: None)
    quick: dict[str, Any] = {"frames": 0}
    few = run(**quick)
    few.fit(lambda *_: None)
    assert few.trained.temperature is None
    assert not few.trained.calibrated
    monkeypatch.setattr(schema, "ENOUGH", few.trained.about["labelled"])
    asked: list[set[str]] = []

    def sure_of_the_first(model: Any, examples: Any, words: Any, settings: Any) -> torch.Tensor:
        asked.append(names(examples))
        return torch.tensor([4.0, *[0.0] * (len(words) - 1)]).double().repeat(len(examples), 1)

    with monkeypatch.context() as patch:
        patch.setattr(answers, "likelihoods", sure_of_the_first)
        ready = run(**quick)
        ready.fit(lambda *_: None)
        # Of test labels nothing is known.
        actual = table["actual"].mask(table["split"] == "test", "fear")
        labels.write(path, table.assign(actual=actual), WORDS)
        again = run(**quick)
        again.fit(lambda *_: None)
    assert asked == [set(table.loc[table["split"] == "val", "video_idx"])] * 2
    trained, words = ready.trained, ready.trained.classes
    chosen = again.trained.temperature
    assert chosen == trained.temperature
    # A third of the clips have the first word: exp(4 / T) / (exp(4 / T) + 6) is 1 / 3.
    assert chosen == pytest.approx(4 / np.log(3), rel=1e-3)
    # It is kept, and answers are divided by it.
    schema.save(trained, Path("kept"))
    loaded: Any = schema.load(Path("kept"))
    assert (loaded.temperature, loaded.describe()["temperature"]) == (chosen, chosen)
    clips = Dataset("demo", params.load()).clips().select(range(6))
    columns = [f"p_{word}" for word in words]
    warm = loaded.answer(clips)
    loaded.temperature = None
    cold = loaded.answer(clips)
    logs = np.log(cold[columns].to_numpy(float)) / chosen
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    assert warm[columns].to_numpy(float) == pytest.approx(expected, rel=1e-4)
    assert warm["predicted"].tolist() == cold["predicted"].tolist()
    for synthetic in (False, True):
        trained.about |= {"synthetic": synthetic}
        assert trained.calibrated != synthetic
    zero = run(mode="zero_shot", **quick)  # it has learnt nothing, and no label is looked at
    zero.fit(lambda *_: None)
    assert zero.trained.temperature is None


def test_what_does_not_go_together_is_reported(project: Path) -> None:
    table = labels.read(Path("data/labels/demo.csv"))
    labels.write(Path("data/labels/demo.csv"), table.assign(valence=0.5), WORDS)
    numbers = {"asked": ["valence"], "objective": "mse"}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"face_tokens": 0}, "nothing would be trained"),
        ({"subset": (0.99999, 1)}, r"no training clip in train\.subset"),
        (numbers | {"mode": "zero_shot"}, "numbers have to be learnt"),
        (numbers, "asks for a label"),
        (numbers | {"mode": "reinforce", "prompt": "{face} {targets}?"}, "no answers to draw"),
        (numbers | {"prompt": "{targets}?", "examples": 1}, "examples: 0"),
        (numbers | {"prompt": "{targets}?", "objective": "ccc"}, "8 clips at a time"),
        (numbers | {"prompt": "{targets}?", "label_smoothing": 0.1}, "a regression has none"),
        ({"prompt": "{labels}?"}, "should have {face}, where the face tokens go, once"),
        ({"wordings": ["{face}?", "{labels}?"]}, "each of wordings should have {face}"),
        (numbers | {"prompt": "{face} {targets}?", "wordings": ["{face}?"]}, "asks for a label"),
        ({"mode": "zero_shot", "reasons": "facts"}, "reasons come before a label"),
        (numbers | {"prompt": "{face} {targets}?", "reasons": "facts"}, "reasons come before a"),
        ({"reasons": "facts", "wordings": ["{face}{facts}?"]}, "would be copied from {facts}"),
        ({"reasons": "facts", "by_prior": True}, "there is always something"),
        ({"start": "elsewhere"}, "only finetune and reinforce start from another run"),
        ({"start": "elsewhere", "mode": "finetune"}, "start: elsewhere/split/model is not here"),
    ]
    for change, message in changes:
        with pytest.raises(UserError, match=message):
            run(**change)
    labels.write(Path("data/labels/demo.csv"), table.assign(caption=""), WORDS)
    with pytest.raises(UserError, match="reasons is captions, and no training clip of demo has"):
        run(reasons="captions")
    # As in MAFW.
    table["transcript"] = table["actual"].ne("neutral").map({True: "It rains.", False: ""})
    labels.write(Path("data/labels/demo.csv"), table, WORDS)
    with pytest.raises(UserError, match="transcript: none"):
        run(transcript="known")


def test_finetuning_starts_from_a_run_that_shares_no_clips(project: Path) -> None:
    folder = Path("models/pretrained/split/model")
    start: dict[str, Any] = {"mode": "finetune", "start": "models/pretrained"}
    before = run(subset=(0, 0.5)).trained
    torch.nn.init.constant_(before.module.get_parameter("faces.mix"), 0.25)
    before.save(folder)
    fine = run(subset=(0.5, 1), **start).trained
    assert (fine.module.get_parameter("faces.mix") == 0.25).all()
    assert fine.learnt_from == {("demo", "split")}
    assert set(before.about["learnt"]) < set(fine.about["learnt"])
    other = run("other", **start).trained
    assert other.about["before"] == [["demo", "split"]]
    assert other.learnt_from == {("demo", "split"), ("other", "split")}
    for change, message in (
        ({"subset": (0.4, 1)}, "and this run share clips: "),
        ({"subset": (0.5, 1), "adapter": "transformer"}, "was trained with another faces"),
    ):
        with pytest.raises(UserError, match=message):
            run(**start | change)
    run(subset=(0, 0.5), projector=True).trained.save(folder)
    with pytest.raises(UserError, match=r"split/model trained model.* which this run does"):
        run(subset=(0.5, 1), **start)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"language_model"', '"classifier"'))
    with pytest.raises(UserError, match="is a classifier, not a language model"):
        run(subset=(0.5, 1), **start)


def test_the_fingerprint_is_of_all_that_the_weights_follow_from(project: Path) -> None:
    path = Path("data/labels/demo.csv")
    table, whole = labels.read(path), run().fingerprint
    assert run().fingerprint == whole
    marks = [
        run(**change).fingerprint for change in ({"lr": Rates(0.5, 0.5, 0.5)}, {"subset": (0, 0.5)})
    ]
    answered, captioned = table.copy(), table.assign(caption="Something else.")
    at = table.index[table["split"] == "train"][0]
    answered.loc[at, "actual"] = "fear"
    tested = table.assign(actual=table["actual"].mask(table["split"] == "test", "fear"))
    for changed in (answered, captioned, tested):
        labels.write(path, changed, WORDS)
        marks.append(run().fingerprint)
    index = Path("data/landmarks/demo/index.csv")
    labels.write(path, table, WORDS)
    for part in ("train", "test"):
        rows = pd.read_csv(index, dtype=str, keep_default_na=False)
        name = table.loc[table["split"] == part, "video_idx"].iloc[1]
        rows.loc[rows["video_idx"] == name, "key"] = "another"
        rows.to_csv(index, index=False)
        marks.append(run().fingerprint)
    lr, subset, label, caption, test, key, test_key = marks
    assert len({whole, lr, subset, label, key}) == 5
    assert caption == test == whole
    assert run(reasons="captions").fingerprint not in marks
    labels.write(path, captioned, WORDS)
    reasoned = [run(reasons=name).fingerprint for name in ("captions", "facts")]
    labels.write(path, table, WORDS)
    assert run(reasons="captions").fingerprint not in reasoned
    assert len({whole, *reasoned}) == 3
    assert test_key == key


def test_what_else_is_told_of_a_face_is_another_training(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = set()
    for text in ("It smiles.", "It frowns."):
        monkeypatch.setattr(facts, "told", lambda *_, text=text: text)
        marks |= {run(prompt="Who?{face}{facts}").fingerprint, run().fingerprint}
    assert len(marks) == 3  # untold facts change nothing


@pytest.mark.slow
def test_a_finished_model_is_not_trained_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fits: list[Path] = []
    fit = language_trainer.fit

    def watched(*arguments: Any) -> None:
        fits.append(arguments[5])
        fit(*arguments)

    monkeypatch.setattr(language_trainer, "fit", watched)
    write_settings(project, mode="pretrain", epochs=1, frames=0)
    train()
    assert "parameters of tiny-qwen2.5-vl are trained (" in capsys.readouterr().out
    before = contents(Path("models"))
    assert {"checkpoints/split/model.json", "trained/split/majority/config.json"} <= set(before)
    assert not any("checkpoint-" in name for name in before)
    train()
    assert len(fits) == 1
    assert contents(Path("models")) == before
    config = schema.folder("split", "model") / "config.json"
    config.write_text("{}")
    train()
    assert len(fits) == 2
    assert contents(Path("models")) == before  # the same settings give the same weights
    shutil.rmtree("metrics/train")
    train()
    assert len(fits) == 3
    loaded: Any = schema.load(schema.folder("split", "model"))
    assert asdict(loaded.settings) == asdict(params.load().train.language)
    schema.save(loaded, Path("again"))
    for name in ("config.json", "model.safetensors"):
        assert (Path("again") / name).read_bytes() == before[f"trained/split/model/{name}"]


def test_what_lora_costs_elsewhere_is_reported_and_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def disturb(module: Any, *_: Any) -> None:
        for name, weight in module.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)

    monkeypatch.setattr(language_trainer, "fit", disturb)
    for ready in (run(), run(mode="finetune")):
        ready.fit(lambda *_: None)
        cost, trained = ready.trained.about.get("elsewhere"), ready.trained
        assert trained.describe()["elsewhere"] == cost
        if trained.module.config.lora is None:  # nothing else changes what is not asked of a face
            assert cost is None
            assert "unrelated" not in capsys.readouterr().out + trained.card()
            continue
        assert abs(cost["after"] - cost["before"]) > 1e-3
        line = f"nats a token, {cost['before']:.3f} before ({cost['after'] - cost['before']:+.3f})"
        assert "partition split: answers to unrelated questions have a log" in (
            told := capsys.readouterr().out
        )
        assert line in told
        assert line in trained.card()


@pytest.mark.slow
def test_one_backbone_is_there_at_a_time(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, loaded, alive = backbones.load, list[weakref.ref[Any]](), list[int]()

    def watched(*arguments: Any) -> backbones.Backbone:
        alive.append(sum(reference() is not None for reference in loaded))
        backbone = load(*arguments)
        loaded.append(weakref.ref(backbone.model))
        return backbone

    monkeypatch.setattr(backbones, "load", watched)
    write_settings(project, partitions=("split", 1), mode="pretrain", epochs=1, frames=0)
    train()
    assert alive == [0, 0]
