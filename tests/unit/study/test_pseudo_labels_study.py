"""What of pseudo-labels is wrong: agreement, by confidence, and confusions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.files import read_csv
from facewave.labels.readers.dfew import WORDS
from facewave.params import Evaluate, Traces
from facewave.pseudo import schema
from facewave.pseudo.schema import ANSWER, KNOWN, PREVIOUS, PRIOR, REFUSED, SAID
from facewave.study import kept, pseudo_labels
from facewave.study.pseudo_labels import ALL, COLUMNS, CONFUSION, UNKNOWN, agreement, confusion
from facewave.workspace import PSEUDO, Dataset
from making import toy, write_params, write_toy

EVALUATE = Evaluate(200, 0, Traces(0, 0))


def known(n: int, right: float, confidence: float, origin: str = ANSWER) -> pd.DataFrame:
    """n answers about n / 4 people, of which a share is right."""
    actual = np.resize(["happy", "sad"], n)
    wrong = np.where(actual == "happy", "sad", "happy")
    said = np.where(np.arange(n) < round(right * n), actual, wrong)
    said = np.full(n, "") if origin == REFUSED else said
    names = [f"{origin}-{confidence}-{at}" for at in range(n)]
    table = pd.DataFrame({"video_idx": names, "file_path": names, "actual": actual})
    people = [f"{confidence}-{at // 4}" for at in range(n)]
    return table.assign(
        track="t", subject=people, source="", predicted=said, confidence=confidence, origin=origin
    )[list(KNOWN)]


TABLE = pd.concat(
    [
        *(known(40, 0.9, 0.95), known(40, 0.5, 0.5), known(20, 0.1, 0.1, PREVIOUS)),
        *(known(12, 0, np.nan, REFUSED), known(8, 0, 0.3, PRIOR)),
    ],
    ignore_index=True,
)


OTHER = known(40, 0.5, 0.7).assign(track="u")
BOTH = pd.concat([TABLE, OTHER], ignore_index=True)


def test_agreement_is_counted_over_answers_and_by_confidence() -> None:
    table = agreement(TABLE, WORDS, EVALUATE)
    assert set(table["track"]) == {"t"}
    assert list(table) == list(COLUMNS)
    assert table["confidence"].tolist() == [ALL, "0 to 0.2", "0.4 to 0.6", "0.8 to 1"]
    assert table["n"].tolist() == [100, 20, 40, 40]
    assert table["war"].tolist() == [0.58, 0.1, 0.5, 0.9]
    assert table["share"].tolist() == [0.8333, 0.1667, 0.3333, 0.3333]
    assert table["chance"].tolist() == [0.5] * 4
    assert table["groups"].tolist() == [25, 5, 10, 10]
    assert table["intervals"].tolist() == ["subjects", "clips", "subjects", "subjects"]
    assert (table["war_low"] < table["war"]).all()
    assert (table["war"] < table["war_high"]).all()
    rows = TABLE[TABLE["origin"].isin([ANSWER, PREVIOUS])]
    right = rows["actual"] == rows["predicted"]
    assert table["uar"][0] == pytest.approx(right.groupby(rows["actual"]).mean().mean(), abs=5e-5)
    # The same answers give the same intervals.
    assert agreement(TABLE, WORDS, EVALUATE).equals(table)


def test_each_track_that_voted_has_rows_of_its_own() -> None:
    for make in (agreement, lambda *given: confusion(*given[:2])):
        pd.testing.assert_frame_equal(
            make(BOTH, WORDS, EVALUATE),
            pd.concat([make(part, WORDS, EVALUATE) for part in (TABLE, OTHER)], ignore_index=True),
        )
    overall = agreement(BOTH, WORDS, EVALUATE).query("confidence == @ALL")
    assert overall[["track", "n", "war"]].to_numpy().tolist() == [["t", 100, 0.58], ["u", 40, 0.5]]


def test_without_confidence_or_answers_there_is_less_to_say() -> None:
    silent = agreement(TABLE.assign(confidence=np.nan), WORDS, EVALUATE)
    assert silent["confidence"].tolist() == [ALL]
    some = TABLE.assign(confidence=TABLE["confidence"].where(TABLE["confidence"] > 0.5))
    assert agreement(some, WORDS, EVALUATE)["confidence"].tolist() == [ALL, "0.8 to 1", UNKNOWN]
    refused = agreement(TABLE[TABLE["origin"] == REFUSED], WORDS, EVALUATE)
    assert refused[["confidence", "n", "share"]].to_numpy().tolist() == [[ALL, 0, 0.0]]
    assert refused["war"].isna().all()
    assert agreement(TABLE.head(0), WORDS, EVALUATE).empty
    assert confusion(TABLE.head(0), WORDS).empty


def test_confusions_add_up_and_name_what_is_not_answered() -> None:
    table = confusion(TABLE, WORDS)
    assert list(table) == list(CONFUSION)
    counts = table.set_index(["actual", "predicted"])["n"]
    assert counts.sum() == len(TABLE)
    assert counts["happy", ""] == 10
    rows = TABLE[(TABLE["actual"] == "sad") & (TABLE["predicted"] == "happy")]
    rows = rows[rows["origin"].isin(SAID)]
    assert counts["sad", "happy"] == len(rows) > 0
    assert set(table["actual"]) == {"happy", "sad"}
    shares = table.groupby("actual")["share"].sum()
    assert shares.to_numpy() == pytest.approx(1, abs=1e-3)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_toy(tmp_path, toy())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(track: str) -> dict[str, object]:
    write_params(Path(), pseudo={"track": track}, evaluate={"resamples": 100})
    loaded = params.load()
    return pseudo_labels.of_dataset(loaded, Dataset("demo", loaded))


def test_the_stage_keeps_tables_of_the_track_that_teaches(project: Path) -> None:
    labels = pd.DataFrame([("undecided", "sad", 0.9, "", "x")], columns=list(schema.COLUMNS))
    made = schema.Pseudo(labels.set_index("video_idx"), {}, "t", "somebody", BOTH)
    schema.write(PSEUDO, made)
    summary = study("t")["pseudo"]
    assert isinstance(summary, dict)
    expected = {"track": "t", "by": "somebody", "clips": 1, "n": 100, "war": 0.58}
    assert {name: summary[name] for name in expected} == expected
    assert (project / "metrics/study/plots/pseudo.png").exists()
    before = {path: path.read_bytes() for path in kept.OUT.glob("*.csv")}
    assert {path.name for path in before} == {"pseudo.csv", "confusion.csv"}
    assert study("t")["pseudo"] == summary
    assert {path: path.read_bytes() for path in kept.OUT.glob("*.csv")} == before
    pd.testing.assert_frame_equal(
        read_csv(kept.OUT / "pseudo.csv"), agreement(BOTH, WORDS, params.load().evaluate),
        check_dtype=False,
    )  # fmt: skip


def test_without_a_track_the_tables_are_empty(project: Path) -> None:
    assert study("none") == {}
    assert (kept.OUT / "pseudo.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert (kept.OUT / "confusion.csv").read_text() == ",".join(CONFUSION) + "\n"
    assert not (project / "metrics/study/plots/pseudo.png").exists()
