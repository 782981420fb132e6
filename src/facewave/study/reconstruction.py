"""How much of trajectories K numbers keep: each transform against its rivals. Pure.

That is the purpose of a language model's face tokens and of drawings. It says nothing about
recognition: what reconstructs best may recognise worst. ``energy`` and ``mean_std`` are made to
recognise and bring back the mean alone.

For every clip and block, left and right apart: the share of the variance over time that the
inverse leaves unexplained, summed over the block's channels, and the same for velocity (the
difference between frames), where fast movement counts. Transforms that learn which K numbers to
keep (``LEARNT``) learn from other clips than they are measured on; temporal PCA bounds what any K
functions shared by all clips can do, as far as the clips it learnt from are like the others.

Legend of names: T frames, C channels, K numbers per channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.models.classifiers import reduce
from facewave.params import Block, TransformName
from facewave.study.clips import Trajectories
from facewave.study.workers import each
from facewave.wavelets.features import channels
from facewave.wavelets.transform import LEARNT, Floats, Transform, fitting

KS = (4, 6, 8, 10, 16, 24, 32, 64)
_FOLDS = 5
# Clips are measured in a shuffled order, up to this many frames in all (half a minute), and none
# longer than this (its moments would take 50 MB).
_FRAMES, _LONGEST = 20_000, 1_200


@dataclass(frozen=True, eq=False)
class Moments:
    """What the losses of one clip follow from.

    Attributes:
        moments: block -> (T, T), sums over its channels of products of frames.
        times_T: seconds.
        file: its file; no transform learns from clips of the file that it is measured on.
    """

    moments: Mapping[Block, Floats]
    times_T: Floats
    file: str


def reconstruction(trajectories: Trajectories, default: Transform) -> pd.DataFrame:
    """What every transform loses of the trajectories over K, ``default`` first, see ``summary``."""
    clips, racing = moments_of(trajectories), contenders(default)
    ks = sorted({*KS, default.k})
    return summary(pd.concat(each(race, [(clips, {name: racing[name]}, ks) for name in racing])))


def moments_of(trajectories: Trajectories) -> list[Moments]:
    """The moments of the clips that are measured."""
    measured = measured_of(trajectories.index)
    return [
        moments(channels(trajectory, row), trajectory.times_T, row.file_path)
        for at, row, trajectory in trajectories
        if at in measured
    ]


def measured_of(index: pd.DataFrame) -> set[int]:
    """The positions of the clips that are measured."""
    frames = index["frames"].reset_index(drop=True)
    fitting = frames[index["usable"].to_numpy(bool) & (frames <= _LONGEST).to_numpy(bool)]
    shuffled = fitting.sample(frac=1, random_state=0)
    return set(shuffled.index[shuffled.cumsum() <= _FRAMES])


def moments(blocks: Mapping[Block, Floats], times_T: Floats, file: str) -> Moments:
    """A clip's moments, from blocks (T, C) with gaps interpolated."""
    products = {block: values_TC @ values_TC.T for block, values_TC in blocks.items()}
    return Moments(products, times_T, file)


def contenders(default: Transform) -> dict[str, Transform]:
    """The transforms to compare, by name, ``default`` first; the race sets their K."""
    wavelets: dict[TransformName, tuple[str, ...]] = {
        "approximation": ("bior3.1", "db2", "sym4", "haar"),
        "pyramid": ("haar", "db2"),
        "largest": ("haar", "db2"),
        "block": ("haar",),
    }
    rivals: tuple[TransformName, ...] = ("mean", "uniform", "dct", "pca")
    others = [Transform(name, wavelet) for name, some in wavelets.items() for wavelet in some]
    others += [Transform(name) for name in rivals]
    return {default.name: default} | {other.name: other for other in others}


