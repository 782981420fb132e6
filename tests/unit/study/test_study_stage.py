"""Stage study on a toy project: its files, what is recomputed, and what is kept."""

import json
import shutil
from collections.abc import Callable
from contextlib import chdir
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks import schema as landmarks
from facewave.pseudo.schema import Pseudo, write
from facewave.study import __main__ as stage
from facewave.study import (
    ablation,
    grid,
    importance,
    kept,
    leakage,
    plots,
    reconstruction,
    speaking,
    thinned,
)
from facewave.study.__main__ import main
from facewave.study.clips import Trajectories
from facewave.study.leakage import partitions, random_folds
from facewave.study.scores import score_of
from facewave.training.__main__ import main as train_models
from facewave.wavelets.features import features
from facewave.wavelets.transform import Transform
from facewave.workspace import PSEUDO, Dataset
from making import (
    ABOUT,
    TOY_TRAIN,
    toy,
    trajectory,
    write_faces,
    write_features,
    write_landmarks,
    write_params,
    write_toy,
)
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
FIGURES = [
    "n",
    "groups",
    "folds",
    "measure",
    "war",
    "war_low",
    "war_high",
    "uar",
    "uar_low",
    "uar_high",
]
FIGURES.append("chance")
RUNS = 8
OF_SETS = ("tasks", "quadrants", "sampling")  # made of study.targets, of which there are none
OTHERS = ("causal", "causal_numbers", "combination", "confusion", "importance", "language",
          "leakage", "losses", "networks", "online", "pseudo", "reconstruction", "removed", "runs",
          "speaking", "teaching")  # fmt: skip
TABLES = (*OTHERS, *OF_SETS)
ONE_RUN: dict[str, Any] = {"transforms": ["energy"], "k": [2], "inputs": [["blendshapes"]]}
NOTHING_REMOVED: dict[str, Any] = {"removed": [], "every": []}


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project after the study."""
    project = tmp_path_factory.mktemp("studied") / "project"
    project.mkdir()
    write_moving_project(project)
    with pytest.MonkeyPatch.context() as patch, chdir(project):
        few(patch)
        main()
    return project


def few(patch: pytest.MonkeyPatch) -> None:
    """Let little be reconstructed and permuted: quick."""
    patch.setattr(reconstruction, "KS", (4,))
    patch.setattr(reconstruction, "_FRAMES", 10 * FRAMES)
    patch.setattr(importance, "_REPEATS", 2)


@pytest.fixture
def project(studied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project after the study, in which the test runs; nothing is drawn."""
    copy = Path(shutil.copytree(studied, tmp_path / "project"))
    monkeypatch.chdir(copy)
    few(monkeypatch)
    for name in ("ablation", "leakage", "removed", "reconstruction"):
        monkeypatch.setattr(plots, name, lambda *arguments: None)
    monkeypatch.setattr(stage, "explanation", lambda *arguments: None)
    return copy


