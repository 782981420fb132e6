"""The contract of data/labels/<dataset>.csv: what is written is read, and which part a row has."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import schema
from facewave.labels.cleaning import FileFact, Rules, clean
from facewave.labels.records import Record, frame
from facewave.labels.schema import Reason
from facewave.targets import PLANE, Target, truth

WORDS = ("happy", "sad")
WHOLE = ("label", "fold", "row")
COMPUTED = ("rank", "agreement", "entropy")
PUBLISHED = (*PLANE, *(f"{name}_raw" for name in PLANE), "start", "end")
TEXT = [
    name for name in schema.COLUMNS if name not in {*WHOLE, *COMPUTED, *PUBLISHED, "validation"}
]


def table(n: int = 3, **columns: Any) -> pd.DataFrame:
    """A whole table of ``n`` rows."""
    filled: dict[str, Any] = {name: [f"{name} {i}" for i in range(n)] for name in TEXT}
    filled |= {name: pd.array(range(1, n + 1), dtype="Int64") for name in WHOLE}
    filled |= {name: [i / 8 for i in range(n)] for name in COMPUTED}
    filled |= {name: [i / 7 for i in range(n)] for name in PUBLISHED}
    filled["validation"] = pd.array([i % 2 == 0 for i in range(n)], dtype="boolean")
    return pd.DataFrame(filled | columns)[list(schema.COLUMNS)]


def round_trip(tmp_path: Path, content: pd.DataFrame) -> pd.DataFrame:
    schema.write(tmp_path / "labels.csv", content, WORDS)
    return schema.read(tmp_path / "labels.csv")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = table()
    pd.testing.assert_frame_equal(round_trip(tmp_path, content), content, check_dtype=False)


def test_nothing_stays_nothing(tmp_path: Path) -> None:
    content = table(
        label=pd.array([None, 2, None], dtype="Int64"),
        valence=[None, 0.5, None],
        validation=pd.array([None, False, None], dtype="boolean"),
    ).assign(**{name: ["", "s", ""] for name in TEXT})
    back = round_trip(tmp_path, content)
    for name in TEXT:
        assert back[name].tolist() == ["", "s", ""], name
    assert back["label"].tolist() == [pd.NA, 2, pd.NA]
    assert back["valence"].isna().tolist() == [True, False, True]
    assert back["validation"].tolist() == [pd.NA, False, pd.NA]
    assert {str(back[name].dtype) for name in WHOLE} == {"Int64"}
    assert str(back["validation"].dtype) == "boolean"


def test_absent_columns_are_written_empty_and_unknown_ones_not(tmp_path: Path) -> None:
    short = table()[["file_path", "video_idx", "label"]].assign(other=1)
    back = round_trip(tmp_path, short)
    assert tuple(back.columns) == schema.COLUMNS
    assert back["caption"].tolist() == ["", "", ""]
    for name in ("start", "rank", "fold", "validation"):
        assert back[name].isna().all(), name


def test_what_is_computed_is_rounded_and_what_is_published_is_not(tmp_path: Path) -> None:
    third = [1 / 3] * 3
    content = table().assign(**dict.fromkeys((*COMPUTED, *PUBLISHED), third))
    back = round_trip(tmp_path, content)
    for name in COMPUTED:
        assert back[name].tolist() == [0.333333] * 3, name
    for name in PUBLISHED:
        assert back[name].tolist() == third, name


def test_names_that_look_like_nothing_stay_names(tmp_path: Path) -> None:
    for name in ["NA", "None", "null", "nan", "N/A"]:
        names = [name, "s", "t"]
        assert round_trip(tmp_path, table(subject=names))["subject"].tolist() == names


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), min_size=1))
def test_any_text_comes_back(tmp_path: Path, texts: list[str]) -> None:
    texts = [f"-{text}" for text in texts]  # no word that stands for nothing
    back = round_trip(tmp_path, table(len(texts), note=texts))
    assert back["note"].tolist() == texts


def test_a_missing_or_damaged_table_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(UserError, match=r"labels\.csv is not here\. .*dvc repro clean"):
        schema.read(path)
    for column in schema.COLUMNS:
        table().drop(columns=column).to_csv(path, index=False)
        with pytest.raises(UserError, match=rf"labels\.csv: column '{column}' is missing"):
            schema.read(path)
    nonsense = ",".join(schema.COLUMNS) + "\n" + "x," * (len(schema.COLUMNS) - 1) + "x\n"
    for content in [b"", b"file_path\n\xff\n", b"a,b\n1,2\n1,2,3,4\n", nonsense.encode()]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"labels\.csv"):
            schema.read(path)


def test_a_word_list_that_is_written_is_read_and_any_other_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.words.json"
    with pytest.raises(UserError, match=r"labels\.words\.json is not here\. .*dvc repro clean"):
        schema.read_words(tmp_path / "labels.csv")
    cases: list[tuple[str, ...]] = [("happy", "größer"), ()]
    for words in cases:
        schema.write(tmp_path / "labels.csv", table(), words)
        assert schema.read_words(tmp_path / "labels.csv") == words
        assert json.loads(path.read_text("utf-8")) == list(words)
    for content in [b"", b"{}", b'["happy", 1]', b'["hap', b'["\xff"]', b'"happy"']:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"labels\.words\.json is damaged\. .*dvc repro"):
            schema.read_words(tmp_path / "labels.csv")


def test_only_what_concerns_the_label_alone_still_has_trajectories() -> None:
    of_the_label = {
        "no label", "no single label", "vote tie", "label contradicts votes", "low agreement",
        "no counterpart", "no official part", "word not chosen", "rare word",
    }  # fmt: skip
    for reason in Reason:
        rows = pd.DataFrame({"excluded": ["", reason.value]})
        assert schema.single_label(rows).index.tolist() == [0]
        expected = [0, 1] if reason in of_the_label else [0]
        assert schema.with_trajectories(rows).index.tolist() == expected


def ranked(ranks: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"rank": ranks})


def test_a_slice_holds_where_it_begins_and_not_where_it_ends() -> None:
    rows = ranked([0.0, 0.25, 0.5, 0.75, float("nan")])
    assert schema.subset(rows, 0, 0.5).index.tolist() == [0, 1]
    assert schema.subset(rows, 0.5, 1).index.tolist() == [2, 3]
    assert schema.subset(rows, 0, 1).index.tolist() == [0, 1, 2, 3]


def in_folds(folds: list[int], **columns: Any) -> pd.DataFrame:
    """Rows in folds of our own, unless ``columns`` has a validation."""
    filled = {
        "fold": pd.array(folds, dtype="Int64"),
        "split": ["train"] * len(folds),
        "validation": pd.array([None] * len(folds), dtype="boolean"),
    }
    return pd.DataFrame(filled | columns, index=pd.RangeIndex(5, 5 + len(folds)))


def in_official_folds(folds: list[int], validation: list[bool]) -> pd.DataFrame:
    return in_folds(folds, validation=pd.array(validation, dtype="boolean"))


def test_a_fold_is_tested_and_the_next_one_validates() -> None:
    for fold, expected in (
        (1, ["test", "val", "train", "train"]),
        (3, ["train", "train", "test", "val"]),
        (4, ["val", "train", "train", "test"]),
    ):
        parts = schema.parts(in_folds([1, 2, 3, 4]), fold)
        assert parts.tolist() == expected
        assert parts.index.tolist() == [5, 6, 7, 8]
    assert schema.parts(in_folds([2, 5, 9]), 9).tolist() == ["val", "train", "test"]
    rows = in_folds([1, 2, 3], split=["test", "train", "val"])
    assert schema.parts(rows, "split").tolist() == ["test", "train", "val"]


def test_an_unknown_fold_and_too_few_folds_are_refused() -> None:
    cases: list[int | str] = [0, 4, 99, "test"]
    for fold in cases:
        with pytest.raises(UserError, match=f"partitions: there is no fold {fold}; there are "):
            schema.parts(in_folds([1, 2, 3]), fold)
    with pytest.raises(UserError, match="there is no fold 3; there are "):
        schema.parts(in_official_folds([1, 2], [True, False]), 3)
    for folds in ([1, 1], [1, 2]):
        with pytest.raises(UserError, match="cannot be test, validation and train"):
            schema.parts(in_folds(folds), 1)


def test_without_folds_there_is_the_split_alone() -> None:
    rows = in_folds([1, 1], fold=pd.array([None, None], dtype="Int64"))
    assert schema.parts(rows, "split").tolist() == ["train", "train"]
    with pytest.raises(UserError, match=r"has no folds, only a split. Set it to \[split\]"):
        schema.parts(rows, 1)


def test_of_official_folds_those_set_aside_validate_unless_they_are_tested() -> None:
    rows = in_official_folds([1, 1, 2, 2, 3], [True, False, True, False, True])
    for fold, expected in (
        (1, ["test", "test", "val", "train", "val"]),
        (2, ["val", "train", "test", "test", "val"]),
        (3, ["val", "train", "val", "train", "test"]),
    ):
        parts = schema.parts(rows, fold)
        assert parts.tolist() == expected
        assert parts.index.tolist() == [5, 6, 7, 8, 9]
    two = in_official_folds([1, 2, 2], [False, True, False])
    assert schema.parts(two, 1).tolist() == ["test", "val", "train"]


def named(*rows: tuple[str, str]) -> pd.DataFrame:
    """Clips c0, c1, ... with the given subjects and sources."""
    return pd.DataFrame(
        {
            "video_idx": [f"c{i}" for i in range(len(rows))],
            "subject": [subject for subject, _ in rows],
            "source": [source for _, source in rows],
            "file_path": [f"c{i}.mp4" for i in range(len(rows))],
        },
        index=pd.RangeIndex(3, 3 + len(rows)),
    )


def test_clips_stay_with_their_subject_and_their_source_else_alone() -> None:
    rows = named(("s", ""), ("", "s"), ("", ""), ("s", ""), ("", "s"), ("", ""))
    groups = schema.groups(rows)
    assert groups.tolist() == [
        "subject s", "source s", "clip c2", "subject s", "source s", "clip c5",
    ]  # fmt: skip
    assert groups.index.tolist() == [3, 4, 5, 6, 7, 8]
    rows = named(
        ("s2", "u1"), ("s1", "u1"), ("s2", "u2"), ("", "u2"), ("s3", ""), ("s4", "u4"), ("", "")
    )
    apart = ["subject s3", "subject s4", "clip c6"]
    assert schema.groups(rows).tolist() == ["subject s1"] * 4 + apart


NAMES = st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.sampled_from(["", "u", "v", "w"]))


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_two_clips_are_together_where_a_chain_of_names_joins_them(
    names: list[tuple[str, str]],
) -> None:
    reach = np.eye(len(names), dtype=bool)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            reach[i, j] |= any(a and a == b for a, b in zip(one, other, strict=True))
    for _ in names:
        reach = reach @ reach
    found = schema.groups(named(*names)).to_numpy()
    assert ((found[:, None] == found[None, :]) == reach).all()


def voted(*rows: tuple[str, dict[str, int] | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "actual": [word for word, _ in rows],
            "votes": [json.dumps(votes) if votes else "" for _, votes in rows],
        }
    )


def test_votes_are_distributions() -> None:
    rows = voted(
        ("happy", {"happy": 3, "sad": 1}),
        ("", {"sad": 5}),
        ("sad", None),
        ("sad", {"happy": 0, "sad": 0}),
        ("happy", {"happy": 2, "sad": 2, "other": 6}),
    )
    expected = [[0.75, 0.25], [0, 1], [0, 1], [0, 1], [0.5, 0.5]]
    assert schema.soft_labels(rows, WORDS).tolist() == expected
    assert schema.soft_labels(rows[:1], ("sad", "happy")).tolist() == [[0.25, 0.75]]
    assert np.isnan(schema.soft_labels(voted(("", None)), WORDS)).all()


def row(excluded: str, **columns: Any) -> dict[str, Any]:
    """A row with a part; by default it has nothing else."""
    usual = {"actual": "", "votes": "", "aus": "", "valence": np.nan, "split": "train"}
    return usual | {"excluded": excluded} | columns


def test_what_is_learnable_has_a_part_and_something_that_is_asked_or_votes() -> None:
    votes = json.dumps({"happy": 4, "sad": 4, "other": 2})
    rows = pd.DataFrame(
        [
            row("", actual="happy"),
            row("", valence=0.5),
            row("", aus='{"AU12": 1}'),
            row(Reason.VOTE_TIE, actual="sad", votes=votes),
            row(Reason.NO_SINGLE_LABEL, valence=-0.5),
            row(Reason.LOW_AGREEMENT, actual="sad", votes='{"other": 5}'),
            row(Reason.CONTRADICTED, actual="sad", votes=votes, valence=0, split=""),
            row(Reason.MISSING_FILE, actual="sad", valence=1, votes=votes),
            row(Reason.NO_COUNTERPART, actual="contempt", valence=1, votes=votes),
            row(""),
        ],
        index=range(5, 15),
    )
    classes, valence = Target("classes", "words", WORDS), Target("valence", "number", ("valence",))
    units = Target("aus", "presence", ("AU12",))
    for asked, soft, expected in (
        ([classes], False, [5]),
        ([classes], True, [5, 8]),
        ([valence], True, [6, 9]),
        ([classes, valence, units], False, [5, 6, 7, 9]),
        ([units, classes], True, [5, 7, 8]),
        ([], True, []),
    ):
        assert schema.learnable(rows, asked, soft).index.tolist() == expected
    # Where classes are asked for, pseudo-labels stand for those that a row does not have.
    taught = rows.assign(pseudo="happy", pseudo_shares="{}")
    taught.loc[6, "pseudo"] = "other"  # no class
    for asked, soft, expected, with_pseudo in (
        ([classes], False, [5, 7, 8, 9, 10, 14], [7, 8, 9, 10, 14]),
        ([classes], True, [5, 7, 8, 9, 10, 14], [7, 9, 10, 14]),
        ([valence], False, [6, 9], []),
        ([classes, valence], False, [5, 6, 7, 8, 9, 10, 14], [7, 8, 9, 10, 14]),
    ):
        kept = schema.learnable(taught, asked, soft)
        assert kept.index.tolist() == expected
        for column in ("pseudo", "pseudo_shares"):
            assert kept.index[kept[column] != ""].tolist() == with_pseudo


def test_without_a_fold_a_row_trains_in_every_partition() -> None:
    folds = pd.array([1, 2, 3, None], dtype="Int64")
    for validation in ([None] * 4, [True, False, False, False]):
        rows = pd.DataFrame({"fold": folds, "split": "train"})
        rows["validation"] = pd.array(validation, dtype="boolean")
        for fold in (1, 2, 3):
            found = schema.parts(rows, fold).tolist()
            assert found[-1] == "train"
            assert found[fold - 1] == "test"


def test_the_numbers_of_every_frame_come_back(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    with pytest.raises(UserError, match=r"labels\.frames\.parquet is not here\. "):
        schema.read_frames(path)
    content = pd.DataFrame(
        {"file_path": ["a", "b"], "time": [0, 0.04], "valence": [0.1, None], "arousal": [-1, None]}
    )
    for frames in (content, content[:0]):
        schema.write_frames(path, frames)
        written = path.with_suffix(".frames.parquet").read_bytes()
        back = schema.read_frames(path)
        assert back.to_dict("list").keys() == schema.FRAMES.keys()
        pd.testing.assert_frame_equal(back, frames, check_dtype=False)
        schema.write_frames(path, frames)
        assert path.with_suffix(".frames.parquet").read_bytes() == written
    path.with_suffix(".frames.parquet").write_bytes(written[:50])
    with pytest.raises(UserError, match=r"is damaged\. Make it again"):
        schema.read_frames(path)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.dictionaries(st.text(min_size=1), numbers, max_size=3), min_size=1, max_size=5))
def test_scores_come_back_from_a_reader_s_rows_as_they_were(
    tmp_path: Path, scores: list[dict[str, float]]
) -> None:
    records = [
        Record("t.csv", i, f"{i}", f"{i}.mp4", scores=one) for i, one in enumerate(scores, start=2)
    ]
    facts = {record.file_path: FileFact(exists=True) for record in records}
    rows = round_trip(tmp_path, clean(frame(records), facts, Rules(words=())))
    names = sorted({name for one in scores for name in one})
    for name in names:
        found = truth(Target(f"score.{name}", "number", (f"score.{name}",)), rows)
        np.testing.assert_array_equal(found[:, 0], [one.get(name, np.nan) for one in scores])


def test_an_underscore_is_and_between_emotions_alone() -> None:
    words = {
        "sadness_helplessness": "sadness and helplessness",
        "no_pain": "no pain",
        "Fearfully_Surprised": "Fearfully Surprised",
        "happy": "happy",
    }
    assert {word: schema.spoken(word) for word in words} == words


def test_clips_without_a_class_of_their_own_are_those_that_nobody_is_sure_of_or_has_named() -> None:
    reasons = (*schema.LABEL_REASONS, "", schema.Reason.MISSING_FILE)
    rows = pd.DataFrame([{"excluded": r, "actual": w} for r in reasons for w in ("sad", "")])
    found = rows[schema.unlabelled(rows)]
    pairs = set(zip(found["excluded"], found["actual"], strict=True))
    nobody = {(reason, word) for reason in schema.AMBIGUOUS for word in ("sad", "")}
    assert pairs == nobody | {(schema.Reason.NO_OFFICIAL_PART, ""), ("", "")}
