"""Where pseudo-labels begin to help."""

import numpy as np
import pytest

from facewave.evaluation.intervals import Floats
from facewave.params import Evaluate, Traces
from facewave.study.scores import F1, Answered
from facewave.study.turning import turning, turns

TRIED = np.array([0.4, 0.6, 0.8, 1.0])


def test_the_turn_is_interpolated_between_what_was_tried() -> None:
    for gains, expected in (
        ([-0.3, -0.1, 0.1, 0.2], 0.7),
        ([-0.3, -0.1, 0.3, 0.2], 0.65),
        ([0.1, -0.1, 0.1, 0.2], 0.7),  # the last change counts
        ([0.1, 0.2, 0.2, 0.2], 0.4),
        ([0.1, 0.2, 0.2, -0.2], np.inf),
        ([-1.0, -1.0, -1.0, 0.0], np.inf),
        ([-1.0, -1.0, 0.0, 0.5], 0.8),
        ([np.nan] * 4, np.nan),
        ([-0.3, np.nan, 0.3, 0.2], np.nan),
    ):
        assert turning(np.array(gains), TRIED) == pytest.approx(expected, nan_ok=True), gains
    both = turning(np.array([[-0.3, -0.1, 0.1, 0.2], [0.1, 0.2, 0.2, -0.2]]), TRIED)
    assert both.tolist() == pytest.approx([0.7, np.inf])


def answered(right: Floats, seed: int) -> Answered:
    """Answers of 300 clips of 30 people, so many of which are right."""
    rng = np.random.default_rng(seed)
    truth_n = rng.integers(0, 3, 300)
    is_right = np.random.default_rng(7).permutation(300) < right * 300
    said_n = np.where(is_right, truth_n, (truth_n + 1) % 3)
    return Answered(
        np.eye(3)[truth_n], np.eye(3)[said_n].astype(np.int8), np.zeros(300, int),
        np.repeat(np.arange(30), 10),
    )  # fmt: skip


def test_the_interval_is_around_the_turn_and_ends_where_nothing_was_tried() -> None:
    settings = Evaluate(300, 0, Traces(0, 0))
    labels = answered(np.array(0.5), 0)
    taught = [answered(np.array(share), 0) for share in (0.9, 0.3, 0.45, 0.7)]
    turn = turns(F1, labels, taught, [1.0, 0.4, 0.6, 0.8], settings)
    assert 0.6 < turn.value < 0.7
    assert turn.low is not None
    assert turn.high is not None
    assert turn.low <= turn.value <= turn.high
    always = turns(F1, labels, taught[:1] * 2, [0.4, 1.0], settings)
    assert always.named("at") == {"at": 0.4, "at_low": 0.4, "at_high": 0.4}
    never = turns(F1, labels, taught[1:2] * 2, [0.4, 1.0], settings)
    assert never.named("at") == dict.fromkeys(("at", "at_low", "at_high"), np.inf)