MAKERS = {
    "importance": (importance, "of_models"),
    "removed": (thinned, "removal"),
    "leakage": (leakage, "leakage"),
    "reconstruction": (reconstruction, "reconstruction"),
    "speaking": (speaking, "of_dataset"),
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a name with every table and every run that is made."""
    names: list[str] = []

    def recorded(make: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def recording(*arguments: Any) -> Any:
            names.append(name(*arguments))
            return make(*arguments)

        return recording

    for table_name, (module, function) in MAKERS.items():
        make = vars(module)[function]
        monkeypatch.setattr(module, function, recorded(make, lambda *_, of=table_name: of))
    make = vars(ablation)["run"]
    name = lambda _, transform, *__: f"{transform.name} {transform.k}"  # noqa: E731
    monkeypatch.setattr(ablation, "run", recorded(make, name))
    return names


def table(project: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(project / f"metrics/study/{name}.csv", dtype={"key": str})


def outputs(project: Path) -> dict[str, bytes]:
    folder = project / "metrics/study"
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def trajectories() -> Trajectories:
    loaded = params.load()
    return Trajectories(Dataset("demo", loaded))


def test_its_files_and_pictures_that_show_something(studied: Path) -> None:
    plotted = ("ablation", "explanation", "leakage", "reconstruction", "removed")
    pictures = [f"plots/{name}.png" for name in plotted]
    files = {"summary.json", "keys.json", *pictures, *(f"{name}.csv" for name in TABLES)}
    assert set(outputs(studied)) == files
    for name in pictures:
        picture = cv2.imread(str(studied / "metrics/study" / name))
        assert picture is not None
        assert min(picture.shape[:2]) > 150
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_every_combination_and_condition_counts_all_test_clips(studied: Path) -> None:
    named = {
        "runs": ["transform", "k", "inputs", "model"],
        "removed": ["condition", "role", "model"],
        "leakage": ["protocol", "role", "model"],
    }
    roles = [("model", "mlp"), ("majority", "majority"), ("logistic", "logistic")]
    conditions = ["all frames", "12.5% removed", "50% removed", "1 of 3 frames"]
    transforms = [f"{name} haar" for name in STUDY["transforms"]]
    inputs = [" + ".join(blocks) for blocks in STUDY["inputs"]]
    expected = {
        "runs": list(product(transforms, STUDY["k"], inputs, STUDY["models"])),
        "removed": [(condition, *role) for condition, role in product(conditions, roles)],
        "leakage": [(protocol, *role) for protocol, role in product(("disjoint", "random"), roles)],
    }
    for name, columns in named.items():
        rows = table(studied, name)
        assert list(rows) == columns + FIGURES + ([*VALIDATED, "key"] if name == "runs" else [])
        assert list(rows[columns].itertuples(index=False, name=None)) == expected[name]
        assert (rows[["n", "groups", "folds"]] == [60, 20, 3]).all(axis=None)
        for figure in ("war", "uar"):
            assert rows[figure].between(rows[f"{figure}_low"], rows[f"{figure}_high"]).all()
            assert rows[figure].between(0, 100).all()
        assert rows["uar"].max() > 60
    runs = table(studied, "runs")
    assert runs["key"].nunique() == RUNS
    assert len(runs[[*FIGURES, "val_uar"]].drop_duplicates()) == RUNS


def test_the_same_models_on_all_frames_are_the_run_with_the_same_settings(studied: Path) -> None:
    # Three ways to one figure: fitted in the grid, fitted for leakage, trained by stage train.
    runs, removed, leaking = (table(studied, name) for name in ("runs", "removed", "leakage"))
    name, k = TRANSFORM.name, TRANSFORM.k
    settings = (runs["transform"] == name) & (runs["k"] == k) & (runs["inputs"] == "blendshapes")
    whole = removed[removed["condition"] == "all frames"].set_index("role")[FIGURES]
    disjoint = leaking[leaking["protocol"] == "disjoint"].set_index("role")[FIGURES]
    pd.testing.assert_frame_equal(whole, disjoint)
    assert runs.loc[settings, FIGURES].iloc[0].to_dict() == whole.loc["logistic"].to_dict()
    # Frames taken away change the answers, but not those of the prior.
    changed = removed.set_index("role")[FIGURES]
    assert len(changed.loc["logistic"].drop_duplicates()) > 2
    assert len(changed.loc["majority"].drop_duplicates()) == 1


def test_the_summary_says_what_the_tables_say(studied: Path) -> None:
    summary = json.loads((studied / "metrics/study/summary.json").read_text("utf-8"))
    runs, leaking = table(studied, "runs"), table(studied, "leakage")
    assert summary["dataset"] == f"demo: {ABOUT}"
    assert summary["runs"] == RUNS
    for name, column in (("chosen_by_validation", "val_uar"), ("best_on_test", "uar")):
        figures = summary[name]
        assert figures == runs.iloc[runs[column].argmax()][list(figures)].to_dict()
        assert {"transform", "k", "inputs", "model", "uar_low", "uar_high"} < set(figures)
    uar = leaking.set_index(["protocol", "role"])["uar"]
    assert set(summary["leakage"]) == {"model", "majority", "logistic"}
    for role, figures in summary["leakage"].items():
        disjoint, random = uar["disjoint", role], uar["random", role]
        difference = pytest.approx(random - disjoint, abs=0.01)
        assert figures == {"disjoint": disjoint, "random": random, "difference": difference}


def test_importance_and_reconstruction_are_of_the_configured_model_and_transform(
    studied: Path,
) -> None:
    found = table(studied, "importance")
    assert tuple(found) == importance.COLUMNS
    assert set(found["kind"]) == {"block", "blendshape", "region", "part", "scale"}
    assert (found["kind"] == "part").sum() == TRANSFORM.k
    lost = table(studied, "reconstruction")
    assert lost["contender"][0] == TRANSFORM.name
    assert set(lost["k"]) == {4}
    assert set(lost["clips"]) == {10}
    summary = json.loads(outputs(studied)["summary.json"])["reconstruction"]
    assert summary["clips_measured"] == 10
    first = lost[lost["block"] == "head"].iloc[0]
    assert summary["unexplained"][TRANSFORM.name]["head"] == {
        "variance": first["variance_median"],
        "velocity": first["velocity_median"],
    }


@pytest.mark.slow
def test_killed_it_makes_the_runs_that_are_missing(
    project: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: x for name, x in outputs(project).items() if "plots" not in name}
    kept.RUNS.unlink()
    make_run = vars(ablation)["run"]

    def killed(*arguments: Any) -> Any:
        if len(made) == 3:
            raise KeyboardInterrupt
        return make_run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            main()
    assert len(table(project, "runs")) == 3
    made.clear()
    main()
    assert len(made) == RUNS - 3
    assert before.items() <= outputs(project).items()


@pytest.mark.slow
def test_a_larger_grid_costs_what_is_new_and_a_smaller_one_nothing(
    project: Path, made: list[str]
) -> None:
    before = table(project, "runs")
    write_study_params(project, k=[2, 3, 4])
    main()
    assert [name.split()[-1] for name in made] == ["3"] * (RUNS // 2)
    after = table(project, "runs")
    old = after[after["k"] != 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, before)
    assert after["k"].tolist() == [2, 2, 3, 3, 4, 4] * 2
    made.clear()
    write_study_params(project, transforms=["energy"])
    main()
    assert made == []
    pd.testing.assert_frame_equal(
        table(project, "runs"), before[RUNS // 2 :].reset_index(drop=True)
    )


def relabel(project: Path) -> None:
    """Change one label."""
    path = project / "data/labels/demo.csv"
    rows = labels.read(path)
    rows.loc[5, ["label", "actual"]] = [0, WORDS[0]]
    labels.write(path, rows, WORDS)


def detect_anew(project: Path) -> None:
    """Another clip under the same name."""
    path = project / "data/landmarks/demo/index.csv"
    path.write_text(path.read_text("utf-8").replace("key-003", "key-003-anew"), "utf-8")


def listen(project: Path) -> None:
    """What is known of the clips' sound."""
    index = project / "data/voice/demo/index.csv"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("video_idx\n", "utf-8")


def setting(section: str, **values: Any) -> Callable[[Path], None]:
    """Change a setting, and nothing else."""

    def change(project: Path) -> None:
        changed = SECTIONS | {section: SECTIONS.get(section, {}) | values}
        write_params(project, **{"study": STUDY} | changed)

    return change


def teach(project: Path) -> None:
    """Name pseudo-labels, of a clip that has none."""
    columns = ["video_idx", "word", "confidence", "shares", "source"]
    labels = pd.DataFrame([["undecided", "happy", 1.0, "", "a model"]], columns=columns)
    write(project / PSEUDO, Pseudo(labels.set_index("video_idx"), {}, "guesses"))
    setting("pseudo", track="guesses")(project)


RUN, CLASSIFIERS = "energy haar 2", ["importance", "removed", "leakage", "speaking"]
CHANGES: list[tuple[Callable[[Path], None], list[str]]] = [
    (relabel, [*CLASSIFIERS, RUN]),
    (detect_anew, [*CLASSIFIERS, RUN, "reconstruction"]),
    (listen, ["speaking"]),
    (teach, [*CLASSIFIERS, RUN]),
    (setting("evaluate", resamples=41), [*CLASSIFIERS, RUN]),
    (setting("wavelets", max_gap_s=0.9), [*CLASSIFIERS, RUN, "reconstruction"]),
    (setting("train", logistic={"c": 0.2}), ["leakage", "speaking", RUN]),
    (setting("train", network={"lr": 0.5}), ["leakage", "speaking"]),
    (setting("train", baselines=[]), ["removed", "leakage", "speaking"]),
    (setting("labels", seed=3), ["leakage"]),
    (setting("study", **STUDY | {"removed": [0.5]}), ["removed"]),
    (setting("study", **STUDY | {"models": ["logistic"]}), []),
]


@pytest.mark.slow
def test_what_follows_from_a_change_is_made_anew_and_nothing_else(
    project: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = list(grid.runs(params.load().study, params.load().wavelets))[4:5]
    assert f"{chosen[0].transform.name} {chosen[0].transform.k}" == RUN
    monkeypatch.setattr(grid, "runs", lambda *_: chosen)
    empty = pd.DataFrame(columns=["uar", *speaking.COLUMNS])
    for name, (module, function) in MAKERS.items():
        monkeypatch.setattr(module, function, lambda *_, name=name: made.append(name) or empty)  # type: ignore[func-returns-value]
    monkeypatch.setattr(reconstruction, "unexplained", lambda *_: {})
    before = outputs(project)
    data = {path: path.read_bytes() for path in (project / "data").rglob("*.csv")}
    for change, expected in CHANGES:
        made.clear()
        change(project)
        main()
        assert made == expected
        for path, content in data.items():
            path.write_bytes(content)
        (project / "data/voice/demo/index.csv").unlink(missing_ok=True)
        for name in ("runs.csv", "keys.json", *(f"{one}.csv" for one in TABLES)):
            (project / "metrics/study" / name).write_bytes(before[name])


@pytest.mark.slow
def test_edited_code_makes_anew_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = {
        "runs": ("runs", "clips", "scores"),
        "leakage": ("leakage",),
        "removed": ("thinned",),
        "importance": ("importance", "clips"),
        "speaking": ("speaking",),
        "reconstruction": ("reconstruction",),
    }
    before = {name: kept.code(*modules) for name, modules in heads.items()}
    assert len(set(before.values())) == len(before)
    really = Path.read_bytes
    fitted = {"runs", "leakage", "removed", "speaking"}
    for file, expected in {
        "study/reconstruction.py": {"reconstruction"},
        "study/thinned.py": {"removed"},
        "study/leakage.py": {"leakage"},
        "study/face_map.py": {"importance", "speaking"},
        "study/mouth.py": {"speaking"},
        "training/loop.py": fitted,
        "evaluation/intervals.py": {*fitted, "importance"},
        "wavelets/bases.py": set(heads),
        "workspace.py": set(heads),
        "study/plots.py": set[str](),
        "training/schema.py": set[str](),
    }.items():
        path = kept._SOURCE / file
        assert path.exists()
        monkeypatch.setattr(
            Path, "read_bytes", lambda self, path=path: really(self) + b"#" * (self == path)
        )
        changed = {name for name, modules in heads.items() if kept.code(*modules) != before[name]}
        assert changed == expected, file


def test_runs_that_cannot_be_read_are_no_runs(project: Path) -> None:
    before, known = kept.RUNS.read_bytes(), kept.runs()
    assert len(known) == RUNS
    marks = b"<<<<<<< HEAD\n=======\nenergy"
    for damage, content, missing in (
        ("empty", b"", 8),
        ("no table", b"\0\xff\xfe" * 50, 8),
        ("a mark of git above all", b"<<<<<<< HEAD\n" + before, 8),
        ("its last key cut", before[:-5], 1),
        ("its last line cut", before[: before.rindex(b",60,")], 1),
        ("marks of git", before.replace(b"energy", marks, 1), 0),
        ("a word for a count", before.replace(b",20,3,", b",20,many,", 1), 8),
        ("a share for a count", before.replace(b",20,3,", b",2.5,3,", 1), 8),
    ):
        assert content != before
        kept.RUNS.write_bytes(content)
        found = kept.runs()
        assert len(known.keys() - found.keys()) == missing, damage
        same = [name for name in known if name in found]
        assert [found[name] for name in same] == [known[name] for name in same]
    header, first, *_ = before.decode().splitlines()
    for key in ("0012345678901234", "12345e1234567890"):  # digits, too, are a key
        kept.RUNS.write_text(f"{header}\n{first[:-16]}{key}\n")
        assert list(kept.runs()) == [key]
    kept.RUNS.unlink()
    assert kept.runs() == {}


def test_a_table_is_kept_under_its_key_if_nobody_tampered_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made: list[str] = []

    def table(name: str, made_from: str) -> int:
        """How many tables are made for this one."""
        made.clear()
        rows = pd.DataFrame({"name": [name], "figure": [0.5]})
        found = kept.table(name, made_from, lambda: made.append(name) or rows)  # type: ignore[func-returns-value]
        pd.testing.assert_frame_equal(found, rows)
        return len(made)

    path = kept.OUT / "a.csv"
    assert [table("a", "1"), table("b", "1"), table("a", "1"), table("b", "1")] == [1, 1, 0, 0]
    assert [table("a", "2"), table("a", "2"), table("a", "1"), table("b", "1")] == [1, 0, 1, 0]
    for harm in (path.unlink, lambda: path.write_text("name\n")):
        harm()
        assert [table("a", "1"), table("a", "1"), table("b", "1")] == [1, 0, 0]
    for content in ("<<<<<<<", "[]", '{"a": "1"}'):
        kept.KEYS.write_text(content)
        assert [table("a", "1"), table("b", "1"), table("a", "1")] == [1, 1, 0]


def test_the_study_has_the_numbers_of_the_clips(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = Transform("energy", "haar", k=4)
    read = trajectories()
    clips = read.clips(transform, ["blendshapes", "head"])
    assert set(clips.blocks) == {"blendshapes", "head"}
    assert np.isnan(clips.blocks["head"][0]).all()  # it is not usable
    for at, row in list(enumerate(read.index.itertuples()))[1::20]:
        clip = landmarks.read_row(read.dataset.landmarks, row)
        assert len(clip.times_T) == FRAMES
        numbers = features(clip, PICTURE, transform)
        for name in ("blendshapes", "head"):
            np.testing.assert_array_equal(clips.blocks[name][at], numbers[name])
    thin = read.clips(transform, ["head"], lambda clip, at: landmarks.between(clip, 0.1, np.nan))
    assert (thin.blocks["head"][1:] != clips.blocks["head"][1:]).any(axis=(1, 2)).all()
    monkeypatch.setattr("facewave.study.clips._FRAMES", 0)  # nothing is kept in memory
    again = trajectories().clips(transform, ["head"])
    np.testing.assert_array_equal(again.blocks["head"], clips.blocks["head"])


def test_random_folds_cover_every_clip_once_and_are_stratified() -> None:
    rng = np.random.default_rng(0)
    code = np.sort(rng.integers(0, 3, 103))
    rows = pd.Series(code.astype(str), rng.permutation(103) + 7)
    folds = list(partitions(random_folds(rows, 4, 0)))
    tests = np.array([fold == "test" for fold in folds])
    assert (tests.sum(axis=0) == 1).all()
    for k, fold in enumerate(folds):
        assert fold.index.equals(rows.index)
        assert set(fold) == {"train", "val", "test"}
        pd.testing.assert_series_equal(fold == "val", folds[(k + 1) % 4] == "test")
        for value in range(3):
            assert abs((code[tests[k]] == value).sum() - (code == value).sum() / 4) < 1
    again, others = (list(partitions(random_folds(rows, 4, seed))) for seed in (0, 1))
    assert all(one.equals(two) for one, two in zip(folds, again, strict=True))
    assert not any(one.equals(two) for one, two in zip(folds, others, strict=True))


def leaking(project: Path) -> pd.DataFrame:
    with chdir(project):
        kinds: dict[str, Any] = {"majority": "majority", "logistic": "logistic"}
        read = trajectories()
        return leakage.leakage(read, kinds, score_of(read.dataset.targets), params.load())


def test_who_knows_the_people_is_much_better_on_random_folds_alone(tmp_path: Path) -> None:
    write_study_params(tmp_path)
    table, seen = by_subject()
    write_clips(tmp_path, table, seen)
    usable = table["video_idx"].to_numpy() != table["video_idx"].iloc[0]
    write_features(tmp_path, table, usable, np.zeros((len(table), 10, 52), np.float32))
    found = leaking(tmp_path).set_index(["protocol", "role"])["uar"]
    assert found["disjoint", "logistic"] < 45  # chance is 33
    assert found["random", "logistic"] > 75
    assert found["random", "majority"] == pytest.approx(100 / 3, abs=0.01)


def test_pseudo_labels_do_not_teach_where_folds_are_drawn_anew(project: Path) -> None:
    path = project / "data/labels/demo.csv"
    rows = labels.read(path)
    hidden = rows["subject"].isin(["s1", "s2"]) & (rows["excluded"] == "")
    rows.loc[hidden, ["actual", "label"]] = ["", None]
    labels.write(path, rows, WORDS)
    before = leaking(project)
    named = {"video_idx": rows.loc[hidden, "video_idx"], "word": "happy", "confidence": 1.0}
    taught = pd.DataFrame(named | {"shares": "", "source": "a model"})
    write(project / PSEUDO, Pseudo(taught.set_index("video_idx"), {}, "guesses"))
    setting("pseudo", track="guesses")(project)
    assert (trajectories().table()["pseudo"] != "").sum() == hidden.sum()
    pd.testing.assert_frame_equal(leaking(project), before)


def test_without_shared_subjects_or_with_two_folds_nothing_can_leak(project: Path) -> None:
    path = project / "data/labels/demo.csv"
    rows = labels.read(path)
    labels.write(path, rows.assign(fold=rows["fold"].clip(upper=2)), WORDS)
    assert leaking(project).empty
    labels.write(path, rows.assign(subject=""), WORDS)
    assert leaking(project).empty
    write_study_params(project, **ONE_RUN, **NOTHING_REMOVED)
    main()
    found = outputs(project)
    assert len(found["leakage.csv"].splitlines()) == 1  # the names of its columns
    assert "leakage" not in json.loads(found["summary.json"])
    assert set(table(project, "removed")["condition"]) == {"all frames"}


@pytest.mark.slow
def test_of_a_split_alone_its_test_part_is_studied(project: Path) -> None:
    write_params(
        project,
        **SECTIONS | {"train": SECTIONS["train"] | {"partitions": ["split"]}},
        study=STUDY | ONE_RUN | NOTHING_REMOVED,
    )
    shutil.copytree(project / "models/trained/1", project / "models/trained/split")
    main()
    for name in ("runs", "removed"):
        found = table(project, name)[["n", "groups", "folds"]]
        assert found.drop_duplicates().to_numpy().tolist() == [[12, 4, 1]]


def test_what_is_missing_is_reported_before_the_first_run(project: Path, made: list[str]) -> None:
    shutil.rmtree(project / "metrics/study")
    for missing, advice in (
        ("models/trained/2/logistic/config.json", "dvc repro"),
        ("data/labels/demo.csv", "dvc repro clean"),
        ("data/landmarks/demo/index.csv", "dvc repro extract"),
    ):
        path = project / missing
        path.rename(path.with_suffix(".away"))
        with pytest.raises(UserError, match=f"{missing}.*{advice}"):
            main()
        path.with_suffix(".away").rename(path)
    write_study_params(project, transforms=["approximation", "energy morlet"])
    with pytest.raises(UserError, match="'morlet' is not a discrete wavelet"):
        main()
    assert made == []
    assert not (project / "metrics/study").exists()


def beside(project: Path, **train: Any) -> None:
    """A language model as the model, which is nowhere: the study may not need it."""
    changed = SECTIONS | {"train": SECTIONS["train"] | {"model": "tiny-smolvlm"} | train}
    write_params(project, **changed, study=STUDY | ONE_RUN)
    for partition in PARTITIONS:
        shutil.rmtree(project / f"models/trained/{partition}/model")


def test_beside_a_language_model_classifiers_are_studied(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: table(project, name) for name in ("leakage", "removed")}
    beside(project)
    main()
    said = "studied: majority, logistic. tiny-smolvlm is a language model"
    assert said in capsys.readouterr().out
    for name, rows in before.items():
        others = rows[rows["role"] != "model"].reset_index(drop=True)
        pd.testing.assert_frame_equal(table(project, name), others)
    assert set(json.loads(outputs(project)["summary.json"])["leakage"]) == {"majority", "logistic"}
    assert table(project, "importance").empty


@pytest.mark.slow
def test_numbers_are_counted_by_their_mean_ccc(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "data/labels/demo.csv"
    rows = labels.read(path)
    alone = np.where(rows.index == 0, 0.5, np.nan)
    labels.write(
        path, rows.assign(valence=rows["label"] - 1.0, arousal=0.5, dominance=alone), WORDS
    )
    shutil.rmtree(project / "models")
    targets = ["valence", "arousal", "classes"]
    train = SECTIONS["train"] | {"model": "logistic", "baselines": [], "targets": targets}
    sections = SECTIONS | {"train": train}
    sets = [["valence"], ["valence", "arousal"], ["aus"], ["dominance"]]
    write_params(project, **sections, study=STUDY | ONE_RUN | {"targets": sets, "removed": [0.5]})
    train_models()
    main()
    out = capsys.readouterr().out
    assert "[aus] is left out: no clip has aus." in out
    assert "[dominance] is left out: 0 training clips have dominance, and 2 are the" in out
    for name in ("runs", "leakage", "removed", "importance"):
        assert set(table(project, name)["measure"]) == {"ccc"}, name
    leaked = table(project, "leakage").set_index(["protocol", "role"])
    assert leaked.loc[("disjoint", "majority"), "ccc"] == pytest.approx(0, abs=0.05)
    found = table(project, "tasks")
    assert found["together"].tolist() == ["valence", "valence + arousal", "valence + arousal"]
    assert found["target"].tolist() == ["valence", "valence", "arousal"]
    assert found["against"].notna().tolist() == [False, True, False]
    summary = json.loads(outputs(project)["summary.json"])
    assert summary["measure"] == "ccc"
    assert summary["chosen_by_validation"]["ccc"] == table(project, "runs")["ccc"].iloc[0]
    assert {"tasks", "sampling"} <= set(summary)
    assert "quadrants" not in summary


@pytest.mark.slow
def test_where_nothing_moves_tables_of_classifiers_are_empty_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = toy(5)
    made.table["dataset"] = np.where(np.arange(len(made.table)) % 2, "film", "stills")
    write_toy(tmp_path, made)
    names = made.table["video_idx"].tolist()
    write_landmarks(tmp_path, {name: trajectory(1) for name in names})
    numbers = np.full((len(made.table), 10, 52), np.nan, np.float32)
    write_features(tmp_path, made.table, np.zeros(len(made.table), bool), numbers)
    clips = tmp_path / "data/features/demo/clips.csv"
    pd.read_csv(clips, dtype=str).assign(face_share=1.0).to_csv(clips, index=False)
    write_faces(tmp_path, names)
    network: dict[str, Any] = {"network": {"epochs": 1, "batch_size": 16, "hidden": 8}}
    network |= {"vision": {"width": 0.125, "side": 32, "frames": 1}, "partitions": ["split"]}
    both: dict[str, Any] = {"model": "ensemble", "baselines": ["resnet18"]}
    both |= {"ensemble": {"roles": ["resnet18"], "by": "vote"}}
    taught = {"networks": ["resnet18"], "hidden": "film", "errors": [0.0], "losses": []}
    write_params(
        tmp_path, train=TOY_TRAIN | network | both, evaluate={"resamples": 20},
        study=STUDY | ONE_RUN | {"targets": [["classes"]], "teaching": taught},
    )  # fmt: skip
    train_models()
    main()
    out = capsys.readouterr().out
    assert "their tables are empty: partition split has no usable training clip, as where" in out
    assert "no channels of the mouth" not in out
    rows = {name: table(tmp_path, name) for name in ("teaching", "losses", *TABLES)}
    filled = {name for name, found in rows.items() if len(found)}
    assert filled == {"teaching", "combination"}
    assert json.loads(outputs(tmp_path)["summary.json"])["runs"] == 0
    drawn = {Path(name).stem for name in outputs(tmp_path) if name.endswith(".png")}
    assert drawn == {"teaching", "combination"}