def race(
    clips: Sequence[Moments], racing: Mapping[str, Transform], ks: Sequence[int]
) -> pd.DataFrame:
    """Measure every contender at every K on every clip.

    Returns:
        One row each: contender, k, block, clip (position), variance and velocity, the shares left
        unexplained, NaN where nothing moves. A contender is left out at a K that it cannot have,
        and one that learns is left out if all clips are of one file; ``mean`` has one number
        whatever K is.
    """
    rows = []
    can_learn = len({clip.file for clip in clips}) > 1
    for name, transform in racing.items():
        learning = transform.transform in LEARNT
        if learning and not can_learn:
            continue
        prepared = [_learner(clip, transform) for clip in clips] if learning else []
        for k, sized in _sizes(transform, ks):
            learnt = [of_clip for of_clip, _ in prepared]
            choices = _choices(clips, learnt, sized) if learning else {}
            for at, clip in enumerate(clips):
                factors = None if learning else _factors(sized, clip.times_T)
                for block, moments_TT in clip.moments.items():
                    if factors is None or learning:
                        functions_TK = prepared[at][1] @ choices[at, block].T
                        factors = functions_TK, fitting(functions_TK, clip.times_T)
                    rows.append((name, k, block, at, *_unexplained(*factors, moments_TT)))
    types = {"contender": str, "k": int, "block": str, "clip": int}
    types |= {"variance": float, "velocity": float}
    return pd.DataFrame(rows, columns=list(types)).astype(types)  # typed even without rows


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over clips, in percent: one row per contender, K and block."""
    keys, measures = ["contender", "k", "block"], ["variance", "velocity"]
    named = {0.25: "low", 0.5: "median", 0.75: "high"}
    grouped = measured.groupby(keys, sort=False)[measures]
    quartiles = (100 * grouped.quantile(list(named))).round(2).unstack()
    quartiles = quartiles.reindex(columns=pd.MultiIndex.from_product([measures, named]))
    quartiles.columns = [f"{measure}_{named[share]}" for measure, share in quartiles.columns]
    counts = measured.dropna().groupby(keys, sort=False).size().rename("clips")
    return quartiles.join(counts).reset_index()


def unexplained(table: pd.DataFrame, k: int) -> dict[str, Any]:
    """What is lost with K numbers: median over clips for each transform and block, in percent."""
    by_contender: dict[str, Any] = {}
    for row in table[table["k"] == k].itertuples():
        lost = {"variance": row.variance_median, "velocity": row.velocity_median}
        by_contender.setdefault(row.contender, {})[row.block] = lost
    return by_contender


def _sizes(transform: Transform, ks: Sequence[int]) -> Iterator[tuple[int, Transform]]:
    for k in ks:
        try:
            sized = replace(transform, k=k)
            sized(np.eye(2), np.arange(2.0))
        except UserError:
            continue
        yield k, sized


def _learner(clip: Moments, transform: Transform) -> tuple[dict[Block, Floats], Floats]:
    """What is learnt from a clip, block -> (N, N), and the functions to choose from, (T, N)."""
    analysis_NT = transform(np.eye(len(clip.times_T)), clip.times_T)
    learnt = {name: analysis_NT @ x_TT @ analysis_NT.T for name, x_TT in clip.moments.items()}
    return learnt, transform.synthesis(clip.times_T)


def _choices(
    clips: Sequence[Moments], learnt: Sequence[Mapping[Block, Floats]], transform: Transform
) -> dict[tuple[int, Block], Floats]:
    """For each clip and block, the (K, N) that was learnt from clips of other files."""
    from sklearn.model_selection import GroupKFold  # takes a second to load

    files = np.unique([clip.file for clip in clips], return_inverse=True)[1]
    folds = GroupKFold(min(_FOLDS, int(files.max()) + 1)).split(files, groups=files)
    learn = reduce.largest if transform.transform == "largest" else reduce.principal
    chosen: dict[tuple[int, Block], Floats] = {}
    for others, measured in folds:
        for block in learnt[0]:
            choice = learn(np.stack([learnt[at][block] for at in others]), transform.k)
            chosen |= {(int(at), block): choice for at in measured}
    return chosen


def _factors(transform: Transform, times_T: Floats) -> tuple[Floats, Floats]:
    """The matrices from numbers to a trajectory, (T, K), and from it to numbers, (K, T)."""
    analysis_KT = transform(np.eye(len(times_T)), times_T)
    return transform.inverse(np.eye(len(analysis_KT)), times_T), analysis_KT


def _unexplained(
    synthesis_TK: Floats, analysis_KT: Floats, moments_TT: Floats
) -> tuple[float, float]:
    """Shares of variance and of squared velocity, summed over channels, that are not kept."""
    # ||X - S A X||^2, and the same for differences in time, expanded: K steps instead of T.
    numbers_KT = analysis_KT @ moments_TT
    squares_KK = numbers_KT @ analysis_KT.T
    size, squares_T = len(moments_TT), np.diagonal(moments_TT)
    neighbours = np.diagonal(moments_TT, 1)
    moving = squares_T[1:].sum() + squares_T[:-1].sum() - 2 * neighbours.sum()
    shares = []
    for energy, whole, functions, numbers in (
        (squares_T.sum(), squares_T.sum() - moments_TT.sum() / size, synthesis_TK, numbers_KT),
        (moving, moving, np.diff(synthesis_TK, axis=0), np.diff(numbers_KT, axis=1)),
    ):
        lost = (
            energy
            - 2 * (functions.T * numbers).sum()
            + ((functions @ squares_KK) * functions).sum()
        )
        # Below this, a trajectory stands still except for rounding.
        moves = whole > 1e-12 * squares_T.sum()
        shares.append(max(float(lost / whole), 0.0) if moves else np.nan)
    return shares[0], shares[1]
