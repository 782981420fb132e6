"""Robustness: every clip in one row of each condition, scores as measures has them."""

import math
import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.evaluation import measures
from facewave.evaluation import robustness as robust
from facewave.evaluation.intervals import Measured, estimates
from facewave.evaluation.robustness import (
    ALL,
    COLUMNS,
    FEWEST,
    MOST,
    SPEAKS,
    SPEECH,
    UNKNOWN,
    by_speech,
    thirds,
)
from facewave.figures import MEASURES
from facewave.landmarks import schema
from facewave.landmarks.schema import INDEX

WORDS = ("happy", "sad", "angry")
QUICK: dict[str, int] = {"resamples": 50, "seed": 0}


def answers(n: int, *, subjects: int = 12, folds: int = 2, right: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    actual = np.arange(n) % len(WORDS)
    predicted = np.where(rng.random(n) < right, actual, (actual + 1) % len(WORDS))
    table = pd.DataFrame(
        {
            "partition": [str(i % folds + 1) for i in range(n)],
            "video_idx": [f"{i:04}" for i in range(n)],
            "file_path": [f"{i:04}.mp4" for i in range(n)],
            "subject": [f"s{i % subjects:02}" for i in range(n)],
            "source": "",
            "actual": np.array(WORDS)[actual],
            "predicted": np.array(WORDS)[predicted],
        }
    )
    for code, word in enumerate(WORDS):
        table[f"p_{word}"] = np.where(predicted == code, 0.8, 0.1)
    return table


def robustness(
    rows: pd.DataFrame, index: pd.DataFrame, known: pd.DataFrame | None = None, **drawn: int
) -> pd.DataFrame:
    """The table of WAR and UAR."""
    pooled = measures.from_table(rows.assign(partition=""), WORDS)

    def measured(inside: Any) -> Measured:
        part = pooled.at(inside)
        shares = {"war": np.array(float(len(part.group)))}
        group = pd.factorize(part.group)[0]
        return Measured(partial(measures.war_and_uar, part), group, shares)

    return robust.robustness(rows, index, measured, known, **drawn)


def index(n: int, **columns: list[float]) -> pd.DataFrame:
    """An index in which nothing varies but the columns given."""
    return pd.DataFrame(
        {"video_idx": [f"{i:04}" for i in range(n)]} | dict.fromkeys(MEASURES, 1.0) | columns
    )


def of(found: pd.DataFrame, condition: str) -> pd.DataFrame:
    return found[found["condition"] == condition].reset_index(drop=True)


def sizes(values: list[float]) -> dict[str, int]:
    return {text: int(inside.sum()) for text, inside in thirds(np.array(values), " px").items()}


def ranges(values: list[float], column: str) -> dict[str, int]:
    """Range -> n, as they come out for these values of the index."""
    made = index(len(values), **{column: values})
    rows = of(robustness(answers(len(values)), made, resamples=2, seed=0), column)
    return dict(zip(rows["range"], rows["n"], strict=True))


def test_conditions_are_columns_of_the_index_and_all_measures_but_two() -> None:
    assert set(MEASURES) - {"brightness", SPEECH} <= set(INDEX)
    assert set(schema.MEASURES) - set(MEASURES) == {"frames", "face_frames"}


def test_thirds_are_named_by_their_range_and_unit() -> None:
    values = [float(v) for v in range(64, 94)]
    assert sizes(values) == {"64 to 73 px": 10, "74 to 83 px": 10, "84 to 93 px": 10}
    assert list(ranges([1.5, 2.25, 3.126, 1000.4], "duration")) == [
        "1.5 s",
        "2.2 to 3.1 s",
        "1000 s",
    ]
    assert ranges([0.25, 0.5, 0.5], "face_share") == {"25 %": 1, "50 %": 2}
    assert ranges([0.0, 12.0, 3.0, 0.0], "yaw") == {"0°": 2, "3°": 1, "12°": 1}
    # Equal values, and those that look alike, stay together; the rest is shared out.
    assert ranges([29.97002997, 29.97, 30.0, 25.0], "fps") == {"25 fps": 1, "30 fps": 3}
    assert sizes([0.0] * 20 + [1.0, 2.0, 3.0, 4.0]) == {"0 px": 20, "1 to 4 px": 4}
    assert sizes([1.0, 2.0, 3.0] + [9.0] * 20) == {"1 to 3 px": 3, "9 px": 20}


def test_what_does_not_vary_is_left_out() -> None:
    n = 12
    made = index(n, yaw=[1.0] * 11 + [math.nan], pitch=[1.0] * 11 + [2.0])
    found = robustness(answers(n, subjects=1), made, **QUICK)
    assert list(found["condition"].unique()) == [ALL, "pitch"]


def test_clips_without_a_value_or_out_of_the_index_are_a_row_of_their_own() -> None:
    made = index(12, face_px=[*range(10), math.nan, 5]).iloc[:11]
    rows = of(robustness(answers(12), made, **QUICK), "face_px")
    assert rows["range"].tolist() == ["0 to 2 px", "3 to 6 px", "7 to 9 px", UNKNOWN]
    assert rows["n"].tolist() == [3, 4, 3, 2]


def test_speech_is_there_or_not() -> None:
    shares = [0.0, SPEAKS / 2, SPEAKS, 0.3, 0.9, 1.0]
    assert ranges(shares, SPEECH) == {"without speech": 2, "with speech": 4}
    assert ranges([*shares, math.nan], SPEECH)[UNKNOWN] == 1
    # Where everybody speaks, or nobody has listened, there is nothing to compare.
    for alike in ([0.9, 0.8, math.nan], [0.0, 0.01], [math.nan, math.nan]):
        assert ranges(alike, SPEECH) == {}
    found = by_speech(np.array([math.nan, 0.9]))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "with speech": [False, True],
        UNKNOWN: [True, False],
    }


