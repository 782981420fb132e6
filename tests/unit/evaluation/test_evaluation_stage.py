"""Stage evaluate on made-up answers: its files, and that their figures follow from the answers."""

import json
import shutil
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facewave.evaluation import measures, robustness, suspects
from facewave.evaluation.__main__ import main
from facewave.evaluation.intervals import estimates
from facewave.evaluation.tasks import task
from facewave.files import write_csv
from facewave.labels import schema as labels
from facewave.landmarks.schema import INDEX
from facewave.prediction import schema as prediction
from facewave.prediction.schema import Models
from making import ABOUT, contents, write_params
from making_results import (
    FOLDS,
    ROLES,
    SETTINGS,
    TARGETS,
    WORDS,
    answers,
    classifiers,
    drawn_figures,
    language,
    numbers,
    regressors,
)

OUT = Path("metrics/evaluate")
DOUBTED = "4"  # sad, and surely taken for happy


def both(make: Any, n_subjects: int = 12) -> pd.DataFrame:
    """Answers over a split and over folds."""
    return pd.concat([make(("split",), 2), make(FOLDS, n_subjects)], ignore_index=True)


def write(
    project: Path, rows: pd.DataFrame, models: Models, scene: str = "", synthetic: bool = True
) -> None:
    """All that the stage reads."""
    write_params(project, evaluate={"resamples": 50}, datasets={"demo": {"synthetic": synthetic}})
    prediction.write(rows, models, project / prediction.ROOT)
    clips = rows[["video_idx", "file_path", "subject"]].drop_duplicates("video_idx")
    table = clips.assign(excluded="", votes='{"sad": 6}', table="list.csv", scene=scene)
    table["row"] = range(2, len(table) + 2)
    table["about"] = [f'{{"sex": "{("female", "male")[i % 2]}"}}' for i in range(len(table))]
    out = table.head(1).assign(excluded=str(labels.Reason.VOTE_TIE))  # the same clip's other row
    labels.write(project / "data/labels/demo.csv", pd.concat([out, table]), WORDS)
    index = clips.reindex(columns=list(INDEX)).assign(yaw=np.arange(len(clips)), fps=30.0)
    write_csv(project / "data/landmarks/demo/index.csv", index)
    folder = project / "metrics/train/1/plots/metrics"
    for name, last in (("train_loss", 0.1), ("val_loss", 0.4)):
        write_csv(folder / f"{name}.csv", pd.DataFrame({"step": [1, 2], name: [1.0, last]}))
        text = (folder / f"{name}.csv").read_text().replace(",", "\t")
        (folder / f"{name}.tsv").write_text(text)


