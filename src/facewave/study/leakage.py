"""How much a score gains when folds share subjects. Pure."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

import pandas as pd
from sklearn.model_selection import StratifiedKFold

from facewave.labels import schema as labels
from facewave.params import ClassifierKind, Params
from facewave.study.clips import Trajectories
from facewave.study.runs import run
from facewave.study.scores import UAR, Score, columns_of, figures
from facewave.targets import actual, known
from facewave.training.schema import settings_of
from facewave.wavelets.transform import Transform


def leakage(
    trajectories: Trajectories, kinds: Mapping[str, ClassifierKind], score: Score, loaded: Params
) -> pd.DataFrame:
    """The configured models on the dataset's folds and on as many random ones.

    With both, the fold after the tested one validates, whatever the dataset's protocol: the two
    differ only in who is in which fold. What normalises by a person's own clips does so in both,
    whatever these clips' folds. Pseudo-labels do not teach here: whoever gave them may have learnt
    from clips that other folds test.

    Returns:
        protocol, role, model and ``scores.columns_of``, a row for each role of ``kinds`` and
        protocol; none if no two clips share a subject or source, with fewer than three folds, or if
        every class has fewer clips than there are folds.
    """
    rows = []
    labelled, asked = trajectories.table(), trajectories.dataset.targets
    taught = (labelled["pseudo"] != "").to_numpy()
    in_fold = labelled["fold"].notna().to_numpy() & (~taught | known(asked, labelled))
    table = labelled[in_fold].reset_index(drop=True)
    n_folds = table["fold"].nunique()
    strata = _strata(score, table)
    drawable = len(table) and strata.value_counts().max() >= n_folds
    if drawable and labels.groups(table).duplicated().any() and n_folds > 2:
        transform = Transform.of(loaded.wavelets)
        clips = trajectories.clips(transform, loaded.train.inputs).select(in_fold)
        blank = clips.table.assign(pseudo="", pseudo_shares="")
        clips = replace(clips, table=blank, pseudo=None)
        random = random_folds(strata, n_folds, loaded.labels.seed)
        folds = {"disjoint": table["fold"], "random": random}
        for protocol, (role, kind) in product(folds, kinds.items()):
            parts = list(partitions(folds[protocol]))
            settings = settings_of(role, loaded.train)
            outcome = run(clips, transform, asked, kind, settings, parts)
            row = {"protocol": protocol, "role": role, "model": kind}
            rows.append(row | figures(score, score.tested(outcome.tested), loaded.evaluate))
    return pd.DataFrame(rows, columns=["protocol", "role", "model", *columns_of(score.measures)])


def _strata(score: Score, table: pd.DataFrame) -> pd.Series:
    """The word of each clip; where words do not count, nothing."""
    if score.measure != UAR:
        return pd.Series("", table.index)
    (target,) = score.targets
    return actual(target, table).iloc[:, 0]


def random_folds(strata: pd.Series, n_folds: int, seed: int) -> pd.Series:
    """Stratified folds, drawn without regard to subjects."""
    fold = pd.Series(0, strata.index)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than folds is missing from some; that is accepted.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for number, (_, test) in enumerate(folds.split(strata, strata.to_numpy())):
            fold.iloc[test] = number
    return fold


def partitions(fold: pd.Series) -> Iterator[pd.Series]:
    """For each fold, which part each clip is in: the fold is tested, the next one validates."""
    numbers = sorted(fold.unique())
    for test, val in zip(numbers, [*numbers[1:], numbers[0]], strict=True):
        yield fold.map({test: "test", val: "val"}).fillna("train")