some = st.one_of(st.just(math.nan), st.integers(0, 4).map(float), st.floats(0, 1e6))


@given(st.lists(some, min_size=1, max_size=40))
def test_every_clip_is_in_one_third(values: list[float]) -> None:
    found = sizes(values)
    shown = {f"{value:.3g}" for value in values if not math.isnan(value)}
    assert sum(found.values()) == len(values)
    assert found.get(UNKNOWN, 0) == sum(map(math.isnan, values))
    known = {text: n for text, n in found.items() if text != UNKNOWN}
    assert min(len(shown), 2) <= len(known) <= min(len(shown), 3)
    at = -1.0
    for text, n in known.items():
        numbers = [float(number) for number in re.findall(r"[\d.]+(?:e[+-]\d+)?", text)]
        low, high = numbers[0], numbers[-1]
        assert at < low <= high
        at = high
        assert n == sum(low <= float(f"{v:.3g}") <= high for v in values)


@given(st.integers(9, 200), st.integers(0, 99))
def test_thirds_of_values_that_differ_are_thirds(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).permutation(n).astype(float).tolist()
    assert all(abs(size - n / 3) < 1 for size in sizes(values).values())


def test_scores_are_those_of_measures_over_clips_of_all_folds() -> None:
    n = 60
    said = answers(n)
    made = index(n, duration=[float(i % 3) for i in range(n)], yaw=[float(i) for i in range(n)])
    found = robustness(said, made, **QUICK)
    assert tuple(found.columns) == COLUMNS[1:]
    assert found.iloc[0][["condition", "range", "n", "subjects"]].tolist() == [ALL, "", n, 12]
    for row, inside in (
        (found.iloc[0], said),
        (of(found, "yaw").iloc[1], said.iloc[20:40]),
        (of(found, "duration").iloc[0], said.iloc[::3]),  # one class, four subjects
        (of(found, "subject").iloc[0], said.iloc[::12]),
    ):
        pooled = measures.from_table(inside.assign(partition="one"), WORDS)
        shares = {"war": np.array(float(len(inside)))}
        measure = partial(measures.overall, pooled)
        expected = estimates(measure, pooled.group, **QUICK, clips=shares)
        for name in ("war", "uar"):
            figures = expected[name].named(name)
            assert {key: row[key] for key in figures} == pytest.approx(figures)
    assert found.iloc[0]["uar_low"] < found.iloc[0]["uar"] < found.iloc[0]["uar_high"]
    assert of(found, "yaw")["interval_over"].tolist() == ["subjects"] * 3
    assert set(of(found, "subject")["interval_over"]) == {"clips"}
    few = robustness(answers(n, subjects=4), index(n), **QUICK)
    assert set(few["interval_over"]) == {"clips"}
    with pytest.raises(ValueError, match="not a one-to-one merge"):
        robustness(pd.concat([said, said], ignore_index=True), index(n), **QUICK)


