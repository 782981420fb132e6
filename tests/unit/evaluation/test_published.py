"""What others published: the table is sound, and what differs from a run is said."""

from dataclasses import replace

import pandas as pd

from facewave.evaluation.published import RECOGNISED, REGRESSED, Run, beside, run_of
from facewave.labels.readers import CORPORA
from facewave.labels.schema import COMPOUND
from facewave.params import Dataset

RUN = Run("dfew", "", 7, 11697, "official")


def entry(**options: object) -> Dataset:
    return Dataset(reader="dfew", root=".", about="films", **options)  # type: ignore[arg-type]


def test_the_table_knows_the_readers_tracks_and_classes() -> None:
    n_rows = 0
    for name, corpus in CORPORA.items():
        for at, (track, known) in enumerate(corpus.tracks.items()):
            both = [beside(Run(name, track, classes, 1, "")) for classes in (len(known.words), 0)]
            for row, measures in [(r, RECOGNISED) for r in both[0]] + [
                (r, REGRESSED) for r in both[1]
            ]:
                figures = [row[key] for key in measures if row[key] is not None]
                assert figures
                assert all(0 < figure < 100 for figure in figures)
                assert row["classes"] == len(known.words)
                assert row["n"] is None or row["n"] <= known.published.get("clips", row["n"])
                assert row["chosen"].startswith(("on test", "unclear", "nothing to choose"))
                assert row["method"]
                assert row["inputs"]
                assert row["source"]
            n_rows += len(both[0])
            if at == 0:  # the track that an entry without one has
                assert beside(Run(name, "", len(known.words), 1, "")) == both[0]
    assert n_rows > 40
    assert beside(Run("crema_d", "", 6, 7442, "official")) == []


def test_what_is_not_the_same_is_said() -> None:
    rows = beside(RUN)
    assert rows[0]["differs"] == []
    assert RUN.text() == "7 classes, 11697 test clips, folds official"
    assert rows[-1]["differs"]
    (first,) = (row for row in rows if row["method"] == "Emotion-LLaMA finetuned")
    assert first["differs"] == [
        "test clips 2341",
        "folds official, fold 1",
    ]
    for change, said in (
        ({"classes": 6}, "classes 7"),
        ({"n": 11690}, "test clips 11697"),
        ({"folds": "drawn here"}, "folds official"),
        ({"normalized": True}, "each clip alone"),
    ):
        (row,) = (r for r in beside(replace(RUN, **change)) if r["method"] == "MAE-DFER")
        assert row["differs"] == [said]
        assert row["chosen"] == "on test"


def test_whose_folds_a_run_is_over() -> None:
    table = pd.DataFrame({"fold": pd.array([1, 2, 3], "Int64"), "validation": [True, False, False],
                          "actual": "happy"})  # fmt: skip
    drawn = table.assign(validation=None)
    split = drawn.assign(fold=pd.array([pd.NA] * 3, "Int64"))
    every = ["1", "2", "3"]
    for rows, tested, options, folds in (
        (table, every, {}, "official"),
        (table, ["1"], {}, "official, fold 1"),
        (table, ["1", "2"], {}, "official, folds 1, 2"),
        (drawn, every, {}, "drawn here"),
        (drawn, ["split"], {}, "drawn here"),
        (table, every, {"folds": "a-paper"}, "a-paper"),
        (drawn, ["split"], {"folds": "a-paper"}, "drawn here"),
        (split, ["split"], {}, "official"),
        (split, ["split"], {"official": False}, "drawn here"),
    ):
        assert run_of(entry(**options), rows, 7, 3, tested) == Run("dfew", "", 7, 3, folds)


def test_seven_compounds_stand_beside_the_challenge_s_whatever_the_corpus() -> None:
    """Each year had another test part, so no figure is of the same clips as another."""
    drawn = pd.DataFrame({"fold": pd.array([pd.NA] * 7, "Int64"), "validation": None})
    words = [word.lower() for word in COMPOUND]
    for reader, track, options in (
        ("union", "compound", {}),
        ("raf_db", "compound", {"words": "compound"}),
        ("table", "", {}),
        ("abaw_compound", "", {}),
    ):
        some = entry(track=track, **options)
        some = replace(some, reader=reader)
        run = run_of(some, drawn.assign(actual=words), 7, 50, ["split"])
        rows = beside(run)
        assert sorted(row["macro_f1"] for row in rows) == [22.01, 34.85, 60.63]
        differs = {row["macro_f1"]: row["differs"] for row in rows}
        assert "folds test part of the sixth challenge (2024)" in differs[22.01]
        of_corpus = ["corpus abaw_compound"] if reader != "abaw_compound" else []
        assert all([one for one in d if "corpus" in one] == of_corpus for d in differs.values())
    for others in (["happy"] * 7, [*words[:6], "happy_fear"]):
        run = run_of(
            replace(entry(), reader="table"), drawn.assign(actual=others), 7, 50, ["split"]
        )
        assert beside(run) == []
