"""Stage evaluate as a command on a toy project; its figures, from its own predictions."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from facewave import figures as pictures
from facewave import params
from facewave.errors import explain
from facewave.evaluation import importance, measures, robustness
from facewave.evaluation.__main__ import main, show_suspects, summarize
from facewave.evaluation.suspects import suspects
from facewave.labels import schema as labels
from facewave.training.__main__ import main as train
from making import (
    ABOUT,
    NAMES,
    REPOSITORY,
    TOY_TRAIN,
    contents,
    run,
    toy,
    trained_project,
    write_params,
    write_toy,
)

ROLES = ["model", "majority", "logistic"]
WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")


@pytest.fixture(scope="module")
def trained() -> Path:
    return trained_project()


@pytest.fixture(scope="module")
def evaluated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(trained, place)
    process = run(place, "-m", "facewave.evaluation")
    assert process.returncode == 0, process.stderr
    return place


@pytest.fixture(scope="module")
def report(evaluated: Path) -> Any:
    return json.loads((evaluated / "metrics/evaluate/report.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def predictions(evaluated: Path) -> pd.DataFrame:
    text = dict.fromkeys(("partition", "video_idx"), str)
    return pd.read_csv(
        evaluated / "metrics/evaluate/predictions.csv", dtype=text, keep_default_na=False
    )


def test_every_role_is_measured_on_the_same_clips(report: Any, predictions: pd.DataFrame) -> None:
    table = toy().table
    test = {
        "split": set(table.loc[table["split"] == "test", "video_idx"]),
        "1": set(table.loc[table["fold"] == 1, "video_idx"]),
        "2": set(table.loc[table["fold"] == 2, "video_idx"]),
    }
    for partition, clips in test.items():
        for role in ROLES:
            chosen = (predictions["partition"] == partition) & (predictions["role"] == role)
            assert sorted(predictions.loc[chosen, "video_idx"]) == sorted(clips)
    assert len(predictions) == len(ROLES) * sum(map(len, test.values()))
    assert list(report) == ["dataset", "classes", "split", "folds"]
    assert report["dataset"] == f"demo: {ABOUT}"
    assert (report["split"]["n"], report["split"]["subjects"]) == (12, 4)
    assert (report["folds"]["n"], report["folds"]["subjects"]) == (42, 14)
    assert [role for role in report["split"] if role in ROLES] == ROLES
    assert report["split"]["interval_over"] == "clips"
    assert report["folds"]["interval_over"] == "subjects"


def test_actual_words_are_those_of_the_labels(predictions: pd.DataFrame) -> None:
    words = toy().table.set_index("video_idx")["actual"]
    assert list(predictions["actual"]) == list(words[predictions["video_idx"]])


def test_probabilities_add_up_and_the_highest_is_the_answer(predictions: pd.DataFrame) -> None:
    probabilities = predictions[[f"p_{word}" for word in WORDS]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=7 * 0.5e-4)
    said = probabilities[range(len(predictions)), predictions["predicted"].map(WORDS.index)]
    np.testing.assert_array_equal(said, probabilities.max(axis=1))


def test_a_clip_without_a_face_counts_and_is_answered_from_the_prior(
    report: Any, predictions: pd.DataFrame
) -> None:
    table = toy().table
    blind = predictions[predictions["answered_from"] == "prior"]
    assert set(blind["video_idx"]) == {"000"}
    assert list(blind["partition"]) == ["split"] * 3 + ["1"] * 3
    assert report["split"]["unusable"] == report["folds"]["unusable"] == 1
    train_parts = {"split": table["split"] == "train", "1": table["fold"] == 3}
    for row in blind.to_dict("records"):
        counts = table.loc[train_parts[row["partition"]], "actual"].value_counts()
        for word in WORDS:
            expected = (counts.get(word, 0) + 1) / (counts.sum() + 7)
            assert row[f"p_{word}"] == pytest.approx(expected, abs=1e-4)


def test_the_model_learns_and_majority_does_not(report: Any) -> None:
    assert report["folds"]["model"]["war"] > 0.5
    assert report["folds"]["logistic"]["uar"] > 0.5
    assert report["folds"]["majority"]["uar"] == pytest.approx(1 / 3, abs=1e-4)


def by_scikit_learn(rows: pd.DataFrame) -> dict[str, float]:
    """A fold's figures, over the classes that occur."""
    actual, predicted = rows["actual"], rows["predicted"]
    said = rows[[f"p_{word}" for word in WORDS]].to_numpy()
    said = said / said.sum(axis=1, keepdims=True)
    occurring = sorted(actual.unique())
    codes = [WORDS.index(word) for word in occurring]
    code = actual.map(WORDS.index).to_numpy()
    return {
        "war": sk.accuracy_score(actual, predicted),
        "uar": sk.recall_score(actual, predicted, average="macro", labels=occurring),
        "macro_f1": sk.f1_score(actual, predicted, average="macro", labels=occurring),
        "auc": np.mean([sk.roc_auc_score(code == k, said[:, k]) for k in codes]),
        "log_loss": -np.log(np.maximum(said[range(len(code)), code], 0.00005)).mean(),
        "calibration_error": float(
            multiclass_calibration_error(
                torch.tensor(said), torch.tensor(code), len(WORDS), n_bins=15, norm="l1"
            )
        ),
    }


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("key", "partitions"), [("split", ["split"]), ("folds", ["1", "2"])])
def test_figures_follow_from_the_predictions(
    role: str, key: str, partitions: list[str], report: Any, predictions: pd.DataFrame
) -> None:
    rows = predictions[predictions["role"] == role]
    parts = {partition: rows[rows["partition"] == partition] for partition in partitions}
    by_fold = {partition: by_scikit_learn(part) for partition, part in parts.items()}
    figures = report[key][role]
    for name in measures.MEASURES:
        expected = np.mean([found[name] for found in by_fold.values()])
        assert figures[name] == pytest.approx(expected, abs=1e-4)
        low, high = figures[f"{name}_low"], figures[f"{name}_high"]
        assert low <= high
        assert name == "calibration_error" or low <= figures[name] <= high
    together = pd.concat(parts.values())
    right = together["actual"] == together["predicted"]
    assert figures["recall"] == pytest.approx(
        right.groupby(together["actual"]).mean().to_dict(), abs=1e-4
    )
    assert list(figures["recall_low"]) == list(figures["recall_high"]) == list(figures["recall"])
    for word, value in figures["recall"].items():
        assert figures["recall_low"][word] <= value <= figures["recall_high"][word]
    both = together.groupby(["actual", "predicted"]).size()
    assert figures["confusion"] == [
        [both.get((actual, predicted), 0) for predicted in WORDS] for actual in WORDS
    ]
    if key == "folds":
        assert list(figures["fold"]) == partitions
        for partition, part in parts.items():
            expected_fold = {"n": len(part)} | by_fold[partition]
            assert figures["fold"][partition] == pytest.approx(expected_fold, abs=1e-4)
    else:
        assert "fold" not in figures


