"""Ways to combine answers: weights, stacking, votes, and that validation alone chooses them."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave.targets import Target
from facewave.training import combination
from facewave.training.combination import Combination, Stacking, f1_weights, fit_weights
from facewave.training.over_time import macro_f1
from facewave.training.schema import answers_of
from facewave.workspace import Clips
from making import words
from making_untrained import handmade

WORDS = ("happy", "sad", "angry")
TARGET = words(*WORDS)
P = list(TARGET.numbers)
shares = st.lists(
    st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any), min_size=2, max_size=5
)


def test_weights_are_the_best_on_a_grid_and_not_negative() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 200)
    good, fair, noise = (
        strength * np.eye(3)[codes] + rng.normal(size=(200, 3)) for strength in (2.0, 1.0, 0.0)
    )
    logs = np.stack([x - np.log(np.exp(x).sum(1, keepdims=True)) for x in (good, fair, noise)], 1)

    def loss(weights: np.ndarray) -> float:
        pool = np.einsum("m,nmc->nc", weights, logs)
        pool -= np.log(np.exp(pool).sum(axis=1, keepdims=True))
        return float(-pool[np.arange(200), codes].mean())

    found = fit_weights(logs, codes)
    assert found.min() >= 0
    assert abs(found.sum() - 1) < 1e-12
    assert found[0] > found[1] > found[2]
    steps = np.linspace(0, 1, 41)
    grid = min(loss(np.array([a, b, 1 - a - b])) for a in steps for b in steps if a + b <= 1)
    assert loss(found) <= grid + 1e-6
    np.testing.assert_array_equal(fit_weights(logs, codes), found)


def clips_of(codes: np.ndarray) -> Clips:
    return handmade(WORDS, [WORDS[code] for code in codes])


def table(clips: Clips, probabilities_nC: np.ndarray, blind: tuple[int, ...] = ()) -> pd.DataFrame:
    from_n = np.where(np.isin(np.arange(len(clips)), blind), "prior", "face")
    return answers_of(clips, from_n, [TARGET], probabilities_nC)


def members(rng: np.random.Generator, codes: np.ndarray, clips: Clips) -> list[pd.DataFrame]:
    """A good one, a fair one, one that takes sad for angry and angry for sad, and noise."""
    swapped = np.array([0, 2, 1])[codes]
    said = [(codes, 3.0), (codes, 1.0), (swapped, 3.0), (codes, 0.0)]
    raw = [
        np.exp(strength * np.eye(3)[of] + rng.normal(size=(len(codes), 3))) for of, strength in said
    ]
    return [table(clips, one / one.sum(1, keepdims=True)) for one in raw]


@given(shares)
@settings(deadline=None, max_examples=30)
def test_a_vote_does_not_depend_on_the_order_of_the_members(counts: list[list[int]]) -> None:
    """The published code gives a tie to the member that comes first."""
    clips = clips_of(np.array([0]))
    tables = [table(clips, np.array([one]) / sum(one)) for one in counts]
    vote = Combination("vote", (TARGET,), np.full(len(tables), 1 / len(tables)))
    first = vote.together(clips, tables)
    said = [one["predicted"].iloc[0] for one in tables]
    n_votes = {word: said.count(word) for word in WORDS}
    assert n_votes[first["predicted"].iloc[0]] == max(n_votes.values())
    np.testing.assert_allclose(first[P].iloc[0], [n_votes[word] / len(said) for word in WORDS])
    for order in list(permutations(tables))[1::5]:
        again = vote.together(clips, order)
        assert again["predicted"].tolist() == first["predicted"].tolist()
        np.testing.assert_allclose(again[P], first[P], atol=1e-12)


def test_ties_of_votes_go_to_the_highest_mean_probability_whoever_comes_first() -> None:
    clips = clips_of(np.array([0]))
    one, other = (
        table(clips, np.array([[0.4, 0.3, 0.3]])),
        table(clips, np.array([[0.1, 0.8, 0.1]])),
    )
    for tables in ([one, other], [other, one]):
        vote = Combination("vote", (TARGET,), np.array([0.5, 0.5])).together(clips, tables)
        assert vote["predicted"].tolist() == ["sad"]


def test_a_tie_that_sums_in_another_order_would_decide_is_one() -> None:
    """Happy and sad have two votes each, and the same mean but for the last digit of a sum."""
    clips = clips_of(np.array([0]))
    some = [[0.3, 0.5, 0.2], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2]]
    vote = Combination("vote", (TARGET,), np.full(4, 0.25))
    words_of = {
        vote.together(clips, [table(clips, np.array([one])) for one in order])["predicted"].iloc[0]
        for order in permutations(some)
    }
    assert words_of == {"happy"}


def test_weights_by_f1_are_those_of_macro_f1_and_add_up_to_1() -> None:
    rng = np.random.default_rng(1)
    codes_n = rng.integers(0, 3, 300)
    good_n = np.where(rng.random(300) < 0.8, codes_n, rng.integers(0, 3, 300))
    fair_n = np.where(rng.random(300) < 0.3, codes_n, rng.integers(0, 3, 300))
    weights_M = f1_weights(np.stack([good_n, fair_n], axis=1), codes_n)
    f1_M = np.array([macro_f1(codes_n, good_n), macro_f1(codes_n, fair_n)])
    np.testing.assert_allclose(weights_M, f1_M / f1_M.sum(), atol=1e-4)
    assert abs(weights_M.sum() - 1) < 1e-12
    constant_n, unreadable_n = np.zeros_like(codes_n), np.full_like(codes_n, -1)
    for said_n in (constant_n, unreadable_n):
        equal_M = f1_weights(np.stack([said_n, unreadable_n], axis=1), codes_n)
        assert equal_M.tolist() == [0.5, 0.5]


def test_macro_f1_is_over_the_words_that_occur_in_the_truth() -> None:
    """With the arguments swapped, as the published code has them, it would be another figure."""
    actual, said = np.array([0, 1]), np.array([0, 0])
    assert macro_f1(actual, said) == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1(said, actual) == pytest.approx(2 / 3)


def test_stacking_learns_what_a_mean_cannot() -> None:
    rng = np.random.default_rng(2)
    codes_n = rng.integers(0, 3, 400)
    clips = clips_of(codes_n)
    tables = members(rng, codes_n, clips)[2:]  # it is consistently wrong, and noise
    truth_nW = np.eye(3)[codes_n]
    right = {
        by: (combination.fit(by, 0.0, [TARGET], clips, truth_nW, tables)
             .together(clips, tables)["predicted"] == clips.table["actual"]).mean()
        for by in ("mean", "weighted", "stacking")
    }  # fmt: skip
    assert right["stacking"] > 0.8 > 0.5 > right["mean"]
    again = [combination.fit("stacking", 0.0, [TARGET], clips, truth_nW, tables) for _ in range(2)]
    for name in ("coefficients_CF", "intercepts_C"):
        np.testing.assert_array_equal(*(getattr(one.stacking, name) for one in again))


@pytest.mark.parametrize("present", [(0, 1), (0, 2), (0, 1, 2), (1,), ()])
def test_stacking_gives_every_word_a_probability(present: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    codes_n = rng.choice(np.array([*present, 0][: max(len(present), 1)]), 40)
    clips = clips_of(codes_n)
    tables = members(rng, codes_n, clips)[:2]
    known_n = np.isin(codes_n, present)
    truth_nW = np.where(known_n[:, None], np.eye(3)[codes_n], np.nan)
    fitted = combination.fit("stacking", 0.0, [TARGET], clips, truth_nW, tables)
    answers, mean = fitted.together(clips, tables), Combination("mean", (TARGET,), np.full(2, 0.5))
    pooled = mean.together(clips, tables)
    np.testing.assert_allclose(answers[P].sum(axis=1), 1)
    assert (answers[P] > 0).all(axis=None)
    unknown = [at for at in range(3) if len(present) < 2 or at not in present]
    np.testing.assert_allclose(answers[P].iloc[:, unknown], pooled[P].iloc[:, unknown])
    said = fitted.text(["a", "b"])
    assert (", ".join(WORDS[at] for at in unknown) + ": there it is the mean" in said) == bool(
        unknown
    )
    assert (answers[P] - pooled[P]).abs().max(axis=None) > 0.01 or len(present) < 2
    if len(present) > 1:
        assert (answers["predicted"] == clips.table["actual"]).mean() > 0.8


def test_where_a_member_is_blind_stacking_is_the_mean_of_the_others() -> None:
    rng = np.random.default_rng(4)
    codes_n = rng.integers(0, 3, 60)
    clips = clips_of(codes_n)
    one, other, *_ = members(rng, codes_n, clips)
    other.loc[other.index[:2], "answered_from"] = "prior"
    fitted = combination.fit("stacking", 0.0, [TARGET], clips, np.eye(3)[codes_n], [one, other])
    answers = fitted.together(clips, [one, other])
    np.testing.assert_allclose(answers[P].iloc[:2], one[P].iloc[:2])
    assert (answers[P].iloc[2:] - one[P].iloc[2:]).abs().min(axis=None) > 0


@pytest.mark.parametrize("by", ["mean", "weighted", "f1", "stacking", "vote"])
def test_only_validation_clips_choose(by: str) -> None:
    """All that is chosen is the same whatever the other clips' truth is."""
    rng = np.random.default_rng(5)
    codes_n = rng.integers(0, 3, 90)
    clips = clips_of(codes_n)
    rows = clips.table.assign(
        file_path=[f"{at // 15}.mp4" for at in range(90)],
        start=np.arange(90) % 15 / 5,
        end=np.arange(90) % 15 / 5 + 1,
    )
    found = []
    for labels in (codes_n, np.r_[codes_n[:60], 2 - codes_n[60:]]):
        some = handmade(WORDS, [WORDS[code] for code in labels])
        object.__setattr__(some, "table", rows.assign(actual=[WORDS[code] for code in labels]))
        tables = [
            one.set_axis(some.table.index)
            for one in members(np.random.default_rng(6), codes_n, clips)
        ]
        is_val = np.arange(90) < 60
        fitted = combination.fit(
            by, "learnt", [TARGET], some.select(is_val), np.eye(3)[labels][is_val],
            [one[is_val] for one in tables],
        )  # fmt: skip
        answers = fitted.together(some.select(~is_val), [one[~is_val] for one in tables])
        found.append((fitted.weights_M.tolist(), fitted.median_s, answers))
    assert found[0][:2] == found[1][:2]
    pd.testing.assert_frame_equal(found[0][2], found[1][2])


def test_other_targets_have_the_weights_and_no_stacking() -> None:
    both = (TARGET, Target("about.sex", "words", ("female", "male")))
    rng = np.random.default_rng(7)
    codes_n = rng.integers(0, 3, 50)
    clips = clips_of(codes_n)
    tables = [
        one.assign(
            **{"predicted_about.sex": "male", "p_about.sex_female": 0.2, "p_about.sex_male": 0.8}
        )
        for one in members(rng, codes_n, clips)[:2]
    ]
    truth_nW = np.hstack([np.eye(3)[codes_n], np.full((50, 2), np.nan)])
    answers = combination.fit("stacking", 0.0, both, clips, truth_nW, tables).together(
        clips, tables
    )
    np.testing.assert_allclose(answers["p_about.sex_male"], 0.8)


def test_too_few_clips_teach_stacking_nothing() -> None:
    logs_nMC = combination.logs(np.random.default_rng(0).dirichlet(np.ones(3), (9, 2)))
    assert not Stacking.fit(logs_nMC, np.arange(9) % 3).is_known.any()
