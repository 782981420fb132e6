"""All stages of a dataset whose clips are rows of a table of features, from labels to the page."""

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.app.export import export_npy
from facewave.app.results import show
from facewave.errors import UserError
from facewave.study import importance
from facewave.study.importance import columns_by_kind
from facewave.training.__main__ import main as train
from facewave.training.schema import load
from facewave.workspace import Dataset
from features_project import STAGES, STAGES_OF_A_DATASET, run, write_project
from making import contents

ACTORS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11)  # two of each published fold
SPOILT = "01-01-03-01-01-01-02"
COLUMNS = ["AU04_r", "AU12_r", "AU12_c", "still_r"]


def table() -> pd.DataFrame:
    """Three emotions of each actor, four times each: AU12 tells happy, AU04 tells angry."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "name": f"01-01-{emotion:02}-01-0{statement}-0{repetition}-{actor:02}",
            "AU12_r": (emotion == 3) + rng.normal(0, 0.3),
            "AU04_r": (emotion == 5) + rng.normal(0, 0.3),
            "AU12_c": rng.uniform(),
            "still_r": 1e-5 * rng.uniform(),
        }
        for actor in ACTORS
        for emotion in (3, 4, 5)
        for statement in (1, 2)
        for repetition in (1, 2)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after all its stages."""
    project = tmp_path_factory.mktemp("features")
    made = table()
    made.loc[made["name"] == SPOILT, "AU12_r"] = np.nan
    (project / "raw").mkdir()
    made.to_csv(project / "raw/mean_action_units.csv", sep=";", index=False)
    write_project(project, project / "raw")
    with chdir(project), pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "_REPEATS", 2)
        run(*STAGES_OF_A_DATASET, *STAGES)
    return project


@pytest.fixture(autouse=True)
def _here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def test_the_numbers_are_those_of_the_table(project: Path) -> None:
    features = Dataset("d", params.load()).read_features()
    made = table().set_index("name")
    columns = features.config["functionals"]
    assert columns == ["AU12_r", "AU04_r", "AU12_c", "still_r"]
    assert {name: block.shape for name, block in features.blocks.items()} == {
        "functionals": (len(made), 1, len(COLUMNS))
    }
    expected = made.loc[features.clips["video_idx"], columns].to_numpy(np.float32)
    usable = features.clips["usable"].to_numpy()
    np.testing.assert_allclose(features.blocks["functionals"][usable, 0], expected[usable], 1e-5)
    (reason,) = features.clips.loc[~usable, "reason"]
    assert reason == "mean_action_units.csv, row 14: AU12_r is '', not a finite number"


def test_published_folds_share_no_actor_even_with_validation(project: Path) -> None:
    rows = Dataset("d", params.load()).read_labels()
    of_fold = rows.groupby("fold")["subject"].unique()
    assert [sorted(of_fold[fold]) for fold in (1, 5)] == [["02", "05"], ["01", "04", "09"]]
    validating = set(rows.loc[rows["validation"].fillna(False).astype(bool), "subject"])
    assert validating
    assert not validating & set(rows.loc[rows["validation"].eq(False), "subject"])


def test_the_figures_are_those_of_clips_that_have_a_signal(project: Path) -> None:
    report = json.loads(Path("metrics/evaluate/report.json").read_text("utf-8"))
    assert (
        report["tasks"]["classes"]["folds"]["n"] == 4 * 12
    )  # of two actors in each of the two folds
    assert report["tasks"]["classes"]["folds"]["unusable"] == 1
    assert report["tasks"]["classes"]["folds"]["model"]["uar"] > 0.8
    summary = json.loads(Path("metrics/study/summary.json").read_text("utf-8"))
    assert summary["runs"] == 2
    assert {"model", "svm"} <= set(summary["leakage"])
    assert summary["chosen_by_validation"]["transform"] == "none"
    for name in ("removed", "reconstruction"):
        assert pd.read_csv(f"metrics/study/{name}.csv").empty, name
    (mouth,) = pd.read_csv("metrics/study/speaking.csv").to_dict("records")
    assert [mouth[name] for name in ("channels", "of_mouth", "clips")] == [4, 2, "all"]
    assert mouth["difference_low"] > 0  # AU12 tells who is happy
    important = pd.read_csv("metrics/study/importance.csv").set_index(["kind", "name"])
    falls = important["importance"]
    assert set(falls["pattern"].index) == {"*_r", "AU*_c"}
    assert falls["column"].idxmax() in ("AU12", "AU04")
    assert falls["column", "still"] == 0


def test_the_page_says_nothing_of_faces(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path("metrics/report.html").read_text("utf-8").partition("All settings")[0]
    assert "Each clip has 4 numbers: a row of <code>mean_action_units.csv</code>" in page
    for word in ("landmarker", "Finding faces", "Frames taken away", "trajectories become"):
        assert word.casefold() not in page.casefold(), word
    show()
    assert "action units of a test" in capsys.readouterr().out
    card = load(Path("models/trained/1/model")).card()
    assert "functionals, 4 columns of a table of features" in card


def test_stages_write_the_same_bytes_again(project: Path) -> None:
    before = {folder: contents(Path(folder)) for folder in ("data", "metrics/extract")}
    run(*STAGES_OF_A_DATASET)
    assert {folder: contents(Path(folder)) for folder in before} == before


def test_what_hardly_varies_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train()
    assert "nothing is learnt from 1 columns that vary by 0.001 at most (still_r)" in (
        capsys.readouterr().out
    )


def test_what_needs_a_face_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for model, needs in (
        ("pretrained", "an encoder's answers"),
        ("knowledge", "blendshapes over time"),
        ("smolvlm", "pictures"),
    ):
        monkeypatch.chdir(tmp_path)
        write_project(tmp_path, tmp_path, model=model)
        with pytest.raises(UserError, match=f"{model} needs {needs}.*which d does not have"):
            train()


def test_there_is_nothing_to_exchange(project: Path) -> None:
    with pytest.raises(UserError, match=r"no landmarks and blendshapes.*but functionals"):
        export_npy("d", Path("out.npy"))


def test_columns_are_grouped_by_pattern_and_by_their_beginning() -> None:
    kinds = columns_by_kind(["AU01_r", "AU01_c", "_x", "y"], ["*_r", "AU01_c", "?*"])
    groups = {
        kind: {name: np.flatnonzero(mask[0]).tolist() for name, mask in masks.items()}
        for kind, masks in kinds.items()
    }
    assert groups == {
        "pattern": {"*_r": [0], "AU01_c": [1], "?*": [0, 1, 2, 3]},
        "column": {"AU01": [0, 1], "_x": [2], "y": [3]},
    }
    assert list(columns_by_kind([str(at) for at in range(257)], ["*"])) == ["pattern"]
