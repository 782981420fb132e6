"""``facewave compare``: which run a name means, what is refused, and what is printed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave.app.compare import compare, read, same_clips
from facewave.errors import UserError
from making import write_params
from running import run

PREDICTIONS = Path("metrics/evaluate/predictions.csv")
WORDS = ("happy", "sad", "NA")  # a word that looks like a missing value
Capture = pytest.CaptureFixture[str]


def answers(**shares: float) -> pd.DataFrame:
    """Of roles that are right so often, in two folds and a split; 16 subjects of 6 clips."""
    rng = np.random.default_rng(0)
    at = np.arange(96)
    subject, actual = at // 6, at % 3
    inside = {"split": subject < 4, "1": subject % 2 == 0, "2": subject % 2 == 1}
    tables = []
    for role, share in shares.items():
        predicted = np.where(rng.random(96) < share, actual, (actual + 1) % 3)
        table = pd.DataFrame(
            {
                "video_idx": [f"{i:02}" for i in at],
                "file_path": [f"clips/{i:02}.mp4" for i in at],
                "subject": [f"s{s}" for s in subject],
                "source": "",
                "actual": np.array(WORDS)[actual],
                "predicted": np.array(WORDS)[predicted],
            }
        )
        for code, word in enumerate(WORDS):
            table[f"p_{word}"] = np.where(predicted == code, 0.8, 0.1)
        tables += [table[rows].assign(partition=p, role=role) for p, rows in inside.items()]
    return pd.concat(tables, ignore_index=True)


def write(table: pd.DataFrame, path: Path = PREDICTIONS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose model is always right, logistic by half, majority never."""
    write_params(tmp_path, evaluate={"resamples": 199})
    monkeypatch.chdir(tmp_path)
    write(answers(model=1.0, logistic=0.5, majority=0.0))
    return tmp_path


def right(name: str) -> float:
    """The share of right answers of a run, which tells which one it is."""
    rows = read(name).rows
    return float((rows["actual"] == rows["predicted"]).mean())


