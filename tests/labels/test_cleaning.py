"""The rules of cleaning: each once, their order, and that no row is ever lost."""

from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels.cleaning import FileFact, check_inside, clean, report
from facewave.labels.schema import LABEL_REASONS, Reason, single_label, with_trajectories

WORDS = ("happy", "sad", "fear")
HERE = FileFact(exists=True)
GONE = FileFact(exists=False)
BROKEN = FileFact(exists=True, problem="0 bytes")
EMPTY: dict[str, Any] = {"video_idx": "", "file_path": "", "word": "", "votes": None}


def votes(happy: int = 0, sad: int = 0, fear: int = 0) -> dict[str, int]:
    return {"happy": happy, "sad": sad, "fear": fear}


def clip(number: int, word: str = "happy", **other: Any) -> dict[str, Any]:
    """A row as a reader gives it, on which all votes agree."""
    return {
        "video_idx": str(number),
        "file_path": f"{number}.mp4",
        "word": word,
        "votes": votes(**{word: 10}) if word else votes(4, 4, 2),
        "subject": "",
        "fold": None,
    } | other


def cleaned(rows: list[dict[str, Any]], **facts: FileFact) -> pd.DataFrame:
    """The judged rows; files are there unless ``facts`` tells otherwise of a clip's number."""
    table = pd.DataFrame.from_records([{"row": i} | row for i, row in enumerate(rows, start=2)])
    known = dict.fromkeys(table["file_path"], HERE)
    known |= {f"{name.removeprefix('n')}.mp4": fact for name, fact in facts.items()}
    return clean(table.astype({"fold": "Int64"}), known, WORDS)


def reasons(table: pd.DataFrame) -> list[str]:
    return table["excluded"].tolist()


def test_good_rows_are_kept_with_their_codes() -> None:
    table = cleaned([clip(1, "happy"), clip(2, "sad"), clip(3, "fear")])
    assert reasons(table) == ["", "", ""]
    assert table["label"].tolist() == [0, 1, 2]
    assert table["actual"].tolist() == ["happy", "sad", "fear"]
    assert table["votes"][1] == '{"happy": 0, "sad": 10, "fear": 0}'
    assert table["note"].tolist() == ["", "", ""]


def test_an_empty_row_is_left_out() -> None:
    table = cleaned([clip(1), clip(2) | EMPTY, clip(3) | EMPTY, clip(4)])
    assert reasons(table) == ["", Reason.EMPTY_ROW, Reason.EMPTY_ROW, ""]
    assert table["votes"][1] == ""


def test_equal_rows_count_once() -> None:
    table = cleaned([clip(1), clip(2), clip(1), clip(1)])
    assert reasons(table) == ["", "", Reason.DUPLICATE_ROW, Reason.DUPLICATE_ROW]
    assert table["note"][2] == "rows 2, 4, 5"


@pytest.mark.parametrize(
    "other", [clip(1, "sad"), clip(1, "happy", votes=votes(9, 1)), clip(1, "", votes=votes(10))]
)
def test_rows_that_differ_are_all_left_out(other: dict[str, Any]) -> None:
    table = cleaned([clip(1), clip(2), other, clip(1)])
    conflict = Reason.CONFLICTING_ROWS
    assert reasons(table) == [conflict, "", conflict, conflict]
    assert table["note"][0] == "rows 2, 4, 5"


def test_a_missing_file_is_left_out() -> None:
    table = cleaned([clip(1), clip(2)], n2=GONE)
    assert reasons(table) == ["", Reason.MISSING_FILE]
    assert table["note"][1] == "2.mp4"


def test_a_file_nobody_looked_at_is_missing() -> None:
    table = pd.DataFrame.from_records([{"row": 2} | clip(1)])
    assert reasons(clean(table, {}, WORDS)) == [Reason.MISSING_FILE]


def test_an_unreadable_file_is_left_out_with_its_problem() -> None:
    table = cleaned([clip(1), clip(2)], n1=BROKEN)
    assert reasons(table) == [Reason.UNREADABLE_FILE, ""]
    assert table["note"][0] == "1.mp4: 0 bytes"


def test_the_same_bytes_under_two_names_count_once() -> None:
    twin = FileFact(exists=True, twin="ab12")
    table = cleaned([clip(1), clip(2), clip(3)], n1=twin, n3=twin)
    assert reasons(table) == ["", "", Reason.DUPLICATE_CLIP]
    assert table["note"][2] == "rows 2, 4"


