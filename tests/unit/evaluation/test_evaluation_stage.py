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

from facewave import shards
from facewave.evaluation import continuous, measures, suspects
from facewave.evaluation.__main__ import main
from facewave.evaluation.intervals import estimates
from facewave.evaluation.task import TABLES
from facewave.evaluation.tasks import tasks
from facewave.files import write_csv
from facewave.labels import schema as labels
from facewave.landmarks.schema import INDEX
from facewave.prediction import schema as prediction
from facewave.prediction.schema import Models
from making import ABOUT, contents, write_params
from making_results import (
    AUS,
    FOLDS,
    PLANE,
    ROLES,
    SETTINGS,
    TARGETS,
    WORDS,
    answers,
    classifiers,
    drawn_figures,
    language,
    multitask,
    numbers,
    regressors,
    several,
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
    labels.write_frames(project / "data/labels/demo.csv", pd.DataFrame(columns=labels.FRAMES))
    table = clips.assign(excluded="", votes='{"sad": 6}', table="list.csv", scene=scene)
    table["row"] = range(2, len(table) + 2)
    table["about"] = [f'{{"sex": "{("female", "male")[i % 2]}"}}' for i in range(len(table))]
    # The same clip's other row, which is not tested.
    out = table.head(1).assign(excluded=str(labels.Reason.VOTE_TIE), about='{"sex": "unclear"}')
    labels.write(project / "data/labels/demo.csv", pd.concat([out, table]), WORDS)
    index = clips.reindex(columns=list(INDEX)).assign(yaw=np.arange(len(clips)), fps=30.0)
    write_csv(project / "data/landmarks/demo/index.csv", index)
    folder = project / "metrics/train/1/plots/metrics"
    for name, last in (("train_loss", 0.1), ("val_loss", 0.4)):
        write_csv(folder / f"{name}.csv", pd.DataFrame({"step": [1, 2], name: [1.0, last]}))
        text = (folder / f"{name}.csv").read_text().replace(",", "\t")
        (folder / f"{name}.tsv").write_text(text)


def write_heard(project: Path, rows: pd.DataFrame) -> None:
    """What is known of the sound: a third each with and without speech, and without sound."""
    clips = rows[["video_idx", "file_path"]].drop_duplicates("video_idx")
    shares = [(0.0, 0.5, np.nan)[i % 3] for i in range(len(clips))]
    index = clips.reindex(columns=list(shards.INDEX)).assign(speech_share=shares)
    write_csv(project / "data/voice/demo/index.csv", index)


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


def summarized(models: Models, rows: pd.DataFrame) -> dict[str, Any]:
    """The summary of the only task."""
    (task,) = tasks(models, SETTINGS).values()
    return task.summarize(task.rows(rows))


def read_json(project: Path, name: str) -> Any:
    return json.loads((project / OUT / f"{name}.json").read_text("utf-8"))


def table(project: Path, name: str) -> pd.DataFrame:
    """A table of the stage; what is empty is ""."""
    return pd.read_csv(project / OUT / f"{name}.csv", keep_default_na=False)


def model_over_folds(project: Path) -> pd.DataFrame:
    rows, _ = prediction.read(project / prediction.ROOT)
    return rows[(rows["role"] == "model") & (rows["partition"] != "split")]


def test_figures_and_intervals_follow_from_the_answers(project: Path) -> None:
    whole = read_json(project, "report")
    assert list(whole) == ["dataset", "tasks", "transductive"]
    assert whole["transductive"] == ["logistic"]
    assert (whole["dataset"], list(whole["tasks"])) == (f"demo: {ABOUT}", ["classes"])
    report = whole["tasks"]["classes"]
    assert list(report) == ["kind", "names", "split", "folds"]
    assert (report["kind"], report["names"]) == ("words", list(WORDS))
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
            for name in measures.OF_CLASSES:
                of_words = dict(zip(WORDS, values[name][:3].round(4), strict=False))
                _, low, high = (ends[:3].round(4) for ends in found[name].ends().values())
                assert figures[name] == of_words
                assert figures[f"{name}_low"] == dict(zip(of_words, low, strict=True))
                assert figures[f"{name}_high"] == dict(zip(of_words, high, strict=True))
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
    summary = summarized(models, lacking)
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
    always = summarized(models, lacking.assign(predicted="happy"))
    assert always["model"]["uar"] == pytest.approx(summary["chance"], abs=1e-4)


def test_what_the_clips_do_not_give_is_none() -> None:
    rows = answers(("split",), 4).query("role == 'model' and actual == 'sad'")
    models = replace(classifiers(), roles={"model": {"kind": "mlp"}})
    figures = summarized(models, rows.assign(subject=""))
    assert figures["subjects"] is None
    model = figures["model"]
    assert [model[f"auc{end}"] for end in ("", "_low", "_high")] == [None] * 3
    assert list(model["recall"]) == ["sad"]
    assert model["recall"]["sad"] == model["uar"] == model["war"]


def test_tables_are_of_the_models_answers_over_folds(project: Path) -> None:
    model = model_over_folds(project)
    found = table(project, "robustness")
    assert tuple(found) == TABLES["robustness"]
    assert set(found["task"]) == {"classes"}
    assert (found[["ccc", "f1"]] == "").all(axis=None)
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
    report = read_json(tmp_path, "report")["tasks"]["classes"]
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
    assert list(report) == ["dataset", "tasks", "language"]
    assert report["language"] == described
    report = report["tasks"]["classes"]
    assert [row[-1] for row in report["split"]["model"]["confusion"]] == [12, 12, 12, 0]
    assert report["split"]["model"]["war"] == 0
    assert report["split"]["unusable"] == 1  # those from frames were seen
    assert table(tmp_path, "suspects").empty  # an unreadable answer doubts no label
    assert "scene" not in set(table(tmp_path, "robustness")["condition"])  # a single one
    assert read_json(tmp_path, "metrics")["n"] == 36


def test_numbers(tmp_path: Path) -> None:
    rows = both(partial(numbers, targets=TARGETS))
    write(tmp_path, rows, regressors())
    figures = evaluate(tmp_path)
    assert set(figures) == {"regression", "coverage", "robustness", "curves"}  # no plane
    axes = figures["curves"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "1 - CCC")
    report, short = read_json(tmp_path, "report"), read_json(tmp_path, "metrics")
    assert list(report) == ["dataset", "tasks", "language"]
    assert list(report["tasks"]) == ["numbers"]
    report = report["tasks"]["numbers"]
    assert (report["kind"], report["names"]) == ("number", list(TARGETS))
    rows = rows.round(4)
    for key, partitions in (("split", ["split"]), ("folds", [*FOLDS])):
        for role, kind in (("model", "tiny-smolvlm"), ("majority", "majority")):
            own = rows[(rows["role"] == role) & rows["partition"].isin(partitions)]
            found = report[key][role]
            assert found["name"] == kind
            assert report[key]["n"] == len(own)
            assert report[key]["known"] == dict.fromkeys(TARGETS, len(own))
            for target in TARGETS:
                wrong = own[f"predicted_{target}"] - own[f"actual_{target}"]
                by_fold = np.sqrt((wrong**2).groupby(own["partition"]).mean())
                figures_of = found[target]
                assert figures_of["rmse"] == pytest.approx(by_fold.mean(), abs=1e-3)
                assert figures_of["rmse_low"] <= figures_of["rmse"] <= figures_of["rmse_high"]
                for name, fold in found.get("fold", {}).items():
                    assert fold[target]["rmse"] == pytest.approx(by_fold[name], abs=1e-3)
            for name in continuous.MEASURES:
                of = [found[target][name] for target in TARGETS]
                mean = None if None in of else pytest.approx(sum(of) / len(of), abs=1e-3)
                assert found["mean"][name] == mean
            assert ("fold" in found) == (key == "folds")
    floor = report["folds"]["majority"]["valence"]
    assert (floor["ccc"], floor["pcc"], floor["coverage"]) == (0, None, None)
    model = report["folds"]["model"]
    assert (model["valence"]["coverage"], model["valence"]["width"]) == (1, 10)
    names = (*TARGETS, "mean")
    pairs = {t: {name: model[t][name] for name in ("ccc", "rmse")} for t in names}
    assert short == {"n": 36} | pairs | {"majority": {"ccc": 0}}
    assert len(table(tmp_path, "suspects")) == 0
    listed = table(tmp_path, "worst")
    assert tuple(listed) == TABLES["worst"]
    assert len(listed) == 36
    assert set(listed["target"]) == {"valence"}  # the others are right
    found = table(tmp_path, "robustness")
    overall = found.iloc[0]
    assert (overall["task"], overall["condition"], overall["uar"]) == ("numbers", "all", "")
    assert float(overall["rmse_low"]) <= float(overall["rmse"]) == pytest.approx(2.5)


@pytest.mark.slow
def test_several_tasks_stand_side_by_side(tmp_path: Path) -> None:
    rows = both(several, 18)
    write(tmp_path, rows, multitask())
    write_heard(tmp_path, rows)
    figures = evaluate(tmp_path)
    of_words = {"confusion", "reliability", "robustness"}
    assert set(figures) == {
        *of_words,
        *(f"{name}_quadrant" for name in of_words),
        *("robustness_numbers", "regression", "plane", "regions", "coverage"),
        *("robustness_aus", "units", "curves"),
    }
    axes = figures["curves"].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    assert figures["units"].get_suptitle().startswith(f"mlp on demo ({ABOUT}): action units")
    report, short = read_json(tmp_path, "report")["tasks"], read_json(tmp_path, "metrics")
    assert list(report) == ["classes", "quadrant", "numbers", "aus"]
    kinds = [task["kind"] for task in report.values()]
    assert kinds == ["words", "words", "number", "presence"]
    for key, task in report.items():
        summary = task["folds"]
        roles = [role for role in ROLES if role in summary]
        assert roles == (list(ROLES) if key == "classes" else ["model", "majority"])
        part = short if key == "classes" else short[key]
        assert part["n"] == summary["n"]
    # Each task is over the clips that have it.
    over_folds = rows[(rows["partition"] != "split") & (rows["role"] == "model")]
    assert report["classes"]["folds"]["n"] == (over_folds["actual"] != "").sum() < len(over_folds)
    assert report["quadrant"]["folds"]["n"] == report["numbers"]["folds"]["n"] == len(over_folds)
    known = report["numbers"]["folds"]["known"]
    assert known["valence"] == over_folds["actual_valence"].notna().sum() < known["arousal"]
    right = over_folds["actual_quadrant"] == over_folds["predicted_quadrant"]
    by_fold = right.groupby(over_folds["partition"]).mean()
    assert report["quadrant"]["folds"]["model"]["war"] == pytest.approx(by_fold.mean(), abs=1e-4)
    model = report["aus"]["folds"]["model"]
    assert model["mean"]["f1"] == pytest.approx(np.mean([model[u]["f1"] for u in AUS]), abs=1e-3)
    assert short["aus"]["mean"] == {name: model["mean"][name] for name in ("f1", "auc")}
    assert short["quadrant"]["uar"] == report["quadrant"]["folds"]["model"]["uar"]
    # The votes are for the corpus's words; each clip has six for sad.
    votes = pd.DataFrame([[0, 1, 0, 0]] * len(over_folds), over_folds["video_idx"], list(WORDS))
    own = over_folds[over_folds["actual"] != ""]
    voted = measures.overall(measures.from_table(own.round(4), WORDS, votes))
    for name in measures.OF_VOTES:
        found = report["classes"]["folds"]["model"]
        assert found[name] == pytest.approx(float(voted[name]), abs=1e-4)
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]
        assert name not in report["quadrant"]["folds"]["model"]
    found = table(tmp_path, "robustness")
    assert list(found["task"].unique()) == list(report)
    for key, name in (("classes", "uar"), ("numbers", "ccc"), ("aus", "f1")):
        own = found[found["task"] == key]
        assert (own.loc[own["condition"] == "all", name] != "").all()
        others = set(report) - {key, "quadrant"}  # of words, too
        assert (found.loc[found["task"].isin(others), name] == "").all()
        spoken = own[own["condition"] == "speech_share"]
        assert spoken["range"].tolist() == ["without speech", "with speech", "not known"]
        assert spoken["n"].sum() == own["n"].iloc[0]
        assert spoken["n"].min() > 2
        assert (spoken[name].head(2) != "").all()
    assert set(table(tmp_path, "suspects")["actual"]) <= set(WORDS)


