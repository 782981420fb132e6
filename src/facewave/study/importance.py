"""What a trained model relies on: how far its figure falls when inputs are permuted. Pure.

Permutation importance (Breiman 2001, Machine Learning 45) of groups of inputs, that is their model
reliance (Fisher, Rudin and Dominici 2019, JMLR 20): within each fold the group's numbers are taken
from another test clip, all of them from the same one, and everything else stays. It says what this
model uses, not what tells emotions apart: if two groups carry the same information, the model may
use either or both, and each alone may look unimportant. A model that normalises by each person's
own clips has them permuted after that, among clips that are each normalised by its own person.

Importance is the fall of what the study counts by (scores.py): of UAR as a share (0.05: 5 points),
of mean CCC or of mean F1; mean over folds and repeats; about 0, or slightly below by chance, where
nothing is lost. Test clips without a usable face are left out.

Legend of names: n test clips, N numbers per channel ("steps"), D channels of all inputs side by
side, F folds, M classes, numbers or units, P points, G groups of inputs, R repeats, B bootstrap
resamples.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import dct, idct

from facewave.evaluation.intervals import Codes, Floats, draws, groups, interval, mean
from facewave.functionals import matches
from facewave.params import Block, Evaluate, TransformName
from facewave.study.face_map import region_of_blendshape, regions
from facewave.study.scores import MEASURES, Score, summed
from facewave.targets import Target, split, truth
from facewave.training.classifier import TrainedClassifier
from facewave.training.schema import Trained
from facewave.wavelets.schema import BLOCKS
from facewave.workspace import Dataset

Inputs = NDArray[Any]  # float32; float64 where they are transformed
Mask = NDArray[np.bool_]  # (N, D), which inputs belong to a group
# Transforms whose N numbers are in temporal order. Those of the others are not: neither parts of
# the clip nor rates of change can be read off them.
IN_TIME: frozenset[TransformName] = frozenset({"approximation", "uniform", "block", "mean"})
COLUMNS = ("kind", "name", "measure", "importance", "spread", "low", "high")
_REPEATS = 10
_MOST = 256  # groups of columns: each costs as many answers as there are repeats


@dataclass(frozen=True, eq=False)
class Fold:
    """A fold's model and its test clips with a usable face.

    Attributes:
        numbers: (n, N, D) -> (n, M), the model's probabilities or values.
        inputs_nND: finite.
        truth_nM: NaN where it is not known; of words 1 in the word's column.
        group_n: the clips' subjects or sources, coded alike in all folds.
    """

    numbers: Callable[[Inputs], NDArray[Any]]
    inputs_nND: Inputs
    truth_nM: Floats
    group_n: Codes


def of_models(
    models: Mapping[str | int, Trained], dataset: Dataset, score: Score, evaluate: Evaluate
) -> pd.DataFrame:
    """As ``importances``, of a dataset's models by partition over their test clips, rounded.

    It has no rows without a classifier or a test clip with a usable face.
    """
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    truth_nM = np.concatenate([truth(target, clips.table) for target in score.targets], axis=1)
    known_n = ~np.isnan(truth_nM).all(axis=1)
    clips, truth_nM = clips.select(known_n), truth_nM[known_n]
    group_n = groups(clips.table)
    usable_n = clips.table["usable"].to_numpy(bool)
    folds = []
    classifiers = {name: m for name, m in models.items() if isinstance(m, TrainedClassifier)}
    for partition, model in classifiers.items():
        chosen_n = (clips.parts(partition) == "test").to_numpy() & usable_n
        inputs_nND = model.taken(clips.select(chosen_n))
        numbers = partial(_numbers, model, score.targets)
        folds.append(Fold(numbers, inputs_nND, truth_nM[chosen_n], group_n[chosen_n]))
    if not any(len(fold.truth_nM) for fold in folds):
        return pd.DataFrame(columns=list(COLUMNS))
    drawn: dict[str, int] = {"resamples": evaluate.resamples, "seed": evaluate.seed}
    if dataset.entry.features:
        kinds = columns_by_kind(features.config["functionals"], dataset.entry.features.columns)
        tables = [
            importance(folds, score, masks, repeats=_REPEATS, **drawn).assign(kind=kind)
            for kind, masks in kinds.items()
        ]
        return _rounded(pd.concat(tables, ignore_index=True)[list(COLUMNS)])
    table = importances(
        folds,
        score,
        next(iter(classifiers.values())).inputs,
        features.config["blendshapes"],
        regions(features, clips.table.loc[usable_n, "at"].to_numpy()),
        features.config["transform"],
        seen={
            name: math.prod(block.shape[2:])
            for name, block in features.blocks.items()
            if name not in ("blendshapes", "landmarks", "pose_free")
        },
        repeats=_REPEATS,
        **drawn,
    )
    return _rounded(table)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """With five digits, where sums that differ in their last ones alone are the same."""
    return table.round(9).round(5)


def _numbers(model: TrainedClassifier, targets: Sequence[Target], inputs_nND: Inputs) -> Any:
    """What a model answers to some of its targets, (n, M)."""
    of_targets = split(model.targets, model.answers(inputs_nND).astype(float))
    chosen = [of_targets[model.targets.index(target)] for target in targets]
    return np.concatenate(chosen, axis=1)


def importances(
    folds: Sequence[Fold],
    score: Score,
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
        score: what answers are counted by.
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
    tables = [
        importance(folds, score, masks, **settings).assign(kind=kind)
        for kind, masks in kinds.items()
    ]
    if transform in IN_TIME:
        waves = [in_frequencies(fold) for fold in folds]
        bands = scales(n_steps, folds[0].inputs_nND.shape[2])
        tables.append(importance(waves, score, bands, **settings).assign(kind="scale"))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def importance(
    folds: Sequence[Fold],
    score: Score,
    masks: Mapping[str, Mask],
    *,
    repeats: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """How far the figure falls when each of the groups, name -> which inputs, is permuted.

    All groups get the same permutations, so that adding a group changes no other figure. Folds
    without a clip are ignored.

    Returns:
        One row per group: name, measure (what falls), importance (mean fall over folds and
        repeats), spread (standard deviation over the repeats), low and high: the 95 % interval over
        the test clips (intervals.py) of the mean over the repeats. The interval is about other test
        clips, not about training again.

    Raises:
        ValueError: no fold has a clip.
    """
    folds = [fold for fold in folds if len(fold.truth_nM)]
    if not folds:
        raise ValueError("there is no test clip with a usable face")
    rng = np.random.default_rng(seed)
    before = [score.decided(fold.numbers(fold.inputs_nND)) for fold in folds]
    after = [_permuted(fold, score, masks, repeats, rng) for fold in folds]
    group_n = np.concatenate([fold.group_n for fold in folds])
    weighed = [np.ones((1, len(group_n))), *draws(group_n, resamples, seed)]
    falls = [_falls(folds, score, before, after, weights) for weights in weighed]
    falls_GR = falls[0][0]
    low_G, high_G = interval(mean(np.concatenate(falls[1:])))
    return pd.DataFrame(
        {
            "name": list(masks),
            "measure": score.measure,
            "importance": falls_GR.mean(axis=1),
            "spread": falls_GR.std(axis=1),
            "low": low_G,
            "high": high_G,
        }
    )


def _falls(
    folds: Sequence[Fold],
    score: Score,
    before: Sequence[NDArray[Any]],
    after: Sequence[NDArray[Any]],
    weights: Floats,
) -> Floats:
    """The falls of the figure with weights (B, n), (B, G, R)."""
    ends = np.cumsum([len(fold.truth_nM) for fold in folds])[:-1]
    measure, by_fold = MEASURES[score.measure], []
    for fold, said_nM, permuted, inside in zip(
        folds, before, after, np.split(weights, ends, axis=1), strict=True
    ):
        intact_BM = measure.of_sums(summed(measure.terms(fold.truth_nM, said_nM), inside))
        falls = [
            mean(intact_BM)[:, None]
            - mean(measure.of_sums(summed(measure.terms(fold.truth_nM, said_nRM), inside)))
            for said_nRM in permuted
        ]
        by_fold.append(np.stack(falls, axis=1))
    return mean(np.stack(by_fold, axis=-1))


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

    def numbers(waves_nND: Inputs) -> NDArray[Any]:
        return fold.numbers(idct(waves_nND, axis=1, norm="ortho").astype(np.float32))

    # In float64, so that there and back changes no input.
    waves = dct(fold.inputs_nND.astype(np.float64), axis=1, norm="ortho")
    return replace(fold, numbers=numbers, inputs_nND=waves)


def _permuted(
    fold: Fold, score: Score, masks: Mapping[str, Mask], repeats: int, rng: np.random.Generator
) -> NDArray[Any]:
    """What is said when a group is permuted, (G, n, R, M)."""
    orders = [rng.permutation(len(fold.truth_nM)) for _ in range(repeats)]
    said = []
    permuted = fold.inputs_nND.copy()
    for mask in masks.values():
        original = fold.inputs_nND[:, mask]
        for order in orders:
            permuted[:, mask] = original[order]
            said.append(score.decided(fold.numbers(permuted)))
        permuted[:, mask] = original
    said_GRnM = np.stack(said).reshape(len(masks), repeats, *fold.truth_nM.shape)
    return said_GRnM.transpose(0, 2, 1, 3)