def test_the_short_figures_are_those_of_the_report(evaluated: Path, report: Any) -> None:
    short = json.loads((evaluated / "metrics/evaluate/metrics.json").read_text("utf-8"))
    assert list(short) == ["dataset", "split", "folds"]
    for key in ("split", "folds"):
        assert short[key]["n"] == report[key]["n"]
        assert list(short[key]) == ["n", *ROLES]
        for role in ROLES:
            names = ("name", "war", "uar", "macro_f1", "auc", "log_loss", "calibration_error")
            assert short[key][role] == {name: report[key][role][name] for name in names}
    assert [short["split"][role]["name"] for role in ROLES] == ["mlp", "majority", "logistic"]


@pytest.mark.parametrize("role", ROLES)
def test_intervals_follow_from_the_predictions(
    role: str, report: Any, predictions: pd.DataFrame
) -> None:
    rows = predictions[(predictions["role"] == role) & (predictions["partition"] != "split")]
    answers = measures.from_table(rows, WORDS)
    np.testing.assert_array_equal(answers.group, pd.factorize(rows["subject"])[0])
    drawn = measures.bootstrap(answers, 100, seed=0)
    figures = report["folds"][role]
    for name in measures.MEASURES:
        expected = tuple(measures.interval(drawn[name]).round(4))
        assert (figures[f"{name}_low"], figures[f"{name}_high"]) == expected
    low, high = measures.interval(drawn["recall"])
    for code, word in enumerate(WORDS[:3]):
        ends = (figures["recall_low"][word], figures["recall_high"][word])
        assert ends == (round(low[code], 4), round(high[code], 4))


