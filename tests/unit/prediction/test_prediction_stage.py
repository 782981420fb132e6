"""Stage predict on a toy project: whose answers, to which clips, and what a killed run resumes."""

import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.files import write_json
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.prediction import __main__ as stage
from facewave.prediction import schema
from facewave.prediction.__main__ import main as predict
from facewave.targets import number
from facewave.training import schema as training
from facewave.training.__main__ import main as train
from facewave.training.classifier import TrainedClassifier
from facewave.workspace import Clips, Dataset
from making import contents, edit, trained_project, words, write_params

ANSWERS = Path("data/answers")
PARTS = Path("models/checkpoints/answers")


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predicted") / "project"
    shutil.copytree(trained_project(), folder)
    with chdir(folder):
        predict()
    return folder


@pytest.fixture
def project(predicted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, as the current directory."""
    shutil.copytree(predicted, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of the models that are asked, in order."""
    kinds: list[str] = []
    answer = TrainedClassifier.answer

    def watched(trained: TrainedClassifier, clips: Clips) -> pd.DataFrame:
        kinds.append(trained.kind)
        return answer(trained, clips)

    monkeypatch.setattr(TrainedClassifier, "answer", watched)
    return kinds


def test_every_role_answers_its_partition_s_test_clips(project: Path) -> None:
    answers, models = schema.read()
    assert list(models.roles) == ["model", "majority", "logistic"]
    assert (models.kind, models.targets) == ("mlp", (words(*WORDS),))
    dataset = Dataset("demo", params.load())
    clips = dataset.clips()
    for (partition, role), rows in answers.groupby(["partition", "role"]):
        key = "split" if partition == "split" else int(partition)
        test = clips.select(labels.parts(clips.table, key) == "test")
        for column in ("video_idx", "file_path", "subject", "actual"):
            assert rows[column].tolist() == test.table[column].tolist()
        expected = training.load(training.folder(partition, role)).answer(test)
        for column in expected:
            if column.startswith("p_"):
                np.testing.assert_allclose(rows[column], expected[column], atol=0.51e-4)
            else:
                assert rows[column].tolist() == expected[column].tolist()
    assert set(answers["partition"]) == {"split", "1", "2"}
    assert set(answers.loc[answers["video_idx"] == "000", "answered_from"]) == {"prior"}
    assert not PARTS.exists()


def test_written_answers_that_are_words_are_counted_both_ways(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fourth strictly and every third more leniently; what is predicted is the strict one."""
    answer = TrainedClassifier.answer

    def written(trained: TrainedClassifier, clips: Clips) -> pd.DataFrame:
        table = answer(trained, clips)
        if trained.kind != "mlp":
            return table
        row = np.arange(len(table))
        strict = np.where(row % 4, "", clips.table["actual"])
        lenient = np.where(row % 3, strict, "fear")
        return table.assign(predicted=strict, **{training.LENIENTLY: lenient})

    monkeypatch.setattr(TrainedClassifier, "answer", written)
    monkeypatch.setattr(TrainedClassifier, "writes", property(lambda self: self.kind == "mlp"))
    predict()
    answers, models = schema.read()
    assert "read" not in models.roles["logistic"]
    assert set(models.roles["model"]["read"]) == {"split", "1", "2"}
    for partition, read in models.roles["model"]["read"].items():
        rows = answers[(answers["partition"] == partition) & (answers["role"] == "model")]
        n, row = len(rows), np.arange(len(rows))
        is_strict, is_fear = row % 4 == 0, row % 3 == 0
        right = is_strict & ~is_fear | (is_fear & (rows["actual"] == "fear").to_numpy())
        assert read == {
            "strictly": {"n": n, "read": is_strict.sum(), "right": is_strict.sum()},
            "leniently": {"n": n, "read": (is_strict | is_fear).sum(), "right": right.sum()},
        }
        assert (rows["predicted"] != "").tolist() == is_strict.tolist()
    assert list(answers) == schema.columns(models)


def test_a_killed_run_resumes_unless_something_has_changed(
    project: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(ANSWERS)

    def killed(trained: Any, clips: Clips, watched: Any = TrainedClassifier.answer) -> Any:
        if len(asked) == 4:
            raise KeyboardInterrupt
        return watched(trained, clips)

    def kill() -> None:
        asked.clear()
        with monkeypatch.context() as context:
            context.setattr(TrainedClassifier, "answer", killed)
            with pytest.raises(KeyboardInterrupt):
                predict()
        assert len(list(PARTS.iterdir())) == 4
        assert not ANSWERS.exists()
        asked.clear()

    def changed_other_parts() -> None:
        table = labels.read(Path("data/labels/demo.csv"))
        tested = (table["split"] == "test") | table["fold"].isin([1, 2])
        changed = table["actual"].mask(~tested & (table["actual"] != ""), WORDS[0])
        labels.write(Path("data/labels/demo.csv"), table.assign(actual=changed), WORDS)
        blocks = np.load("data/features/demo/blendshapes.npy")
        blocks[~tested] = 7
        np.save("data/features/demo/blendshapes.npy", blocks)

    def changed_clip() -> None:
        index = pd.read_csv("data/landmarks/demo/index.csv", dtype=str, keep_default_na=False)
        index.loc[index["video_idx"] == "001", "key"] = "another"
        index.to_csv("data/landmarks/demo/index.csv", index=False)

    def changed_numbers() -> None:
        blocks = np.load("data/features/demo/blendshapes.npy")
        blocks[2] += 1  # clip 001, of the split's test part
        np.save("data/features/demo/blendshapes.npy", blocks)

    def changed_model() -> None:
        shutil.copytree("models/trained/1/model", "models/trained/split/model", dirs_exist_ok=True)

    def changed_code() -> None:
        shutil.copytree(stage._CODE[0], "code/models")
        Path("code/models/classifiers/heads.py").write_text("")
        monkeypatch.setattr(stage, "_CODE", [Path("code/models"), *stage._CODE[1:]])

    # A change in a clip of the split's test part reaches the fold that tests it, too.
    four = ["mlp", "majority", "logistic", "mlp"]
    changes: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: None, []),
        (changed_other_parts, []),
        (changed_model, ["mlp"]),
        *((change, four) for change in (changed_clip, changed_numbers, changed_code)),
    ]
    for change, again in changes:
        shutil.rmtree(ANSWERS)
        kill()
        change()
        predict()
        assert asked == [*again, "majority", "logistic", "mlp", "majority", "logistic"]
        assert (contents(ANSWERS) == before) == (not again)
        assert not PARTS.exists()


def test_mistakes_get_a_sentence(project: Path) -> None:
    config = training.folder("split", "model") / "config.json"
    whole = config.read_text("utf-8")
    edit(config, lambda text: text.replace('"wavelet": "haar"', '"wavelet": "db2"'))
    with pytest.raises(UserError, match=r"features/demo differs in wavelet .*\(wavelet: db2\)"):
        predict()
    config.unlink()
    with pytest.raises(UserError, match=r"split/model/config.json is not here\. Train it"):
        predict()
    config.write_text(whole)
    table = labels.read(Path("data/labels/demo.csv"))
    labels.write(Path("data/labels/demo.csv"), table.assign(split="train"), WORDS)
    with pytest.raises(
        UserError, match="partition split has no test clip with classes; metrics/clean has"
    ):
        predict()


class Regression(training.Trained):
    """Answers with the clip's position."""

    kind, inputs, wavelets = "tiny-smolvlm", (), {}
    targets = (number("valence"), number("arousal"))
    about = {"dataset": "demo", "partition": "split"}  # noqa: RUF012

    def answer(self, clips: Clips) -> pd.DataFrame:
        values_nT = np.stack([clips.table["at"], np.full(len(clips), 0.123456)], axis=1)
        return training.answers_of(clips, np.full(len(clips), "face"), self.targets, values_nT)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "prompt": "?"}

    def save(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", {"type": "toy"})

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Regression":
        return cls()


TRAINED = Regression


def test_a_regression_answers_with_numbers_beside_the_training_means(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(training._MODULES, "toy", __name__)
    table = labels.read(Path("data/labels/demo.csv"))
    table["valence"], table["arousal"] = 0.5, np.arange(len(table)) / 100
    table.loc[table["video_idx"].isin(["001", "undecided"]), ["valence", "arousal"]] = (
        np.nan
    )  # of the test part
    table.loc[table["video_idx"] == "002", "arousal"] = np.nan
    labels.write(Path("data/labels/demo.csv"), table, WORDS)
    asked = {"partitions": ["split"], "baselines": [], "targets": ["valence", "arousal"]}
    write_params(project, train=asked | {"model": "majority"})
    train()
    write_params(project, train=asked | {"model": "tiny-smolvlm"})
    Regression().save(training.folder("split", "model"))
    predict()
    answers, models = schema.read()
    assert models.targets == Regression.targets
    assert list(models.roles) == ["model", "majority"]
    rows = table[(table["excluded"] == "") & (table["split"] == "test")]
    tested = rows[rows["valence"].notna()]
    learnt = table[(table["excluded"] == "") & (table["split"] == "train")]
    for role, rows in answers.groupby("role"):
        assert rows["video_idx"].tolist() == tested["video_idx"].tolist()
        np.testing.assert_allclose(rows["actual_arousal"], tested["arousal"])
        expected = 0.1235 if role == "model" else learnt["arousal"].mean().round(4)
        np.testing.assert_allclose(rows["predicted_arousal"], expected, rtol=1e-6)
        assert (rows["predicted_valence"].nunique() == 1) == (role == "majority")
        assert rows["high_arousal"].isna().all()
