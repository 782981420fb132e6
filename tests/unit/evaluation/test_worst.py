"""The clips that a model misses most."""

import numpy as np
import pandas as pd
import pytest

from facewave.evaluation.worst import COLUMNS, MOST, worst


def test_errors_are_compared_in_units_of_each_targets_spread() -> None:
    n = 80
    rng = np.random.default_rng(0)
    valence, score = rng.uniform(-1, 1, n), rng.uniform(20, 80, n)
    answers = pd.DataFrame({"video_idx": [f"{i:02}" for i in range(n)]})
    answers["file_path"] = "clips/" + answers["video_idx"] + ".mp4"
    answers["actual_valence"], answers["actual_score.t"] = valence, score
    answers["predicted_valence"], answers["predicted_score.t"] = valence + 0.1, score + 0.01
    answers.loc[7, "predicted_valence"] += 1  # two spreads
    answers.loc[9, "predicted_score.t"] += 10  # half a one
    answers.loc[11, ["actual_valence", "actual_score.t"]] = np.nan
    for target in ("valence", "score.t"):
        answers[f"low_{target}"] = answers[f"predicted_{target}"] - 1
        answers[f"high_{target}"] = answers[f"predicted_{target}"] + 1
    table = answers[["video_idx"]].assign(table="list.csv", row=range(2, n + 2), start=0.5, end=2.0)
    found = worst(answers, table, ("valence", "score.t"))
    assert tuple(found) == COLUMNS
    assert len(found) == MOST
    assert found["video_idx"].is_unique
    first, second = found.iloc[0], found.iloc[1]
    assert (first["video_idx"], first["target"], first["row"]) == ("07", "valence", 9)
    assert first["predicted"] - first["actual"] == pytest.approx(1.1)
    assert first["high"] == first["predicted"] + 1
    assert (second["video_idx"], second["target"], second["end"]) == ("09", "score.t", 2.0)
    assert "11" not in set(found["video_idx"])  # nobody knows
    assert worst(answers.head(0), table, ("valence",)).empty
