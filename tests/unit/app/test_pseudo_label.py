"""``facewave pseudo-label``: which clips are answered, with what, and the agreement with labels."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.app.pseudo_label import pseudo_label
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.models.classifiers.classifier import ClassifierConfig, build
from facewave.targets import CLASSES, Target, number
from facewave.training import schema as training
from facewave.training.classifier import TrainedClassifier
from facewave.wavelets import schema as wavelets
from facewave.workspace import Dataset
from language_project import second_dataset, write_model, write_project
from making import contents

TRACK = Path("data/tracks/demo/pseudo_labels.csv")
OTHER = Path("data/tracks/other/pseudo_labels.csv")
MODEL = Path("models/trained/split/model")
PROBABILITIES = [f"p_{word}" for word in WORDS]
Capture = pytest.CaptureFixture[str]


def write_classifier(project: Path, partition: str, seed: int) -> None:
    """A classifier with random weights and a class prior, as stage train would write it."""
    features = wavelets.read(project / "data/features/demo").config
    targets = (Target(CLASSES, "words", WORDS), number("valence"))
    config = ClassifierConfig("logistic", targets, steps=10, widths=(52,))
    module = build(config)
    truth_nW = torch.eye(len(WORDS) + 1)[[3, 3, 1]]
    truth_nW[:, -1] = 0.25  # valence
    module.prior.fit(truth_nW)
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    about = {"dataset": "demo", "partition": partition}
    trained = TrainedClassifier(module.eval(), config, ("blendshapes",), features, about)
    trained.save(project / training.folder(partition, "model"))


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


def test_clips_of_words_that_are_not_chosen_are_no_unlabelled_clips(project: Path) -> None:
    path = project / "data/labels/demo.csv"
    whole = labels.read(path)
    ask()
    answered = whole["video_idx"].isin(rows()["video_idx"]) & (whole["excluded"] != "")
    assert answered.any()
    other = {"excluded": str(labels.Reason.NOT_CHOSEN), "actual": "contempt"}
    labels.write(
        path, whole.assign(**{n: whole[n].mask(answered, v) for n, v in other.items()}), WORDS
    )
    TRACK.unlink()
    ask()
    assert not set(whole.loc[answered, "video_idx"]) & set(rows()["video_idx"])


def test_clips_without_a_label_and_those_of_the_test_part_are_answered(
    project: Path, capsys: Capture
) -> None:
    for partition in ("split", "1"):
        ask(folder=training.folder(partition, "model"), track=partition)
        path = Path(f"data/tracks/demo/{partition}.csv")
        whole, found = table(), rows(path)
        parts = labels.parts(whole, "split" if partition == "split" else 1)
        tested = whole.index[(parts == "test") & (whole["excluded"] == "")]
        assert found["video_idx"].tolist() == ["undecided", *tested]
        columns = ["video_idx", "file_path", "key", "predicted", *PROBABILITIES]
        columns += ["predicted_valence", "low_valence", "high_valence", "answered_from"]
        assert list(found) == columns
        output = capsys.readouterr().out
        assert f"{path}: {len(found)} clips, 1 without a label" in output
        known = found.set_index("video_idx").loc[tested]
        right = known["predicted"] == whole.loc[tested, "actual"]
        uar = right.groupby(whole.loc[tested, "actual"]).mean().mean()
        n = len(tested)
        assert f"agreement with {n} known labels: WAR {100 * right.mean():.1f} % [" in output
        assert f"UAR {100 * uar:.1f} % [" in output
        subjects = whole.loc[tested, "subject"].nunique()
        assert f"bootstrap over {'subjects' if subjects >= 10 else 'clips'})" in output
        assert output.endswith(f"of demo, those in the test part of partition {partition}\n")
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert set(about["model"]) == {"config.json", "model.safetensors"}


def test_they_are_the_model_s_answers(project: Path) -> None:
    ask()
    found = rows().set_index("video_idx")
    clips = Dataset("demo", params.load()).clips(labels.read(Path("data/labels/demo.csv")))
    expected = training.load(MODEL).answer(clips).set_index(clips.table["video_idx"])
    expected = expected.loc[found.index]
    answered = [*PROBABILITIES, "predicted_valence"]
    np.testing.assert_allclose(found[answered], expected[answered], atol=0.51e-4)
    for column in ("predicted", "answered_from"):
        assert found[column].tolist() == expected[column].tolist()
    assert found.index[found["answered_from"] == "prior"].tolist() == ["000"]
    assert (found.loc["000", "predicted"], found.loc["000", "p_angry"]) == ("angry", 0.3)


def test_another_model_is_refused(project: Path) -> None:
    ask()
    before = contents(project / "data/tracks")
    with pytest.raises(UserError, match=r"was made with another model .*Name another with --track"):
        ask(folder=Path("models/trained/1/model"))
    assert contents(project / "data/tracks") == before


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
    output = capsys.readouterr().out
    assert f"agreement with {len(expected) - 1} known labels" in output
    assert "of other, all but those that are in demo, which the model learnt from" in output


def test_missing_labels_are_reported(project: Path, capsys: Capture) -> None:
    whole = labels.read(Path("data/labels/other.csv"))
    whole["actual"] = ""
    labels.write(Path("data/labels/other.csv"), whole, ())
    ask("other")
    assert len(rows(OTHER)) == 61
    output = capsys.readouterr().out
    assert f"{OTHER}: 61 clips, 61 without a label" in output
    assert output.endswith("no known labels to compare with\n")


def test_mistakes_get_a_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="there is no dataset 'nowhere'"):
        ask("nowhere")
    with pytest.raises(UserError, match=r"nowhere/config\.json is not here"):
        ask(folder=Path("nowhere"))
    regression = write_model(project, targets=("valence",), folder=project / "models/regression")
    with pytest.raises(UserError, match="gives no classes"):
        ask(folder=regression)
    config = Path("data/features/other/config.json")
    config.write_text(config.read_text().replace('"wavelet": "haar"', '"wavelet": "db2"'))
    with pytest.raises(UserError, match="data/features/other differs in wavelet"):
        ask("other")
    assert not OTHER.exists()


# Language models.


def test_a_written_answer_that_is_no_word_counts_as_wrong(project: Path, capsys: Capture) -> None:
    write_model(project, answers="generation")
    ask()
    assert set(rows()["predicted"]) == {""}
    output = capsys.readouterr().out
    assert "agreement with 12 known labels: WAR 0.0 % [0, 0], UAR 0.0 % [0, 0]" in output


def test_what_a_model_started_from_counts_as_learnt(project: Path, capsys: Capture) -> None:
    """Pretrained on ``other``, finetuned on ``demo``: of ``other`` the test part is left."""
    write_model(project, mode="finetune", about={"before": [["other", "1"]]})
    ask("other")
    whole = table("other")
    tested = whole.index[(whole["fold"] == 1) & (whole["excluded"] == "")]
    assert rows(OTHER)["video_idx"].tolist() == ["oundecided", *tested]
    output = capsys.readouterr().out
    assert output.endswith("of other, those in the test part of partition 1\n")


def test_a_stopped_run_resumes_to_the_same_bytes(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = TrainedClassifier.answer

    def watched(model: Any, clips: Any) -> Any:
        if len(asked) == 1:
            asked.append(0)
            raise KeyboardInterrupt
        asked.append(len(clips))
        return answer(model, clips)

    monkeypatch.setattr(TrainedClassifier, "answer", watched)
    with pytest.raises(KeyboardInterrupt):
        ask("other")
    ask("other")
    assert asked == [32, 0, 29]
    assert f"{OTHER} has 32 of 61 clips already" in capsys.readouterr().out
    ended = contents(project / "data/tracks")
    shutil.rmtree("data/tracks")
    ask("other")
    assert contents(project / "data/tracks") == ended
