"""What models are asked: which targets a table has, and what it says of each."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import targets
from facewave.errors import UserError
from facewave.targets import QUADRANTS, Target

WORDS = ("happy", "sad")
NAN = np.nan


def table(**columns: Any) -> pd.DataFrame:
    """Three clips of which nothing is known but what is given."""
    empty = dict.fromkeys(("actual", "excluded", "quadrant", "aus", "scores", "about"), "")
    rows = empty | dict.fromkeys(targets.PLANE, NAN) | columns
    return pd.DataFrame(rows, index=[7, 8, 9])


FULL = table(
    actual=["sad", "happy", "happy"],
    excluded=["", "", "vote tie"],
    quadrant=["negative calm", "", "neutral"],
    valence=[-0.5, NAN, 0.25],
    dominance=[NAN, 0.5, NAN],
    aus=['{"AU12": 1, "AU2": 0}', '{"AU2": 1}', ""],
    scores=["", '{"promis": 61.5, "phq": 3}', '{"promis": 40}'],
    about=['{"sex": "f", "site": "a"}', '{"sex": "m", "age": ""}', ""],
)


def test_a_table_has_the_targets_that_some_clip_has() -> None:
    assert list(targets.available(FULL, WORDS).values()) == [
        Target("classes", "words", WORDS),
        Target("quadrant", "words", (*QUADRANTS, "neutral")),
        Target("valence", "number", ("valence",), -1, 1),
        Target("dominance", "number", ("dominance",), -1, 1),
        Target("aus", "presence", ("AU2", "AU12")),  # in the order of their numbers
        Target("score.phq", "number", ("score.phq",)),
        Target("score.promis", "number", ("score.promis",)),
        Target("about.sex", "words", ("f", "m")),  # all others are always alike
    ]
    strong = targets.available(FULL.assign(aus=['{"AU4": 1}', '{"AU4": 3.5}', ""]), ())
    assert strong["aus"] == Target("aus", "intensity", ("AU4",))
    assert "classes" not in strong
    assert targets.available(table(quadrant=QUADRANTS[:3]), ())["quadrant"].names == QUADRANTS
    assert targets.available(table(), ()) == {}
    for first, is_target in (("41", False), ("1e1", False), ("f", True)):
        rows = [json.dumps({"of": text}) for text in (first, "7.5", "")]
        assert ("about.of" in targets.available(table(about=rows), ())) == is_target
    for n, is_target in ((30, True), (31, False)):
        rows = pd.concat([table(about=json.dumps({"of": f"room {i}"})) for i in range(n)])
        assert ("about.of" in targets.available(rows, ())) == is_target
    asked = targets.resolve(["aus", "classes"], FULL, WORDS)
    assert [target.name for target in asked] == ["aus", "classes"]
    for rows, message in (
        (FULL, "no clip has 'arousal'; there are classes, quadrant, .*, about.sex. Name some"),
        (table(), r"no clip has 'arousal'; there are none\. .*datasets\.NAME\.more"),
    ):
        with pytest.raises(UserError, match=message):
            targets.resolve(["arousal"], rows, WORDS * (rows is FULL))


def test_the_truth_is_one_hot_or_a_number_and_nan_where_nobody_knows() -> None:
    expected: dict[str, list[list[float]]] = {
        "classes": [[0, 1], [1, 0], [NAN] * 2],  # what is left out for its label has none
        "quadrant": [[0, 0, 1, 0, 0], [NAN] * 5, [0, 0, 0, 0, 1]],
        "valence": [[-0.5], [NAN], [0.25]],
        "aus": [[0, 1], [1, NAN], [NAN] * 2],
        "score.promis": [[NAN], [61.5], [40]],
        "about.sex": [[1, 0], [0, 1], [NAN] * 2],
    }
    known = targets.available(FULL, WORDS)
    for name, truth in expected.items():
        np.testing.assert_array_equal(targets.truth(known[name], FULL), truth)
        answers = targets.actual(known[name], FULL)
        assert list(answers) == list(known[name].actual)
        assert answers.index.tolist() == [7, 8, 9]
        if known[name].is_words:
            codes = [np.argmax(row) if row[0] == row[0] else None for row in truth]
            words = ["" if code is None else known[name].names[code] for code in codes]
            assert answers.iloc[:, 0].tolist() == words
        else:
            np.testing.assert_array_equal(answers, truth)
    chosen = [known["classes"], known["valence"]]
    assert targets.known(chosen, FULL).tolist() == [True, True, True]
    assert targets.known(chosen[:1], FULL).tolist() == [True, True, False]
    assert targets.known([], FULL).tolist() == [False] * 3
    parts = targets.split(chosen, np.arange(6.0).reshape(2, 3))
    assert [part.tolist() for part in parts] == [[[0, 1], [3, 4]], [[2], [5]]]


def test_each_target_has_columns_of_its_own() -> None:
    known = targets.available(FULL, WORDS)
    assert known["classes"].columns == ("actual", "predicted", "p_happy", "p_sad")
    assert known["about.sex"].columns == (
        "actual_about.sex", "predicted_about.sex", "p_about.sex_f", "p_about.sex_m",
    )  # fmt: skip
    assert known["valence"].columns == (
        "actual_valence", "predicted_valence", "low_valence", "high_valence",
    )  # fmt: skip
    assert known["aus"].columns == (
        "actual_AU2", "actual_AU12", "predicted_AU2", "predicted_AU12",
    )  # fmt: skip
    columns = [name for target in known.values() for name in target.columns]
    assert len(set(columns)) == len(columns)
