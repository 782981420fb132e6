"""``facewave answers``: what leaves a project, what comes in, and what is refused."""

import json
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave.app import shared_answers
from facewave.app.compare import compare, read
from facewave.errors import UserError
from facewave.evaluation import measures, paired
from facewave.labels import schema as labels
from facewave.labels.readers import ravdess
from facewave.params import Dataset
from facewave.prediction import schema
from making import contents, write_params
from making_answers import answers, write
from making_results import multitask, several

TABLES = os.environ.get("FACEWAVE_TEST_TABLES")
FOLDS = ((2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24),
         (1, 4, 9, 22))  # fmt: skip
WORDS = ravdess.WORDS


def ravdess_project(project: Path, names: list[str]) -> pd.DataFrame:
    """A project that trains on clips of these names, in the published folds; its label table."""
    write_params(project, datasets={"demo": {"reader": "ravdess"}}, evaluate={"resamples": 500})
    clips = project / "clips"
    clips.mkdir()
    for name in names:
        (clips / f"{name}.mp4").touch()
    records = ravdess.read(clips, Dataset(reader="ravdess", root="clips", about="acted"))
    fold_of = {f"{actor:02}": k for k, actors in enumerate(FOLDS, start=1) for actor in actors}
    table = pd.DataFrame(
        {
            "video_idx": [record.video_idx for record in records],
            "file_path": [record.file_path for record in records],
            "actual": [record.word for record in records],
            "subject": [record.subject for record in records],
            "fold": [fold_of[record.subject] for record in records],
            "dataset": "demo",
        }
    )
    labels.write(project / "data/labels/demo.csv", table, WORDS)
    return table


def published(folder: Path, table: pd.DataFrame, write_one: Callable[..., None]) -> Path:
    """A file a fold; the probability or logit of the right answer is the highest in the first."""
    folder.mkdir()
    for fold, rows in table.groupby("fold"):
        numbers = [
            [6.0 if word == actual else float(i % 3) for i, word in enumerate(WORDS)]
            for actual in rows["actual"]
        ]
        write_one(folder / f"fold{fold}.csv", list(rows["video_idx"]), np.array(numbers))
    return folder


def as_columns(path: Path, names: list[str], logits: np.ndarray) -> None:
    """Probabilities between semicolons, below names that say nothing; the clip's name is last."""
    raised = np.exp(logits)
    table = pd.DataFrame(raised / raised.sum(1, keepdims=True)).add_prefix("embs")
    table.assign(video_name=names).to_csv(path, sep=";", index=False)


def as_lists(path: Path, names: list[str], logits: np.ndarray) -> None:
    """Logits in brackets beside the name of another file, without a header."""
    rows = zip(names, logits.tolist(), strict=True)
    path.write_text("".join(f'{name}.csv,"{values}"\n' for name, values in rows))


