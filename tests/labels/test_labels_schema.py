"""The contract of data/labels/<dataset>.csv: what is written is read, and which part a row has."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import schema

TEXT = [
    name
    for name in schema.COLUMNS
    if name not in {"label", "fold", "row", "valence", "arousal", "start", "end"}
]


def table(n: int = 3, **columns: list[Any]) -> pd.DataFrame:
    """A whole table of ``n`` rows."""
    filled: dict[str, Any] = {name: [f"{name} {i}" for i in range(n)] for name in TEXT}
    filled |= {name: pd.array(range(1, n + 1), dtype="Int64") for name in ("label", "fold", "row")}
    filled |= {name: [i / 7 for i in range(n)] for name in ("valence", "arousal", "start", "end")}
    return pd.DataFrame(filled | columns)[list(schema.COLUMNS)]


def round_trip(tmp_path: Path, content: pd.DataFrame) -> pd.DataFrame:
    schema.write(tmp_path / "labels.csv", content)
    return schema.read(tmp_path / "labels.csv")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = table()
    pd.testing.assert_frame_equal(round_trip(tmp_path, content), content, check_dtype=False)


def test_nothing_stays_nothing(tmp_path: Path) -> None:
    content = table(
        label=pd.array([None, 2, None], dtype="Int64"),
        valence=[None, 0.5, None],
    ).assign(**{name: ["", "s", ""] for name in TEXT})
    back = round_trip(tmp_path, content)
    for name in TEXT:
        assert back[name].tolist() == ["", "s", ""], name
    assert back["label"].tolist() == [pd.NA, 2, pd.NA]
    assert back["valence"].isna().tolist() == [True, False, True]
    assert str(back["label"].dtype) == str(back["fold"].dtype) == "Int64"


def test_absent_columns_are_written_empty_and_unknown_ones_not(tmp_path: Path) -> None:
    short = table()[["file_path", "video_idx", "label"]].assign(other=1)
    back = round_trip(tmp_path, short)
    assert tuple(back.columns) == schema.COLUMNS
    assert back["caption"].tolist() == ["", "", ""]
    assert back["start"].isna().all()


def test_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1e-300, -1 / 3]
    assert round_trip(tmp_path, table(start=values))["start"].tolist() == values


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    names = ["007", "1e5", "True"]
    assert round_trip(tmp_path, table(subject=names))["subject"].tolist() == names


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "N/A"])
def test_names_that_look_like_nothing_stay_names(tmp_path: Path, name: str) -> None:
    names = [name, "s", "t"]
    assert round_trip(tmp_path, table(subject=names))["subject"].tolist() == names


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), min_size=1))
def test_any_text_comes_back(tmp_path: Path, texts: list[str]) -> None:
    texts = [f"-{text}" for text in texts]  # no word that stands for nothing
    back = round_trip(tmp_path, table(len(texts), note=texts))
    assert back["note"].tolist() == texts


def test_a_missing_table_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"labels\.csv is not here\. .*dvc repro clean"):
        schema.read(tmp_path / "labels.csv")


@pytest.mark.parametrize("column", schema.COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    path = tmp_path / "labels.csv"
    table().drop(columns=column).to_csv(path, index=False)
    with pytest.raises(UserError, match=rf"labels\.csv: column '{column}' is missing"):
        schema.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"file_path\n\xff\n",
        b"a,b\n1,2\n1,2,3,4\n",
        ",".join(schema.COLUMNS).encode() + b"\n" + b"x," * 20 + b"x\n",
    ],
    ids=["empty", "no UTF-8", "ragged", "no number"],
)
def test_a_damaged_table_is_a_user_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"labels\.csv"):
        schema.read(path)


def in_folds(folds: list[int], **columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"fold": pd.array(folds, dtype="Int64"), "split": ["train"] * len(folds)} | columns,
        index=pd.RangeIndex(5, 5 + len(folds)),
    )


@pytest.mark.parametrize(
    ("fold", "expected"),
    [
        (1, ["test", "val", "train", "train"]),
        (3, ["train", "train", "test", "val"]),
        (4, ["val", "train", "train", "test"]),
    ],
)
def test_a_fold_is_tested_and_the_next_one_validates(fold: int, expected: list[str]) -> None:
    parts = schema.parts(in_folds([1, 2, 3, 4]), fold)
    assert parts.tolist() == expected
    assert parts.index.tolist() == [5, 6, 7, 8]


def test_folds_need_not_be_numbered_without_holes() -> None:
    assert schema.parts(in_folds([2, 5, 9]), 9).tolist() == ["val", "train", "test"]


def test_the_split_is_as_it_stands() -> None:
    rows = in_folds([1, 2, 3], split=["test", "train", "val"])
    assert schema.parts(rows, "split").tolist() == ["test", "train", "val"]


@given(st.lists(st.integers(1, 5), min_size=5, max_size=40), st.integers(1, 5))
def test_parts_share_no_subject_where_folds_do_not(owners: list[int], fold: int) -> None:
    owners = [1, 2, 3, 4, 5, *owners]  # subject s<i> lies in fold i
    rows = in_folds(owners, subject=[f"s{i}" for i in owners])
    parts = schema.parts(rows, fold)
    assert set(parts) == {"train", "val", "test"}
    assert (parts.groupby(rows["subject"]).nunique() == 1).all()
    assert set(rows.loc[parts == "test", "fold"]) == {fold}


@pytest.mark.parametrize("fold", [0, 4, 99, "test"])
def test_an_unknown_fold_is_named(fold: int | str) -> None:
    with pytest.raises(UserError, match=f"train.partitions: there is no fold {fold}; there are "):
        schema.parts(in_folds([1, 2, 3]), fold)


def test_the_folds_that_exist_are_told_plainly() -> None:
    with pytest.raises(UserError, match=r"there are \[?1, 2, 3\]?"):
        schema.parts(in_folds([1, 2, 3]), 4)


@pytest.mark.parametrize("folds", [[1, 1], [1, 2]])
def test_fewer_folds_than_parts_are_refused(folds: list[int]) -> None:
    with pytest.raises(UserError):
        schema.parts(in_folds(folds), 1)


def test_codes_are_the_places_of_words() -> None:
    assert schema.WORDS["dfew"] == (
        "happy",
        "sad",
        "neutral",
        "angry",
        "surprise",
        "disgust",
        "fear",
    )


def test_votes_are_json_or_nothing() -> None:
    assert schema.votes_json({"happy": 3, "sad": 0}) == '{"happy": 3, "sad": 0}'
    assert schema.votes_json(None) == ""