def test_what_no_test_clip_has_is_no_task_and_what_the_model_does_not_answer_has_no_plots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = several(("split",), 12)
    rows["actual"] = ""
    model = rows["role"] == "model"
    rows.loc[model, [f"predicted_{unit}" for unit in AUS]] = np.nan
    write(tmp_path, rows, multitask())
    figures = evaluate(tmp_path)
    assert capsys.readouterr().out == "classes is left out: no test clip has it.\n"
    assert read_json(tmp_path, "report")["untested"] == ["classes"]
    report, short = read_json(tmp_path, "report")["tasks"], read_json(tmp_path, "metrics")
    assert list(report) == ["quadrant", "numbers", "aus"]
    assert short["uar"] == report["quadrant"]["split"]["model"]["uar"]
    assert "quadrant" not in short
    assert {"confusion", "plane", "robustness_numbers"} <= set(figures)
    assert not {"units", "robustness_aus"} & set(figures)
    assert list(short["aus"]) == ["n", "majority"]
    assert "aus" not in set(table(tmp_path, "robustness")["task"])


@pytest.mark.slow
def test_the_first_task_that_the_model_answers_leads_and_classes_have_the_suspects(
    tmp_path: Path,
) -> None:
    rows, models = several(("split",), 12), multitask()
    of_quadrant = models.targets[1]
    model = rows["role"] == "model"
    rows.loc[model, list(of_quadrant.numbers)] = np.nan
    rows.loc[model, [of_quadrant.predicted]] = ""
    quadrant_first = (of_quadrant, models.targets[0], *models.targets[2:])
    write(tmp_path, rows, replace(models, targets=quadrant_first))
    evaluate(tmp_path)
    report, short = read_json(tmp_path, "report")["tasks"], read_json(tmp_path, "metrics")
    assert list(report) == ["classes", "quadrant", "numbers", "aus"]
    assert short["uar"] == report["classes"]["split"]["model"]["uar"]
    assert "uar" not in short["quadrant"]
    rows = both(several, 18)
    write(tmp_path, rows, replace(models, targets=quadrant_first))
    evaluate(tmp_path)
    assert next(iter(read_json(tmp_path, "report")["tasks"])) == "quadrant"
    listed = table(tmp_path, "suspects")
    assert len(listed)
    assert set(listed["actual"]) <= set(WORDS)


