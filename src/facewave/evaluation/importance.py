"""What a trained model relies on: how far its UAR falls when inputs are permuted. Pure.

Permutation importance (Breiman 2001, Machine Learning 45) of whole groups of inputs, which is
their model reliance (Fisher, Rudin and Dominici 2019, JMLR 20): within each fold the group's
numbers are taken from another test clip, all of one clip together, and everything else stays. It
tells what this model uses, not what tells emotions apart: of two groups that say the same, the
model may lean on either or on both, and then each alone looks unimportant.

Importance is the fall of UAR, a share as UAR is (0.05: 5 points), mean over folds and repeats;
about 0, or by chance below, where nothing is lost. Test clips without a usable face take no part.

Legend of names: n test clips, N numbers per channel ("steps"), D channels of all inputs side by
side, F folds, C classes, P points, G groups of inputs, R repeats, B bootstrap resamples.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import dct, idct

from facewave.evaluation.face_map import region_of_blendshape
from facewave.evaluation.intervals import Codes, Floats, draws, interval, mean
from facewave.evaluation.measures import Answers
from facewave.params import Block, TransformName
from facewave.wavelets.schema import BLOCKS

Inputs = NDArray[Any]  # float32; float64 where they are transformed
Mask = NDArray[np.bool_]  # (N, D), which inputs belong to a group
# Modes of the wavelet stage whose N numbers follow each other in time. In others they have places
# of their own, and neither parts of the clip nor rates of change can be told from them.
IN_TIME: frozenset[TransformName] = frozenset({"approximation", "uniform", "block", "mean"})
COLUMNS = ("kind", "name", "importance", "spread", "low", "high")


@dataclass(frozen=True, eq=False)
class Fold:
    """A fold's model and its test clips with a usable face.

    Attributes:
        probabilities: (n, N, D) -> (n, C).
        inputs_nND: finite.
        actual_n: class codes.
        group_n: whose each clip is, in codes that are the same in all folds.
    """

    probabilities: Callable[[Inputs], NDArray[Any]]
    inputs_nND: Inputs
    actual_n: Codes
    group_n: Codes


def importances(
    folds: Sequence[Fold],
    inputs: Sequence[Block],
    blendshapes: Sequence[str],
    region_P: NDArray[np.str_],
    mode: TransformName,
    *,
    repeats: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The importance of every group of inputs that has a name.

    Args:
        folds: one for each partition; only one for a single split.
        inputs: the blocks that make up the D channels, in their order.
        blendshapes: the 52 names.
        region_P: (478,), of each point (``face_map.region_of_points``).
        mode: of the wavelet stage.
        repeats: permutations of each group and fold.
        resamples: of the bootstrap.
        seed: of both.

    Returns:
        ``COLUMNS``, a row a group, see ``importance``; kind is block, blendshape, region, part (of
        the clip; place, where the numbers do not follow in time) or scale (``scales``).
    """
    settings = {"repeats": repeats, "resamples": resamples, "seed": seed}
    n_steps = folds[0].inputs_nND.shape[1]
    kinds = groups_by_kind(inputs, blendshapes, region_P, n_steps, mode)
    found = [importance(folds, of_kind, **settings).assign(kind=k) for k, of_kind in kinds.items()]
    if mode in IN_TIME:
        waves = [in_frequencies(fold) for fold in folds]
        bands = scales(n_steps, folds[0].inputs_nND.shape[2])
        found.append(importance(waves, bands, **settings).assign(kind="scale"))
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def importance(
    folds: Sequence[Fold],
    groups: Mapping[str, Mask],
    *,
    repeats: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """How far UAR falls when each group is permuted.

    All groups see the same permutations, so one more group changes no other's figure.

    Args:
        folds: see ``Fold``; those without a clip count for nothing.
        groups: name -> which inputs.
        repeats: permutations of each group and fold.
        resamples: of the bootstrap.
        seed: of both.

    Returns:
        A row a group: name, importance (mean fall of UAR over folds and repeats), spread (standard
        deviation over the repeats), low and high: 95 % percentile interval by bootstrap over the
        test clips as in measures.py, whole groups where there are enough, each clip with its mean
        over the repeats. It tells what other test clips might give, not what training again might.

    Raises:
        ValueError: no fold has a clip.
    """
    folds = [fold for fold in folds if len(fold.actual_n)]
    if not folds:
        raise ValueError("there is no test clip with a usable face")
    rng = np.random.default_rng(seed)
    answers = _answers(folds)
    before_n = (answers.predicted == answers.actual).astype(np.int8)
    lost_GRn = before_n - np.concatenate(
        [_right(fold, groups, repeats, rng) for fold in folds], axis=2
    )
    one_nFC = _one_hot(answers)
    falls_GR = _uar(lost_GRn, np.ones(len(one_nFC)), one_nFC)
    lost_Gn = lost_GRn.mean(axis=1)
    drawn_BG = np.concatenate(
        [
            np.stack([_uar(lost_n, weights, one_nFC) for lost_n in lost_Gn], axis=-1)
            for weights in draws(answers.group, resamples, seed)
        ]
    )
    low_G, high_G = interval(drawn_BG)
    return pd.DataFrame(
        {
            "name": list(groups),
            "importance": falls_GR.mean(axis=1),
            "spread": falls_GR.std(axis=1),
            "low": low_G,
            "high": high_G,
        }
    )


def groups_by_kind(
    inputs: Sequence[Block],
    blendshapes: Sequence[str],
    region_P: NDArray[np.str_],
    n_steps: int,
    mode: TransformName,
) -> dict[str, dict[str, Mask]]:
    """Kind -> name -> which of the (N, D) inputs; arguments and kinds as in ``importances``.

    A region has its blendshapes and its points, in whatever blocks they are; the head's pose is a
    region of its own. Not everything has a region.
    """
    of_D: dict[str, list[str]] = {"block": [], "blendshape": [], "region": []}
    regions = {
        "blendshapes": [region_of_blendshape(name) for name in blendshapes],
        "head": ["head"] * BLOCKS["head"][0],
    } | dict.fromkeys(("landmarks", "pose_free"), np.repeat(region_P, 3).tolist())
    for block in inputs:
        width = int(np.prod(BLOCKS[block]))
        none = [""] * width
        of_D["block"] += [block] * width
        of_D["blendshape"] += list(blendshapes) if block == "blendshapes" else none
        of_D["region"] += regions.get(block, none)
    found: dict[str, dict[str, Mask]] = {}
    for kind, names in of_D.items():
        distinct = [name for name in dict.fromkeys(names) if name]
        masks = {name: np.tile(np.array(names) == name, (n_steps, 1)) for name in distinct}
        found |= {kind: masks} if masks else {}
    places = np.arange(n_steps)[:, None] == np.arange(n_steps)
    found["part" if mode in IN_TIME else "place"] = {
        f"{i + 1} of {n_steps}": np.tile(place[:, None], len(of_D["block"]))
        for i, place in enumerate(places)
    }
    return found


def scales(n_steps: int, n_channels: int) -> dict[str, Mask]:
    """Time scales: octaves of the cosine transform's index, name -> which of its (N, D).

    Index 0 is the clip's level. Index i is i half waves in the clip: one movement, up or down,
    takes 1/i of the clip. An octave is from i to 2 i - 1.
    """
    found = {"level": slice(0, 1)}
    for octave in range(math.ceil(math.log2(max(n_steps, 1)))):
        first, last = 2**octave, min(2 ** (octave + 1), n_steps) - 1
        name = f"1/{last}" if last == first else f"1/{last} to 1/{first}"
        found["1" if first == 1 else name] = slice(first, last + 1)
    masks = {}
    for name, band in found.items():
        masks[name] = np.zeros((n_steps, n_channels), bool)
        masks[name][band] = True
    return masks


def in_frequencies(fold: Fold) -> Fold:
    """The same model and clips, with the orthonormal DCT-II along the steps as inputs.

    What is permuted there is a rate of change; the model sees the inverse.
    """

    def probabilities(waves_nND: Inputs) -> NDArray[Any]:
        return fold.probabilities(idct(waves_nND, axis=1, norm="ortho").astype(np.float32))

    # In float64, so that there and back changes no input.
    waves = dct(fold.inputs_nND.astype(np.float64), axis=1, norm="ortho")
    return replace(fold, probabilities=probabilities, inputs_nND=waves)


def _answers(folds: Sequence[Fold]) -> Answers:
    """What the models say of the inputs as they are, all folds one after the other."""
    probabilities = np.concatenate([fold.probabilities(fold.inputs_nND) for fold in folds])
    return Answers(
        actual=np.concatenate([fold.actual_n for fold in folds]),
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        fold=np.repeat(np.arange(len(folds)), [len(fold.actual_n) for fold in folds]),
        group=np.concatenate([fold.group_n for fold in folds]),
    )


def _right(
    fold: Fold, groups: Mapping[str, Mask], repeats: int, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Which answers are right (1) when a group is permuted, (G, R, n)."""
    orders = [rng.permutation(len(fold.actual_n)) for _ in range(repeats)]
    right_GRn = np.empty((len(groups), repeats, len(fold.actual_n)), np.int8)
    permuted = fold.inputs_nND.copy()
    for right_Rn, mask in zip(right_GRn, groups.values(), strict=True):
        own = fold.inputs_nND[:, mask]
        for repeat, order in enumerate(orders):
            permuted[:, mask] = own[order]
            right_Rn[repeat] = fold.probabilities(permuted).argmax(axis=1) == fold.actual_n
        permuted[:, mask] = own
    return right_GRn


def _one_hot(answers: Answers) -> Floats:
    """Each clip's fold and class, (n, F, C)."""
    one_nFC = np.zeros((len(answers.actual), answers.n_folds, answers.n_classes))
    one_nFC[np.arange(len(one_nFC)), answers.fold, answers.actual] = 1
    return one_nFC


def _uar(values: Floats, weights: Floats, one_nFC: Floats) -> Floats:
    """UAR with any values in place of right answers, (..., n), weighted, (..., n) -> (...).

    It is linear in them, so of what was lost it is the fall of UAR.
    """
    one_nK = one_nFC.reshape(len(one_nFC), -1)
    sums, counts = ((each @ one_nK) for each in (values * weights, weights))
    recalls = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return mean(mean(recalls.reshape(*sums.shape[:-1], *one_nFC.shape[1:])))