def evaluate(project: Path) -> dict[str, Figure]:
    """The figures that the stage draws, by their names."""
    with chdir(project), drawn_figures() as drawn:
        main()
    return drawn


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After the stage: three classifiers, one label that the model doubts."""
    folder = tmp_path_factory.mktemp("evaluated")
    rows = both(answers)
    doubted = (rows["role"] == "model") & (rows["video_idx"] == DOUBTED)
    sure = [f"p_{word}" for word in WORDS]
    rows.loc[doubted, ["predicted", *sure]] = ["happy", 0.97, 0.01, 0.01, 0.01]
    transductive = {"kind": "logistic", "transductive": True}
    write(folder, rows, classifiers(logistic=transductive))
    found = evaluate(folder)
    assert set(found) == {"confusion", "reliability", "robustness", "curves"}
    axes = found["curves"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "cross-entropy (nats)")
    assert found["confusion"].get_suptitle().startswith(f"mlp on demo ({ABOUT})\nn = 36")
    return folder


def read_json(project: Path, name: str) -> Any:
    return json.loads((project / OUT / f"{name}.json").read_text("utf-8"))


def table(project: Path, name: str) -> pd.DataFrame:
    """A table of the stage; what is empty is ""."""
    return pd.read_csv(project / OUT / f"{name}.csv", keep_default_na=False)


def model_over_folds(project: Path) -> pd.DataFrame:
    rows, _ = prediction.read(project / prediction.ROOT)
    return rows[(rows["role"] == "model") & (rows["partition"] != "split")]


def test_figures_and_intervals_follow_from_the_answers(project: Path) -> None:
    report = read_json(project, "report")
    assert list(report) == ["dataset", "classes", "transductive", "split", "folds"]
    assert report["transductive"] == ["logistic"]
    assert (report["dataset"], report["classes"]) == (f"demo: {ABOUT}", list(WORDS))
    rows, _ = prediction.read(project / prediction.ROOT)
    for key, partitions, n, subjects, over in (
        ("split", ["split"], 6, 2, "clips"),
        ("folds", [*FOLDS], 36, 12, "subjects"),
    ):
        summary = report[key]
        names = ["n", "subjects", "unusable", "interval_over", "classes", "absent", "chance"]
        assert list(summary)[:7] == names
        absent = [word for word in WORDS if word not in set(rows["actual"])]
        assert [*summary.values()][:7] == [n, subjects, 1, over, 3, absent, 0.3333]
        assert {role: summary[role]["name"] for role in list(summary)[7:]} == ROLES
        for role in ROLES:
            figures = summary[role]
            own = rows[(rows["role"] == role) & rows["partition"].isin(partitions)]
            answered = measures.from_table(own, WORDS)
            measure = partial(measures.overall, answered)
            counts = {"recall": np.bincount(answered.actual, minlength=len(WORDS)).astype(float)}
            found = estimates(measure, answered.group, 50, seed=0, clips=counts)
            values, by_fold = measures.overall(answered), measures.by_fold(answered)
            recall = dict(zip(WORDS, values["recall"][:3].round(4), strict=False))
            _, low, high = (ends[:3].round(4) for ends in found["recall"].ends().values())
            assert figures["recall"] == recall
            assert figures["recall_low"] == dict(zip(recall, low, strict=True))
            assert figures["recall_high"] == dict(zip(recall, high, strict=True))
            in_folds = figures.get("fold", {})
            assert list(in_folds) == (partitions if key == "folds" else [])
            for name in measures.MEASURES:
                ends = [figures[name + end] for end in ("", "_low", "_high")]
                assert ends == [round(end, 4) for end in found[name].named(name).values()]
                assert [fold[name] for fold in in_folds.values()] == (
                    by_fold[name].round(4).tolist() if in_folds else []
                )
            assert [fold["n"] for fold in in_folds.values()] == [12] * len(in_folds)
            assert figures["confusion"] == measures.confusion(answered).sum(0).tolist()
    folds = report["folds"]
    expected = {"n": 36, "chance": 0.3333} | {
        name: folds["model"][name] for name in ("war", "uar", "macro_f1")
    }
    expected |= {role: {"uar": folds[role]["uar"]} for role in ("majority", "logistic")}
    assert read_json(project, "metrics") == expected


def test_uar_and_chance_are_over_the_classes_of_each_fold() -> None:
    rows = answers(FOLDS).query("role == 'model'")
    first = FOLDS[0]
    lacking = rows[(rows["partition"] != first) | (rows["actual"] != "sad")]
    models = replace(classifiers(), roles={"model": {"kind": "mlp"}})
    summary = task(models, SETTINGS).summarize(lacking)
    in_folds = summary["model"]["fold"]
    assert "sad" not in summary["absent"]
    for fold, figures in in_folds.items():
        assert figures["classes"] == (2 if fold == first else 3)
        assert ("sad" in figures["absent"]) == (fold == first)
        own = lacking[lacking["partition"] == fold]
        recall = (own["actual"] == own["predicted"]).groupby(own["actual"]).mean()
        assert figures["uar"] == pytest.approx(recall.mean(), abs=1e-4)
        assert figures["chance"] == pytest.approx(1 / len(recall), abs=1e-4)
    mean = sum(figures["chance"] for figures in in_folds.values()) / len(in_folds)
    assert summary["chance"] == pytest.approx(mean, abs=1e-4)
    # Whoever always says the same word of those that every fold has is at chance, exactly.
    always = task(models, SETTINGS).summarize(lacking.assign(predicted="happy"))
    assert always["model"]["uar"] == pytest.approx(summary["chance"], abs=1e-4)


def test_what_the_clips_do_not_give_is_none() -> None:
    rows = answers(("split",), 4).query("role == 'model' and actual == 'sad'")
    models = replace(classifiers(), roles={"model": {"kind": "mlp"}})
    figures = task(models, SETTINGS).summarize(rows.assign(subject=""))
    assert figures["subjects"] is None
    model = figures["model"]
    assert [model[f"auc{end}"] for end in ("", "_low", "_high")] == [None] * 3
    assert list(model["recall"]) == ["sad"]
    assert model["recall"]["sad"] == model["uar"] == model["war"]


def test_tables_are_of_the_models_answers_over_folds(project: Path) -> None:
    model = model_over_folds(project)
    found = table(project, "robustness")
    assert tuple(found) == robustness.COLUMNS
    assert list(found["condition"].unique()) == ["all", "yaw", "sex", "subject"]
    assert (found.groupby("condition")["n"].sum() == len(model)).all()
    right = model["actual"] == model["predicted"]
    assert found["war"].iloc[0] == pytest.approx(right.mean(), abs=1e-4)
    listed = table(project, "suspects")
    assert tuple(listed) == suspects.COLUMNS
    assert listed["quality"].is_monotonic_increasing
    first = listed.iloc[0].to_dict()
    assert first.pop("quality") < 0.1
    row = 2 + int(DOUBTED)
    assert first == {
        **{"video_idx": int(DOUBTED), "file_path": f"clips/{DOUBTED}.mp4", "actual": "sad"},
        **{"suggested": "happy", "p_label": 0.01, "p_suggested": 0.97, "votes": '{"sad": 6}'},
        **{"table": "list.csv", "row": row, "start": "", "end": ""},
    }


def test_a_second_run_writes_the_same_bytes_and_a_seed_changes_them(
    project: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(project, tmp_path / "copy"))
    (copy / OUT / "plots/stale.txt").write_text("of an earlier run")
    evaluate(copy)
    assert contents(copy) == contents(project)
    write_params(copy, evaluate={"resamples": 50, "seed": 1})
    evaluate(copy)
    for name in ("report.json", "robustness.csv"):
        assert (copy / OUT / name).read_bytes() != (project / OUT / name).read_bytes()
    assert (copy / OUT / "suspects.csv").read_bytes() == (
        project / OUT / "suspects.csv"
    ).read_bytes()


def test_published_figures_what_was_learnt_and_what_was_left_out(tmp_path: Path) -> None:
    fitted = {
        name: {"train": {"war": share, "uar": 1.0}, "val": {"war": None, "uar": None}}
        for name, share in (("split", 0.5), *zip(FOLDS, (0.75, 0.95, 0.85), strict=True))
    }
    of_all = {"kind": "mlp", "fitted": fitted, "about": {"left_out": {"sad": 2}}}
    write(tmp_path, both(answers), classifiers(model=of_all), synthetic=False)
    evaluate(tmp_path)
    report = read_json(tmp_path, "report")
    assert report["split"]["model"]["fitted"]["train"] == {"war": 0.5, "uar": 1.0}
    model = report["folds"]["model"]
    assert model["fitted"]["train"] == {"war": 0.85, "uar": 1.0}
    assert model["fitted"]["val"] == {"war": None, "uar": None}
    assert model["left_out"] == {"sad": 2}
    assert "fitted" not in report["folds"]["majority"]
    (row,) = (row for row in report["published"]["rows"] if row["method"] == "MAE-DFER")
    assert row["differs"][:2] == ["classes 7", "test clips 11697"]
    assert report["published"]["here"].startswith("4 classes, 36 test clips, folds ")
    assert row["uar"] == 63.41
    sexes = table(tmp_path, "robustness").query("condition == 'sex'")
    assert sexes[["range", "n"]].to_numpy().tolist() == [["female", 18], ["male", 18]]


def test_a_language_models_unreadable_answers_scenes_and_a_split_alone(tmp_path: Path) -> None:
    rows = answers(("split",), 12)
    rows.loc[rows["role"] == "model", "predicted"] = ""
    rows["answered_from"] = rows["answered_from"].replace("face", "frames")
    described = language(mode="zero_shot")
    write(tmp_path, rows, classifiers(model=described), scene="street")
    shutil.rmtree(tmp_path / "metrics/train")
    assert set(evaluate(tmp_path)) == {"confusion", "reliability", "robustness"}  # no curves
    report = read_json(tmp_path, "report")
    assert list(report) == ["dataset", "classes", "language", "split"]
    assert report["language"] == described
    assert [row[-1] for row in report["split"]["model"]["confusion"]] == [12, 12, 12, 0]
    assert report["split"]["model"]["war"] == 0
    assert report["split"]["unusable"] == 1  # those from frames were seen
    assert table(tmp_path, "suspects").empty  # an unreadable answer doubts no label
    assert "scene" not in set(table(tmp_path, "robustness")["condition"])  # a single one
    assert read_json(tmp_path, "metrics")["n"] == 36


def test_a_regression(tmp_path: Path) -> None:
    rows = both(numbers)
    write(tmp_path, rows, regressors())
    figures = evaluate(tmp_path)
    assert set(figures) == {"regression", "curves"}
    axes = figures["curves"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "1 - CCC")
    report, short = read_json(tmp_path, "report"), read_json(tmp_path, "metrics")
    assert list(report) == ["dataset", "targets", "language", "split", "folds"]
    assert report["targets"] == list(TARGETS)
    rows = rows.round(4)
    for key, partitions in (("split", ["split"]), ("folds", [*FOLDS])):
        for role, kind in (("model", "tiny-smolvlm"), ("mean", "mean")):
            own = rows[(rows["role"] == role) & rows["partition"].isin(partitions)]
            found = report[key][role]
            assert found["name"] == kind
            assert report[key]["n"] == len(own)
            for target in TARGETS:
                wrong = own[f"predicted_{target}"] - own[f"actual_{target}"]
                by_fold = np.sqrt((wrong**2).groupby(own["partition"]).mean())
                figures_of = found[target]
                assert figures_of["rmse"] == pytest.approx(by_fold.mean(), abs=1e-3)
                assert figures_of["rmse_low"] <= figures_of["rmse"] <= figures_of["rmse_high"]
                for name, fold in found.get("fold", {}).items():
                    assert fold[target]["rmse"] == pytest.approx(by_fold[name], abs=1e-3)
            assert ("fold" in found) == (key == "folds")
    floor = report["folds"]["mean"]["valence"]
    assert (floor["ccc"], floor["pcc"]) == (0, None)  # a constant in each fold
    model = report["folds"]["model"]
    pairs = {t: {name: model[t][name] for name in ("ccc", "rmse")} for t in TARGETS}
    assert short == {"n": 36} | pairs
    for name in ("robustness", "suspects"):
        assert len(table(tmp_path, name)) == 0
        assert len(table(tmp_path, name).columns) > 1
