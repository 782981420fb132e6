"""Official folds: when a clip's places in the lists are sound, and what is told when not."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import official
from facewave.labels.official import Listed, Lists
from facewave.labels.records import Record
from facewave.labels.schema import Reason

WORDS = ("happy", "sad")
TESTED = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
Entry = tuple[int, str, str, str]  # fold, part, clip, word


def sound() -> list[Entry]:
    """Each clip in one test list and four training lists."""
    return [
        (fold, "test" if TESTED[clip] == fold else "train", clip, "happy")
        for fold in range(1, 6)
        for clip in TESTED
    ]


def lists(entries: Iterable[Entry]) -> Lists:
    """A clip's place is its number in its list."""
    found: Lists = {}
    for fold, part, clip, word in entries:
        clips = found.setdefault((fold, part), {})
        row = sum(len(places) for places in clips.values()) + 1
        clips.setdefault(clip, []).append(((f"{part} {fold}", row), word))
    return found


def judged(entries: Iterable[Entry], clip: str = "a") -> Listed:
    return official.folds(lists(entries), "here", WORDS)[clip]


def without(fold: int, part: str, clip: str = "a") -> list[Entry]:
    return [e for e in sound() if e[:3] != (fold, part, clip)]


def spare(part: str, fold: int) -> Entry:
    """Keeps a list from being empty."""
    return fold, part, "z", "sad"


def test_a_clip_belongs_to_the_fold_that_tests_it() -> None:
    found = official.folds(lists(reversed(sound())), "here", WORDS)
    assert list(found) == ["a", "b", "c", "d", "e"]
    assert {clip: listed.fold for clip, listed in found.items()} == TESTED
    assert {listed.problem for listed in found.values()} == {None}
    assert found["c"] == Listed(position=("test 3", 1), word="happy", fold=3)


def test_every_list_must_be_there() -> None:
    for fold in [1, 2, 3, 4, 5]:
        for part in ["train", "test"]:
            some = [e for e in sound() if e[:2] != (fold, part)]
            told = rf"here: .* 1 of 10 lists are missing \(the first: {part} of fold {fold}\)"
            with pytest.raises(UserError, match=told):
                official.folds(lists(some), "here", WORDS)


def test_a_clip_whose_places_do_not_fit_has_a_reason() -> None:
    cases: list[tuple[list[Entry], Reason, str, int | None, str]] = [
        (
            [*sound(), (1, "train", "a", "happy")],
            Reason.IN_TWO_PARTS, "in training and test of fold 1", 1, "happy",
        ),
        (
            [*without(2, "train"), (2, "test", "a", "happy")],
            Reason.IN_TWO_PARTS, "in the test parts of folds 1, 2", None, "happy",
        ),
        (
            [*without(1, "test"), (1, "train", "a", "happy"), spare("test", 1)],
            Reason.NO_OFFICIAL_PART, "in no test part", None, "happy",
        ),
        (
            [e for e in sound() if e[2] != "a" or e[0] not in (2, 4)],
            Reason.NO_OFFICIAL_PART, "in no list of fold 2, 4", 1, "happy",
        ),
        (
            [*without(4, "train"), (4, "train", "a", "sad")],
            Reason.CONFLICTING_ROWS, "the lists say happy and sad", 1, "",
        ),
        (
            [*without(4, "train"), (4, "train", "a", "hapy")],
            Reason.UNKNOWN_WORD, "'hapy'", 1, "",
        ),
    ]  # fmt: skip
    for entries, reason, note, fold, word in cases:
        clips = official.folds(lists(entries), "here", WORDS)
        a = clips["a"]
        assert (a.problem, a.note, a.fold, a.word) == (reason, note, fold, word)
        assert {clip for clip, listed in clips.items() if listed.problem} - {"z"} == {"a"}


def test_a_line_that_is_there_twice_is_a_row_of_its_own() -> None:
    said = judged([*sound(), (1, "test", "a", "happy"), (3, "train", "a", "happy")])
    assert (said.problem, said.fold) == (None, 1)
    assert said.repeats == (("test 1", 2), ("train 3", 5))
    first, *again = official.records({"a": said}, lambda clip: f"{clip}.mp4")
    assert (first.table, first.row, first.problem) == ("test 1", 1, None)
    assert [(r.table, r.row) for r in again] == [("test 1", 2), ("train 3", 5)]
    assert {r.problem for r in again} == {Reason.DUPLICATE_ROW}


def test_records_have_captions_and_compounds_where_asked() -> None:
    listed = {"a": Listed(("t", 1), "happy", 1), "b": Listed(("t", 2), "sad", 2)}
    plain = official.records(listed, lambda clip: f"{clip}.mp4")
    assert plain[0] == Record("t", 1, "a", "a.mp4", word="happy", fold=1)
    more = official.records(listed, lambda clip: clip, {"b": {"caption": "she sighs"}}, True)
    assert [(r.caption, r.compound) for r in more] == [("", "happy"), ("she sighs", "sad")]


def row(clip: str, word: str = "happy", **more: Any) -> Record:
    return Record("annotation", 2, clip, "", word=word, **more)


def test_a_joined_record_keeps_its_own_and_gets_the_fold() -> None:
    listed = {"a": Listed(("t", 1), "happy", 4)}
    joined, other = official.join([row("a"), row("b", "sad")], listed, "here")
    assert joined == row("a", fold=4)
    assert official.join([row("a", fold=3)], {}, "here") == [row("a", fold=3)]
    assert other == row("b", "sad")


def test_a_joined_record_that_says_another_word_is_in_conflict() -> None:
    for word, said in [("sad", "sad"), ("", "no single label")]:
        listed = {"a": Listed(("t", 7), "happy", 4)}
        (joined,) = official.join([row("a", word)], listed, "here")
        assert joined.problem == Reason.CONFLICTING_ROWS
        assert joined.note == f"here {said}; in t, row 7, happy"


def test_what_is_wrong_in_the_lists_is_wrong_in_the_table() -> None:
    listed = {"a": Listed(("t", 7), "happy", None, Reason.IN_TWO_PARTS, "in two")}
    (joined,) = official.join([row("a")], listed, "here")
    assert (joined.problem, joined.note, joined.fold) == (Reason.IN_TWO_PARTS, "in two", None)
    bad = row("a", problem=Reason.BAD_VALUE)
    assert official.join([bad], listed, "here") == [bad]


def test_clips_that_the_table_has_not_are_refused() -> None:
    listed = {clip: Listed(("t", 7), "happy", 1) for clip in ("b", "c", "a")}
    with pytest.raises(UserError, match="here: t, row 7: clip b is not in annotation, nor are 1"):
        official.join([row("a")], listed, "here")


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.sampled_from(["train", "test"]),
            st.sampled_from("abc"),
            st.sampled_from(WORDS),
        ),
        max_size=30,
    )
)
def test_only_a_sound_clip_passes(entries: list[Entry]) -> None:
    filled = [spare(part, fold) for part in ("train", "test") for fold in range(1, 6)]
    found = official.folds(lists([*entries, *filled]), "here", WORDS)
    for clip in {e[2] for e in entries}:
        own = [e for e in entries if e[2] == clip]
        tests = {e[0] for e in own if e[1] == "test"}
        trains = {e[0] for e in own if e[1] == "train"}
        whole = len(tests) == 1 and not tests & trains and len(tests | trains) == 5
        one_word = len({e[3] for e in own}) == 1
        assert (found[clip].problem is None) == (whole and one_word)
        if whole and one_word:
            assert {found[clip].fold} == tests
            assert found[clip].word == own[0][3]
