"""Which answers teach: refusals, confidence, classes, lots; and the label of the moment before."""

import json
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from facewave.labels.schema import Reason
from facewave.params import Pseudo as Settings
from facewave.pseudo import choose
from facewave.pseudo.schema import ANSWER, COLUMNS, KNOWN, PREVIOUS, PRIOR, REFUSED

WORDS = ("happy", "sad", "fear")


def answers(*rows: tuple[str, float, str]) -> pd.DataFrame:
    """Rows of (word, confidence, origin), each of a video of its own, v0, v1, ..."""
    table = pd.DataFrame(rows, columns=["predicted", "confidence", "origin"])
    names = [f"v{number}" for number in range(len(rows))]
    table = table.assign(video_idx=names, file_path=[f"{name}.mp4" for name in names], key=names)
    return table.assign(source=[f"said of {name}" for name in names])


def settings(confidence: float = 0.0, per_class: int = 0) -> Settings:
    return Settings(track="t", confidence=confidence, per_class=per_class)


TABLE = answers(
    *(("sad", 0.9, ANSWER), ("", np.nan, REFUSED), ("sad", 0.4, PREVIOUS), ("sad", 0.8, ANSWER)),
    *(("happy", 1.0, PRIOR), ("happy", 0.5, ANSWER), ("fear", np.nan, ANSWER)),
)


def chosen(**changes: Any) -> tuple[list[str], dict[str, Any]]:
    table, counts = choose.teaching(TABLE, WORDS, settings(**changes))
    return table.index.tolist(), counts


def test_what_teaches_and_what_becomes_of_the_rest() -> None:
    names, counts = chosen()
    assert names == ["v0", "v2", "v3", "v5", "v6"]
    expected = {"answers": 7, "refused": 1, "without_face": 1, "unsure": 0, "beyond": 0}
    assert {name: counts[name] for name in expected} == expected
    assert counts["teaching"] == 5
    names, counts = chosen(confidence=0.5, per_class=1)
    assert names == ["v0", "v5"]  # of v6 nobody knows how sure it is
    assert (counts["unsure"], counts["beyond"], counts["teaching"]) == (2, 1, 2)
    assert counts["words"]["sad"] == {"unsure": 1, "beyond": 1, "teaching": 1}
    assert counts["words"]["fear"] == {"unsure": 1, "beyond": 0, "teaching": 0}
    fates = [counts[fate] for fate in choose.FATES]
    assert sum(fates) == counts["answers"]
    assert chosen(per_class=2)[0] == ["v0", "v3", "v5", "v6"]


def test_their_shares_are_kept_where_they_are_known() -> None:
    shares = {"p_happy": [0.1] + 6 * [np.nan], "p_sad": [0.9] + 6 * [0.2]}
    table, _ = choose.teaching(TABLE.assign(**shares), WORDS, settings())
    assert list(table.reset_index()) == list(COLUMNS)
    assert json.loads(table.loc["v0", "shares"]) == {"happy": 0.1, "sad": 0.9}
    assert set(table["shares"][1:]) == {""}
    assert table.loc["v3", "source"] == "said of v3"
    assert set(choose.teaching(TABLE, WORDS, settings())[0]["shares"]) == {""}


@settings_of_hypothesis(max_examples=10)
@given(st.permutations(range(12)), st.integers(1, 11))
def test_among_the_equally_sure_the_order_does_not_decide(order: list[int], most: int) -> None:
    alike = answers(*(12 * [("sad", 0.7, ANSWER)]))
    expected, _ = choose.teaching(alike, WORDS, settings(per_class=most))
    found, _ = choose.teaching(alike.iloc[order], WORDS, settings(per_class=most))
    assert len(found) == most
    assert set(found.index) == set(expected.index)


def labelled() -> pd.DataFrame:
    """A label table about ``TABLE``'s clips."""
    table = pd.DataFrame({"video_idx": TABLE["video_idx"], "file_path": TABLE["file_path"]})
    table = table.assign(subject="", source="", excluded="", actual="sad", start=np.nan, key="")
    return table.assign(key=[f"{n:016d}-of-the-bytes" for n in range(len(table))])


def test_known_are_labelled_clips_of_which_nobody_learnt_any_part() -> None:
    table = labelled()
    table.loc[3, "excluded"] = str(Reason.NO_SINGLE_LABEL)
    table.loc[4, "actual"] = "contempt"
    table.loc[5, "actual"] = ""
    lineage = {"learnt": [f"{0:016d} 0 2.5"], "validated": [f"{1:016d} nan nan"]}
    found = choose.known(TABLE, table, WORDS, lineage, "t")
    assert set(found["track"]) == {"t"}
    assert list(found) == list(KNOWN)
    assert found["video_idx"].tolist() == ["v2", "v6"]
    assert found["origin"].tolist() == [PREVIOUS, ANSWER]
    assert choose.known(TABLE, table, WORDS, {}, "t")["video_idx"].tolist() == [
        *("v0", "v1", "v2", "v6")
    ]


def test_a_refusal_takes_the_label_of_the_moment_before_in_its_own_video() -> None:
    rows = [("", np.nan, REFUSED), ("sad", 0.9, ANSWER), ("happy", 0.3, PRIOR),
            ("", np.nan, REFUSED), ("fear", np.nan, ANSWER), ("", np.nan, REFUSED)]  # fmt: skip
    film = answers(*rows).assign(file_path="film.mp4", p_sad=[np.nan, 0.9, 0.1, *3 * [np.nan]])
    film.loc[5, "file_path"] = "other.mp4"
    table = labelled().assign(start=[0, 1, 2, 3, 4, 5, 6.0])
    for order in ([0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 4, 2]):
        found = choose.previous(film.iloc[order], table)
        assert found.index.tolist() == order
        assert list(found) == list(film)
        found = found.sort_index()
        assert found["predicted"].tolist() == ["", "sad", "sad", "sad", "fear", ""]
        expected = [REFUSED, ANSWER, PREVIOUS, PREVIOUS, ANSWER, REFUSED]
        assert found["origin"].tolist() == expected
        np.testing.assert_array_equal(found["confidence"], [np.nan, 0.9, 0.9, 0.9, np.nan, np.nan])
        np.testing.assert_array_equal(found["p_sad"], [np.nan, 0.9, 0.9, 0.9, np.nan, np.nan])
        assert found.loc[3, "source"] == "previous: said of v1"
        assert found.loc[0, "source"] == "said of v0"