def test_what_the_clips_do_not_give_is_none(predictions: pd.DataFrame) -> None:
    chosen = (predictions["actual"] == "sad") & (predictions["partition"] == "split")
    rows = predictions[chosen & (predictions["role"] == "model")]
    found = summarize(rows, {"model": "mlp"}, WORDS, params.Evaluate(resamples=20, seed=0))
    figures = found["model"]
    assert [figures[f"auc{end}"] for end in ("", "_low", "_high")] == [None] * 3
    assert list(figures["recall"]) == ["sad"]
    assert figures["recall"]["sad"] == figures["uar"] == figures["war"]


def test_the_confusion_table_has_the_models_answers_over_folds(
    evaluated: Path, predictions: pd.DataFrame
) -> None:
    table = pd.read_csv(evaluated / "metrics/evaluate/confusion.csv")
    model = predictions[(predictions["role"] == "model") & (predictions["partition"] != "split")]
    assert table.to_numpy().tolist() == model[["actual", "predicted"]].to_numpy().tolist()


@pytest.mark.parametrize("name", ["confusion", "curves", "clip", "suspects"])
def test_pictures_show_something(evaluated: Path, name: str) -> None:
    folder = "pictures" if name in ("clip", "suspects") else "plots"  # with people, and without
    picture = cv2.imread(str(evaluated / f"metrics/evaluate/{folder}/{name}.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 300
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    if name == "clip":  # the video's orange square, in BGR
        near = np.abs(picture.astype(int) - (40, 180, 220)).max(axis=2) < 30
        assert near.sum() > 500


WRONG = "046"  # sad indeed, and tested in fold 1


@pytest.fixture(scope="module")
def mislabelled(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project with one label that is wrong, after both stages; its words have votes."""
    place = tmp_path_factory.mktemp("mislabelled") / "project"
    shutil.copytree(trained, place)
    made = toy()
    made.table["votes"] = '{"happy": 6}'
    codes = made.table["label"].to_numpy(int)
    made.blendshapes[np.arange(len(codes)), :, codes] += (
        4.0  # easy: the model is right of all others
    )
    row = made.table["video_idx"] == WRONG
    assert made.table.loc[row, ["actual", "fold"]].to_numpy().tolist() == [["sad", 1]]
    made.table.loc[row, ["label", "actual"]] = [2, "neutral"]
    made.blendshapes[row, :, 1] += 4.0  # the clip is most clearly sad
    write_params(place, train=TOY_TRAIN | {"partitions": [1, 2]}, evaluate={"resamples": 1})
    write_toy(place, made)
    with chdir(place):
        train()
        main()
    return place


def read_suspects(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "metrics/evaluate/suspects.csv", dtype={"video_idx": str})


def test_a_wrong_label_heads_the_list_of_suspects(mislabelled: Path) -> None:
    first = read_suspects(mislabelled).iloc[0].to_dict()
    p_label, p_suggested, quality = (first.pop(f) for f in ("p_label", "p_suggested", "quality"))
    assert first == {
        "video_idx": WRONG,
        "file_path": f"clips/{WRONG}.mp4",
        "actual": "neutral",
        "suggested": "sad",
        "votes": '{"happy": 6}',
        "table": "annotation.csv",
        "row": 48,
    }
    assert p_label < 0.2 < 0.6 < p_suggested <= 1
    assert 0 <= quality < 0.3


def test_suspects_are_of_the_models_answers_over_folds(mislabelled: Path) -> None:
    listed = read_suspects(mislabelled)
    said = pd.read_csv(
        mislabelled / "metrics/evaluate/predictions.csv", dtype={"video_idx": str}
    ).query("role == 'model'")
    said = said.set_index("video_idx").loc[listed["video_idx"]]
    assert listed["video_idx"].is_unique
    assert "000" not in set(listed["video_idx"])  # it shows no face
    assert listed["quality"].is_monotonic_increasing
    assert list(said["predicted"]) == list(listed["suggested"])
    for row in listed.itertuples():
        answer = said.loc[row.video_idx]
        assert row.p_label == answer[f"p_{row.actual}"]
        assert row.p_suggested == answer[f"p_{row.suggested}"]


def test_the_sheet_of_suspects_shows_their_clips(mislabelled: Path) -> None:
    picture = cv2.imread(str(mislabelled / "metrics/evaluate/pictures/suspects.png"))
    assert picture is not None
    square = np.abs(picture.astype(int) - (40, 180, 220)).max(axis=2) < 30  # of the clips, in BGR
    assert square.sum() > 100


def test_without_their_clips_the_suspects_are_listed_all_the_same(
    mislabelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "project"
    shutil.copytree(mislabelled, place)
    shutil.rmtree(place / "data/raw")
    before = contents(place)
    monkeypatch.chdir(place)
    main()
    after = contents(place)
    changed = [name for name in before if before[name] != after[name]]
    assert set(changed) <= {
        f"metrics/evaluate/pictures/{name}.png" for name in ("suspects", "clip")
    }
    assert "metrics/evaluate/pictures/suspects.png" in changed


def test_a_second_run_writes_the_same_bytes(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(evaluated)
    (evaluated / "metrics/evaluate/plots/stale.txt").write_text("of an earlier run")
    monkeypatch.chdir(evaluated)
    main()
    after = contents(evaluated)
    assert set(after) == set(before)
    assert [name for name in before if before[name] != after[name]] == []


def test_without_a_model_a_sentence_and_exit_2(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "project"
    shutil.copytree(trained, place)
    shutil.rmtree(place / "models/trained/split/logistic")
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit) as stop:
        explain(main)
    assert stop.value.code == 2
    assert "models/trained/split/logistic" in capsys.readouterr().err


def test_the_majority_need_not_be_a_baseline(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "project"
    shutil.copytree(trained, place)
    write_params(
        place,
        train={"epochs": 1, "partitions": ["split"], "baselines": ["logistic"]},
        evaluate={"resamples": 1},
    )
    monkeypatch.chdir(place)
    explain(train)
    explain(main)
    figures = json.loads((place / "metrics/evaluate/metrics.json").read_text("utf-8"))
    assert "logistic" in figures["split"]


def table(project: Path, name: str) -> pd.DataFrame:
    """A table of the stage; what is empty is "" in columns of text."""
    return pd.read_csv(project / f"metrics/evaluate/{name}.csv", keep_default_na=False)


def test_robustness_counts_the_models_answers_over_folds(
    evaluated: Path, predictions: pd.DataFrame
) -> None:
    found = table(evaluated, "robustness")
    assert tuple(found) == robustness.COLUMNS
    model = predictions[(predictions["role"] == "model") & (predictions["partition"] != "split")]
    right = model["actual"] == model["predicted"]
    whole = found.iloc[0]
    assert (whole["condition"], whole["n"], whole["subjects"]) == ("all", len(model), 14)
    assert float(whole["war"]) == pytest.approx(right.mean(), abs=1e-4)
    assert {"all", "sharpness", "subject"} <= set(found["condition"])
    assert (found.groupby("condition")["n"].sum() == len(model)).all()
    subjects = found[found["condition"] == "subject"].set_index("range")
    for subject, rows in right.groupby(model["subject"]):
        assert float(subjects.loc[subject, "war"]) == pytest.approx(rows.mean(), abs=1e-4)


def test_importance_is_of_what_the_model_was_given(evaluated: Path) -> None:
    found = table(evaluated, "importance")
    assert tuple(found) == importance.COLUMNS
    assert list(found["kind"].unique()) == ["block", "blendshape", "region", "part", "scale"]
    of = found.set_index(["kind", "name"])["importance"]
    assert list(of["block"].index) == ["blendshapes"]
    # Exchanged among the clips, all numbers together tell no more than chance.
    assert of["block", "blendshapes"] > 0.15
    # Three blendshapes tell the classes apart.
    assert set(of["blendshape"].nlargest(3).index) == set(NAMES[:3])
    assert len(of["part"]) == 10


@pytest.mark.parametrize("name", ["robustness", "explanation"])
def test_pictures_of_what_decides_and_where_it_holds_show_something(
    evaluated: Path, name: str
) -> None:
    folder = "pictures" if name in ("clip", "suspects") else "plots"  # with people, and without
    picture = cv2.imread(str(evaluated / f"metrics/evaluate/{folder}/{name}.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 300
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_the_tables_follow_from_their_seed(
    evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "project"
    shutil.copytree(evaluated, place)
    write_params(
        place,
        train=TOY_TRAIN | {"partitions": ["split", 1, 2]},
        evaluate={"resamples": 100, "seed": 1},
    )
    monkeypatch.chdir(place)
    main()
    for name, drawn in (("robustness", "war_low"), ("importance", "low")):
        before, after = table(evaluated, name), table(place, name)
        assert before[drawn].tolist() != after[drawn].tolist()
        assert len(before) == len(after)


def test_where_no_test_clip_shows_a_face_nothing_is_explained(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "project"
    shutil.copytree(trained, place)
    made = toy()
    made.usable[(made.table["split"] == "test").to_numpy()] = False
    write_toy(place, made)
    write_params(place, train=TOY_TRAIN | {"partitions": ["split"]}, evaluate={"resamples": 5})
    monkeypatch.chdir(place)
    main()
    assert len(table(place, "importance")) == 0
    assert tuple(table(place, "importance")) == importance.COLUMNS
    assert not (place / "metrics/evaluate/plots/explanation.png").exists()
    assert table(place, "robustness")["n"].iloc[0] == 12
    assert (place / "metrics/evaluate/plots/robustness.png").exists()


Drawn = dict[str, Figure]


@pytest.fixture(scope="module")
def drawn() -> Iterator[Drawn]:
    """What the stage draws while a fixture runs it: the figures, by the files' names."""
    found: Drawn = {}
    save = pictures.save

    def watched(figure: Figure, path: Path, dpi: int = 110) -> None:
        found[path.name] = figure
        save(figure, path, dpi)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "save", watched)
        yield found


def speaking(project: Path, mode: str, partitions: list[Any], **language: Any) -> None:
    """params.yaml with a tiny language model."""
    own = params.load(REPOSITORY / "params.yaml").train.language
    small = {"frames": 1, "side": 28, "batch_size": 16, "accumulation": 1, "epochs": 1}
    given = {name: getattr(own, name) for name in vars(own) if name != "lora"}
    given |= {"lora": vars(own.lora)} | small | language
    train = {"partitions": partitions, "model": "tiny-smolvlm", "mode": mode, "language": given}
    write_params(project, train=TOY_TRAIN | train, evaluate={"resamples": 20})


def run_stages(project: Path, drawn: Drawn) -> Drawn:
    drawn.clear()
    with chdir(project):
        train()
        main()
    return dict(drawn)


@pytest.fixture(scope="module")
def written(
    trained: Path, drawn: Drawn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Drawn]:
    """A language model that was not trained, and writes its answers."""
    place = tmp_path_factory.mktemp("written") / "project"
    shutil.copytree(trained, place)
    speaking(place, "zero_shot", ["split"], answers="generation")
    return place, run_stages(place, drawn)


def test_answers_that_cannot_be_read_are_told_as_such(written: tuple[Path, Drawn]) -> None:
    project, drawn = written
    said = table(project, "predictions")
    model = said[said["role"] == "model"].reset_index(drop=True)
    mute = (model["predicted"] == "").sum()
    assert (len(model), mute) == (12, 12)  # its weights are random
    assert (model[[f"p_{word}" for word in WORDS]].round(3) == 0.143).all(axis=None)
    confusion = table(project, "confusion")
    assert list(confusion["actual"]) == list(model["actual"])
    assert set(confusion["predicted"]) == {"unreadable"}
    figures = json.loads((project / "metrics/evaluate/report.json").read_text("utf-8"))["split"]
    assert [row[-1] for row in figures["model"]["confusion"]] == [4, 4, 4, 0, 0, 0, 0]
    assert len(figures["model"]["confusion"][0]) == len(WORDS) + 1
    assert drawn["clip.png"].get_suptitle().endswith(", the model's answer is unreadable")


def test_an_unreadable_answer_makes_no_label_doubtful(
    written: tuple[Path, Drawn], tmp_path: Path
) -> None:
    rows = labels.read(written[0] / "data/labels/demo.csv").iloc[1:31]
    model = rows.assign(predicted=rows["actual"], answered_from="face")
    said = rows["actual"].tolist()
    said[:5] = [WORDS[(WORDS.index(word) + 1) % 3] for word in said[:5]]
    for word in WORDS:
        model[f"p_{word}"] = [float(one == word) for one in said]
    model.iloc[:4, model.columns.get_loc("predicted")] = ""  # the fifth can be read
    loaded = params.load(written[0] / "params.yaml")
    doubted = suspects(model, WORDS)["video_idx"]
    mute = set(model["video_idx"].iloc[:4])
    assert mute & set(doubted)  # they would be, by their probabilities alone
    show_suspects(model, rows, WORDS, loaded.datasets["demo"], tmp_path)
    listed = pd.read_csv(tmp_path / "suspects.csv", dtype={"video_idx": str})["video_idx"]
    assert list(listed) == [model["video_idx"].iloc[4]]
    assert not mute & set(listed)


def test_classifiers_stand_beside_a_language_model(written: tuple[Path, Drawn]) -> None:
    figures = json.loads((written[0] / "metrics/evaluate/metrics.json").read_text("utf-8"))
    assert [figures["split"][role]["name"] for role in ROLES] == [
        "tiny-smolvlm", "majority", "logistic",
    ]  # fmt: skip
    assert figures["split"]["logistic"]["uar"] > 0.5
    assert len(table(written[0], "robustness")) > 5
    assert tuple(table(written[0], "importance")) == importance.COLUMNS


def test_without_training_there_are_no_curves(written: tuple[Path, Drawn]) -> None:
    project, drawn = written
    assert "curves.png" not in drawn
    assert not (project / "metrics/evaluate/plots/curves.png").exists()


def test_how_a_language_model_was_asked_is_told(written: tuple[Path, Drawn]) -> None:
    report = json.loads((written[0] / "metrics/evaluate/report.json").read_text("utf-8"))
    found = report["language"]
    assert found["prompt"] == (
        "These are frames of a clip of a person.\nWhich emotion does the person show? "
        "Answer with one of: happy, sad, neutral, angry, surprise, disgust, fear."
    )
    assert (found["weights"], found["mode"], found["trained"]) == ("", "zero_shot", 0)
    assert (found["face_tokens"], found["adapter"], found["lora"]) == (0, None, None)
    assert found["settings"]["answers"] == "generation"
    assert found["parameters"] > 10_000


TARGETS = ["valence", "score.stress"]


@pytest.fixture(scope="module")
def regressed(
    trained: Path, drawn: Drawn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Drawn]:
    """A regression on clips without words; five of fold 1 lack a target."""
    place = tmp_path_factory.mktemp("regressed") / "project"
    shutil.copytree(trained, place)
    rows = toy().table
    rng = np.random.default_rng(0)
    rows = rows.assign(label=pd.NA, actual="", valence=rng.uniform(-1, 1, len(rows)), arousal=0.5)
    rows["scores"] = [f'{{"stress": {10 + at % 7}}}' for at in range(len(rows))]
    rows.loc[rows.index[rows["fold"] == 1][:5], "scores"] = ""
    labels.write(place / "data/labels/demo.csv", rows, ())
    asked = {"prompt": "{face} How high are {targets}?", "targets": TARGETS}
    speaking(place, "finetune", ["split", 1, 2], objective="ccc", **asked)
    return place, run_stages(place, drawn)


def test_a_regression_leaves_its_numbers_and_their_figures(
    regressed: tuple[Path, Drawn],
) -> None:
    project, _ = regressed
    said = table(project, "predictions")
    report = json.loads((project / "metrics/evaluate/report.json").read_text("utf-8"))
    short = json.loads((project / "metrics/evaluate/metrics.json").read_text("utf-8"))
    assert list(report) == ["dataset", "targets", "language", "split", "folds"]
    assert report["targets"] == TARGETS
    assert set(said["role"]) == {"model"}
    for key, partitions in (("split", ["split"]), ("folds", ["1", "2"])):
        rows = said[said["partition"].astype(str).isin(partitions)]
        assert report[key]["n"] == short[key]["n"] == len(rows)
        for target in TARGETS:
            errors = [
                np.sqrt(((one[f"predicted_{target}"] - one[f"actual_{target}"]) ** 2).mean())
                for _, one in rows.groupby("partition")
            ]
            figures = report[key]["model"][target]
            assert figures["rmse"] == pytest.approx(np.mean(errors), abs=1e-4)
            assert figures["rmse_low"] <= figures["rmse"] <= figures["rmse_high"]
            assert short[key]["model"][target]["ccc"] == figures["ccc"]
            assert report[key]["mean"][target]["ccc"] == 0
    assert report["folds"]["n"] == 20 + 21 + 1 - 5
    assert {name: one["n"] for name, one in report["folds"]["model"]["fold"].items()} == {
        "1": 16, "2": 21,
    }  # fmt: skip
    assert "fold" not in report["split"]["model"]


def test_of_a_regression_tables_about_classes_are_empty(regressed: tuple[Path, Drawn]) -> None:
    for name in ("confusion", "robustness", "importance", "suspects"):
        assert len(table(regressed[0], name)) == 0
        assert len(table(regressed[0], name).columns) > 1


def test_the_pictures_of_a_regression(regressed: tuple[Path, Drawn]) -> None:
    project, drawn = regressed
    assert set(drawn) == {"curves.png", "regression.png", "clip.png"}
    assert drawn["curves.png"].axes[0].get_xlabel() == "step"
    assert drawn["curves.png"].axes[0].get_ylabel() == "1 - CCC"
    said = table(project, "predictions")
    title = drawn["clip.png"].get_suptitle()
    (row,) = (
        one
        for one in said[said["partition"] != "split"].to_dict("records")
        if f"clip {int(one['video_idx']):03}:" in title
    )
    for target in TARGETS:
        actual, predicted = row[f"actual_{target}"], row[f"predicted_{target}"]
        assert f"{target} {actual:.3g}, the model says {predicted:.3g}" in title


def test_a_regression_s_prompt_has_its_face_tokens_as_one(regressed: tuple[Path, Drawn]) -> None:
    report = json.loads((regressed[0] / "metrics/evaluate/report.json").read_text("utf-8"))
    found = report["language"]
    assert found["prompt"].count("<face>") == 1
    assert (found["face_tokens"], found["adapter"], found["inputs"]) == (
        10, "linear", ["blendshapes"],
    )  # fmt: skip
    assert found["lora"]["rank"] == 8
    assert 0 < found["trained"] < found["parameters"] / 2


def test_curves_of_a_classifier_are_over_epochs(
    trained: Path, drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "project"
    shutil.copytree(trained, place)
    write_params(
        place, train=TOY_TRAIN | {"partitions": ["split", 1, 2]}, evaluate={"resamples": 1}
    )
    monkeypatch.chdir(place)
    drawn.clear()
    main()
    axes = drawn["curves.png"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "cross-entropy (nats)")
    assert ": " in drawn["clip.png"].get_suptitle()
    assert ", the model says " in drawn["clip.png"].get_suptitle()