def test_an_unreadable_answer_is_a_wrong_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = answers(model=1.0, logistic=0.5)
    lost = (table["role"] == "logistic") & (table["actual"] != table["predicted"])
    write(table)
    compare("model", "logistic")
    wrong = capsys.readouterr().out
    table.loc[lost, "predicted"] = ""
    write(table)
    compare("model", "logistic")
    assert capsys.readouterr().out == wrong
    compare("logistic", "model")
    assert "model is better than logistic by" in capsys.readouterr().out


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project: tags empty, first and second (HEAD), two experiments, uncommitted changes."""
    folder = tmp_path_factory.mktemp("repository")
    for command in ("git init -q", "git config user.name t", "git config user.email t@e.org"):
        run(folder, *command.split())
    run(folder, "dvc", "init", "-q")
    write_params(folder)
    (folder / "dvc.yaml").write_text(
        "stages:\n  evaluate:\n"
        f"    cmd: cp answers.csv {PREDICTIONS}\n"
        "    deps: [answers.csv]\n"
        f"    outs:\n    - {PREDICTIONS}: {{cache: false}}\n"
    )
    (folder / PREDICTIONS).parent.mkdir(parents=True)

    def commit(message: str) -> None:
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", message)

    commit("empty")
    run(folder, "git", "tag", "empty")
    for name, logistic in (("first", 0.25), ("second", 0.5)):
        write(answers(model=1.0, logistic=logistic), folder / "answers.csv")
        run(folder, "dvc", "repro", "-q")
        commit(name)
        run(folder, "git", "tag", name)
    for name, logistic in (("variant", 0.75), ("logistic", 0.0)):
        write(answers(model=0.9, logistic=logistic), folder / "answers.csv")
        run(folder, "dvc", "exp", "run", "-q", "--name", name)
        run(folder, "git", "checkout", "-q", ".")
    write(answers(model=0.1, logistic=0.6), folder / PREDICTIONS)  # not committed
    return folder


@pytest.mark.parametrize(
    ("name", "role", "share"),
    [
        ("model", "model", 0.1),
        ("logistic", "logistic", 0.6),  # the role, though an experiment has the name
        ("HEAD", "model", 1.0),
        ("HEAD:logistic", "logistic", 0.5),
        ("HEAD~1:logistic", "logistic", 0.25),
        ("first:logistic", "logistic", 0.25),
        ("variant", "model", 0.9),
        ("variant:logistic", "logistic", 0.75),
        ("logistic:model", "model", 0.9),  # the experiment
        ("answers.csv:logistic", "logistic", 0.5),
        ("./answers.csv", "model", 1.0),
    ],
)
def test_a_run_is_found_by_its_name(
    name: str, role: str, share: float, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert set(read(name).rows["role"]) == {role}
    assert right(name) == pytest.approx(share, abs=0.1)


def test_a_revision_needs_no_answers_in_the_workspace(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    away = repository / "away.csv"
    PREDICTIONS.rename(away)
    try:
        assert right("HEAD") == 1.0
        with pytest.raises(UserError, match="'majority' names no run"):
            read("majority")
    finally:
        away.rename(PREDICTIONS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", r"'nothing' names no run: it is no role .*unknown Git revision 'nothing'"),
        ("nothing:model", "'nothing' names no run"),
        ("missing.csv", r"'missing\.csv' names no run: .* no file"),
        ("HEAD:svm", "HEAD has no role 'svm'; it has model, logistic"),
        ("empty", r"empty has no metrics/evaluate/predictions\.csv that can be read"),
        ("dvc.yaml", r"dvc\.yaml .*table of answers"),
    ],
)
def test_what_is_no_run_is_told(
    name: str, said: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(UserError, match=said):
        read(name)


def test_outside_of_a_repository_too(place: Path) -> None:
    with pytest.raises(UserError, match=r"'HEAD' names no run.*is not a git repository"):
        read("HEAD")


def test_two_revisions_as_a_person_compares_them(repository: Path) -> None:
    out = run(repository, "facewave", "compare", "variant:logistic", "first:logistic")
    assert "variant:logistic is better than first:logistic by " in out
    out = run(repository, "facewave", "compare", "first", "nothing", ok=False)
    assert out.startswith("facewave: 'nothing' names no run")
    assert "Traceback" not in out


def test_the_table_and_the_sentence(place: Path, capsys: Capture) -> None:
    compare("model", "majority")
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "model (%) majority (%) difference 95 % interval p" in lines
    assert "WAR 100.0 0.0 100.0 100.0 to 100.0 0.005" in lines
    assert "UAR 100.0 0.0 100.0 100.0 to 100.0 0.005" in lines
    assert lines[-1] == (
        "model is better than majority by 100.0 points of UAR (95 % interval 100.0 to 100.0, "
        "p = 0.005; paired over 96 clips of 16 subjects, 2 folds)."
    )


def test_brackets_in_a_name_are_shown(place: Path, capsys: Capture) -> None:
    write(answers(model=0.5), Path("[bold].csv"))
    compare("model", "[bold].csv")
    assert capsys.readouterr().out.count("[bold].csv") == 2


def test_one_split_is_compared_where_there_are_no_folds(place: Path, capsys: Capture) -> None:
    table = answers(model=1.0, logistic=0.5)
    write(table[table["partition"] == "split"])
    compare("model", "logistic")
    out = capsys.readouterr().out
    assert "paired over 24 clips of 4 subjects)" in out
    assert "With fewer than 10 groups" in out


def test_folds_that_one_alone_has_are_left_out(place: Path) -> None:
    table = answers(model=0.5)
    write(table[table["partition"] != "2"], Path("other.csv"))
    runs = same_clips(read("model"), read("other.csv"))
    for one in runs:
        assert set(one.rows["partition"]) == {"1"}
        assert len(one.rows) == 48


def test_the_order_of_rows_does_not_matter(place: Path, capsys: Capture) -> None:
    compare("model", "logistic")
    first = capsys.readouterr().out
    write(answers(model=1.0, logistic=0.5, majority=0.0).sample(frac=1, random_state=0))
    compare("model", "logistic")
    assert capsys.readouterr().out == first


def test_the_first_run_says_whose_a_clip_is(place: Path, capsys: Capture) -> None:
    write(answers(model=0.5).assign(subject=""), Path("other.csv"))
    compare("model", "other.csv")
    assert "of 16 subjects" in capsys.readouterr().out
    compare("other.csv", "model")
    assert "over 96 clips, 2 folds" in capsys.readouterr().out


def change(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Another value for clip 07 in fold 2."""

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[(table["video_idx"] == "07") & (table["partition"] == "2"), column] = value
        return table

    return changed


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            change("actual", "happy"),
            r"not tested on the same clips .* 1 of 96 differ; clip 07 \(clips/07\.mp4\) in "
            r"partition 2 is sad for model, happy for other\.csv",
        ),
        (
            change("partition", "1"),
            r"2 of 97 differ; clip 07 .* in partition 1 is tested by other\.csv",
        ),
        (
            change("role", "x"),
            r"1 of 96 differ; clip 07 .* in partition 2 is tested by model alone",
        ),
        (
            lambda t: t.assign(file_path="data/" + t["file_path"]),  # another dataset
            "192 of 192 differ",
        ),
        (lambda t: t[t["partition"] == "split"].assign(partition="3"), "none in common"),
        (lambda t: t.assign(p_angry=0.0), "different words .'angry' is in one alone"),
    ],
)
def test_runs_that_cannot_be_compared(
    damage: Callable[[pd.DataFrame], pd.DataFrame], said: str, place: Path
) -> None:
    write(damage(answers(model=0.5)), Path("other.csv"))
    with pytest.raises(UserError, match=said):
        compare("model", "other.csv")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda t: t.drop(columns="source"), "other.csv is no table of answers: .* 'source'"),
        (lambda t: t.assign(p_sad="much"), "other.csv cannot be read as a table of answers"),
        (lambda t: t.drop(columns="p_sad"), "other.csv: 'sad' has no column of probabilities"),
        (lambda t: pd.concat([t, t[40:41]]), "other.csv has clip .* of role 'model' twice"),
        (lambda t: t.iloc[:0], "other.csv has no role 'model'; it has none"),
    ],
)
def test_damaged_tables_are_told(
    damage: Callable[[pd.DataFrame], pd.DataFrame], said: str, place: Path
) -> None:
    write(damage(answers(model=0.5)), Path("other.csv"))
    with pytest.raises(UserError, match=said):
        compare("model", "other.csv")


def test_an_empty_file_is_told(place: Path) -> None:
    Path("other.csv").write_text("")
    with pytest.raises(UserError, match=r"other\.csv cannot be read as a table of answers"):
        compare("model", "other.csv")