def test_the_same_bytes_with_two_words_are_left_out() -> None:
    twin = FileFact(exists=True, twin="ab12")
    table = cleaned([clip(1), clip(2, "sad"), clip(3)], n1=twin, n2=twin, n3=twin)
    assert reasons(table) == [Reason.CONFLICTING_CLIPS] * 3


@pytest.mark.parametrize(
    ("word", "expected"),
    [("happy", ["", Reason.DUPLICATE_CLIP]), ("sad", [Reason.CONFLICTING_CLIPS] * 2)],
)
def test_one_file_under_two_ids_is_a_twin_of_itself(word: str, expected: list[str]) -> None:
    table = cleaned([clip(1), clip(2, word, file_path="1.mp4")])
    assert reasons(table) == expected


def test_no_single_label_keeps_its_votes() -> None:
    table = cleaned([clip(1), clip(2, "", votes=votes(4, 4, 2))])
    assert reasons(table) == ["", Reason.NO_SINGLE_LABEL]
    assert table["label"].isna().tolist() == [False, True]
    assert table["votes"][1] == '{"happy": 4, "sad": 4, "fear": 2}'
    assert table["note"][1] == "happy:4 sad:4 fear:2"


def test_no_votes_are_told() -> None:
    assert cleaned([clip(1, "", votes=votes())])["note"].tolist() == ["no votes"]


def test_a_tie_of_the_highest_votes_is_left_out() -> None:
    table = cleaned([clip(1, votes=votes(5, 5)), clip(2, votes=votes(5, 4, 1))])
    assert reasons(table) == [Reason.VOTE_TIE, ""]


def test_a_label_against_the_votes_is_left_out() -> None:
    table = cleaned([clip(1, "sad", votes=votes(9, 1)), clip(2)])
    assert reasons(table) == [Reason.CONTRADICTED, ""]
    assert table["note"][0] == "label sad, votes happy:9 sad:1"


def test_a_label_without_any_vote_is_taken_at_its_word() -> None:
    assert reasons(cleaned([clip(1, votes=votes()), clip(2, votes=None)])) == ["", ""]


def test_the_first_rule_that_applies_gives_the_reason() -> None:
    """Each row breaks its rule and all that come after it."""
    tie = {"votes": votes(5, 5)}
    twin = FileFact(exists=True, twin="ab12")
    table = cleaned(
        [
            clip(1) | EMPTY,
            clip(2, "", **tie),
            clip(2, "", **tie),
            clip(3, "", **tie),
            clip(4, "", **tie),
            clip(5, "", **tie),
            clip(6, "", **tie),
            clip(7, "fear", **tie),
        ],
        n2=GONE,
        n3=FileFact(exists=False, problem="not a file"),
        n4=FileFact(exists=True, problem="0 bytes", twin="ab12"),
        n5=twin,
        n6=twin,
    )
    assert reasons(table) == [
        Reason.EMPTY_ROW,
        Reason.MISSING_FILE,
        Reason.DUPLICATE_ROW,
        Reason.MISSING_FILE,
        Reason.UNREADABLE_FILE,
        Reason.NO_SINGLE_LABEL,
        Reason.DUPLICATE_CLIP,
        Reason.VOTE_TIE,
    ]


def test_a_clip_that_is_left_out_makes_no_other_a_duplicate() -> None:
    twin = FileFact(exists=True, twin="ab12")
    broken = FileFact(exists=True, problem="no frame can be decoded", twin="ab12")
    table = cleaned([clip(1, "sad"), clip(2), clip(3)], n1=broken, n2=twin, n3=broken)
    assert reasons(table) == [Reason.UNREADABLE_FILE, "", Reason.UNREADABLE_FILE]


def test_clips_without_one_label_still_have_trajectories() -> None:
    table = cleaned([clip(1), clip(2, ""), clip(3, votes=votes(5, 5)), clip(4), clip(4)], n1=GONE)
    assert with_trajectories(table)["video_idx"].tolist() == ["2", "3", "4"]
    assert single_label(table)["video_idx"].tolist() == ["4"]


