"""``facewave compare``: which run a name means, what is refused, and what is printed."""

from pathlib import Path

import pandas as pd
import pytest

from facewave.app.compare import common_task, compare, read, same_clips
from facewave.errors import UserError
from facewave.prediction import schema
from making import write_params
from making_answers import answers, write
from making_results import PLANE, multitask, numbers, regressors, several

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose model is always right, logistic by half, majority never."""
    write_params(tmp_path, evaluate={"resamples": 199})
    monkeypatch.chdir(tmp_path)
    write(answers(model=1.0, logistic=0.5, majority=0.0))
    return tmp_path


def test_the_table_and_the_sentence(place: Path, capsys: Capture) -> None:
    compare("model", "majority")
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "model (%) majority (%) difference 95 % interval p" in lines
    assert "WAR 100.0 0.0 100.0 100.0 to 100.0 0.005" in lines
    assert "UAR 100.0 0.0 100.0 100.0 to 100.0 0.005" in lines
    assert lines[-1] == (
        "model is better than majority by 100.0 points of UAR (95 % interval 100.0 to 100.0, "
        "p = 0.005; paired over 96 clips of 16 subjects, 2 folds; 3 classes, chance 33.3 %)."
    )


def test_neither_the_order_of_rows_nor_how_an_answer_is_wrong_matters(
    place: Path, capsys: Capture
) -> None:
    table = answers(model=1.0, logistic=0.5)
    compare("model", "logistic")
    first = capsys.readouterr().out
    wrong = table["actual"] != table["predicted"]
    table["predicted"] = table["predicted"].mask(wrong, "")  # unreadable
    write(table.sample(frac=1, random_state=0))
    compare("model", "logistic")
    assert capsys.readouterr().out == first
    compare("logistic", "model")
    assert "model is better than logistic by" in capsys.readouterr().out


def test_common_folds_or_one_split_are_compared_as_the_first_run_groups_them(
    place: Path, capsys: Capture
) -> None:
    table = answers(model=0.5, logistic=0.2)
    write(table.assign(subject=""), Path("[other]"))
    compare("model", "[other]")
    out = capsys.readouterr().out
    assert "of 16 subjects" in out
    assert out.count("[other]") == 2
    compare("[other]", "model")
    assert "over 96 clips, 2 folds" in capsys.readouterr().out
    write(table[table["partition"] != "2"], Path("other"))
    runs = read("model"), read("other")
    for run in same_clips(*runs, common_task(*runs)):
        assert set(run.rows["partition"]) == {"1"}
        assert len(run.rows) == 48
    write(table[table["partition"] == "split"])
    compare("model", "logistic")
    out = capsys.readouterr().out
    assert "paired over 24 clips of 4 subjects; 3 classes, chance 33.3 %)" in out
    assert "With fewer than 10 groups" in out


TABLE = answers(model=0.5)


def change(column: str, value: str) -> pd.DataFrame:
    """The table with another value for clip 07 in fold 2."""
    clip = (TABLE["video_idx"] == "07") & (TABLE["partition"] == "2")
    return TABLE.assign(**{column: TABLE[column].mask(clip, value)})


def test_runs_that_cannot_be_compared(place: Path) -> None:
    for damaged, message in (
        (
            change("actual", "happy"),
            r"not tested on the same clips .* 1 of 96 differ; clip 07 \(clips/07\.mp4\) in "
            r"partition 2 is sad for model, happy for other",
        ),
        (change("partition", "1"), "2 of 97 differ; clip 07 .* in partition 1 is tested by other"),
        (change("role", "x"), "1 of 96 differ; clip 07 .* in partition 2 is tested by model alone"),
        (
            TABLE.assign(file_path="data/" + TABLE["file_path"]),
            "96 of 96 differ; .* is clips/00.mp4 for model, data/clips/00.mp4 for",
        ),
        (TABLE[TABLE["partition"] == "split"].assign(partition="3"), "none in common"),
        (TABLE.assign(p_angry=0.0), "different words .'angry' is in one alone"),
    ):
        write(damaged, Path("other"))
        with pytest.raises(UserError, match=message):
            compare("model", "other")


def test_what_is_no_run_is_named(place: Path) -> None:
    write(answers(svm=0.5), Path("other"))
    with pytest.raises(UserError, match="other has no role 'model'; it has svm"):
        compare("model", "other")
    schema.write(numbers(), regressors(), Path("numbers"))
    with pytest.raises(UserError, match=r"model answers classes, numbers numbers: no task in comm"):
        compare("model", "numbers")
    with pytest.raises(UserError, match=r"model and majority do not both answer 'aus'; .* classes"):
        compare("model", "majority", "aus")
    (Path("numbers") / schema.MODELS).write_text("{")
    with pytest.raises(UserError, match="numbers is damaged"):
        compare("numbers", "model")


def test_numbers_and_units_are_compared_by_their_means(place: Path, capsys: Capture) -> None:
    schema.write(several(n_subjects=18), multitask())
    compare("model", "majority", "numbers")
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "model majority difference 95 % interval p" in lines
    names = [line.split(" 0.")[0] for line in lines if " to " in line][:-1]
    assert names == [
        "mean CCC",
        *(f"{target}: {name}" for target in PLANE for name in ("CCC", "RMSE")),
    ]
    assert lines[-1].startswith("model is better than majority by 0.")
    assert " in mean CCC (95 % interval 0." in lines[-1]
    assert lines[-1].endswith("54 clips of 18 subjects, 3 folds; of valence, arousal).")
    # By default it is the first task that both answer; logistic knows words alone.
    compare("model", "logistic")
    assert "points of UAR" in capsys.readouterr().out
    with pytest.raises(UserError, match="do not both answer 'numbers'; both answer classes"):
        compare("model", "logistic", "numbers")
    compare("model", "majority", "aus")
    assert "points of mean F1 (95 % interval" in capsys.readouterr().out
    # Of targets that one alone has, nothing can be said.
    schema.write(numbers(targets=("valence",), n_subjects=18), regressors(("valence",)))
    schema.write(numbers(targets=PLANE, n_subjects=18), regressors(PLANE), Path("more"))
    with pytest.raises(UserError, match=r"53 of 54 differ; clip 1 .* is -?0\.\d{4} for"):
        compare("model", "more")  # drawn otherwise
    compare("more", "more:majority")
    assert "arousal: CCC" in capsys.readouterr().out
    table = numbers(targets=PLANE, n_subjects=18)
    schema.write(table[[name for name in table if "arousal" not in name]], regressors(("valence",)))
    compare("model", "more")
    out = capsys.readouterr().out
    assert "they have the same mean CCC" in out
    assert "arousal" not in out
    # Nor of those that a role does not answer.
    columns = [name for name in table if name.startswith(("predicted", "low", "high"))]
    arousal = table["role"] == "majority"
    table.loc[arousal, [name for name in columns if "arousal" in name]] = float("nan")
    schema.write(table, regressors(PLANE))
    compare("model", "majority")
    out = capsys.readouterr().out
    assert "of valence)" in out
    assert "arousal" not in out
    table.loc[~arousal, [name for name in columns if "valence" in name]] = float("nan")
    schema.write(table, regressors(PLANE))
    with pytest.raises(UserError, match="model answers arousal, majority valence: none in common"):
        compare("model", "majority")
