"""How much of trajectories K numbers keep: each transform against its rivals. Pure.

For every clip and block, the share of the variance over time that the inverse leaves unexplained,
summed over the block's channels, and the same for velocity (from frame to frame), where fast
movement counts. Where K numbers are chosen by learning (modes largest and pca), they are learnt on
other clips than they are measured on; temporal PCA bounds what any K functions that are the same
for all clips can do, as far as the clips it was learnt on are like the others.

Legend of names: T frames, C channels, K numbers per channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from facewave.errors import UserError
from facewave.models.classifiers import reduce
from facewave.params import Block, TransformName
from facewave.wavelets.transform import LEARNT, Floats, Transform, fitting

KS = (4, 6, 8, 10, 16, 24, 32, 64)
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Moving:
    """One clip.

    Attributes:
        moments: block -> (T, T), sums over its channels of products of frames; losses need no more.
        times_T: seconds.
        file: its file; clips of one file are never learnt on and measured on at once.
    """

    moments: Mapping[Block, Floats]
    times_T: Floats
    file: str


def moving(blocks: Mapping[Block, Floats], times_T: Floats, file: str) -> Moving:
    """A clip's moments.

    Args:
        blocks: name -> (T, C), gaps interpolated.
        times_T: seconds.
        file: its file.
    """
    moments = {block: values_TC @ values_TC.T for block, values_TC in blocks.items()}
    return Moving(moments, times_T, file)


def contenders(default: Transform) -> dict[str, Transform]:
    """Who races, by name: ``default`` first, each mode, and the rivals; K is the race's affair."""
    pairs: tuple[tuple[TransformName, str], ...] = (
        ("approximation", "bior3.1"),
        ("approximation", "db2"),
        ("approximation", "sym4"),
        ("approximation", "haar"),
        ("pyramid", "haar"),
        ("pyramid", "db2"),
        ("largest", "haar"),
        ("largest", "db2"),
        ("energy", "haar"),
        ("block", "haar"),
    )
    rivals: tuple[TransformName, ...] = ("mean", "uniform", "dct", "pca")
    others = [Transform(mode, family) for mode, family in pairs]
    others += [Transform(mode) for mode in rivals]
    return {default.name: default} | {other.name: other for other in others}


def race(
    clips: Sequence[Moving], racing: Mapping[str, Transform], ks: Sequence[int]
) -> pd.DataFrame:
    """Measure every contender at every K on every clip.

    Returns:
        One row each: contender, k, block, clip (position), variance and velocity, the shares left
        unexplained, NaN where nothing moves. A contender that has no place for so few or so many
        numbers is left out at that K, and one that learns where all clips are of one file;
        ``mean`` has one number whatever K is.
    """
    rows = []
    can_learn = len({clip.file for clip in clips}) > 1
    for name, transform in racing.items():
        learning = transform.transform in LEARNT
        if learning and not can_learn:
            continue
        prepared = [_learner(clip, transform) for clip in clips] if learning else []
        for k, sized in _sizes(transform, ks):
            choices = (
                _choices(clips, [moments for moments, _ in prepared], sized) if learning else {}
            )
            for at, clip in enumerate(clips):
                factors = None if learning else _factors(sized, clip.times_T)
                for block, moments_TT in clip.moments.items():
                    if factors is None or learning:
                        functions_TK = prepared[at][1] @ choices[at, block].T
                        factors = functions_TK, fitting(functions_TK, clip.times_T)
                    rows.append((name, k, block, at, *_unexplained(*factors, moments_TT)))
    types = {"contender": str, "k": int, "block": str, "clip": int}
    types |= {"variance": float, "velocity": float}
    return pd.DataFrame(rows, columns=list(types)).astype(types)  # without clips, too


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over clips, in percent: a row for each contender, K and block."""
    keys, measures = ["contender", "k", "block"], ["variance", "velocity"]
    named = {0.25: "low", 0.5: "median", 0.75: "high"}
    grouped = measured.groupby(keys, sort=False)[measures]
    quartiles = (100 * grouped.quantile(list(named))).round(2).unstack()
    quartiles = quartiles.reindex(columns=pd.MultiIndex.from_product([measures, named]))
    quartiles.columns = [f"{measure}_{named[share]}" for measure, share in quartiles.columns]
    counts = measured.dropna().groupby(keys, sort=False).size().rename("clips")
    return quartiles.join(counts).reset_index()


def _sizes(transform: Transform, ks: Sequence[int]) -> Iterator[tuple[int, Transform]]:
    for k in ks:
        try:
            sized = replace(transform, k=k)
            sized(np.eye(2), np.arange(2.0))
        except UserError:
            continue
        yield k, sized


def _learner(clip: Moving, transform: Transform) -> tuple[dict[Block, Floats], Floats]:
    """What is learnt from a clip, (N, N) a block, and the functions to choose from, (T, N)."""
    analysis_NT = transform(np.eye(len(clip.times_T)), clip.times_T)
    moments = {block: analysis_NT @ own @ analysis_NT.T for block, own in clip.moments.items()}
    return moments, transform.synthesis(clip.times_T)


def _choices(
    clips: Sequence[Moving], moments: Sequence[Mapping[Block, Floats]], transform: Transform
) -> dict[tuple[int, Block], Floats]:
    """For each clip and block, the (K, N) that were learnt on clips of other files."""
    files = np.unique([clip.file for clip in clips], return_inverse=True)[1]
    folds = GroupKFold(min(_FOLDS, int(files.max()) + 1)).split(files, groups=files)
    learn = reduce.largest if transform.transform == "largest" else reduce.principal
    chosen: dict[tuple[int, Block], Floats] = {}
    for others, own in folds:
        for block in moments[0]:
            choice = learn(np.stack([moments[at][block] for at in others]), transform.k)
            chosen |= {(int(at), block): choice for at in own}
    return chosen


def _factors(transform: Transform, times_T: Floats) -> tuple[Floats, Floats]:
    """The matrices that take numbers to a trajectory, (T, K), and a trajectory to them, (K, T)."""
    analysis_KT = transform(np.eye(len(times_T)), times_T)
    return transform.inverse(np.eye(len(analysis_KT)), times_T), analysis_KT


def _unexplained(
    synthesis_TK: Floats, analysis_KT: Floats, moments_TT: Floats
) -> tuple[float, float]:
    """Shares of variance and of squared velocity, summed over channels, that are not kept."""
    # ||X - S A X||^2 and the same of differences in time, by squares: in K steps instead of T.
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
        # Below this a trajectory stands still but for rounding.
        moves = whole > 1e-12 * squares_T.sum()
        shares.append(max(float(lost / whole), 0.0) if moves else np.nan)
    return shares[0], shares[1]
