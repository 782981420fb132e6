"""The delay of raters behind faces, learnt from traces."""

import numpy as np
import pandas as pd
import pytest

from facewave.training import delay


def traces(
    lag: float, fps: float = 5.0, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Two videos whose labels follow the face's own smooth curve by ``lag`` seconds, with noise.

    Rows are in no order, and a twentieth of them has no label.
    """
    rng = np.random.default_rng(seed)
    rows, truth, answers = [], [], []
    for file in ("a.mp4", "b.mp4"):
        times = np.arange(300) / fps
        waves = rng.uniform(0.02, 0.15, (6, 2)), rng.uniform(0, 2 * np.pi, (6, 2))

        def face(at: np.ndarray, waves: tuple[np.ndarray, np.ndarray] = waves) -> np.ndarray:
            return np.sin(2 * np.pi * waves[0] * at[:, None, None] + waves[1]).mean(axis=1)

        rows += [{"file_path": file, "start": at - 1, "end": at + 1} for at in times]
        truth.append(face(times - lag) + 0.05 * rng.normal(size=(300, 2)))
        answers.append(0.6 * face(times) + 0.05 * rng.normal(size=(300, 2)))
    order = rng.permutation(600)
    truth_nT, answers_nT = np.concatenate(truth)[order], np.concatenate(answers)[order]
    truth_nT[rng.random(600) < 0.05] = np.nan
    return pd.DataFrame(rows).iloc[order], truth_nT, answers_nT


def test_a_delay_that_was_put_into_a_trace_is_found() -> None:
    for lag in (0.0, 0.7, 1.5, 3.2):
        assert delay.learn(*traces(lag)) == pytest.approx(lag, abs=0.1)
    assert delay.learn(*traces(7.0)) <= delay.MOST_S
    # A label that comes before the face is not believed: no delay.
    assert delay.learn(*traces(-1.0)) == 0


def test_what_is_not_known_or_no_trace_changes_nothing() -> None:
    rows, truth, answers = traces(1.5)
    found = delay.learn(rows, truth, answers)
    whole = pd.DataFrame({"file_path": [f"{i}.mp4" for i in range(99)]}).assign(
        start=np.nan, end=np.nan
    )
    wrong = np.random.default_rng(0).normal(size=(99, 2))
    both = (
        pd.concat([rows, whole]),
        np.concatenate([truth, wrong]),
        np.concatenate([answers, wrong]),
    )
    assert delay.learn(*both) == found
    silent = np.where(np.arange(600)[:, None] % 7 == 0, np.nan, answers)
    assert delay.learn(rows, truth, silent) == pytest.approx(found, abs=0.1)
    for nothing in (np.nan * answers, 0 * answers + 0.3):  # no answers, or always the same
        assert delay.learn(rows, truth, nothing) == 0
    assert delay.learn(rows, np.nan * truth, answers) == 0
    assert delay.learn(whole, wrong, wrong) == 0
