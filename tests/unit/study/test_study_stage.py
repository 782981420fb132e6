"""Stage study on a toy project: its files, what it makes anew, and that a kill loses nothing."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave import params, study
from facewave.errors import explain
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks import headpose
from facewave.landmarks import schema as landmarks
from facewave.study import __main__ as stage
from facewave.study.__main__ import Clips, ablation, leakage, main, removal
from facewave.study.runs import run as make_run
from facewave.wavelets.features import features
from facewave.wavelets.transform import Transform
from making import ABOUT, run, write_params
from moving import (
    FRAMES,
    PARTITIONS,
    PICTURE,
    SECTIONS,
    STUDY,
    TRANSFORM,
    by_subject,
    write_clips,
    write_moving_project,
    write_study_params,
)

VALIDATED = ["val_uar", "uar_by_fold", "val_uar_by_fold"]
FIGURES = ["n", "groups", "folds", "war", "war_low", "war_high", "uar", "uar_low", "uar_high"]
RUNS = 8
Runs = list[dict[str, Any]]
NOTHING_REMOVED: dict[str, Any] = {"removed": [], "every": []}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the study begins with."""
    project = tmp_path_factory.mktemp("trained") / "project"
    project.mkdir()
    write_moving_project(project)
    return project


@pytest.fixture(scope="module")
def studied(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the study, which ran undisturbed as a command."""
    project = tmp_path_factory.mktemp("studied") / "project"
    shutil.copytree(trained, project)
    process = run(project, "-m", "facewave.study")
    assert process.returncode == 0, process.stderr
    return project


@pytest.fixture
def project(studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project after the study, where we are."""
    place = Path(shutil.copytree(studied, tmp_path / "project"))
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Grows with every run of the grid that is made, in this process."""
    found: Runs = []

    def watched(*arguments: Any) -> Any:
        _, _, transform, _, model, settings, _ = arguments
        found.append({"transform": transform.name, "k": transform.k, "model": model})
        found[-1]["inputs"] = " + ".join(settings.inputs)
        return make_run(*arguments)

    monkeypatch.setattr(stage, "run", watched)
    return found


def make_grid() -> pd.DataFrame:
    """The grid alone, as params.yaml has it now."""
    settings = params.load()
    return ablation(Clips(settings), PARTITIONS, settings)


def table(project: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(project / f"metrics/study/{name}.csv", dtype={"key": str})


def outputs(project: Path) -> dict[str, bytes]:
    """The study's files; a process that is killed may leave a hidden one."""
    folder = project / "metrics/study"
    files = [file for file in sorted(folder.rglob("[!.]*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_it_writes_its_files(studied: Path) -> None:
    plots = {f"plots/{name}.png" for name in ("ablation", "leakage", "removed")}
    tables = {f"{name}.csv" for name in ("runs", "leakage", "removed")}
    assert set(outputs(studied)) == {"summary.json", *tables, *plots}
    assert {path.name for path in (studied / "metrics").iterdir()} == {"study", "train"}


def test_runs_has_every_combination_in_order(studied: Path) -> None:
    runs = table(studied, "runs")
    named = ["transform", "k", "inputs", "model"]
    assert list(runs) == [*named, *FIGURES, *VALIDATED, "key"]
    transforms = [f"{mode} haar" for mode in STUDY["transforms"]]
    inputs = [" + ".join(one) for one in STUDY["inputs"]]
    expected = list(product(transforms, STUDY["k"], inputs, STUDY["models"]))
    assert list(runs[named].itertuples(index=False, name=None)) == expected
    assert len(runs) == runs["key"].nunique() == RUNS
    assert len(runs[[*FIGURES, "val_uar"]].drop_duplicates()) == RUNS


def test_every_table_counts_all_test_clips_and_has_its_intervals(studied: Path) -> None:
    columns = {"leakage": ["protocol", "role", "model"], "removed": ["condition", "role", "model"]}
    for name in ("runs", "leakage", "removed"):
        found = table(studied, name)
        assert list(found) == columns.get(name, list(found)[:4]) + FIGURES + (
            [*VALIDATED, "key"] if name == "runs" else []
        )
        assert (found[["n", "groups", "folds"]] == [60, 20, 3]).all(axis=None)
        for figure in ("war", "uar"):
            ends = found[f"{figure}_low"], found[f"{figure}_high"]
            assert found[figure].between(*ends).all()
            assert found[figure].between(0, 100).all()
        assert found["uar"].max() > 60


def test_conditions_are_told_apart(studied: Path) -> None:
    removed = table(studied, "removed")
    conditions = ["all frames", "12.5% removed", "50% removed", "1 of 3 frames"]
    roles = {"model": "mlp", "majority": "majority", "logistic": "logistic"}
    expected = [(one, *role) for one, role in product(conditions, roles.items())]
    found = removed[["condition", "role", "model"]].itertuples(index=False, name=None)
    assert list(found) == expected


def test_the_same_models_on_all_frames_are_the_run_with_the_same_settings(studied: Path) -> None:
    # Three ways to one figure: fitted in the grid, fitted for leakage, trained by stage train.
    runs, removed, leaking = (table(studied, name) for name in ("runs", "removed", "leakage"))
    name, k = TRANSFORM.name, TRANSFORM.k
    settings = (runs["transform"] == name) & (runs["k"] == k) & (runs["inputs"] == "blendshapes")
    whole = removed[removed["condition"] == "all frames"].set_index("role")[FIGURES]
    disjoint = leaking[leaking["protocol"] == "disjoint"].set_index("role")[FIGURES]
    pd.testing.assert_frame_equal(whole, disjoint)
    assert runs.loc[settings, FIGURES].iloc[0].to_dict() == whole.loc["logistic"].to_dict()


def test_frames_taken_away_change_the_answers_but_not_those_of_the_prior(studied: Path) -> None:
    removed = table(studied, "removed").set_index(["role", "condition"])[FIGURES]
    assert len(removed.loc["logistic"].drop_duplicates()) > 2
    assert len(removed.loc["majority"].drop_duplicates()) == 1


def test_the_summary_says_what_the_tables_say(studied: Path) -> None:
    summary = json.loads((studied / "metrics/study/summary.json").read_text("utf-8"))
    runs, leaking = table(studied, "runs"), table(studied, "leakage")
    assert summary["dataset"] == f"demo: {ABOUT}"
    assert summary["runs"] == RUNS
    for name, column in (("chosen_by_validation", "val_uar"), ("best_on_test", "uar")):
        said = summary[name]
        assert said == runs.iloc[runs[column].argmax()][list(said)].to_dict()
        assert {"transform", "k", "inputs", "model", "uar_low", "uar_high"} < set(said)
    val, test = (
        np.array([cell.split() for cell in runs[name]], float)
        for name in ("val_uar_by_fold", "uar_by_fold")
    )
    np.testing.assert_allclose(val.mean(axis=1), runs["val_uar"], atol=0.01)
    np.testing.assert_allclose(test.mean(axis=1), runs["uar"], atol=0.01)
    best = val.argmax(axis=0)
    mean = test[best, np.arange(len(best))].mean()
    assert summary["chosen_by_each_fold"]["uar"] == pytest.approx(mean, abs=0.01)
    assert len(summary["chosen_by_each_fold"]["runs"]) == len(best)
    uar = leaking.set_index(["protocol", "role"])["uar"]
    assert set(summary["leakage"]) == {"model", "majority", "logistic"}
    for role, said in summary["leakage"].items():
        disjoint, random = uar["disjoint", role], uar["random", role]
        difference = pytest.approx(random - disjoint, abs=0.01)
        assert said == {"disjoint": disjoint, "random": random, "difference": difference}


@pytest.mark.parametrize("name", ["ablation", "leakage", "removed"])
def test_pictures_show_something(studied: Path, name: str) -> None:
    picture = cv2.imread(str(studied / f"metrics/study/plots/{name}.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 150
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_killed_in_the_grid_it_makes_what_is_missing_and_ends_with_the_same_bytes(
    trained: Path, studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Runs
) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained, project)
    place = project / "metrics/study/runs.csv"
    with (tmp_path / "log").open("w") as log:
        command = [sys.executable, "-m", "facewave.study"]
        process = subprocess.Popen(command, cwd=project, stdout=log, stderr=log)
        while process.poll() is None and lines(place) < 2:
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, (tmp_path / "log").read_text()
    kept = lines(place)
    assert 2 <= kept < RUNS, "the grid was done before it was killed"
    assert not (project / "metrics/study/summary.json").exists()

    monkeypatch.chdir(project)
    main()
    of_the_grid = made[-(RUNS - kept) :]  # those of leakage come first
    missing = table(studied, "runs")[kept:]
    assert of_the_grid == missing[list(of_the_grid[0])].to_dict("records")
    assert len(made) == RUNS - kept + 2 * 3
    assert outputs(project) == outputs(studied)


def lines(place: Path) -> int:
    """How many runs are in the table."""
    return len(place.read_text().splitlines()) - 1 if place.exists() else 0


def test_a_second_time_nothing_of_the_grid_is_made_and_the_bytes_are_the_same(
    project: Path, made: Runs
) -> None:
    before = outputs(project)
    (project / "metrics/study/plots/stale.png").write_text("of an earlier study")
    main()
    assert len(made) == 2 * 3  # for leakage
    assert outputs(project) == before


def test_a_larger_grid_costs_what_is_new(project: Path, made: Runs) -> None:
    before = table(project, "runs")
    write_study_params(project, k=[2, 3, 4])
    after = make_grid()
    assert [one["k"] for one in made] == [3] * (RUNS // 2)
    old = after[after["k"] != 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, before)
    pd.testing.assert_frame_equal(table(project, "runs"), after)
    assert after["k"].tolist() == [2, 2, 3, 3, 4, 4] * 2


def test_a_smaller_grid_costs_nothing(project: Path, made: Runs) -> None:
    before = table(project, "runs")
    write_study_params(project, transforms=["energy"], **NOTHING_REMOVED)
    after = make_grid()
    assert made == []
    pd.testing.assert_frame_equal(after, before[RUNS // 2 :].reset_index(drop=True))


ONE_RUN: dict[str, Any] = {"transforms": ["energy"], "k": [2], "inputs": [["blendshapes"]]}


def relabel(project: Path) -> None:
    """Change one label."""
    place = project / "data/labels/demo.csv"
    rows = labels.read(place)
    rows.loc[5, ["label", "actual"]] = [0, WORDS[0]]
    labels.write(place, rows, WORDS)


def detect_anew(project: Path) -> None:
    """Another clip under the same name."""
    place = project / "data/landmarks/demo/index.csv"
    place.write_text(place.read_text("utf-8").replace("key-003", "key-003-anew"), "utf-8")


def setting(section: str, **values: Any) -> Callable[[Path], None]:
    """Change a setting, and nothing else."""

    def change(project: Path) -> None:
        changed = SECTIONS | {section: SECTIONS[section] | values}
        write_params(project, **changed, study=STUDY | ONE_RUN)

    return change


@pytest.mark.parametrize(
    "change",
    [
        relabel,
        detect_anew,
        setting("train", c=0.2),
        setting("train", partitions=[2, 1, 3]),
        setting("evaluate", resamples=41),
        setting("wavelets", max_gap_s=0.9),
    ],
)
def test_what_follows_from_something_else_is_made_anew(
    project: Path, made: Runs, change: Callable[[Path], None]
) -> None:
    write_study_params(project, **ONE_RUN)
    make_grid()
    assert made == []
    change(project)
    make_grid()
    assert len(made) == 1


def test_what_a_run_does_not_follow_from_makes_nothing_anew(project: Path, made: Runs) -> None:
    write_study_params(project, **ONE_RUN)
    make_grid()
    for change in (
        setting("train", lr=0.5, hidden=3),
        setting("train", model="svm", baselines=[], inputs=["head"]),
        setting("wavelets", k=3),
    ):
        change(project)
        make_grid()
    assert made == []


@pytest.mark.parametrize(
    "file",
    [
        Path(study.__path__[0]) / "grid.py",
        Path(headpose.__file__),
        Path(landmarks.__file__),
        Path(labels.__file__),
    ],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_other_code_makes_anew(
    project: Path, made: Runs, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study_params(project, **ONE_RUN)
    really = Path.read_bytes

    def edited(self: Path) -> bytes:
        return really(self) + (b"# edited" if self == file else b"")

    monkeypatch.setattr(Path, "read_bytes", edited)
    make_grid()
    assert len(made) == 1


TWO_RUNS = ONE_RUN | {"k": [2, 4]}
# What happens to the table, and how many of its two runs are lost by it.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "empty": (lambda content: b"", 2),
    "no table": (lambda content: b"\0\xff\xfe" * 50, 2),
    "a mark of git above all": (lambda content: b"<<<<<<< HEAD\n" + content, 2),
    "its last key cut": (lambda content: content[:-5], 1),
    "its last line cut": (lambda content: content[: content.rindex(b",60,")], 1),
    "marks of git": (
        lambda content: content.replace(b"energy", b"<<<<<<< HEAD\n=======\nenergy", 1),
        0,
    ),
    "a word for a count": (lambda content: content.replace(b",20,3,", b",20,many,", 1), 2),
    "a share for a count": (lambda content: content.replace(b",20,3,", b",2.5,3,", 1), 2),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_runs_that_cannot_be_read_are_made_anew(project: Path, made: Runs, damage: str) -> None:
    write_study_params(project, **TWO_RUNS)
    make_grid()
    assert made == []
    place = project / "metrics/study/runs.csv"
    before = place.read_bytes()
    harm, missing = DAMAGES[damage]
    place.write_bytes(harm(before))
    assert place.read_bytes() != before
    make_grid()
    assert len(made) == missing
    assert place.read_bytes() == before


def test_a_key_of_digits_is_a_key(project: Path) -> None:
    place = project / "metrics/study/runs.csv"
    header, first, *_ = place.read_text().splitlines()
    for key in ("0012345678901234", "12345e1234567890"):
        place.write_text(f"{header}\n{first[:-16]}{key}\n")
        assert list(stage._done(place)) == [key]


def test_the_study_has_the_numbers_of_the_clips(project: Path) -> None:
    clips = Clips(params.load())
    transform = Transform("energy", "haar", k=4)
    blocks = clips.blocks(transform, ["blendshapes", "head"])
    assert list(blocks) == ["blendshapes", "head"]
    assert np.isnan(blocks["head"][0]).all()  # it is not usable
    for at, row in list(enumerate(clips.index.itertuples()))[1::20]:
        seen = landmarks.read_row(clips.source, row)
        assert len(seen.times_T) == FRAMES
        numbers = features(seen, PICTURE, transform)
        for name in ("blendshapes", "head"):
            np.testing.assert_array_equal(blocks[name][at], numbers[name])
    thin = clips.blocks(transform, ["head"], lambda seen, at: landmarks.between(seen, 0.1, np.nan))
    assert (thin["head"][1:] != blocks["head"][1:]).any(axis=(1, 2)).all()


def test_clips_with_too_long_a_gap_are_as_unusable_as_in_stage_wavelet(project: Path) -> None:
    settings = params.load()
    assert sum(Clips(settings).usable) == 59
    short = replace(settings, wavelets=replace(settings.wavelets, max_gap_s=0.001))
    assert sum(Clips(short).usable) == 0


def test_random_folds_cover_every_clip_once_and_are_stratified() -> None:
    rng = np.random.default_rng(0)
    code = np.sort(rng.integers(0, 3, 103))
    rows = pd.DataFrame({"label": pd.array(code, "Int64"), "subject": np.arange(103) // 20})
    rows.index = pd.Index(rng.permutation(103) + 7)
    folds = stage._parts(stage._random_folds(rows, 4, 0))
    tests = np.array([fold == "test" for fold in folds])
    assert (tests.sum(axis=0) == 1).all()
    for k, fold in enumerate(folds):
        assert fold.index.equals(rows.index)
        assert set(fold) == {"train", "val", "test"}
        following = folds[(k + 1) % 4] == "test"
        pd.testing.assert_series_equal(fold == "val", following)
        for value in range(3):
            share = (code[tests[k]] == value).sum()
            assert abs(share - (code == value).sum() / 4) < 1
    on_two_sides = [set(rows["subject"][t]) & set(rows["subject"][~t]) for t in tests]
    assert all(len(people) >= 4 for people in on_two_sides)
    again, others = (
        stage._parts(stage._random_folds(rows, 4, 0)),
        stage._parts(stage._random_folds(rows, 4, 1)),
    )
    assert all(one.equals(two) for one, two in zip(folds, again, strict=True))
    assert not any(one.equals(two) for one, two in zip(folds, others, strict=True))


def leaking(project: Path) -> pd.DataFrame:
    with chdir(project):
        settings = params.load()
        return leakage(Clips(settings), settings)


def test_who_knows_the_people_is_much_better_on_random_folds_alone(tmp_path: Path) -> None:
    write_study_params(tmp_path)
    write_clips(tmp_path, *by_subject())
    found = leaking(tmp_path).set_index(["protocol", "role"])["uar"]
    assert found["disjoint", "logistic"] < 45  # chance is 33
    assert found["random", "logistic"] > 75
    assert found["random", "majority"] == pytest.approx(100 / 3, abs=0.01)


def test_without_anybody_in_two_clips_there_is_nothing_to_leak(tmp_path: Path) -> None:
    write_study_params(tmp_path)
    rows, seen = by_subject()
    write_clips(tmp_path, rows.assign(subject=""), seen)
    assert leaking(tmp_path).empty


def test_two_folds_are_too_few_to_draw_others(project: Path) -> None:
    rows = labels.read(project / "data/labels/demo.csv")
    rows["fold"] = rows["fold"].clip(upper=2)
    labels.write(project / "data/labels/demo.csv", rows, WORDS)
    assert leaking(project).empty


def test_a_study_without_leakage_says_nothing_of_it(project: Path) -> None:
    rows = labels.read(project / "data/labels/demo.csv")
    labels.write(project / "data/labels/demo.csv", rows.assign(subject=""), WORDS)
    write_study_params(project, **ONE_RUN, **NOTHING_REMOVED)
    main()
    found = outputs(project)
    assert len(found["leakage.csv"].splitlines()) == 1  # the names of its columns
    assert "plots/leakage.png" not in found
    assert "leakage" not in json.loads(found["summary.json"])
    assert set(table(project, "removed")["condition"]) == {"all frames"}


def test_of_a_split_alone_its_test_part_is_studied(project: Path) -> None:
    train = SECTIONS["train"] | {"partitions": ["split"]}
    write_params(project, **SECTIONS | {"train": train}, study=STUDY | ONE_RUN)
    settings = params.load()
    found = ablation(Clips(settings), ["split"], settings)
    assert found[["n", "groups", "folds"]].to_numpy().tolist() == [[12, 4, 1]]


def test_answers_of_the_trained_models_do_not_depend_on_other_conditions(project: Path) -> None:
    before = table(project, "removed").set_index(["condition", "role"])
    settings = params.load()
    other_order = replace(settings, study=replace(settings.study, removed=[0.5], every=[2, 3]))
    after = removal(Clips(settings), PARTITIONS, other_order).set_index(["condition", "role"])
    both = [key for key in after.index if key in before.index]
    assert len(both) == 3 * 3
    pd.testing.assert_frame_equal(after.loc[both], before.loc[both])


@pytest.mark.parametrize(
    ("missing", "advice"),
    [
        ("models/trained/2/logistic/config.json", "dvc repro"),
        ("data/labels/demo.csv", "dvc repro clean"),
        ("data/landmarks/demo/index.csv", "dvc repro extract"),
    ],
)
def test_what_is_not_there_is_told_before_the_first_run(
    project: Path, made: Runs, capsys: pytest.CaptureFixture[str], missing: str, advice: str
) -> None:
    (project / missing).unlink()
    shutil.rmtree(project / "metrics/study")
    with pytest.raises(SystemExit) as stop:
        explain(main)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert missing in said
    assert advice in said
    assert made == []


def test_an_unknown_family_is_told_before_the_first_run(
    project: Path, made: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study_params(project, transforms=["approximation", "energy morlet"], **NOTHING_REMOVED)
    shutil.rmtree(project / "metrics/study")
    with pytest.raises(SystemExit) as stop:
        explain(main)
    assert stop.value.code == 2
    assert "'morlet' is no discrete wavelet" in capsys.readouterr().err
    assert not (project / "metrics/study").exists()


def beside(project: Path, **train: Any) -> None:
    """A language model as the model, which is nowhere: the study may not need it."""
    changed = SECTIONS | {"train": SECTIONS["train"] | {"model": "tiny-smolvlm"} | train}
    write_params(project, **changed, study=STUDY | ONE_RUN)
    for partition in PARTITIONS:
        shutil.rmtree(project / f"models/trained/{partition}/model")


def test_beside_a_language_model_classifiers_are_studied_and_it_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: table(project, name) for name in ("leakage", "removed")}
    beside(project)
    main()
    said = "leakage and frames removed: of majority, logistic only. Of tiny-smolvlm they would"
    assert said in capsys.readouterr().out
    for name, rows in before.items():
        others = rows[rows["role"] != "model"].reset_index(drop=True)
        pd.testing.assert_frame_equal(table(project, name), others)
    summary = json.loads(outputs(project)["summary.json"])
    assert set(summary["leakage"]) == {"majority", "logistic"}
    assert {"plots/leakage.png", "plots/removed.png"} < set(outputs(project))


def test_where_only_the_majority_stands_beside_there_is_nothing_to_draw(project: Path) -> None:
    beside(project, baselines=[])
    main()
    assert set(table(project, "leakage")["role"]) == {"majority"}
    pictures = {name for name in outputs(project) if name.endswith(".png")}
    assert pictures == {"plots/ablation.png"}


def test_beside_a_regression_there_is_nothing_to_study(
    project: Path, made: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {name: list(table(project, name)) for name in ("runs", "leakage", "removed")}
    own = asdict(params.load().train.language) | {"objective": "ccc"}
    beside(project, language=own)
    shutil.rmtree(project / "data")
    main()
    assert "nothing to study" in capsys.readouterr().out
    assert made == []
    found = outputs(project)
    assert set(found) == {"summary.json", *(f"{name}.csv" for name in columns)}
    assert (project / "metrics/study/plots").is_dir()
    for name, names in columns.items():
        assert list(table(project, name)) == names
        assert table(project, name).empty
    assert json.loads(found["summary.json"]) == {"dataset": f"demo: {ABOUT}", "runs": 0}