def test_few_clips_have_no_interval() -> None:
    n = 20
    few, enough = FEWEST - 1, FEWEST
    values = [1.0] * few + [2.0] * enough + [3.0] * (n - few - enough)
    rows = of(robustness(answers(n), index(n, yaw=values), **QUICK), "yaw")
    intervals = ["war_low", "war_high", "uar_low", "uar_high"]
    assert rows["n"].tolist() == [few, enough, n - few - enough]
    assert rows[["war", "uar"]].notna().all(axis=None)
    assert rows[intervals].notna().any(axis=1).tolist() == [False, True, True]
    assert rows["interval_over"].tolist() == ["", "clips", "subjects"]


def test_scenes_and_subjects_are_rows_where_they_are_known() -> None:
    n = 30
    said = answers(n, subjects=2)
    texts = {"scene": ["street", "", "home"] * 10, "age": [str(i) for i in range(n)]}
    known = pd.DataFrame(texts, index=said["video_idx"]).iloc[::-1]
    found = robustness(said, index(n), known, **QUICK)
    scenes = of(found, "scene")
    assert scenes["range"].tolist() == [UNKNOWN, "home", "street"]
    assert scenes["n"].tolist() == [10, 10, 10]
    assert scenes["subjects"].tolist() == [2, 2, 2]
    assert of(found, "subject")["range"].tolist() == ["s00", "s01"]
    assert of(found, "age")["range"].tolist() == ["0 to 9", "10 to 19", "20 to 29"]
    assert list(found["condition"].unique()) == [ALL, "scene", "age", "subject"]
    names = known.assign(scene=[f"take {i % (MOST + 1)}" for i in range(n)])
    assert len(of(robustness(said, index(n), names, **QUICK), "scene")) == MOST == n
    more = pd.concat([said, answers(MOST + 1).iloc[-1:]])
    names = pd.DataFrame({"scene": more["video_idx"] + " x"}).set_axis(more["video_idx"])
    assert of(robustness(more, index(n), names, **QUICK), "scene").empty
    some = robustness(said.assign(subject=["s00", ""] * 15), index(n), **QUICK)
    assert of(some, ALL)["subjects"].isna().all()
    assert of(some, "subject").empty  # one name is nothing to compare
    nobody = robustness(said.assign(subject=""), index(n), **QUICK)
    assert nobody["condition"].tolist() == [ALL]
    assert nobody["subjects"].isna().all()


def test_order_of_the_index_and_seed() -> None:
    n = 40
    said, made = answers(n), index(n, yaw=[float(i % 7) for i in range(n)])
    first = robustness(said, made, **QUICK)
    pd.testing.assert_frame_equal(first, robustness(said, made.iloc[::-1], **QUICK))
    other = robustness(said, made, resamples=50, seed=1)
    assert not first["war_low"].equals(other["war_low"])
    labelled = said.set_index(pd.Index(range(100, 100 + n)))
    pd.testing.assert_frame_equal(first, robustness(labelled, made, **QUICK))
