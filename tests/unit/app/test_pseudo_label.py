"""``facewave pseudo-label``: which clips are answered, with what, and how the agreement is told."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave.app.pseudo_label import pseudo_label
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.models.classifiers.classifier import ClassifierConfig, build
from facewave.prompts import answers
from facewave.training import schema as training
from facewave.training.classifier import TrainedClassifier
from facewave.wavelets import schema as wavelets
from making import contents
from writing import second_dataset, write_model, write_project

TRACK = Path("data/tracks/demo/pseudo_labels.csv")
OTHER = Path("data/tracks/other/pseudo_labels.csv")
MODEL = Path("models/trained/split/model")
PROBABILITIES = [f"p_{word}" for word in WORDS]
Capture = pytest.CaptureFixture[str]


def write_classifier(project: Path, partition: str, seed: int) -> None:
    """A classifier with random weights, as stage train would write it."""
    wavelet_config = wavelets.read(project / "data/features/demo").config
    config = ClassifierConfig("logistic", WORDS, 10, (52,))
    module = build(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    module.prior.fit(torch.tensor([3, 3, 1]))
    about = {"dataset": "demo", "partition": partition}
    trained = TrainedClassifier(module, config, ("blendshapes",), wavelet_config, about)
    trained.save(project / "models/trained" / partition / "model")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    write_project(folder)
    second_dataset(folder)
    for partition, seed in (("split", 0), ("1", 1)):
        write_classifier(folder, partition, seed)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which we are in."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def ask(dataset: str = "demo", folder: Path | None = None, track: str = "pseudo_labels") -> None:
    pseudo_label(dataset, folder, track)


def rows(path: Path = TRACK) -> pd.DataFrame:
    text = dict.fromkeys(("video_idx", "file_path", "key", "predicted", "answered_from"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False)


def table(dataset: str = "demo") -> pd.DataFrame:
    return labels.read(Path(f"data/labels/{dataset}.csv")).set_index("video_idx")


@pytest.mark.parametrize("partition", ["split", "1"])
def test_clips_without_a_label_and_those_of_the_test_part_are_answered(
    project: Path, capsys: Capture, partition: str
) -> None:
    ask(folder=Path("models/trained") / partition / "model")
    whole, found = table(), rows()
    place = labels.parts(whole, "split" if partition == "split" else 1)
    tested = whole.index[(place == "test") & (whole["excluded"] == "")]
    assert found["video_idx"].tolist() == ["undecided", *tested]
    assert list(found) == [
        *("video_idx", "file_path", "key", "predicted"), *PROBABILITIES, "answered_from"
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert f"{TRACK}: {len(found)} clips, 1 without a label" in said
    known = found.set_index("video_idx").loc[tested]
    right = known["predicted"] == whole.loc[tested, "actual"]
    recall = right.groupby(whole.loc[tested, "actual"]).mean().mean()
    assert f"agreement with {len(tested)} known labels: WAR {100 * right.mean():.1f} % [" in said
    assert f"UAR {100 * recall:.1f} % [" in said
    subjects = whole.loc[tested, "subject"].nunique()
    assert f"bootstrap over {'subjects' if subjects >= 10 else 'clips'})" in said
    assert said.endswith(f"of demo, those in the test part of partition {partition}\n")


def test_they_are_the_model_s_answers_to_the_clips_numbers(project: Path) -> None:
    ask()
    features = wavelets.read(Path("data/features/demo"))
    trained = training.load(MODEL)
    at = {name: i for i, name in enumerate(features.clips["video_idx"])}
    found = rows().set_index("video_idx")
    seen = found[found["answered_from"] == "face"]
    assert set(found.index) - set(seen.index) == {"000"}
    assert isinstance(trained, TrainedClassifier)
    numbers = np.stack([features.blocks["blendshapes"][at[name]] for name in seen.index])
    np.testing.assert_allclose(seen[PROBABILITIES], trained.probabilities(numbers), atol=0.51e-4)
    assert seen["predicted"].nunique() > 1
    prior = found.loc["000"]
    assert prior["answered_from"] == "prior"
    assert (prior["predicted"], prior["p_angry"]) == ("angry", 0.3)
    about = json.loads(TRACK.with_suffix(".json").read_text("utf-8"))
    assert set(about) == {"model"}


def test_the_same_bytes_again_and_another_model_is_refused(project: Path) -> None:
    ask()
    before = contents(project / "data/tracks")
    ask()
    assert contents(project / "data/tracks") == before
    with pytest.raises(UserError, match=r"was made with another model .*Name another with --track"):
        ask(folder=Path("models/trained/1/model"))
    assert contents(project / "data/tracks") == before
    ask(folder=Path("models/trained/1/model"), track="second")
    assert set(contents(project / "data/tracks/demo")) == {
        f"{name}.{end}" for name in ("pseudo_labels", "second") for end in ("csv", "json")
    }


def test_of_another_dataset_all_labelled_clips_count_whose_words_both_know(
    project: Path, capsys: Capture
) -> None:
    whole = labels.read(Path("data/labels/other.csv"))
    strange = whole["actual"] == "neutral"
    whole.loc[strange, "actual"] = "bored"
    labels.write(Path("data/labels/other.csv"), whole, (*WORDS, "bored"))
    # Two clips that demo has as well, by their bytes: one was learnt from, one was not.
    index = Path("data/landmarks/other/index.csv")
    seen = pd.read_csv(index, dtype=str, keep_default_na=False).set_index("video_idx", drop=False)
    split = table()["split"]
    learnt, tested = split.index[split == "train"][0], split.index[split == "test"][1]
    assert {table().loc[name, "actual"] for name in (learnt, tested)} <= {"happy", "sad"}
    seen.loc[[f"o{learnt}", f"o{tested}"], "key"] = [f"key-{learnt}", f"key-{tested}"]
    seen.to_csv(index, index=False)
    ask("other")
    expected = whole.loc[~strange & (whole["video_idx"] != f"o{learnt}"), "video_idx"]
    assert rows(OTHER)["video_idx"].tolist() == expected.tolist()
    said = capsys.readouterr().out
    assert f"agreement with {len(expected) - 1} known labels" in said
    assert "of other, all but those that are in demo, which the model learnt from" in said


def test_without_known_labels_it_is_told(project: Path, capsys: Capture) -> None:
    whole = labels.read(Path("data/labels/other.csv"))
    whole["actual"] = ""
    labels.write(Path("data/labels/other.csv"), whole, ())
    ask("other")
    assert len(rows(OTHER)) == 61
    said = capsys.readouterr().out
    assert f"{OTHER}: 61 clips, 61 without a label" in said
    assert said.endswith("no known labels to compare with\n")


def test_features_of_other_wavelets_are_refused(project: Path) -> None:
    config = Path("data/features/other/config.json")
    about = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps(about | {"wavelet": "db2"}))
    with pytest.raises(
        UserError, match=r"data/features/other has other wavelet .*\(wavelet: haar\).*dvc repro"
    ):
        ask("other")
    assert not OTHER.exists()


def test_mistakes_get_a_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="there is no dataset 'nowhere'"):
        ask("nowhere")
    with pytest.raises(UserError, match=r"nowhere/config\.json is not here"):
        ask(folder=Path("nowhere"))
    regression = write_model(project, targets=("valence",), place=project / "models/regression")
    with pytest.raises(UserError, match="gives numbers, not labels"):
        ask(folder=regression)


# Language models.


def test_a_language_model_answers_too(project: Path, capsys: Capture) -> None:
    write_model(project, shots=("001", "002", "004"), by_length=True)
    ask()
    found = rows().set_index("video_idx")
    assert "agreement with 12 known labels" in capsys.readouterr().out
    assert set(found["answered_from"]) == {"face", "frames"}
    assert found.loc["000", "answered_from"] == "frames"
    np.testing.assert_allclose(found[PROBABILITIES].sum(axis=1), 1, atol=1e-3)
    assert (found[PROBABILITIES].idxmax(axis=1) == "p_" + found["predicted"]).all()
    write_model(project, by_length=True)
    ask(track="alone")
    alone = rows(Path("data/tracks/demo/alone.csv")).set_index("video_idx")
    assert not np.array_equal(alone[PROBABILITIES], found[PROBABILITIES])


def test_examples_that_are_gone_are_told(project: Path) -> None:
    write_model(project, shots=("001", "lost"))
    with pytest.raises(UserError, match="demo lacks clips that the model shows as examples"):
        ask()


def test_a_written_answer_that_is_no_word_counts_as_wrong(project: Path, capsys: Capture) -> None:
    write_model(project, answers="generation")
    ask()
    assert set(rows()["predicted"]) == {""}
    said = capsys.readouterr().out
    assert "agreement with 12 known labels: WAR 0.0 % [0, 0], UAR 0.0 % [0, 0]" in said


def test_what_a_model_started_from_counts_as_learnt(project: Path, capsys: Capture) -> None:
    """Pretrained on ``other``, finetuned on ``demo``: of ``other`` the test part is left."""
    write_model(project, mode="finetune", about={"before": [["other", "1"]]})
    ask("other")
    whole = table("other")
    tested = whole.index[(whole["fold"] == 1) & (whole["excluded"] == "")]
    assert rows(OTHER)["video_idx"].tolist() == ["oundecided", *tested]
    assert capsys.readouterr().out.endswith("of other, those in the test part of partition 1\n")


def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(project)
    asked: list[int] = []
    whole_of = answers.probabilities

    def watched(model: Any, examples: Any, *rest: Any) -> Any:
        if asked == [32]:
            asked.clear()
            raise KeyboardInterrupt
        asked.append(len(examples))
        return whole_of(model, examples, *rest)

    monkeypatch.setattr(answers, "probabilities", watched)
    with pytest.raises(KeyboardInterrupt):
        ask("other")
    asked.append(0)
    ask("other")
    assert f"{OTHER} has 32 of 61 clips already" in capsys.readouterr().out
    assert asked == [0, 29]
    ended = contents(project / "data/tracks")
    shutil.rmtree("data/tracks")
    ask("other")
    assert contents(project / "data/tracks") == ended