def as_words(path: Path, names: list[str], logits: np.ndarray) -> None:
    """Columns named after the classes, in another order."""
    table = pd.DataFrame(logits, columns=[f"p_{word}" for word in WORDS]).iloc[:, ::-1]
    table.insert(0, "clip", [f"{name}.mp4" for name in names])
    table.to_csv(path, index=False)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The label table of a project with eight clips of each of 24 actors."""
    monkeypatch.chdir(tmp_path)
    names = [f"01-01-{e:02}-01-01-01-{actor:02}" for actor in range(1, 25) for e in range(1, 9)]
    return ravdess_project(tmp_path, names)


def test_published_tables_are_a_run_like_any_other(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in (as_columns, as_lists, as_words):
        folder = published(Path(kind.__name__), table, kind)
        out = shared_answers.take([str(folder)], kind.__name__)
        assert out == Path(f"data/shared_answers/{kind.__name__}.zip")
        printed = capsys.readouterr().out
        assert "192 clips of demo; WAR 100.0 % (100.0 to 100.0)" in printed
        taken_for = "probabilities" if kind is as_columns else "logits"
        assert f"{kind.__name__}: the numbers are taken for {taken_for}" in printed
        run = read(kind.__name__)
        assert run.models.classes == WORDS
        assert (run.rows["predicted"] == run.rows["actual"]).all()
        assert sorted(run.rows["partition"].unique()) == ["1", "2", "3", "4", "5"]
    numbers = [f"p_{word}" for word in WORDS]
    one, other = (read(name).rows[numbers].to_numpy() for name in ("as_columns", "as_lists"))
    assert one == pytest.approx(other, abs=2e-4)  # logits are probabilities, too
    # Directly, and as many files or one.
    compare("as_columns", "as_lists/fold*.csv")
    assert "paired over 192 clips of 24 subjects, 5 folds" in capsys.readouterr().out
    whole = pd.concat(pd.read_csv(f"as_words/fold{k}.csv") for k in range(1, 6))
    whole.to_csv("whole.csv", index=False)
    compare("as_words", "whole.csv")
    assert "they have the same UAR" in capsys.readouterr().out
    # Numbers without names may be of another order of the classes.
    turned = ",".join(reversed(WORDS))
    shared_answers.take(["as_columns"], "turned", "demo", turned)
    assert "WAR 0.0 %" in capsys.readouterr().out
    shared_answers.take(["as_words"], "turned", "demo", turned)
    assert "WAR 100.0 %" in capsys.readouterr().out
    with pytest.raises(UserError, match="--classes angry,calm: the classes of demo are neutral"):
        shared_answers.take(["as_words"], "turned", "demo", "angry,calm")
    first = contents(Path("data/shared_answers"))
    shared_answers.take(["as_lists"], "as_lists", "demo")
    assert contents(Path("data/shared_answers")) == first
    labels.write(Path("data/labels/demo.csv"), table.assign(actual=""), ())
    with pytest.raises(UserError, match="demo has no classes"):
        shared_answers.take(["as_words"], "turned", "demo")


def test_clips_that_are_missing_doubled_or_strange_are_named(table: pd.DataFrame) -> None:
    folder = published(Path("all"), table, as_lists)
    lines = (folder / "fold5.csv").read_text().splitlines()
    name = lines[0].split(".")[0]
    for change, message in (
        (lines[1:], rf"1 of 192 test clips of demo are in no file \({name}\)"),
        ([], r"fold5\.csv is empty"),
        ([*lines, lines[0]], rf"fold5\.csv, row {len(lines) + 1}: clip {name} is there twice"),
        ([*lines, lines[0].replace("01-01", "09-01", 1)], "'09-01-01-01-01-01-01.csv' is no clip"),
        ([lines[0].replace(", 6.0", "", 1).replace("[6.0, ", "["), *lines[1:]], "row 1 has not a"),
        ([lines[0].replace("6.0", "nan"), *lines[1:]], "row 1 has not a finite number for each"),
        ([lines[0].replace("6.0", "x"), *lines[1:]], "row 1: could not convert string to float"),
        ([f"{lines[0]},1", *lines[1:]], "there are 2 columns, not one for each of the 8 classes"),
        ([lines[0], f"{lines[1]},1", *lines[2:]], "row 2 has 3 fields, the first 2"),
    ):
        (folder / "fold5.csv").write_text("\n".join(change))
        with pytest.raises(UserError, match=message):
            shared_answers.take([str(folder)], "x")
    moved = (folder / "fold4.csv").read_text().splitlines()
    (folder / "fold5.csv").write_text("\n".join([*lines[1:], moved[0]]))
    (folder / "fold4.csv").write_text("\n".join([*moved[1:], lines[0]]))
    with pytest.raises(UserError, match=r"has clips of several folds of the dataset \(01-01-.* in"):
        shared_answers.take([str(folder)], "x")
    with pytest.raises(UserError, match=r"nothing\.csv: there is no such"):
        shared_answers.take(["nothing.csv"], "x")
    with pytest.raises(UserError, match="names a file"):
        shared_answers.take([str(folder)], "../x")


def test_rounded_probabilities_are_no_logits(table: pd.DataFrame) -> None:
    def as_rounded(path: Path, names: list[str], logits: np.ndarray) -> None:
        rounded = np.where(logits == 6, 0.29, 0.1)  # add up to 0.99
        pd.DataFrame(rounded, names).to_csv(path)

    shared_answers.take([str(published(Path("rounded"), table, as_rounded))], "rounded")
    numbers = read("rounded").rows[[f"p_{word}" for word in WORDS]].to_numpy()
    assert numbers.max(1) == pytest.approx(0.29 / 0.99, abs=1e-4)


def test_one_file_of_all_folds_is_checked_by_its_column(table: pd.DataFrame) -> None:
    parts = published(Path("parts"), table, as_columns)
    whole = pd.concat(pd.read_csv(parts / f"fold{k}.csv", sep=";").assign(Fold=k - 1)
                      for k in range(1, 6))  # fmt: skip
    whole.to_csv("whole.csv", index=False)  # counts from 0
    shared_answers.take(["whole.csv"], "whole")
    assert (read("whole").rows["predicted"] == read("whole").rows["actual"]).all()
    whole.assign(Fold=[n % 5 for n in range(len(whole))]).to_csv("whole.csv", index=False)
    with pytest.raises(UserError, match=r"whole\.csv, fold 0, has clips of several folds of the"):
        shared_answers.take(["whole.csv"], "whole")


def test_a_name_that_several_clips_have_is_none(table: pd.DataFrame) -> None:
    first, second = table["video_idx"][:2]
    table.loc[0, "file_path"] = f"a/{second}.avi"  # beside clips/.../second.mp4
    labels.write(Path("data/labels/demo.csv"), table.assign(video_idx=range(len(table))), WORDS)
    folder = published(Path("all"), table, as_lists)
    with pytest.raises(UserError, match=rf"'{second}\.csv' may be any of 2 clips \(0, 1\)"):
        shared_answers.take([str(folder)], "x")
    labels.write(Path("data/labels/demo.csv"), table, WORDS)  # an id of its own is one
    shared_answers.take([str(folder)], "x")
    assert set(read("x").rows["video_idx"]) >= {first, second}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with answers of 16 people."""
    write_params(tmp_path, evaluate={"resamples": 199})
    monkeypatch.chdir(tmp_path)
    write(answers(model=0.7, logistic=0.5))
    return tmp_path