@pytest.mark.parametrize(
    "path",
    ["../a.mp4", "a/../../b.mp4", "a/..", "..", "/etc/passwd", "..\\a.mp4", "\\\\host\\a", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"t\.csv, row 7: the path .* leaves"):
        check_inside(path, "t.csv", 7)


@pytest.mark.parametrize("path", ["a.mp4", "a/b c.mp4", "./a.mp4", "a..b/..c.mp4", "größe.mp4", ""])
def test_a_path_inside_the_folder_passes(path: str) -> None:
    check_inside(path, "t.csv", 7)


@given(st.text(alphabet="./\\ab", max_size=12))
def test_no_path_that_passes_climbs_above_the_folder(path: str) -> None:
    try:
        check_inside(path, "t.csv", 2)
    except UserError:
        return
    depth = 0
    for part in PurePosixPath("root", path.replace("\\", "/")).parts[1:]:
        depth += -1 if part == ".." else 1
        assert depth >= 0
    assert not path.startswith(("/", "\\"))


ROWS = st.lists(
    st.builds(
        lambda number, word, said: clip(number, word, votes=said),
        st.integers(1, 6),
        st.sampled_from([*WORDS, WORDS[0], ""]),
        st.none() | st.builds(votes, *[st.integers(0, 3)] * 3),
    )
    | st.just(clip(0) | EMPTY),
    min_size=1,
    max_size=10,
)
FACTS = st.fixed_dictionaries(
    {
        f"n{number}": st.builds(
            FileFact,
            exists=st.sampled_from([True, True, True, False]),
            problem=st.sampled_from(["", "", "", "0 bytes"]),
            twin=st.sampled_from(["", "", "a", "b"]),
        )
        for number in range(1, 7)
    }
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, facts=FACTS)
def test_no_row_is_lost_and_none_is_kept_without_right(
    rows: list[dict[str, Any]], facts: dict[str, FileFact]
) -> None:
    table = cleaned(rows, **facts)
    assert table["row"].tolist() == list(range(2, len(rows) + 2))
    assert table["video_idx"].tolist() == [row["video_idx"] for row in rows]
    assert set(reasons(table)) <= {"", *Reason}

    kept = single_label(table)
    assert kept["row"].tolist() == [row.row for row in table.itertuples() if not row.excluded]
    assert kept["video_idx"].is_unique
    fact = {
        row: facts[f"n{name}"] for row, name in zip(kept["row"], kept["video_idx"], strict=True)
    }
    twins = [known.twin for known in fact.values() if known.twin]
    assert len(twins) == len(set(twins))
    for row in kept.itertuples():
        said = rows[row.row - 2]
        assert fact[row.row].exists
        assert not fact[row.row].problem
        assert row.actual == said["word"] == WORDS[row.label]
        counted = said["votes"] or {}
        top = max(counted.values(), default=0)
        assert not top or [word for word, n in counted.items() if n == top] == [row.actual]


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, facts=FACTS)
def test_a_row_against_which_nothing_speaks_is_kept(
    rows: list[dict[str, Any]], facts: dict[str, FileFact]
) -> None:
    table = cleaned([*rows, clip(7, "sad")], **facts)
    assert reasons(table)[-1] == ""


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, facts=FACTS)
def test_the_counts_of_the_report_add_up(
    rows: list[dict[str, Any]], facts: dict[str, FileFact]
) -> None:
    table = cleaned(rows, **facts).assign(split="train")
    counts: Any = report(table)
    assert counts["rows"] == len(rows) == counts["kept"] + counts["excluded"]
    assert counts["kept"] == sum(counts["classes"].values()) == sum(counts["split"].values())
    assert counts["excluded"] == sum(one["count"] for one in counts["reasons"].values())
    named = [int(row) for one in counts["reasons"].values() for row in one["rows"].split(", ")]
    assert sorted(named) == table.loc[table["excluded"] != "", "row"].tolist()


def test_the_report_counts_what_is_kept() -> None:
    rows = [
        clip(1, subject="s1", fold=1),
        clip(2, "sad", subject="s1", fold=1),
        clip(3, "sad", subject="s2", fold=2),
        clip(4, "fear", subject="s3", fold=3),
    ]
    table = cleaned(rows, n4=GONE).assign(split=["train", "val", "test", ""])
    assert report(table) == {
        "rows": 4,
        "kept": 3,
        "excluded": 1,
        "subjects": 2,
        "classes": {"happy": 1, "sad": 2},
        "split": {"train": 1, "val": 1, "test": 1},
        "folds": {"1": 2, "2": 1},
        "reasons": {"missing file": {"count": 1, "rows": "5"}},
    }


def test_the_reasons_that_concern_only_the_label_come_last() -> None:
    assert tuple(Reason)[-len(LABEL_REASONS) :] == LABEL_REASONS


def test_without_an_official_fold_where_others_have_one_it_is_left_out() -> None:
    assert reasons(cleaned([clip(1, fold=2), clip(2), clip(3, fold=1)])) == [
        "",
        "no official fold",
        "",
    ]
    assert reasons(cleaned([clip(1), clip(2)])) == ["", ""]
