"""The rules of cleaning: each once, their order, and that no row is ever lost."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import cleaning
from facewave.labels.cleaning import (
    FileFact,
    Rules,
    check_inside,
    choose,
    clean,
    exclude_copies,
    report,
)
from facewave.labels.records import Record, frame
from facewave.labels.schema import LABEL_REASONS, Reason, single_label, with_trajectories

WORDS = ("happy", "sad", "fear")
RULES = Rules(words=WORDS)
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
    return Record("t.csv", 0, "", "")


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


def test_what_is_known_beside_the_label_stays() -> None:
    known: dict[str, Any] = {"subject": "s", "source": "u", "scene": "c", "fold": 3, "part": "val"}
    known |= {"caption": "a", "start": 1.5}
    rows = [
        clip(1, "happy", aus={"AU1": 1, "AU12": 0}, valence=-0.5, arousal=0.5, **known),
        clip(2, "sad", part="test", votes=votes(sad=10), aus={}, valence=0.0, arousal=0.5),
        clip(3, "fear", part="test", votes={}, scores={"stress": 0.1 + 0.2, "age": 40.0}),
    ]
    table = cleaned(rows)
    assert outcomes(table) == ["", "", ""]
    assert {name: table[name][0] for name in known} == known
    assert table["actual"].tolist() == ["happy", "sad", "fear"]
    assert table["votes"].tolist() == ["", '{"happy": 0, "sad": 10, "fear": 0}', ""]
    assert table["aus"].tolist() == ['{"AU1": 1, "AU12": 0}', "", ""]
    assert table["scores"].tolist() == ["", "", '{"stress": 0.30000000000000004, "age": 40.0}']
    assert table["quadrant"].tolist() == ["negative aroused", "", ""]
    assert not {"word", "problem"} & set(table.columns)


def outcomes(table: pd.DataFrame) -> list[str]:
    pairs = zip(table["excluded"], table["note"], strict=True)
    return [f"{reason}: {note}" if note else reason for reason, note in pairs]


def twins(*names: int, twin: str = "ab12") -> dict[str, FileFact]:
    return {f"{name}.mp4": FileFact(exists=True, twin=twin) for name in names}


NO_PART = {"problem": Reason.NO_OFFICIAL_PART, "note": "in no test part"}
COMMON = Rules(
    words=("joy", "delight", "fear", "contempt"),
    common={"joy": "happy", "delight": "happy", "fear": "fear", "contempt": ""},
)
AGAINST = "label contradicts votes: "
NO_SUM = "votes do not add up: "
# Rules -> rows with the reason and note they get ("" if kept); 0.mp4 is missing, 99.mp4 is damaged.
BY_RULES: list[tuple[Rules, list[tuple[Record, str]]]] = [
    (
        RULES,
        [
            (clip(1, note="by the way"), ""),
            (clip(0, "odd", problem=Reason.BAD_VALUE, note="why", valence=7.0, votes={}),
             "unreadable value: why"),
            *((clip(2 + i, problem=problem, note="why"), f"{problem}: why")
              for i, problem in enumerate((Reason.MARKED_INVALID, Reason.NO_PICTURE))),
            (empty(), "empty row"),
            (empty(), "empty row"),
            (clip(4, "odd"), "unknown word: odd"),
            (clip(5, "Happy"), "unknown word: Happy"),
            (clip(6, valence=1.01), "value out of range: valence 1.01"),
            (clip(7, valence=-1.5, valence_raw=-6.0), "value out of range: valence -6.0"),
            (clip(8, arousal=2.0, valence=0.0), "value out of range: arousal 2.0"),
            (clip(9, arousal=2.0, valence=3.0), "value out of range: valence 3.0"),
            (clip(10, valence=-1.0, arousal=1.0), ""),
            (clip(11, arousal=0.5), ""),
            (clip(18, file_path="0.mp4"), "missing file: 0.mp4"),
            (clip(99), "unreadable file: 99.mp4: 0 bytes"),
            (clip(12, "", votes=votes(4, 4, 2)), "no single label: happy:4 sad:4 fear:2"),
            (clip(13, "", votes=votes()), "no label"),
            (clip(14, votes=votes(4, 4, 2)), "vote tie: happy:4 sad:4 fear:2"),
            (clip(15, votes=votes(4, 3, 3)), ""),
            (clip(16, "sad", votes=votes(9, 1)), AGAINST + "label sad, votes happy:9 sad:1"),
            (clip(17, "fear", votes={"happy": 3}), AGAINST + "label fear, votes happy:3"),
        ],
    ),
    (Rules(words=()), [(clip(1, "", valence=0.5), "")]),
    (
        Rules(words=WORDS, annotators=10),
        [
            (clip(1, votes=votes(9)), NO_SUM + "happy:9 add up to 9"),
            (clip(2, votes=votes(10)), ""),
            (clip(3, votes=votes(10, 1)), NO_SUM + "happy:10 sad:1 add up to 11"),
            (clip(4, votes=votes()), NO_SUM + "no votes add up to 0"),
            (clip(5), ""),
        ],
    ),
    (
        Rules(words=WORDS, annotators=10, majority=5),
        [
            (clip(1, votes=votes(6, 4)), ""),
            (clip(2, votes=votes(5, 3, 2)), AGAINST + "label happy, votes happy:5 sad:3 fear:2"),
            (clip(3, "", votes=votes(6, 4)), AGAINST + "no single label, votes happy:6 sad:4"),
            (clip(4, "", votes=votes(5, 4, 1)), "no single label: happy:5 sad:4 fear:1"),
        ],
    ),
    (
        Rules(words=WORDS, majority=5, min_agreement=0.7),
        [
            (clip(1, votes=votes()), ""),
            (clip(2, votes=None), ""),
            (clip(3, votes=votes(6, 4)), "low agreement: happy:6 sad:4"),
            (clip(4, votes=votes(7, 3)), ""),
            (clip(5, votes=votes(8, 2)), ""),
        ],
    ),
    (
        COMMON,  # votes are judged in the corpus's own words
        [
            (clip(1, "contempt"), "no counterpart: contempt"),
            (clip(2, "fear"), ""),
            (clip(3, "joy", votes={"joy": 4, "delight": 4}), "vote tie: joy:4 delight:4"),
        ],
    ),
    *(
        (RULES, [(clip(1, **part), ""), (clip(2), "no official part"), (clip(3, **part), "")])
        for part in ({"fold": 2}, {"part": "train"})
    ),
]  # fmt: skip


def test_each_rule_excludes_the_rows_it_should() -> None:
    for rules, rows in BY_RULES:
        table = cleaned([row for row, _ in rows], {"0.mp4": GONE, "99.mp4": BROKEN}, rules)
        assert outcomes(table) == [expected for _, expected in rows]


def test_rows_about_one_clip_are_repeats_or_contradict_each_other() -> None:
    three = "rows t.csv:2, t.csv:4, t.csv:5"
    differing: list[dict[str, Any]] = [
        {"word": "sad"}, {"word": ""}, {"votes": votes(10)}, {"valence": 0.3}, {"arousal": 0.3},
        {"aus": {"AU1": 1}}, {"scores": {"stress": 3.0}},
    ]  # fmt: skip
    for other in differing:
        rows = [clip(1), clip(2), replace(clip(1), **other), clip(1)]
        conflict = f"conflicting rows: {three}"
        assert outcomes(cleaned(rows)) == [conflict, "", conflict, conflict], other
    equal = [clip(1), clip(2), clip(1, caption="a caption is no label"), clip(1)]
    assert outcomes(cleaned(equal)) == ["", "", *[f"duplicate row: {three}"] * 2]
    parts: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"part": "train"}, {"part": "test"}), ({"part": "train"}, {"part": ""}),
        ({"fold": 1}, {"fold": 2}), ({"fold": 1}, {"fold": None}),
        ({"part": "val"}, {"part": "test", "word": "sad"}),
    ]  # fmt: skip
    for part, other in parts:
        rows = [clip(1, **part), clip(2, part="train", fold=1), replace(clip(1), **other)]
        both = "in two parts: rows t.csv:2, t.csv:4"
        assert outcomes(cleaned(rows)) == [both, "", both], other
    rows = [clip(1, "", problem=Reason.BAD_VALUE, note="bad"), clip(1), clip(1, "odd")]
    assert outcomes(cleaned(rows)) == ["unreadable value: bad", "", "unknown word: odd"]


def test_of_files_with_the_same_bytes_one_is_kept_or_none() -> None:
    same = "duplicate clip: the same bytes as "
    table = cleaned([clip(1), clip(2, "sad"), clip(3), clip(4, "sad"), clip(5)],
                    twins(1, 3) | twins(2, 4, twin="cd34"))  # fmt: skip
    assert outcomes(table) == ["", "", same + "1.mp4, 3.mp4", same + "2.mp4, 4.mp4", ""]
    table = cleaned([clip(1), clip(2, "sad"), clip(3), clip(4)], twins(1, 2, 3))
    conflict = "conflicting clips: the same bytes as 1.mp4, 2.mp4, 3.mp4"
    assert outcomes(table) == [conflict, conflict, conflict, ""]
    for parts, kept in (
        (["train", "val", "test"], 2), (["train", "test", "test"], 1),
        (["val", "train", "train"], 0), (["test", "train", "val"], 0),
    ):  # fmt: skip
        table = cleaned([clip(i, part=part) for i, part in enumerate(parts)], twins(0, 1, 2))
        excluded = same + "0.mp4, 1.mp4, 2.mp4"
        assert outcomes(table) == ["" if i == kept else excluded for i in range(3)], parts
    table = cleaned([clip(1), clip(2, file_path="1.mp4")])
    assert outcomes(table) == ["", same + "1.mp4, 1.mp4"]
    spans = [(1, "happy", 0, 2), (2, "sad", 2, 4), (3, "fear", 0, 4)]
    of_one = [clip(i, word, file_path="a.mp4", start=a, end=b) for i, word, a, b in spans]
    for fact in (HERE, TWIN):
        assert outcomes(cleaned(of_one, {"a.mp4": fact})) == ["", "", ""]
    spans_of_copies = [clip(i, start=s, end=s + 2) for i, s in ((1, 0.0), (2, 0.0), (3, 2.0))]
    table = cleaned(spans_of_copies, twins(1, 2, 3))
    assert outcomes(table) == ["", same + "1.mp4, 2.mp4", ""]
    # An excluded clip makes no other a duplicate.
    broken = dict.fromkeys(("1.mp4", "3.mp4"), replace(TWIN, problem="broken"))
    table = cleaned([clip(1, "sad"), clip(2), clip(3)], twins(2) | broken)
    assert reasons(table) == [Reason.UNREADABLE_FILE, "", Reason.UNREADABLE_FILE]


def test_dominance_has_the_range_of_valence_and_arousal() -> None:
    table = cleaned([clip(1, dominance=-1.0), clip(2, dominance=1.5, dominance_raw=6.0)])
    assert reasons(table) == ["", Reason.OUT_OF_RANGE]
    assert table["note"][1] == "dominance 6.0"


def test_what_a_copy_lacks_is_no_contradiction() -> None:
    rules = replace(RULES, words=())
    rows = [
        clip(1, "", valence=0.5, aus={"AU1": 1}),
        clip(2, "", aus={"AU1": 1}),
    ]
    assert reasons(cleaned(rows, twins(1, 2), rules)) == ["", Reason.DUPLICATE_CLIP]
    assert reasons(cleaned(rows[::-1], twins(1, 2), rules)) == ["", ""]
    for first, second, kept in (
        ({"part": "test"}, {"part": "train"}, 1), ({"part": "test"}, {"part": "test"}, 2),
        ({"part": "train"}, {"part": "val"}, 1), ({"fold": 1}, {"fold": 2}, 1),
        ({"fold": 2}, {"fold": 2}, 2),
    ):  # fmt: skip
        placed = [replace(rows[1], **first), replace(rows[0], **second)]
        expected = ["", Reason.DUPLICATE_CLIP if kept == 1 else ""]
        assert reasons(cleaned(placed, twins(1, 2), rules)) == expected
    one, other = (cleaned([row], twins(1, 2), RULES) for row in (clip(1), clip(2, "")))
    other["excluded"] = ""
    both = pd.concat([one, other], ignore_index=True)
    exclude_copies(both)
    assert reasons(both) == ["", Reason.DUPLICATE_CLIP]
    other = clip(2, "", valence=-0.5, aus={"AU1": 1})
    assert reasons(cleaned([rows[0], other], twins(1, 2), rules)) == [Reason.CONFLICTING_CLIPS] * 2


def test_a_row_without_a_word_is_not_too_rare() -> None:
    table = cleaned([clip(1), clip(2, "sad"), clip(3)])
    table.loc[1, "actual"] = ""
    assert choose(table, RULES.words, 2) == ("happy",)
    assert reasons(table) == [""] * 3


def test_a_row_is_named_by_file_and_line_or_by_its_clip() -> None:
    rows = [clip(1, table="a.csv", row=7, part="train"), clip(1, table="b.csv", row=2, part="test")]
    assert judged(rows)["note"].tolist() == ["rows a.csv:7, b.csv:2"] * 2
    assert cleaning.where(clip(3, table="", row=0)) == "3"
    assert reasons(clean(frame([clip(1)]), {}, RULES)) == [Reason.MISSING_FILE]  # nobody looked


def test_clips_without_one_label_still_have_trajectories() -> None:
    rows = [clip(1), clip(2, ""), clip(3, votes=votes(5, 5)), clip(4), clip(4)]
    rows += [clip(5, **NO_PART), clip(5, **NO_PART), clip(6, **NO_PART)]
    table = cleaned(rows, {"1.mp4": GONE, "6.mp4": GONE})
    assert with_trajectories(table)["video_idx"].tolist() == ["2", "3", "4", "5"]
    assert single_label(table)["video_idx"].tolist() == ["4"]
    assert tuple(Reason)[-len(LABEL_REASONS) :] == LABEL_REASONS


def test_twins_of_two_cleaned_tables_are_found_when_they_stand_in_one() -> None:
    for words, expected in (
        (("happy", "happy"), ["", "duplicate clip"]),
        (("happy", "sad"), ["conflicting clips"] * 2),
    ):
        tables = [cleaned([clip(i, word)], twins(i)) for i, word in enumerate(words)]
        whole = pd.concat(tables, ignore_index=True)
        exclude_copies(whole)
        assert reasons(whole) == expected


def test_agreement_is_the_share_of_the_foremost_word_and_entropy_is_in_bits() -> None:
    for counts, agreement, entropy in (
        (votes(10), 1.0, 0.0),
        (votes(5, 5), 0.5, 1.0),
        (votes(5, 3, 2), 0.5, 1.4854752972),
        (votes(4, 4, 2), 0.4, 1.5219280949),
        (votes(1, 1, 1), 1 / 3, 1.5849625007),
    ):
        (row,) = cleaned([clip(1, votes=counts)]).itertuples()
        assert row.agreement == agreement
        assert row.entropy == pytest.approx(entropy, abs=1e-9)
    table = cleaned([clip(i, votes=none) for i, none in enumerate((None, {}, votes()))])
    assert table[["agreement", "entropy"]].isna().all(axis=None)


def test_words_and_votes_become_the_common_ones() -> None:
    counts = {"joy": 2, "delight": 5, "fear": 1, "contempt": 2}
    rows = [clip(1, "delight", votes=counts), clip(2, "joy"), clip(3, "contempt")]
    first, second, third = cleaned(rows, rules=COMMON).itertuples()
    assert (first.excluded, first.actual, first.agreement) == ("", "happy", 0.5)
    assert first.votes == '{"happy": 7, "fear": 1}'
    assert (second.actual, second.votes, third.actual) == ("happy", "", "")


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
        *(clip(i, **no_sum) for i in (6, 7)),
        clip(8, "sad", votes=votes(1)),
        *(clip(i, **no_sum) for i in (9, 10, 11)),
        clip(12, "", votes=votes(8, 2)),
        clip(13, "", votes=votes(5, 5)),
        clip(14, "sad", votes=votes(5, 5)),
        clip(15, "sad", votes=votes(8, 2)),
        clip(16, "sad", votes=votes(2, 8)),
        clip(17, "sad", votes=votes(0, 10)),
        clip(18, "happy", votes=votes(10)),
        *(clip(i, "happy", votes=votes(10), part="train") for i in (19, 20, 21)),
        clip(22, "fear", votes=votes(0, 0, 10), part="train"),
    ]
    gone = FileFact(exists=False, problem="0 bytes", twin="a")
    facts = dict.fromkeys((f"{i}.mp4" for i in range(1, 7)), gone)
    facts |= {"7.mp4": replace(gone, exists=True)} | twins(8, 9, twin="a")
    facts |= twins(10, 11, twin="b") | twins(19, 20, twin="c") | twins(21, 22, twin="d")
    assert reasons(cleaned(rows, facts, rules)) == [
        "", Reason.MARKED_INVALID, Reason.EMPTY_ROW, Reason.UNKNOWN_WORD,
        *[Reason.IN_TWO_PARTS] * 2, *[Reason.CONFLICTING_ROWS] * 2, Reason.OUT_OF_RANGE,
        Reason.DUPLICATE_ROW, Reason.MISSING_FILE, Reason.UNREADABLE_FILE, *[Reason.VOTES_SUM] * 4,
        Reason.CONTRADICTED, Reason.NO_SINGLE_LABEL, Reason.VOTE_TIE, Reason.CONTRADICTED,
        Reason.LOW_AGREEMENT, Reason.NO_COUNTERPART, Reason.NO_OFFICIAL_PART, "",
        Reason.DUPLICATE_CLIP, *[Reason.CONFLICTING_CLIPS] * 2,
    ]  # fmt: skip


def test_a_path_that_leaves_the_folder_is_refused() -> None:
    for path in (
        "../a.mp4", "a/../../b.mp4", "a/..", "..", "/etc/passwd", "..\\a.mp4", "\\\\host\\a",
        "a\0b",
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"t\.csv:7: the path .* leaves"):
            check_inside(path, "t.csv:7")
    for path in ["a.mp4", "a/b c.mp4", "./a.mp4", "a..b/..c.mp4", "größe.mp4", ""]:
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


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, facts=FACTS, rules=EACH)
def test_no_row_is_lost_and_none_is_kept_or_extracted_without_right(
    rows: list[Record], facts: dict[str, FileFact], rules: Rules
) -> None:
    rows = [*rows, clip(7, "happy", votes=votes(4), part="val")]  # nothing speaks against it
    facts = facts | {"7.mp4": HERE}
    table = cleaned(rows, facts, rules)
    assert table["row"].tolist() == list(range(2, len(rows) + 2))
    assert table["video_idx"].tolist() == [row.video_idx for row in rows]
    assert table["file_path"].tolist() == [row.file_path for row in rows]
    assert set(reasons(table)) <= {"", *Reason}
    assert set(table.loc[table["excluded"] == "", "note"]) <= {""}
    assert reasons(table)[-1] == ""
    common = rules.common or dict(zip(WORDS, WORDS, strict=True))
    for row in single_label(table).itertuples():
        record = rows[row.row - 2]
        assert record.problem is None
        assert row.actual == common[record.word] != ""
        assert facts[record.file_path].exists
        assert not facts[record.file_path].problem
        assert max(abs(record.valence or 0), abs(record.arousal or 0)) <= 1
        counted = record.votes or {}
        if top := max(counted.values(), default=0):
            assert [word for word, n in counted.items() if n == top] == [record.word]
            assert top > (rules.majority or 0)
            assert top / sum(counted.values()) >= rules.min_agreement
        assert record.votes is None or rules.annotators in (None, sum(counted.values()))
        assert record.part
    assert with_trajectories(table)["video_idx"].is_unique
    copies = [
        (facts[row.file_path].twin, str(row.start))
        for row in single_label(table).itertuples()
        if facts[row.file_path].twin
    ]
    assert len(copies) == len(set(copies))
    counts: Any = report(table.assign(split="train"))
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


def listed(rows: list[Record]) -> Any:
    """What the report names of rows that are all left out for one reason."""
    bad = [replace(row, problem=Reason.BAD_VALUE) for row in rows]
    counts: Any = report(judged(bad).assign(split=""))["reasons"]
    assert list(counts) == ["unreadable value"]
    return counts["unreadable value"]


def test_the_report_names_the_first_hundred_rows_of_a_reason_by_file_or_clip() -> None:
    lines = [clip(1, table="a.csv", row=3), clip(2, table="b.csv", row=2)]
    lines.append(clip(3, table="a.csv", row=5))
    assert listed(lines) == {"count": 3, "rows": "a.csv: 3, 5; b.csv: 2"}
    clips = [clip(1, table="", video_idx="01-02"), clip(2, table="", video_idx="03-04")]
    assert listed(clips) == {"count": 2, "rows": "01-02, 03-04"}
    hundred = [clip(i, row=i) for i in range(2, 102)]
    names = "t.csv: " + ", ".join(map(str, range(2, 102)))
    assert listed(hundred) == {"count": 100, "rows": names}
    more = [*hundred, clip(102, row=102), clip(103, row=103)]
    assert listed(more) == {"count": 102, "rows": names + "; and 2 more, see the label table"}
