"""What a trained model relies on: how far its UAR falls when inputs are permuted. Pure.

Permutation importance (Breiman 2001, Machine Learning 45) of groups of inputs, that is their model
reliance (Fisher, Rudin and Dominici 2019, JMLR 20): within each fold the group's numbers are taken
from another test clip, all of them from the same one, and everything else stays. It says what this
model uses, not what tells emotions apart: if two groups carry the same information, the model may
use either or both, and each alone may look unimportant. A model that normalises by each person's
own clips has them permuted after that, among clips that are each normalised by its own person.

Importance is the fall of UAR, as a share (0.05: 5 points), mean over folds and repeats; about 0, or
slightly below by chance, where nothing is lost. Test clips without a usable face are left out.

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

from facewave.evaluation.intervals import Codes, Floats, divide, draws, groups, interval, mean
from facewave.functionals import matches
from facewave.labels import schema as labels
from facewave.params import Block, Evaluate, TransformName
from facewave.study.face_map import mean_face, region_of_blendshape, region_of_points
from facewave.training.classifier import TrainedClassifier
from facewave.training.schema import Trained
from facewave.wavelets.schema import BLOCKS, POINTS
from facewave.workspace import Dataset

Inputs = NDArray[Any]  # float32; float64 where they are transformed
Mask = NDArray[np.bool_]  # (N, D), which inputs belong to a group
# Transforms whose N numbers are in temporal order. Those of the others are not: neither parts of
# the clip nor rates of change can be read off them.
IN_TIME: frozenset[TransformName] = frozenset({"approximation", "uniform", "block", "mean"})
COLUMNS = ("kind", "name", "importance", "spread", "low", "high")
_REPEATS = 10
_MOST = 256  # groups of columns: each costs as many answers as there are repeats


@dataclass(frozen=True, eq=False)
class Fold:
    """A fold's model and its test clips with a usable face.

    Attributes:
        probabilities: (n, N, D) -> (n, C).
        inputs_nND: finite.
        actual_n: class codes.
        group_n: the clips' subjects or sources, coded alike in all folds.
    """

    probabilities: Callable[[Inputs], NDArray[Any]]
    inputs_nND: Inputs
    actual_n: Codes
    group_n: Codes


def of_models(
    models: Mapping[str | int, Trained], dataset: Dataset, evaluate: Evaluate
) -> pd.DataFrame:
    """As ``importances``, of a dataset's models by partition over their test clips, rounded.

    It has no rows without a classifier or a test clip with a usable face.
    """
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    group_n = groups(clips.table)
    usable_n = clips.table["usable"].to_numpy(bool)
    folds = []
    classifiers = {name: m for name, m in models.items() if isinstance(m, TrainedClassifier)}
    for partition, model in classifiers.items():
        chosen_n = (labels.parts(clips.table, partition) == "test").to_numpy() & usable_n
        test = clips.select(chosen_n)
        codes_n = test.table["label"].to_numpy(np.int64)
        inputs_nND = model.taken(test)
        folds.append(Fold(model.probabilities, inputs_nND, codes_n, group_n[chosen_n]))
    if not any(len(fold.actual_n) for fold in folds):
        return pd.DataFrame(columns=list(COLUMNS))
    drawn: dict[str, int] = {"resamples": evaluate.resamples, "seed": evaluate.seed}
    if dataset.entry.features:
        kinds = columns_by_kind(features.config["functionals"], dataset.entry.features.columns)
        tables = [
            importance(folds, masks, repeats=_REPEATS, **drawn).assign(kind=kind)
            for kind, masks in kinds.items()
        ]
        return pd.concat(tables, ignore_index=True)[list(COLUMNS)].round(5)
    region_P = np.array([], str)  # tracks of other tools may have no mesh
    if "pose_free" in features.blocks:
        region_P = region_of_points(mean_face(features, clips.table.loc[usable_n, "at"].to_numpy()))
    return importances(
        folds,
        next(iter(classifiers.values())).inputs,
        features.config["blendshapes"],
        region_P[POINTS] if features.config["sides"] == "merged" and len(region_P) else region_P,
        features.config["transform"],
        seen={
            name: math.prod(block.shape[2:])
            for name, block in features.blocks.items()
            if name not in ("blendshapes", "landmarks", "pose_free")
        },
        repeats=_REPEATS,
        **drawn,
    ).round(5)


def importances(
    folds: Sequence[Fold],
    inputs: Sequence[Block],
    blendshapes: Sequence[str],
    region_P: NDArray[np.str_],
    transform: TransformName,
    *,
    seen: Mapping[Block, int],
    repeats: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The importance of every named group of inputs.

    Args:
        folds: one per partition.
        inputs: the blocks that make up the D channels, in their order.
        blendshapes: the names of that block's channels.
        region_P: the region of each point of the blocks (``face_map.region_of_points``).
        transform: of the wavelet stage.
        seen: the channels of blocks of other kinds than blendshapes and the mesh's points.
        repeats: permutations of each group and fold.
        resamples: of the bootstrap.
        seed: of both.

    Returns:
        ``COLUMNS``, one row per group, see ``importance``; kind is block, blendshape, region, part
        (of the clip; place, where numbers are not in temporal order) or scale (``scales``).
    """
    settings = {"repeats": repeats, "resamples": resamples, "seed": seed}
    n_steps = folds[0].inputs_nND.shape[1]
    kinds = groups_by_kind(inputs, blendshapes, region_P, n_steps, transform, seen)
    tables = [importance(folds, masks, **settings).assign(kind=k) for k, masks in kinds.items()]
    if transform in IN_TIME:
        waves = [in_frequencies(fold) for fold in folds]
        bands = scales(n_steps, folds[0].inputs_nND.shape[2])
        tables.append(importance(waves, bands, **settings).assign(kind="scale"))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def importance(
    folds: Sequence[Fold],
    masks: Mapping[str, Mask],
    *,
    repeats: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """How far UAR falls when each of the groups, name -> which inputs, is permuted.

    All groups get the same permutations, so that adding a group changes no other figure. Folds
    without a clip are ignored.

    Returns:
        One row per group: name, importance (mean fall of UAR over folds and repeats), spread
        (standard deviation over the repeats), low and high: the 95 % interval over the test clips
        (intervals.py), each clip with its mean over the repeats. The interval is about other test
        clips, not about training again.

    Raises:
        ValueError: no fold has a clip.
    """
    folds = [fold for fold in folds if len(fold.actual_n)]
    if not folds:
        raise ValueError("there is no test clip with a usable face")
    rng = np.random.default_rng(seed)
    before_n = np.concatenate([_right(fold, fold.inputs_nND) for fold in folds])
    lost_GRn = before_n - np.concatenate(
        [_permuted(fold, masks, repeats, rng) for fold in folds], axis=2
    )
    one_nFC = _one_hot(folds)
    falls_GR = _uar(lost_GRn, np.ones(len(one_nFC)), one_nFC)
    lost_Gn = lost_GRn.mean(axis=1)
    drawn_BG = np.concatenate(
        [
            np.stack([_uar(lost_n, weights, one_nFC) for lost_n in lost_Gn], axis=-1)
            for weights in draws(np.concatenate([f.group_n for f in folds]), resamples, seed)
        ]
    )
    low_G, high_G = interval(drawn_BG)
    return pd.DataFrame(
        {
            "name": list(masks),
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
    transform: TransformName,
    seen: Mapping[Block, int],
) -> dict[str, dict[str, Mask]]:
    """Kind -> name -> which of the (N, D) inputs; arguments and kinds as in ``importances``.

    A region has its blendshapes and its points, whatever block they are in; the head's pose is a
    region of its own. Some inputs belong to no region.
    """
    of_D: dict[str, list[str]] = {"block": [], "blendshape": [], "region": []}
    regions = {
        "blendshapes": [region_of_blendshape(name) for name in blendshapes],
        "head": ["head"] * dict(seen).get("head", BLOCKS["head"][0]),
    } | dict.fromkeys(("landmarks", "pose_free"), np.repeat(region_P, 3).tolist())
    widths: dict[Block, int] = {name: shape[0] for name, shape in BLOCKS.items()} | dict(seen)
    widths |= dict.fromkeys(("landmarks", "pose_free"), 3 * len(region_P))
    widths["blendshapes"] = len(blendshapes)
    for block in inputs:
        width = widths[block]
        none = [""] * width
        of_D["block"] += [block] * width
        of_D["blendshape"] += list(blendshapes) if block == "blendshapes" else none
        of_D["region"] += regions.get(block, none)
    kinds: dict[str, dict[str, Mask]] = {}
    for kind, names in of_D.items():
        distinct = [name for name in dict.fromkeys(names) if name]
        masks = {name: np.tile(np.array(names) == name, (n_steps, 1)) for name in distinct}
        kinds |= {kind: masks} if masks else {}
    kinds["part" if transform in IN_TIME else "place"] = {
        f"{i + 1} of {n_steps}": np.tile(step[:, None], len(of_D["block"]))
        for i, step in enumerate(np.eye(n_steps, dtype=bool))
    }
    return kinds


def columns_by_kind(columns: Sequence[str], patterns: Sequence[str]) -> dict[str, dict[str, Mask]]:
    """Kind -> name -> which of the (1, D) inputs, of a table of features.

    Kind ``pattern`` has the columns of each pattern of params.yaml; kind ``column`` those that
    are named alike up to their first underscore, as AU01_r and AU01_c are: at most ``_MOST`` such
    groups, and none where there are more.
    """
    starts = [name.partition("_")[0] or name for name in columns]
    alike = list(dict.fromkeys(starts))
    kinds = {
        "pattern": {
            pattern: np.array([[matches(name, pattern) for name in columns]])
            for pattern in patterns
        },
        "column": {start: np.array([[one == start for one in starts]]) for start in alike},
    }
    return {"pattern": kinds["pattern"]} if len(alike) > _MOST else kinds


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


def _right(fold: Fold, inputs_nND: Inputs) -> NDArray[np.int8]:
    """Which of a fold's answers are right (1), (n,)."""
    return (fold.probabilities(inputs_nND).argmax(axis=1) == fold.actual_n).astype(np.int8)


def _permuted(
    fold: Fold, masks: Mapping[str, Mask], repeats: int, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Which answers are right (1) when a group is permuted, (G, R, n)."""
    orders = [rng.permutation(len(fold.actual_n)) for _ in range(repeats)]
    right_GRn = np.empty((len(masks), repeats, len(fold.actual_n)), np.int8)
    permuted = fold.inputs_nND.copy()
    for right_Rn, mask in zip(right_GRn, masks.values(), strict=True):
        original = fold.inputs_nND[:, mask]
        for repeat, order in enumerate(orders):
            permuted[:, mask] = original[order]
            right_Rn[repeat] = _right(fold, permuted)
        permuted[:, mask] = original
    return right_GRn


def _one_hot(folds: Sequence[Fold]) -> Floats:
    """Each clip's fold and class, (n, F, C)."""
    codes_n = np.concatenate([fold.actual_n for fold in folds])
    fold_n = np.repeat(np.arange(len(folds)), [len(fold.actual_n) for fold in folds])
    one_nFC = np.zeros((len(codes_n), len(folds), codes_n.max() + 1))
    one_nFC[np.arange(len(one_nFC)), fold_n, codes_n] = 1
    return one_nFC


def _uar(values: Floats, weights: Floats, one_nFC: Floats) -> Floats:
    """UAR with any values in place of right answers, (..., n), weighted, (..., n) -> (...).

    It is linear in them, so that of what was lost it is the fall of UAR.
    """
    one_nK = one_nFC.reshape(len(one_nFC), -1)
    sums, counts = ((each @ one_nK) for each in (values * weights, weights))
    recalls = divide(sums, np.broadcast_to(counts, sums.shape))
    return mean(mean(recalls.reshape(*sums.shape[:-1], *one_nFC.shape[1:])))
