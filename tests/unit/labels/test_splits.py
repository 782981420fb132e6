"""Folds, split and validation: official ones stay, the rest is drawn once and moves for nobody."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.labels import splits

FOLDS = 5
PLACES = ["fold", "split", "validation"]
WORDS = ["happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"]


def clips(subjects: list[str], words: list[int], **columns: Any) -> Any:
    """Kept clips; the index has holes, as after cleaning."""
    n = len(subjects)
    content = {
        "dataset": ["demo"] * n,
        "video_idx": [str(i) for i in range(1, n + 1)],
        "subject": subjects,
        "source": [""] * n,
        "actual": [WORDS[k] for k in words],
        "quadrant": [""] * n,
        "file_path": [f"{i}.mp4" for i in range(1, n + 1)],
        "fold": pd.array([None] * n, dtype="Int64"),
        "part": [""] * n,
    }
    return pd.DataFrame(content | columns, index=pd.RangeIndex(3, 3 + 2 * n, 2))


def people(n: int, each: int = 3, **columns: Any) -> Any:
    """``each`` clips of ``n`` subjects, two words in turn."""
    subjects = [f"s{i:02}" for i in range(n) for _ in range(each)]
    return clips(subjects, [i % 2 for i in range(n * each)], **columns)


def nobody(n: int, **columns: Any) -> Any:
    """``n`` clips of which nobody knows who is in them."""
    return clips([""] * n, [i % 2 for i in range(n)], **columns)


def in_folds(n: int = 100, folds: int = 5) -> Any:
    """Clips with official folds, as many of each word in every fold."""
    return nobody(n, fold=pd.array([i // 2 % folds + 1 for i in range(n)], dtype="Int64"))


def in_parts(n_train: int = 80, n_val: int = 0, n_test: int = 20) -> Any:
    """Clips with an official split."""
    part = ["train"] * n_train + ["val"] * n_val + ["test"] * n_test
    return nobody(len(part), part=part)


def assign(kept: Any, store: Path, folds: int = FOLDS, seed: int = 0) -> Any:
    """The clips with their parts, by clip."""
    parts = splits.assign(kept, store, folds, seed)
    assert parts.index.equals(kept.index)
    assert list(parts.columns) == PLACES
    return kept.assign(**parts).set_index("video_idx")


def counted(column: Any) -> dict[Any, int]:
    """How often each value occurs; what is missing does not count."""
    return {value: int(n) for value, n in column.value_counts().items()}


def assert_shares_nobody(table: Any, *kinds: str) -> None:
    for kind in kinds or ("subject",):
        named = table[table[kind] != ""]
        assert (named.groupby(kind)[["fold", "split"]].nunique() == 1).all(axis=None), kind


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "demo.folds.json"


# Drawn ones.


def test_no_subject_is_in_two_parts_and_no_part_is_empty(store: Path) -> None:
    table = assign(people(20), store)
    assert_shares_nobody(table)
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]
    assert set(table["split"]) == {"train", "val", "test"}
    assert table["validation"].isna().all()


def test_no_subject_and_no_source_is_in_two_parts(store: Path) -> None:
    # Thirty films of four clips; one actor plays in the first and the second, and so on.
    actors = [f"a{film}{k}" for film in range(30) for k in range(4)]
    films = [f"f{film}" for film in range(30) for _ in range(4)]
    for film in range(0, 30, 3):
        actors[4 * film] = actors[4 * (film + 1)]
    table = assign(clips(actors, [i % 2 for i in range(120)], source=films), store)
    assert_shares_nobody(table, "subject", "source")
    assert sorted(table["fold"].unique()) == [1, 2, 3, 4, 5]
    assert set(table["split"]) == {"train", "val", "test"}


def test_each_part_has_each_word_corpus_or_quadrant_in_its_share(tmp_path: Path) -> None:
    # One kind a subject, rare ones last: folds that ignore the kinds would miss them.
    numbers = [0] * 40 + [1] * 20 + [2] * 10
    subjects = [f"s{i}" for i in range(70)]
    alike: list[Any] = [0] * 70
    for column, table in (
        ("actual", clips(subjects, numbers)),
        ("dataset", clips(subjects, alike, dataset=[f"d{i}" for i in numbers])),
        ("quadrant", clips(subjects, alike, quadrant=list(map(str, numbers)), actual=[""] * 70)),
    ):
        drawn = assign(table, tmp_path / f"{column}.json")
        whole = drawn[column].value_counts(normalize=True)
        for part in ("fold", "split"):
            shares = drawn.groupby(part)[column].value_counts(normalize=True).unstack(fill_value=0)
            assert (shares - whole).abs().max(axis=None) < 0.04, column


def test_the_same_seed_draws_the_same_and_another_one_another(tmp_path: Path) -> None:
    drawn = [assign(people(30), tmp_path / f"{i}.json", seed=i // 2) for i in range(4)]
    pd.testing.assert_frame_equal(drawn[0], drawn[1])
    for part in ("fold", "split"):
        assert (drawn[0][part] != drawn[2][part]).any()
    files = [(tmp_path / f"{i}.json").read_bytes() for i in range(4)]
    assert files[0] == files[1]
    assert files[0] != files[2]


# Official ones.


def test_official_folds_stay_and_a_split_and_validation_are_drawn_beside_them(store: Path) -> None:
    table = assign(in_folds(200), store)
    assert table["fold"].tolist() == in_folds(200)["fold"].tolist()
    assert counted(table["split"]) == {"train": 160, "val": 20, "test": 20}
    assert counted(table[table["validation"]]["actual"]) == {"happy": 10, "sad": 10}
    assert assign(in_folds(200), store, seed=9)["fold"].tolist() == table["fold"].tolist()
    official = pd.array([i // 3 % 4 + 1 for i in range(90)], dtype="Int64")
    table = assign(people(30, fold=official), store)
    assert (table.groupby("subject")["validation"].nunique() == 1).all()
    assert counted(table["validation"]) == {False: 81, True: 9}


def test_an_official_split_stays_and_a_stratified_tenth_of_its_training_validates(
    store: Path,
) -> None:
    table = assign(in_parts(n_train=200, n_test=40), store)
    assert counted(table["split"]) == {"train": 180, "val": 20, "test": 40}
    official = in_parts(n_train=200, n_test=40).set_index("video_idx")["part"]
    assert (table["split"] == "test").equals(official == "test")
    assert counted(table[table["split"] == "val"]["actual"]) == {"happy": 10, "sad": 10}
    assert table[["fold", "validation"]].isna().all(axis=None)
    assert len(json.loads(store.read_text("utf-8"))["carved"]) == 200  # no test clip
    part = ["test" if i // 3 % 5 == 0 else "train" for i in range(90)]
    table = assign(people(30, part=part), store)
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "val", "test"}


def test_an_official_validation_part_stays_with_or_without_folds(store: Path) -> None:
    kept = in_parts(n_train=80, n_val=8, n_test=20)
    assert assign(kept, store)["split"].tolist() == kept["part"].tolist()
    assert json.loads(store.read_text("utf-8"))["carved"] == {}
    official = pd.array([i // 2 % 3 + 1 for i in range(108)], dtype="Int64")
    table = assign(kept.assign(fold=official), store)
    assert table["split"].tolist() == kept["part"].tolist()
    assert table["fold"].tolist() == official.tolist()


# What is stored.


def test_a_second_run_reads_what_the_first_one_stored(store: Path) -> None:
    first = assign(people(30), store)
    written = store.read_bytes()
    pd.testing.assert_frame_equal(assign(people(30), store), first)
    assert store.read_bytes() == written


def test_stored_parts_win(store: Path) -> None:
    cases: list[tuple[str, object, Any, str]] = [
        ("split", "val", people(30), "split"),
        ("fold", 2, people(30), "fold"),
        ("carved", "val", in_folds(), "validation"),
    ]
    for key, value, kept, column in cases:
        assign(kept, store)
        content = json.loads(store.read_text("utf-8"))
        content[key] = dict.fromkeys(content[key], value)  # no draw gives this
        store.write_text(json.dumps(content), "utf-8")
        found = assign(kept, store)[column].unique().tolist()
        assert found == [True if column == "validation" else value]


def test_another_seed_or_number_of_folds_draws_anew(store: Path) -> None:
    cases: list[dict[str, int]] = [{"seed": 1}, {"folds": 4}]
    for changed in cases:
        first = assign(people(30), store)
        second = assign(people(30), store, **changed)
        assert (first["fold"] != second["fold"]).any()
        assert second["fold"].max() == changed.get("folds", FOLDS)


def test_a_new_clip_moves_nobody(store: Path) -> None:
    for subject in ["a first", "zz last", "", "s07"]:
        first = assign(people(30), store)
        new = clips([subject], [0], video_idx="new")
        second = assign(pd.concat([new, people(30)], ignore_index=True), store)
        pd.testing.assert_frame_equal(second.drop("new")[PLACES], first[PLACES])
        assert second.loc["new", "fold"] in range(1, FOLDS + 1)
        assert second.loc["new", "split"] in {"train", "val", "test"}
        assert_shares_nobody(second)


def test_a_clip_that_comes_to_an_official_part_moves_nobody_who_was_carved(store: Path) -> None:
    cases: list[Any] = [in_folds(), in_parts()]
    for kept in cases:
        first = assign(kept, store)
        new = kept.iloc[:15].assign(video_idx=[f"0 new {i}" for i in range(15)])
        second = assign(pd.concat([new, kept], ignore_index=True), store)
        pd.testing.assert_frame_equal(second.loc[first.index, PLACES], first[PLACES])


def test_of_many_that_come_to_official_parts_a_tenth_validates(store: Path) -> None:
    for part in ["train", ""]:
        few = in_parts(n_train=40) if part else in_folds(40)
        assign(few, store)
        more = in_parts(n_train=400) if part else in_folds(400)
        more["video_idx"] = [f"new {i}" for i in range(len(more))]
        table = assign(pd.concat([few, more], ignore_index=True), store)
        validates = table["split"] == "val" if part else table["validation"]
        assert validates.sum() == pytest.approx(44, abs=2)


def test_new_actors_in_known_films_move_nobody(store: Path) -> None:
    films = [f"film{i // 3}" for i in range(60)]
    first = assign(people(20, source=films), store)
    new = clips([f"a{i}" for i in range(4)], [0, 1, 0, 1], source=films[0:12:3])
    new["video_idx"] = [f"new {i}" for i in range(4)]
    new["file_path"] = new["video_idx"] + ".mp4"
    second = assign(pd.concat([people(20, source=films), new], ignore_index=True), store)
    assert_shares_nobody(second, "subject", "source")
    pd.testing.assert_frame_equal(second.loc[first.index, PLACES], first[PLACES])


def test_a_clip_that_leaves_moves_nobody_and_finds_its_place_again(store: Path) -> None:
    first = assign(people(30), store)
    fewer = people(30).query("subject != 's03' and video_idx != '1'")
    second = assign(fewer, store)
    pd.testing.assert_frame_equal(second[PLACES], first.loc[second.index, PLACES])
    pd.testing.assert_frame_equal(assign(people(30), store), first)


def test_clips_that_come_later_are_placed_by_their_words(store: Path) -> None:
    few = clips([f"a{i}" for i in range(30)], [i % 3 for i in range(30)])
    assign(few, store)
    # Sorted by word, as corpora come: the order must not decide.
    many = clips([f"b{i:03}" for i in range(270)], [i // 90 for i in range(270)])
    both = pd.concat([few, many.assign(video_idx=[f"b{i}" for i in range(270)])], ignore_index=True)
    table = assign(both, store)
    for part, share in (("test", 10), ("val", 10), ("train", 80)):
        counts = table[table["split"] == part].groupby("actual").size()
        assert counts.sub(share).abs().max() <= 3, part
    for _, counts in table.groupby("fold")["actual"].value_counts().groupby(level=0):
        assert (counts - 20).abs().max() <= 3


def test_few_subjects_fill_fewer_parts_and_it_is_said_which(tmp_path: Path) -> None:
    for subjects, folds, parts in [
        (1, set(), {"train"}),
        (2, set(), {"train", "test"}),
        (3, {1, 2, 3}, {"train", "val", "test"}),
        (4, {1, 2, 3, 4}, {"train", "val", "test"}),
        (5, {1, 2, 3, 4, 5}, {"train", "val", "test"}),
    ]:
        store = tmp_path / f"{subjects}.json"
        table = assign(people(subjects, each=20), store)
        assert set(table["fold"].dropna()) == folds
        assert set(table["split"]) == parts
        assert_shares_nobody(table.assign(fold=table["fold"].fillna(0)))
        again = assign(people(subjects, each=20), store)
        pd.testing.assert_frame_equal(again, table)
        few = splits.shortage(table.reset_index(), FOLDS, store)
        has = f"the clips are of {subjects} subjects, and at most {10 * subjects} clips have the "
        has += "same word"
        if not folds:
            assert few == (
                f"no folds, only a split, because {has}, and 3 folds (test, validation, "
                "train) need as many of both. Set train.partitions to [split], or add clips."
            )
        elif len(folds) < FOLDS:
            known = ", ".join(map(str, sorted(folds)))
            assert few == (
                f"{len(folds)} folds instead of 5, because {has}. Set train.partitions "
                f"to [split, {known}]; once there are more clips, delete {store} to draw 5."
            )
        else:
            assert few == ""


def test_two_clips_of_each_word_train_and_test_each_word(store: Path) -> None:
    table = assign(clips([""] * 6, [0, 1, 2] * 2), store)
    assert table["fold"].isna().all()
    words = table.groupby("split")["actual"].agg(lambda of_part: sorted(of_part)).to_dict()
    assert words == dict.fromkeys(("test", "train"), sorted(WORDS[:3]))
    few = splits.shortage(table.reset_index(), FOLDS, store)
    assert few.startswith(
        "no folds, only a split, because there are 6 clips, and at most 2 clips have"
    )
    store.unlink()
    assert set(assign(in_parts(n_train=1, n_test=9), store)["split"]) == {"train", "test"}


def test_official_folds_and_parts_are_not_too_few(store: Path) -> None:
    for kept in (in_folds(folds=3), in_parts()):
        table = assign(kept, store).reset_index()
        assert splits.shortage(table, FOLDS, store) == ""


def test_few_folds_stay_as_they_are_and_none_are_drawn_once_clips_suffice(store: Path) -> None:
    first = assign(people(4), store)
    second = assign(people(30), store)
    assert set(second["fold"]) == {1, 2, 3, 4}
    pd.testing.assert_frame_equal(second.loc[first.index, PLACES], first[PLACES])
    store.unlink()
    assert assign(people(2), store)["fold"].isna().all()
    assert set(assign(people(30), store)["fold"]) == {1, 2, 3, 4, 5}


def test_few_clips_of_many_words_are_drawn(tmp_path: Path) -> None:
    table = assign(clips([""] * 10, [3] * 10), tmp_path / "one word.json")
    assert counted(table["split"]) == {"train": 8, "val": 1, "test": 1}
    table = assign(nobody(100), tmp_path / "nobody.json")
    assert counted(table["split"]) == {"train": 80, "val": 10, "test": 10}
    assert set(table["fold"].value_counts()) == {20}
    for n in range(7, 22):
        table = assign(clips([""] * n, [i % 7 for i in range(n)]), tmp_path / f"{n}.json")
        assert set(table["split"]) == {*(["val"] if n > 14 else []), "train", "test"} or n == 7
        assert table["split"].eq("train").any()


def test_a_damaged_store_is_refused_and_left_alone(store: Path) -> None:
    sound: dict[str, Any] = {"seed": 0, "folds": 5, "fold": {"s": 1}, "split": {"s": "val"}}
    sound |= {"carved": {"s": "val"}}
    folds: list[Any] = [None, [], {"s": 0}, {"s": 9}, {"s": "x"}]
    contents: list[Any] = [
        *([], {}, {"seed": 0, "folds": 5}),
        {key: value for key, value in sound.items() if key != "carved"},
        *(sound | {"validation": {}}, sound | {"seed": "0"}),
        *({**sound, "fold": fold} for fold in folds),
        *(sound | {"split": {"s": "dev"}}, sound | {"carved": {"s": "test"}}),
    ]
    damaged = [b"", b"{", b'{"seed": 0', b"\xff", b"nothing"]
    for content in (*damaged, *(json.dumps(content).encode() for content in contents)):
        store.write_bytes(content)
        with pytest.raises(UserError, match=r"demo\.folds\.json is damaged .*Restore it with git"):
            assign(people(20), store)
        assert store.read_bytes() == content
    store.write_text(json.dumps(sound), "utf-8")
    assert set(assign(people(20), store)["split"]) == {"train", "val", "test"}


SIZES = st.lists(st.integers(1, 12), min_size=10, max_size=25)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=SIZES,
    words=st.lists(st.integers(0, 1), min_size=400, max_size=400),
    folds=st.integers(3, 6),
    new=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    gone=st.sets(st.integers(0, 40), max_size=20),
)
def test_parts_share_no_subject_and_stay(
    tmp_path: Path, sizes: list[int], words: list[int], folds: int, new: list[int], gone: set[int]
) -> None:
    store = tmp_path / "folds.json"
    store.unlink(missing_ok=True)
    sizes = [size + 1 for size in sizes]  # 20 clips or more: one of two words has ten
    subjects = [f"s{i}" for i, size in enumerate(sizes) for _ in range(size)]
    first = assign(clips(subjects, words[: len(subjects)]), store, folds)
    assert_shares_nobody(first)
    assert set(first["fold"]) == set(range(1, folds + 1))
    assert set(first["split"]) == {"train", "val", "test"}

    subjects += [f"s{i}" for i in new]
    later = clips(subjects, words[: len(subjects)])
    later = later[~later["video_idx"].isin([str(i) for i in gone])]
    second = assign(later, store, folds)
    assert_shares_nobody(second)
    stayed = first.index.intersection(second.index)
    pd.testing.assert_frame_equal(second.loc[stayed, PLACES], first.loc[stayed, PLACES])


# Rows whose word is not sure.


def ambiguous(**columns: Any) -> Any:
    """Rows without a word, named 900 and on; ``columns`` as for ``clips``."""
    n = len(next(iter(columns.values())))
    names = {"video_idx": [str(900 + i) for i in range(n)], "actual": [""] * n}
    names["file_path"] = [f"{900 + i}.mp4" for i in range(n)]
    rows = clips([""] * n, [0] * n, **names | columns)
    return rows.set_axis(range(1000, 1000 + n))


def placed(kept: Any, others: Any, store: Path) -> tuple[Any, Any]:
    """The places of both, and that those of the kept are as they are without the others."""
    alone = splits.assign(kept, store.with_name("alone.json"), FOLDS, 0)
    parts = splits.assign(kept, store, FOLDS, 0, others)
    assert parts.index.tolist() == [*kept.index, *others.index]
    pd.testing.assert_frame_equal(parts.loc[kept.index], alone)
    again = splits.assign(kept, store, FOLDS, 0, others)
    pd.testing.assert_frame_equal(again, parts)
    return parts.loc[kept.index], parts.loc[others.index]


def test_a_row_without_a_word_is_where_its_people_are_or_is_drawn_after_them(store: Path) -> None:
    kept = people(20)
    subjects = ["s03", "s11", "new", "new", *[f"n{i}" for i in range(40)]]
    first, others = placed(kept, ambiguous(subject=subjects), store)
    for row, subject in ((0, "s03"), (1, "s11")):
        of_subject = first[(kept["subject"] == subject).to_numpy()]
        assert others.iloc[row].tolist() == of_subject.iloc[0].tolist()
    assert others.iloc[2].tolist() == others.iloc[3].tolist()
    assert set(others["fold"]) == {1, 2, 3, 4, 5}
    assert set(others["split"]) == {"train", "val", "test"}
    more = ambiguous(subject=["another", *subjects], video_idx=[str(800 + i) for i in range(45)])
    assert splits.assign(kept, store, FOLDS, 0, more).iloc[-44:].values.tolist() == (
        others.values.tolist()
    )


def test_a_row_that_would_tie_two_parts_together_has_none(store: Path) -> None:
    kept = nobody(60)
    kept["source"] = [f"u{i}" for i in range(60)]
    first, _ = placed(kept, ambiguous(subject=["x"]), store)
    fold = first["fold"].tolist()
    other = next(i for i in range(60) if fold[i] != fold[0])
    rows = ambiguous(subject=["both"] * 2, source=["u0", f"u{other}"])
    _, others = placed(kept, rows, store.with_name("tied.json"))
    assert others["split"].tolist() == ["", ""]
    assert others["fold"].isna().all()


def test_where_folds_are_official_a_row_of_nobody_in_them_has_none(store: Path) -> None:
    kept = in_folds()
    kept["source"] = [f"u{i}" for i in range(100)]
    fold = pd.array([None, 4, *[None] * 30], dtype="Int64")
    source = ["u17", *[""] * 31]
    first, others = placed(kept, ambiguous(source=source, fold=fold), store)
    assert others["fold"].tolist() == [first["fold"].tolist()[17], 4, *[pd.NA] * 30]
    assert others["validation"].tolist()[2:] == [False] * 30
    assert others["split"].isin(["train", "val", "test"]).all()


def test_where_parts_are_official_a_row_has_its_own_or_its_people_s_or_trains(store: Path) -> None:
    kept = in_parts(n_val=10)
    kept["source"] = [f"u{i}" for i in range(110)]
    rows = ambiguous(
        source=["", "u109", "u85", "u109", "u3"], part=["test", "", "", "train", "train"]
    )
    _, others = placed(kept, rows.iloc[[0, 1, 2, 4]], store)
    assert others["split"].tolist() == ["test", "test", "val", "train"]
    _, others = placed(kept, rows.iloc[[3]], store.with_name("torn.json"))
    assert others["split"].tolist() == [""]  # its people are in the test part
    kept = in_parts()
    rows = ambiguous(part=["train"] * 40 + ["test"] + [""])
    _, others = placed(kept, rows, store.with_name("carved.json"))
    assert counted(others["split"]) == {"train": 37, "val": 4, "test": 1}


def test_what_has_no_label_is_not_drawn_and_trains_unless_its_people_are_tested(
    store: Path,
) -> None:
    rows = ambiguous(source=["u3", "u7", *[f"new{i}" for i in range(30)]])
    for kept in (nobody(100), in_folds(), in_parts(n_val=10)):
        kept["source"] = [f"u{i}" for i in range(len(kept))]
        parts = splits.assign(kept, store, FOLDS, 0)
        stored = store.read_bytes()
        both = splits.assign(kept, store, FOLDS, 0, unlabelled=rows)
        assert store.read_bytes() == stored
        pd.testing.assert_frame_equal(both.iloc[: len(kept)], parts)
        known, new = both.iloc[len(kept) : -30], both.iloc[-30:]
        assert known.values.tolist() == parts.iloc[[3, 7]].values.tolist()
        assert set(new["split"]) == {"train"}
        assert new["fold"].isna().all()
        assert not new["validation"].any()
        store.unlink()
    tied = ambiguous(subject=["both"] * 2, source=["u0", "u109"])  # train and test
    both = splits.assign(kept, store, FOLDS, 0, unlabelled=tied)
    assert both["split"].tolist()[-2:] == ["", ""]
    alone = splits.assign(kept.head(0), store, FOLDS, 0, unlabelled=rows)
    assert set(alone["split"]) == {"train"}
