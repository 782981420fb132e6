"""Transfer, quadrants both ways and sampling, of answers whose truth is known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.params import Evaluate, Traces
from facewave.study import tasks
from facewave.study.runs import Outcome
from facewave.study.tasks import CLASSIFIED, CUT, Learner, rare
from facewave.targets import PLANE as PLANE_OF_3
from facewave.targets import QUADRANT, QUADRANTS, Target, number, quadrants
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips
from making import REPOSITORY

TRAIN = params.load(REPOSITORY / "params.yaml").train
DRAWS = Evaluate(resamples=200, seed=0, traces=Traces(0, 0))
PLANE = [number("valence"), number("arousal")]
WORDS = Target(QUADRANT, "words", QUADRANTS)
UNITS = Target("aus", "presence", ("AU1", "AU4"))
N = 120


def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0.05, 0.95, (N, 2)) * rng.choice([-1, 1], (N, 2))


def answers(targets: Sequence[Target], noise: float) -> pd.DataFrame:
    """Answers that are the truth with noise."""
    rng = np.random.default_rng(len(targets))
    actual = points()
    said = np.clip(actual + noise * rng.normal(size=actual.shape), -1, 1)
    rows: dict[str, Any] = {
        "partition": (np.arange(N) % 20 % 2).astype(str), "video_idx": np.arange(N).astype(str),
        "file_path": np.arange(N).astype(str), "subject": (np.arange(N) % 20).astype(str),
        "source": "",
    }  # fmt: skip
    for place, target in enumerate(PLANE):
        if target in targets:
            rows |= {target.actual[0]: actual[:, place], target.numbers[0]: said[:, place]}
    if WORDS in targets:
        rows[WORDS.actual[0]] = quadrants(*actual.T)
        hot = quadrants(*said.T)[:, None] == np.array(QUADRANTS)
        rows |= dict(zip(WORDS.numbers, hot.T.astype(float), strict=True))
    if UNITS in targets:
        for name, column in zip(UNITS.names, (actual > 0).T, strict=True):
            rows |= {f"actual_{name}": column.astype(float), f"predicted_{name}": 1.0 * column}
    return pd.DataFrame(rows).sort_values("partition", kind="stable").reset_index(drop=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], str]]:
    """What has been learnt: the more together, the worse; with a sampler, better."""
    learnt: list[tuple[tuple[str, ...], str]] = []

    def run(clips: Any, transform: Any, targets: Any, kind: Any, settings: Any, _: Any) -> Outcome:
        learnt.append((tuple(target.name for target in targets), settings.imbalance))
        noise = 0.1 if settings.imbalance == "sampler" else 0.3 if len(targets) < 3 else 0.8
        return Outcome(answers(targets, noise), [])

    monkeypatch.setattr(tasks, "run", run)
    return learnt


def learner() -> Learner:
    clips = Clips(pd.DataFrame(), {}, Path(), 25.0, Path(), pd.DataFrame(), {})
    return Learner(clips, Transform(), "mlp", TRAIN, [])


def test_negative_transfer_is_a_difference_below_0_and_each_set_is_learnt_once(made: Any) -> None:
    sets = [PLANE, [WORDS], [UNITS], [*PLANE, WORDS, UNITS]]
    found = tasks.tasks(learner(), sets, DRAWS)
    assert len(made) == 4
    assert list(found) == list(tasks.COLUMNS["tasks"])
    together = found[found["together"] == "valence + arousal + quadrant + aus"].set_index("target")
    assert together["against"].tolist() == ["valence + arousal"] * 2 + ["quadrant", "aus"]
    alone = found[found["against"].isna()].set_index("target")
    assert alone[["difference", "p"]].isna().all(axis=None)
    gap = together["figure"] - alone["figure"].reindex(together.index)
    np.testing.assert_allclose(together["difference"], gap, atol=2e-4)
    for name in ("valence", "arousal", "quadrant"):
        assert together.loc[name, "difference_high"] < 0
        assert together.loc[name, "p"] < 0.05
    assert together.loc["aus", ["figure", "difference", "p"]].tolist() == [1, 0, 1]
    assert found["measure"].tolist() == ["ccc", "ccc", "uar", "f1", "ccc", "ccc", "uar", "f1"]
    assert (found["low"] <= found["figure"]).all()
    assert set(found["n"]) == {N}


def test_quadrants_are_cut_at_0_and_at_the_neutral_zone(made: Any) -> None:
    network = learner()
    found = tasks.quadrants(network, WORDS, PLANE, 0.0, DRAWS).set_index(["way", "measure"])
    said = network.answers(PLANE)[[target.numbers[0] for target in PLANE]].to_numpy()
    cut = quadrants(*said.T)
    right = cut == network.answers([WORDS], "none")["actual_quadrant"].to_numpy()
    fold = network.answers(PLANE)["partition"]
    assert found.loc[(CUT, "war"), "figure"] == pytest.approx(
        pd.Series(right).groupby(fold).mean().mean(), abs=1e-4
    )
    figures = found["figure"]
    for name in ("war", "uar"):
        gap = figures[CUT, name] - figures[CLASSIFIED, name]
        assert found.loc[(CUT, name), "difference"] == pytest.approx(gap, abs=2e-4)
    assert found.loc[(CLASSIFIED, "uar"), "chance"] == 0.25
    # In a zone that most points lie in they are none of the four.
    zoned = tasks.quadrants(network, WORDS, PLANE, 0.9999, DRAWS).set_index(["way", "measure"])
    assert zoned.loc[(CUT, "uar"), "figure"] < figures[CUT, "uar"] - 0.2
    assert made == [(("quadrant",), "none"), (("valence", "arousal"), "none")]


def test_a_sampler_s_gain_shows_on_rare_and_common_clips(made: Any) -> None:
    network = learner()
    tasks.tasks(network, [PLANE], DRAWS)
    found = tasks.sampling(network, PLANE, DRAWS)
    assert made == [(("valence", "arousal"), "none"), (("valence", "arousal"), "sampler")]
    after = found[found["imbalance"] == "sampler"].set_index(["target", "measure", "clips"])
    assert len(after) == 3 * 4
    for (_, measure, _), row in after.iterrows():
        sign = 1 if measure == "ccc" else -1
        assert sign * row["difference"] > 0
    n_all, n_rare, n_common = (after["n"]["mean", "mae", of] for of in ("all", "rare", "common"))
    assert n_rare + n_common == n_all == N
    text = tasks.summary({"sampling": found, "tasks": found.iloc[:0]})
    assert list(text) == ["sampling"]
    assert "difference" not in text["sampling"][0]


def test_what_too_few_clips_can_teach_or_no_test_clip_has_is_named() -> None:
    table = pd.DataFrame({
        "valence": [0.1, 0.2, 0.3, 0.4, np.nan, 0.6], "arousal": [0.1, np.nan, 0.3] + [np.nan] * 3,
        "dominance": [0.5, 0.5] + [np.nan] * 4, "usable": [True, True, False, True, True, True],
        "rank": 0.0,
    })  # fmt: skip
    first = pd.Series(["train", "train", "train", "test", "test", "val"])
    clips = Clips(table, {}, Path(), 25.0, Path(), table, {})
    network = Learner(clips, Transform(), "mlp", TRAIN, [first])
    valence, arousal, dominance = (number(name) for name in PLANE_OF_3)
    assert network.lacking([valence]) == ""
    assert network.lacking([arousal]) == "1 training clips have arousal, and 2 are the fewest"
    assert network.lacking([valence, dominance]) == "no test clip has dominance"
    folds = [first, pd.Series(["test", "train", "train", "train", "train", "val"])]
    assert "1 training clips" in replace(network, parts=folds).lacking([dominance])
    assert network.is_tested([valence])
    assert not network.is_tested([valence, arousal])


def test_rare_points_are_in_cells_with_few() -> None:
    crowd = np.tile([[0.51, 0.51]], (6, 1))
    alone = np.array([[-0.9, 0.1], [0.9, -0.1], [0.1, 0.9], [-0.1, -0.9], [0.3, 0.3]])
    assert rare(np.concatenate([crowd, alone])).tolist() == [False] * 6 + [True] * 5
    assert rare(alone).all()