def test_windows_are_measured_as_traces_with_each_models_delay(tmp_path: Path) -> None:
    rows = both(partial(numbers, targets=PLANE, off=0.0), 12)
    rows["file_path"] = "clips/" + rows["subject"] + ".mp4"
    described = language(objective="ccc")
    models = regressors(PLANE, mode="finetune")
    models = replace(models, roles=models.roles | {"model": described | {"delay_s": {"1": 1.0}}})
    write(tmp_path, rows, models)
    path = tmp_path / "data/labels/demo.csv"
    written = labels.read(path)
    at = written.groupby(["excluded", "file_path"]).cumcount()
    labels.write(path, written.assign(start=2.0 * at, end=2.0 * at + 2), WORDS)
    clips = rows[rows["role"] == "model"].drop_duplicates(["partition", "video_idx"])
    clips = clips[clips["partition"] != "split"]
    centre = 1.0 + 2 * clips.groupby("file_path").cumcount()
    # In fold 1 the truth is a second later than the windows, in the others it is not.
    time = centre + (clips["partition"] == "1")
    truth = clips[["file_path"]].assign(time=time, valence=clips["actual_valence"])
    truth["arousal"] = clips["actual_arousal"]
    ignored = truth.assign(time=truth["time"] + 0.25, valence=np.nan, arousal=np.nan)
    labels.write_frames(path, pd.concat([truth, ignored]))
    assert "traces" in evaluate(tmp_path)
    report = read_json(tmp_path, "report")["tasks"]["numbers"]
    found = report["folds"]["model"]["traces"]
    assert (found["videos"], found["frames"], found["interval_over"]) == (12, 36, "subjects")
    for target in (*PLANE, "mean"):
        assert found[target]["ccc"] == found[target]["videos_ccc"] == 1
        assert found[target]["rmse_high"] < 1e-3
    floor = report["folds"]["majority"]["traces"]
    assert (floor["mean"]["ccc"], floor["mean"]["pcc"]) == (0, None)
    assert report["split"]["model"]["traces"]["videos"] == 2
