"""The rules of cleaning: each once, their order, and that no row is ever lost."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels.cleaning import (
    FileFact,
    Rules,
    check_inside,
    clean,
    exclude_copies,
    report,
    where,
)
from facewave.labels.records import Record, frame
from facewave.labels.schema import LABEL_REASONS, Reason, single_label, with_trajectories

WORDS = ("happy", "sad", "fear")
RULES = Rules(words=WORDS)
TEN = Rules(words=WORDS, annotators=10, majority=5)
HERE = FileFact(exists=True)
GONE = FileFact(exists=False)
BROKEN = FileFact(exists=True, problem="0 bytes")
TWIN = FileFact(exists=True, twin="ab12")


def votes(happy: int = 0, sad: int = 0, fear: int = 0) -> dict[str, int]:
    return {"happy": happy, "sad": sad, "fear": fear}


def clip(number: int, word: str = "happy", **other: Any) -> Record:
    """A row as a reader gives it."""
    given: dict[str, Any] = {"table": "t.csv", "row": 0, "word": word}
    given |= {"video_idx": f"{number}", "file_path": f"{number}.mp4"}
    return Record(**given | other)


def empty() -> Record:
    return Record(table="t.csv", row=0, video_idx="", file_path="")


def judged(
    rows: list[Record], facts: dict[str, FileFact] | None = None, rules: Rules = RULES
) -> pd.DataFrame:
    """The rows after cleaning; files are there unless ``facts`` tells otherwise."""
    known = dict.fromkeys((row.file_path for row in rows), HERE) | (facts or {})
    return clean(frame(rows).assign(dataset="d"), known, rules)


def cleaned(
    rows: list[Record], facts: dict[str, FileFact] | None = None, rules: Rules = RULES
) -> pd.DataFrame:
    """The same of rows that are the lines of one table, from line 2 on."""
    return judged([replace(row, row=i) for i, row in enumerate(rows, start=2)], facts, rules)


def reasons(table: pd.DataFrame) -> list[str]:
    return table["excluded"].tolist()


def test_good_rows_are_kept_with_their_words() -> None:
    table = cleaned([clip(1, "happy"), clip(2, "sad", votes=votes(sad=10)), clip(3, "fear")])
    assert reasons(table) == ["", "", ""]
    assert table["note"].tolist() == ["", "", ""]
    assert table["actual"].tolist() == ["happy", "sad", "fear"]
    assert table["votes"].tolist() == ["", '{"happy": 0, "sad": 10, "fear": 0}', ""]
    assert not {"word", "problem"} & set(table.columns)


def test_what_a_reader_tells_beside_the_label_stays() -> None:
    told = clip(1, subject="s", source="u", scene="c", fold=3, part="val", caption="a", start=1.5)
    (row,) = cleaned([told]).itertuples()
    assert (row.subject, row.source, row.scene, row.fold, row.part, row.caption, row.start) == (
        "s", "u", "c", 3, "val", "a", 1.5,
    )  # fmt: skip


def test_action_units_become_json_and_none_of_them_nothing() -> None:
    table = cleaned([clip(1, aus={"AU1": 1, "AU12": 0}), clip(2), clip(3, aus={}, votes={})])
    assert table["aus"].tolist() == ['{"AU1": 1, "AU12": 0}', "", ""]
    assert table["scores"].tolist() == ["", "", ""]
    assert table["votes"].tolist() == ["", "", ""]


def test_scores_become_json_with_all_their_digits() -> None:
    table = cleaned([clip(1, scores={"stress": 0.1 + 0.2, "age": 40.0}), clip(2, scores={})])
    assert table["scores"].tolist() == ['{"stress": 0.30000000000000004, "age": 40.0}', ""]


def test_each_row_gets_its_quadrant() -> None:
    table = cleaned([clip(1, valence=-0.5, arousal=0.5), clip(2, valence=0.0, arousal=0.5)])
    assert table["quadrant"].tolist() == ["negative aroused", ""]


@pytest.mark.parametrize("problem", [Reason.BAD_VALUE, Reason.MARKED_INVALID, Reason.NO_PICTURE])
def test_what_the_reader_could_not_use_keeps_its_reason_and_note(problem: Reason) -> None:
    row = clip(1, "odd", problem=problem, note="as told", valence=7.0)
    table = cleaned([row, clip(2)], {"1.mp4": GONE})
    assert reasons(table) == [problem, ""]
    assert table["note"].tolist() == ["as told", ""]


def test_a_note_without_a_problem_is_none() -> None:
    assert cleaned([clip(1, note="by the way")])["note"].tolist() == [""]


def test_a_problem_of_the_label_alone_spares_no_look_at_the_file() -> None:
    row = clip(1, problem=Reason.NO_OFFICIAL_PART, note="in no test part")
    assert with_trajectories(cleaned([row], {"1.mp4": GONE})).empty


def test_a_clip_named_twice_with_a_problem_of_the_label_alone_is_extracted_once() -> None:
    row = clip(1, problem=Reason.NO_OFFICIAL_PART, note="in no test part")
    assert with_trajectories(cleaned([row, row]))["video_idx"].tolist() == ["1"]


def test_an_empty_row_is_left_out() -> None:
    table = cleaned([clip(1), empty(), empty(), clip(4)])
    assert reasons(table) == ["", Reason.EMPTY_ROW, Reason.EMPTY_ROW, ""]
    assert table["note"].tolist() == ["", "", "", ""]


def test_a_word_that_is_none_of_the_corpus_is_left_out_and_told() -> None:
    table = cleaned([clip(1, "odd"), clip(2, "Happy"), clip(3, "happy")])
    assert reasons(table) == [Reason.UNKNOWN_WORD, Reason.UNKNOWN_WORD, ""]
    assert table["note"].tolist() == ["odd", "Happy", ""]


def test_equal_rows_count_once() -> None:
    table = cleaned([clip(1), clip(2), clip(1), clip(1)])
    assert reasons(table) == ["", "", Reason.DUPLICATE_ROW, Reason.DUPLICATE_ROW]
    assert table["note"][2] == table["note"][3] == "rows t.csv:2, t.csv:4, t.csv:5"
    assert table["note"][0] == ""


def test_rows_that_differ_in_what_is_no_label_are_equal() -> None:
    table = cleaned([clip(1, caption="one"), clip(1, caption="two")])
    assert reasons(table) == ["", Reason.DUPLICATE_ROW]


@pytest.mark.parametrize(
    "other",
    [
        {"word": "sad"},
        {"word": ""},
        {"votes": votes(10)},
        {"valence": 0.3},
        {"arousal": 0.3},
        {"aus": {"AU1": 1}},
        {"scores": {"stress": 3.0}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_rows_that_differ_are_all_left_out(other: dict[str, Any]) -> None:
    table = cleaned([clip(1), clip(2), replace(clip(1), **other), clip(1)])
    conflict = Reason.CONFLICTING_ROWS
    assert reasons(table) == [conflict, "", conflict, conflict]
    assert table["note"].tolist() == ["rows t.csv:2, t.csv:4, t.csv:5", ""] + [table["note"][0]] * 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"part": "train"}, {"part": "test"}),
        ({"part": "train"}, {"part": ""}),
        ({"fold": 1}, {"fold": 2}),
        ({"fold": 1}, {"fold": None}),
        ({"part": "val"}, {"part": "test", "word": "sad"}),
    ],
)
def test_a_clip_in_two_parts_is_in_none(one: dict[str, Any], other: dict[str, Any]) -> None:
    table = cleaned([clip(1, **one), clip(2, part="train", fold=1), replace(clip(1), **other)])
    assert reasons(table) == [Reason.IN_TWO_PARTS, "", Reason.IN_TWO_PARTS]
    assert table["note"].tolist() == ["rows t.csv:2, t.csv:4", "", "rows t.csv:2, t.csv:4"]


def test_rows_of_several_files_are_told_by_file_and_line() -> None:
    rows = [clip(1, table="a.csv", row=7, part="train"), clip(1, table="b.csv", row=2, part="test")]
    assert judged(rows)["note"].tolist() == ["rows a.csv:7, b.csv:2"] * 2


def test_a_row_that_is_left_out_makes_no_other_a_repeat() -> None:
    bad = clip(1, "", problem=Reason.BAD_VALUE, note="label is 'x'")
    assert reasons(cleaned([bad, clip(1), clip(1, "odd")])) == [
        Reason.BAD_VALUE,
        "",
        Reason.UNKNOWN_WORD,
    ]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"valence": 1.01}, "valence 1.01"),
        ({"valence": -1.5, "valence_raw": -6.0}, "valence -6.0"),
        ({"arousal": 2.0, "valence": 0.0}, "arousal 2.0"),
        ({"arousal": 2.0, "valence": 3.0}, "valence 3.0"),
    ],
)
def test_values_out_of_range_are_left_out(values: dict[str, Any], note: str) -> None:
    table = cleaned([clip(1, **values), clip(2)])
    assert reasons(table) == [Reason.OUT_OF_RANGE, ""]
    assert table["note"][0] == note


@pytest.mark.parametrize(("valence", "arousal"), [(-1.0, 1.0), (None, 0.5), (0.5, None)])
def test_values_at_the_edges_and_missing_ones_are_in_range(
    valence: float | None, arousal: float | None
) -> None:
    assert reasons(cleaned([clip(1, valence=valence, arousal=arousal)])) == [""]


def test_a_missing_file_is_left_out() -> None:
    table = cleaned([clip(1), clip(2)], {"2.mp4": GONE})
    assert reasons(table) == ["", Reason.MISSING_FILE]
    assert table["note"][1] == "2.mp4"


def test_a_file_nobody_looked_at_is_missing() -> None:
    assert reasons(clean(frame([clip(1)]), {}, RULES)) == [Reason.MISSING_FILE]


def test_an_unreadable_file_is_left_out_with_its_problem() -> None:
    table = cleaned([clip(1), clip(2)], {"1.mp4": BROKEN})
    assert reasons(table) == [Reason.UNREADABLE_FILE, ""]
    assert table["note"][0] == "1.mp4: 0 bytes"


def test_the_same_bytes_under_two_names_count_once() -> None:
    table = cleaned([clip(1), clip(2), clip(3)], {"1.mp4": TWIN, "3.mp4": TWIN})
    assert reasons(table) == ["", "", Reason.DUPLICATE_CLIP]
    assert table["note"].tolist() == ["", "", "the same bytes as 1.mp4, 3.mp4"]


def test_the_same_bytes_with_two_words_are_left_out() -> None:
    table = cleaned(
        [clip(1), clip(2, "sad"), clip(3), clip(4)],
        dict.fromkeys(["1.mp4", "2.mp4", "3.mp4"], TWIN),
    )
    assert reasons(table) == [Reason.CONFLICTING_CLIPS] * 3 + [""]
    assert table["note"][1] == "the same bytes as 1.mp4, 2.mp4, 3.mp4"


def test_the_same_bytes_with_two_scores_are_left_out() -> None:
    rows = [clip(1, scores={"stress": 3.0}), clip(2, scores={"stress": 4.0})]
    table = cleaned(rows, {"1.mp4": TWIN, "2.mp4": TWIN})
    assert reasons(table) == [Reason.CONFLICTING_CLIPS] * 2


def test_other_bytes_are_other_clips() -> None:
    other = FileFact(exists=True, twin="cd34")
    rows = [clip(i, word) for i, word in enumerate(["happy", "sad", "happy", "sad"])]
    facts = {"0.mp4": TWIN, "1.mp4": other, "2.mp4": TWIN, "3.mp4": other}
    assert reasons(cleaned(rows, facts)) == ["", "", *[Reason.DUPLICATE_CLIP] * 2]


@pytest.mark.parametrize(
    ("parts", "stays"),
    [
        (["train", "val", "test"], 2),
        (["train", "test", "test"], 1),
        (["val", "train", "train"], 0),
        (["test", "train", "val"], 0),
    ],
)
def test_the_copy_in_the_official_test_part_stays(parts: list[str], stays: int) -> None:
    rows = [clip(i, part=part) for i, part in enumerate(parts)]
    table = cleaned(rows, {f"{i}.mp4": TWIN for i in range(3)})
    assert [i for i, reason in enumerate(reasons(table)) if not reason] == [stays]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("happy", ["", Reason.DUPLICATE_CLIP]), ("sad", [Reason.CONFLICTING_CLIPS] * 2)],
)
def test_one_file_under_two_ids_is_a_twin_of_itself(word: str, expected: list[str]) -> None:
    assert reasons(cleaned([clip(1), clip(2, word, file_path="1.mp4")])) == expected


@pytest.mark.parametrize("fact", [HERE, TWIN])
def test_parts_of_one_file_are_no_twins(fact: FileFact) -> None:
    rows = [
        clip(1, file_path="a.mp4", start=0.0, end=2.0),
        clip(2, "sad", file_path="a.mp4", start=2.0, end=4.0),
        clip(3, "fear", file_path="a.mp4", start=0.0, end=4.0),
    ]
    assert reasons(cleaned(rows, {"a.mp4": fact})) == ["", "", ""]


def test_the_same_part_of_two_copies_is_a_twin() -> None:
    rows = [clip(1, start=0.0, end=2.0), clip(2, start=0.0, end=2.0), clip(3, start=2.0, end=4.0)]
    facts = dict.fromkeys(["1.mp4", "2.mp4", "3.mp4"], TWIN)
    assert reasons(cleaned(rows, facts)) == ["", Reason.DUPLICATE_CLIP, ""]


def test_a_clip_that_is_left_out_makes_no_other_a_duplicate() -> None:
    broken = FileFact(exists=True, problem="no frame can be decoded", twin="ab12")
    facts = {"1.mp4": broken, "2.mp4": TWIN, "3.mp4": broken}
    table = cleaned([clip(1, "sad"), clip(2), clip(3)], facts)
    assert reasons(table) == [Reason.UNREADABLE_FILE, "", Reason.UNREADABLE_FILE]


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("happy", "happy"), ["", "duplicate clip"]), (("happy", "sad"), ["conflicting clips"] * 2)],
)
def test_twins_of_two_cleaned_tables_are_found_when_they_stand_in_one(
    words: tuple[str, str], expected: list[str]
) -> None:
    one, other = (cleaned([clip(i, word)], {f"{i}.mp4": TWIN}) for i, word in enumerate(words))
    whole = pd.concat([one, other], ignore_index=True)
    exclude_copies(whole)
    assert reasons(whole) == expected


@pytest.mark.parametrize(
    ("said", "agreement", "entropy"),
    [
        (votes(10), 1.0, 0.0),
        (votes(5, 5), 0.5, 1.0),
        (votes(5, 3, 2), 0.5, 1.4854752972),
        (votes(4, 4, 2), 0.4, 1.5219280949),
        (votes(1, 1, 1), 1 / 3, 1.5849625007),
    ],
)
def test_agreement_is_the_share_of_the_foremost_word_and_entropy_is_in_bits(
    said: dict[str, int], agreement: float, entropy: float
) -> None:
    (row,) = cleaned([clip(1, votes=said)]).itertuples()
    assert row.agreement == agreement
    assert row.entropy == pytest.approx(entropy, abs=1e-9)


@pytest.mark.parametrize("said", [None, {}, votes()])
def test_without_a_vote_there_is_neither_agreement_nor_entropy(said: dict[str, int] | None) -> None:
    table = cleaned([clip(1, votes=said), clip(2, votes=votes(3))])
    assert table["agreement"].isna().tolist() == [True, False]
    assert table["entropy"].isna().tolist() == [True, False]


def test_votes_that_do_not_add_up_are_left_out() -> None:
    rows = [clip(1, votes=votes(9)), clip(2, votes=votes(10)), clip(3, votes=votes(10, 1))]
    table = cleaned(rows, rules=Rules(words=WORDS, annotators=10))
    assert reasons(table) == [Reason.VOTES_SUM, "", Reason.VOTES_SUM]
    assert table["note"][2] == "happy:10 sad:1 add up to 11"
    assert reasons(cleaned(rows)) == ["", "", ""]


def test_no_votes_at_all_add_up_and_an_empty_ballot_does_not() -> None:
    table = cleaned([clip(1, votes=None), clip(2, votes=votes())], rules=TEN)
    assert reasons(table) == ["", Reason.VOTES_SUM]
    assert table["note"][1] == "no votes add up to 0"


def test_no_single_label_keeps_its_votes() -> None:
    table = cleaned([clip(1), clip(2, "", votes=votes(4, 4, 2))])
    assert reasons(table) == ["", Reason.NO_SINGLE_LABEL]
    assert table["actual"][1] == ""
    assert table["votes"][1] == '{"happy": 4, "sad": 4, "fear": 2}'
    assert table["note"][1] == "happy:4 sad:4 fear:2"


def test_no_votes_are_told() -> None:
    assert cleaned([clip(1, "", votes=votes())])["note"].tolist() == ["no votes"]


def test_where_a_corpus_has_no_words_a_row_needs_none() -> None:
    table = cleaned([clip(1, "", valence=0.5, arousal=0.5)], rules=Rules(words=()))
    assert reasons(table) == [""]


def test_a_tie_of_the_highest_votes_is_left_out() -> None:
    table = cleaned([clip(1, votes=votes(4, 4, 2)), clip(2, votes=votes(4, 3, 3))])
    assert reasons(table) == [Reason.VOTE_TIE, ""]
    assert table["note"][0] == "happy:4 sad:4 fear:2"


def test_a_label_against_the_votes_is_left_out() -> None:
    table = cleaned([clip(1, "sad", votes=votes(9, 1)), clip(2)])
    assert reasons(table) == [Reason.CONTRADICTED, ""]
    assert table["note"][0] == "label sad, votes happy:9 sad:1"


def test_a_label_that_nobody_could_vote_for_is_against_the_votes() -> None:
    assert reasons(cleaned([clip(1, "fear", votes={"happy": 3})])) == [Reason.CONTRADICTED]


@pytest.mark.parametrize(
    ("said", "expected"), [(votes(6, 4), ""), (votes(5, 3, 2), "label contradicts votes")]
)
def test_a_label_needs_the_majority_that_the_corpus_asks_for(
    said: dict[str, int], expected: str
) -> None:
    assert reasons(cleaned([clip(1, votes=said)], rules=TEN)) == [expected]


def test_a_majority_without_its_label_is_left_out_as_a_contradiction() -> None:
    rows = [clip(1, "", votes=votes(6, 4)), clip(2, "", votes=votes(5, 4, 1))]
    table = cleaned(rows, rules=TEN)
    assert reasons(table) == [Reason.CONTRADICTED, Reason.NO_SINGLE_LABEL]
    assert table["note"][0] == "no single label, votes happy:6 sad:4"


def test_a_label_without_any_vote_is_taken_at_its_word() -> None:
    rules = Rules(words=WORDS, majority=5, min_agreement=0.9)
    assert reasons(cleaned([clip(1, votes=votes()), clip(2, votes=None)], rules=rules)) == ["", ""]


def test_agreement_below_what_is_wanted_is_left_out() -> None:
    rows = [clip(1, votes=votes(6, 4)), clip(2, votes=votes(7, 3)), clip(3, votes=votes(8, 2))]
    table = cleaned(rows, rules=Rules(words=WORDS, min_agreement=0.7))
    assert reasons(table) == [Reason.LOW_AGREEMENT, "", ""]
    assert table["note"][0] == "happy:6 sad:4"


COMMON = Rules(
    words=("joy", "delight", "fear", "contempt"),
    common={"joy": "happy", "delight": "happy", "fear": "fear", "contempt": ""},
)


def test_words_and_votes_become_the_common_ones() -> None:
    said = {"joy": 2, "delight": 5, "fear": 1, "contempt": 2}
    (row,) = cleaned([clip(1, "delight", votes=said)], rules=COMMON).itertuples()
    assert (row.excluded, row.actual) == ("", "happy")
    assert row.votes == '{"happy": 7, "fear": 1}'
    assert row.agreement == 0.5


def test_a_word_without_a_counterpart_is_left_out() -> None:
    table = cleaned([clip(1, "contempt"), clip(2, "fear")], rules=COMMON)
    assert reasons(table) == [Reason.NO_COUNTERPART, ""]
    assert table["note"].tolist() == ["contempt", ""]
    assert table["actual"].tolist() == ["", "fear"]


def test_votes_are_judged_in_the_words_in_which_they_were_given() -> None:
    tie = {"joy": 4, "delight": 4, "fear": 2}
    assert reasons(cleaned([clip(1, "joy", votes=tie)], rules=COMMON)) == [Reason.VOTE_TIE]


def test_no_votes_stay_none_in_the_common_words() -> None:
    assert cleaned([clip(1, "joy")], rules=COMMON)["votes"].tolist() == [""]


@pytest.mark.parametrize("place", [{"fold": 2}, {"part": "train"}])
def test_where_some_have_an_official_part_those_without_are_left_out(place: dict[str, Any]) -> None:
    table = cleaned([clip(1, **place), clip(2), clip(3, **place)])
    assert reasons(table) == ["", Reason.NO_OFFICIAL_PART, ""]


def test_where_none_has_an_official_part_none_needs_one() -> None:
    assert reasons(cleaned([clip(1), clip(2)])) == ["", ""]


def test_the_first_rule_that_applies_gives_the_reason() -> None:
    """Each row breaks its rule and all that come after it, as far as they can go together."""
    rules = Rules(
        words=WORDS,
        annotators=10,
        majority=5,
        min_agreement=0.9,
        common={"happy": "happy", "sad": "", "fear": "fear"},
    )
    no_sum: dict[str, Any] = {"word": "", "votes": votes(5, 5, 1)}
    worst = no_sum | {"valence": 2.0}
    rows = [
        clip(0, votes=votes(10), part="train"),
        clip(1, "odd", problem=Reason.MARKED_INVALID, votes=votes(1)),
        replace(empty(), word="odd", valence=2.0),
        clip(2, "odd", votes=votes(1), valence=2.0),
        clip(3, **worst | {"votes": votes(5, 5, 2), "part": "val"}),
        clip(3, **worst),
        clip(4, **worst | {"votes": votes(5, 5, 2)}),
        clip(4, **worst),
        clip(5, **worst),
        clip(5, **worst),
        clip(6, **no_sum),
        clip(7, **no_sum),
        clip(8, "sad", votes=votes(1)),
        clip(9, **no_sum),
        clip(10, **no_sum),
        clip(11, **no_sum),
        clip(12, "", votes=votes(8, 2)),
        clip(13, "", votes=votes(5, 5)),
        clip(14, "sad", votes=votes(5, 5)),
        clip(15, "sad", votes=votes(8, 2)),
        clip(16, "sad", votes=votes(2, 8)),
        clip(17, "sad", votes=votes(0, 10)),
        clip(18, "happy", votes=votes(10)),
        clip(19, "happy", votes=votes(10), part="train"),
        clip(20, "happy", votes=votes(10), part="train"),
        clip(21, "happy", votes=votes(10), part="train"),
        clip(22, "fear", votes=votes(0, 0, 10), part="train"),
    ]
    gone = FileFact(exists=False, problem="0 bytes", twin="a")
    facts = dict.fromkeys((f"{i}.mp4" for i in range(1, 7)), gone) | {
        "7.mp4": FileFact(exists=True, problem="0 bytes", twin="a"),
        "8.mp4": FileFact(exists=True, twin="a"),
        "9.mp4": FileFact(exists=True, twin="a"),
        "10.mp4": FileFact(exists=True, twin="b"),
        "11.mp4": FileFact(exists=True, twin="b"),
        "19.mp4": FileFact(exists=True, twin="c"),
        "20.mp4": FileFact(exists=True, twin="c"),
        "21.mp4": FileFact(exists=True, twin="d"),
        "22.mp4": FileFact(exists=True, twin="d"),
    }
    assert reasons(cleaned(rows, facts, rules)) == [
        "",
        Reason.MARKED_INVALID,
        Reason.EMPTY_ROW,
        Reason.UNKNOWN_WORD,
        Reason.IN_TWO_PARTS,
        Reason.IN_TWO_PARTS,
        Reason.CONFLICTING_ROWS,
        Reason.CONFLICTING_ROWS,
        Reason.OUT_OF_RANGE,
        Reason.DUPLICATE_ROW,
        Reason.MISSING_FILE,
        Reason.UNREADABLE_FILE,
        Reason.VOTES_SUM,
        Reason.VOTES_SUM,
        Reason.VOTES_SUM,
        Reason.VOTES_SUM,
        Reason.CONTRADICTED,
        Reason.NO_SINGLE_LABEL,
        Reason.VOTE_TIE,
        Reason.CONTRADICTED,
        Reason.LOW_AGREEMENT,
        Reason.NO_COUNTERPART,
        Reason.NO_OFFICIAL_PART,
        "",
        Reason.DUPLICATE_CLIP,
        Reason.CONFLICTING_CLIPS,
        Reason.CONFLICTING_CLIPS,
    ]


def test_a_copy_is_no_reason_to_lose_the_clip_that_is_in_the_official_folds() -> None:
    rows = [clip(1), clip(2, fold=4)]
    table = cleaned(rows, {"1.mp4": TWIN, "2.mp4": TWIN})
    assert reasons(table) == [Reason.NO_OFFICIAL_PART, ""]


def test_clips_without_one_label_still_have_trajectories() -> None:
    rows = [clip(1), clip(2, ""), clip(3, votes=votes(5, 5)), clip(4), clip(4)]
    table = cleaned(rows, {"1.mp4": GONE})
    assert with_trajectories(table)["video_idx"].tolist() == ["2", "3", "4"]
    assert single_label(table)["video_idx"].tolist() == ["4"]


@pytest.mark.parametrize(
    "path",
    ["../a.mp4", "a/../../b.mp4", "a/..", "..", "/etc/passwd", "..\\a.mp4", "\\\\host\\a", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"t\.csv:7: the path .* leaves"):
        check_inside(path, "t.csv:7")


@pytest.mark.parametrize("path", ["a.mp4", "a/b c.mp4", "./a.mp4", "a..b/..c.mp4", "größe.mp4", ""])
def test_a_path_inside_the_folder_passes(path: str) -> None:
    check_inside(path, "t.csv:7")


@given(st.text(alphabet="./\\ab", max_size=12))
def test_no_path_that_passes_climbs_above_the_folder(path: str) -> None:
    try:
        check_inside(path, "t.csv:2")
    except UserError:
        return
    depth = 0
    for part in PurePosixPath("root", path.replace("\\", "/")).parts[1:]:
        depth += -1 if part == ".." else 1
        assert depth >= 0
    assert not path.startswith(("/", "\\"))


def test_a_row_is_told_by_file_and_line_or_by_its_clip() -> None:
    assert where(clip(3, table="a.csv", row=7)) == "a.csv:7"
    assert where(clip(3, table="", row=0)) == "3"


VALUES = st.sampled_from([None, None, 0.0, -0.4, 0.9, 1.5])
ROWS = st.lists(
    st.builds(
        lambda number, problem, **other: clip(number, problem=problem, **other),
        st.integers(1, 6),
        st.sampled_from([None, None, None, None, Reason.BAD_VALUE, Reason.MARKED_INVALID]),
        word=st.sampled_from([*WORDS, *WORDS, "", "odd"]),
        votes=st.none() | st.builds(votes, *[st.integers(0, 3)] * 3),
        part=st.sampled_from(["", "", "", "", "train", "test"]),
        valence=VALUES,
        arousal=VALUES,
        start=st.sampled_from([None, None, 0.0, 2.0]),
    )
    | st.builds(empty),
    min_size=1,
    max_size=10,
)
FACTS = st.fixed_dictionaries(
    {
        f"{number}.mp4": st.builds(
            FileFact,
            exists=st.sampled_from([True, True, True, False]),
            problem=st.sampled_from(["", "", "", "0 bytes"]),
            twin=st.sampled_from(["", "", "a", "b"]),
        )
        for number in range(1, 7)
    }
)
EACH = st.builds(
    Rules,
    words=st.just(WORDS),
    annotators=st.sampled_from([None, None, 4]),
    majority=st.sampled_from([None, 1]),
    min_agreement=st.sampled_from([0.0, 0.5]),
    common=st.sampled_from([None, {"happy": "fine", "sad": "", "fear": "fine"}]),
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, facts=FACTS, rules=EACH)
def test_no_row_is_ever_lost(rows: list[Record], facts: dict[str, FileFact], rules: Rules) -> None:
    table = cleaned(rows, facts, rules)
    assert table["row"].tolist() == list(range(2, len(rows) + 2))
    assert table["video_idx"].tolist() == [row.video_idx for row in rows]
    assert table["file_path"].tolist() == [row.file_path for row in rows]
    assert set(reasons(table)) <= {"", *Reason}
    assert set(table.loc[table["excluded"] == "", "note"]) <= {""}


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, facts=FACTS, rules=EACH)
def test_none_is_kept_without_right(
    rows: list[Record], facts: dict[str, FileFact], rules: Rules
) -> None:
    common = rules.common or dict(zip(WORDS, WORDS, strict=True))
    for row in single_label(cleaned(rows, facts, rules)).itertuples():
        said = rows[row.row - 2]
        assert said.problem is None
        assert said.word in WORDS
        assert row.actual == common[said.word] != ""
        assert facts[said.file_path].exists
        assert not facts[said.file_path].problem
        assert abs(said.valence or 0) <= 1
        assert abs(said.arousal or 0) <= 1
        counted = said.votes or {}
        top = max(counted.values(), default=0)
        assert not top or [word for word, n in counted.items() if n == top] == [said.word]
        assert not top or top > (rules.majority or 0)
        assert not top or top / sum(counted.values()) >= rules.min_agreement
        assert said.votes is None or rules.annotators in (None, sum(counted.values()))
        assert said.part or not any(other.part for other in rows)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, facts=FACTS, rules=EACH)
def test_no_clip_is_extracted_twice(
    rows: list[Record], facts: dict[str, FileFact], rules: Rules
) -> None:
    found = with_trajectories(cleaned(rows, facts, rules))
    assert found["video_idx"].is_unique
    twins = [
        (facts[row.file_path].twin, str(row.start))
        for row in found.itertuples()
        if facts[row.file_path].twin
    ]
    assert len(twins) == len(set(twins))


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, facts=FACTS, rules=EACH)
def test_a_row_against_which_nothing_speaks_is_kept(
    rows: list[Record], facts: dict[str, FileFact], rules: Rules
) -> None:
    sound = clip(7, "happy", votes=votes(4), part="val")
    assert reasons(cleaned([*rows, sound], facts, rules))[-1] == ""


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, facts=FACTS)
def test_the_counts_of_the_report_add_up(rows: list[Record], facts: dict[str, FileFact]) -> None:
    counts: Any = report(cleaned(rows, facts).assign(split="train"))
    assert counts["rows"] == len(rows) == counts["kept"] + counts["excluded"]
    assert counts["kept"] == sum(counts["classes"].values()) == sum(counts["split"].values())
    assert counts["excluded"] == sum(one["count"] for one in counts["reasons"].values())


def test_the_report_counts_what_is_kept() -> None:
    rows = [
        clip(1, subject="s1", fold=1),
        clip(2, "sad", subject="s1", fold=1),
        clip(3, "sad", subject="s2", fold=2),
        clip(4, "fear", subject="s3", fold=3),
        clip(5, "sad", fold=2),
    ]
    table = cleaned(rows, {"4.mp4": GONE}).assign(split=["train", "val", "test", "", "train"])
    assert report(table) == {
        "rows": 5,
        "kept": 4,
        "excluded": 1,
        "subjects": 2,
        "classes": {"happy": 1, "sad": 3},
        "split": {"train": 2, "val": 1, "test": 1},
        "folds": {"1": 2, "2": 2},
        "reasons": {"missing file": {"count": 1, "rows": "t.csv: 5"}},
    }


def test_the_report_tells_of_valence_and_arousal_where_there_are_any() -> None:
    rows = [clip(1, valence=0.5, arousal=0.5), clip(2, valence=-0.5, arousal=0.0)]
    told: Any = report(cleaned(rows).assign(split="train"))["affect"]
    assert told["quadrants"]["positive aroused"] == 1
    assert told["on_an_axis"] == 1


def listed(rows: list[Record], reason: Reason = Reason.BAD_VALUE) -> Any:
    """What the report names of rows that are all left out for one reason."""
    bad = [replace(row, problem=reason) for row in rows]
    told: Any = report(judged(bad).assign(split=""))["reasons"]
    assert list(told) == [reason.value]
    return told[reason.value]


def test_the_report_names_rows_by_their_file() -> None:
    rows = [
        clip(1, table="a.csv", row=3),
        clip(2, table="b.csv", row=2),
        clip(3, table="a.csv", row=5),
    ]
    assert listed(rows) == {"count": 3, "rows": "a.csv: 3, 5; b.csv: 2"}


def test_the_report_names_clips_where_there_are_no_lines() -> None:
    rows = [clip(1, table="", video_idx="01-02"), clip(2, table="", video_idx="03-04")]
    assert listed(rows) == {"count": 2, "rows": "01-02, 03-04"}


def test_the_report_names_a_hundred_rows_of_a_reason() -> None:
    hundred = [clip(i, row=i) for i in range(2, 102)]
    names = "t.csv: " + ", ".join(map(str, range(2, 102)))
    assert listed(hundred) == {"count": 100, "rows": names}
    more = [*hundred, clip(102, row=102), clip(103, row=103)]
    assert listed(more) == {"count": 102, "rows": names + "; and 2 more, see the label table"}


def test_the_reasons_that_concern_only_the_label_come_last() -> None:
    assert tuple(Reason)[-len(LABEL_REASONS) :] == LABEL_REASONS