def test_what_is_exported_names_nobody_and_compares_as_before(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared_answers.export(Path("ours.zip"), [])
    assert "ours.zip: model, logistic; 96 clips, 0.0 MB" in capsys.readouterr().out
    with zipfile.ZipFile("ours.zip") as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    rows = pd.read_csv(place / "data/answers/answers.csv", dtype=str)
    for name in {*rows["subject"], *rows["file_path"]}:
        assert all(f",{name}," not in text for text in texts.values())
    settings = json.loads(texts["about.json"])["settings"]
    assert settings["train"]["model"] == "logistic"
    assert "root" not in settings["dataset"]
    compare("model", "logistic")
    before = capsys.readouterr().out
    shared_answers.take(["ours.zip"], "theirs")
    for first, second in (("theirs", "theirs:logistic"), ("ours.zip", "ours.zip:logistic")):
        compare(first, second)
        found = (
            capsys.readouterr().out.replace(second, "logistic").replace(Path(first).stem, "model")
        )
        assert found.splitlines()[-1] == before.splitlines()[-1]
    compare("model", "theirs")
    assert "they have the same UAR" in capsys.readouterr().out
    table, models = schema.read()
    moved = table.assign(video_idx="films/Ms Jones/" + table["video_idx"])
    schema.write(moved, models, place / "data/answers")
    shared_answers.export(Path("paths.zip"), [])
    assert "beware: clips' ids are in it, and some are paths: films/Ms " in capsys.readouterr().out
    schema.write(table, models)
    once = Path("ours.zip").read_bytes()
    shared_answers.export(Path("ours.zip"), [])
    assert Path("ours.zip").read_bytes() == once


def test_exports_that_are_damaged_or_changed_are_refused(place: Path) -> None:
    shared_answers.export(Path("ours.zip"), ["model"])
    with zipfile.ZipFile("ours.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[schema.ANSWERS] = members[schema.ANSWERS].replace(b"0.8", b"0.9")
    with zipfile.ZipFile("changed.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile("other.zip", "w") as archive:
        archive.writestr("../answers.csv", "x")
    Path("none.zip").write_text("x")
    for name, message in (
        ("changed.zip", "answers.csv was changed after it was written"),
        ("other.zip", "is no file that facewave answers export writes"),
        ("none.zip", "is no file that facewave answers export writes"),
        ("gone.zip", "is not here"),
    ):
        for use in (
            lambda name: compare("model", name),
            lambda n: shared_answers.take([n]),
        ):
            with pytest.raises(UserError, match=message):
                use(name)
    with pytest.raises(UserError, match="no role 'svm'; there are model, logistic"):
        shared_answers.export(Path("ours.zip"), ["svm"])
    with pytest.raises(UserError, match=r"should end in \.zip"):
        shared_answers.export(Path("ours.csv"), [])


def test_answers_of_several_tasks_are_exported_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(tmp_path, evaluate={"resamples": 50})
    monkeypatch.chdir(tmp_path)
    schema.write(several(), multitask(model={"kind": "mlp", "delay_s": {"1": 0.5}}))
    shared_answers.export(Path("ours.zip"), ["model", "majority"])
    shared_answers.take(["ours.zip"], "theirs")
    run = read("theirs")
    assert run.models.targets == multitask().targets
    assert run.models.roles == {"model": {"kind": "mlp", "delay_s": {"1": 0.5}}}
    for task in ("classes", "quadrant", "numbers", "aus"):
        compare("model", "theirs", task)
        assert "they have the same" in capsys.readouterr().out
    published = shared_answers.read(Path("ours.zip"))[0]
    assert (published["actual_valence"].notna()).any()


@pytest.mark.skipif(not TABLES, reason="no real tables: set FACEWAVE_TEST_TABLES to their folder")
def test_the_published_figures_of_ravdess_come_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(str(TABLES)).absolute() / "ravdess-au"
    monkeypatch.chdir(tmp_path)
    names = pd.read_csv(folder / "mean_action_units.csv", sep=";")["name"]
    ravdess_project(tmp_path, list(names))
    found = {}
    alphabetical = ",".join(sorted(WORDS))
    for name, classes, expected in (
        ("mean_au_mlp", "", "WAR 60.2 % "),
        ("au_bilstm", alphabetical, "WAR 62.1 % "),
    ):
        shared_answers.take([f"{folder}/published/{name}_*.csv"], name, "demo", classes)
        out = capsys.readouterr().out
        assert expected in out
        assert "1,440 clips of demo" in out
        assert "by bootstrap over subjects" in out
        run = read(name)
        found[name] = measures.from_table(run.rows, WORDS)
    figures = {
        name: {key: 100 * float(value) for key, value in measures.war_and_uar(coded).items()}
        for name, coded in found.items()
    }
    assert figures["mean_au_mlp"] == pytest.approx({"war": 60.2, "uar": 60.3}, abs=0.06)
    assert figures["au_bilstm"] == pytest.approx({"war": 62.1, "uar": 62.2}, abs=0.06)
    measure_of = partial(partial, measures.war_and_uar)
    both = paired.compare(
        found["mean_au_mlp"], found["au_bilstm"], measure_of, resamples=200, seed=0
    )
    assert (both.clips, both.groups, both.folds) == (1440, 24, 5)
