"""What learning several targets at once changes, and two questions about valence and arousal. Pure.

Classifiers whose heads share nothing learn a target the same whatever stands beside it. So all of
this is about one network, ``study.trunk``, on the inputs and settings of stage train.

- ``tasks``: each target of each of ``study.targets`` (sets that are learnt together), and, where it
  stands in several, the difference to the smallest of them: above 0 the further targets helped
  (positive transfer), below 0 they were in the way.
- ``quadrants``: which is better, to learn four classes, or to learn valence and arousal and to cut
  the plane? Both are learnt as the clips come (``train.imbalance: none``: there are no weights of
  numbers), and answer the same clips, those that have a quadrant.
- ``sampling``: valence and arousal learnt as the clips come, and with ``train.imbalance: sampler``,
  which draws all cells of their plane equally often. Rare clips are those in cells with few clips,
  common ones the others, about half each.

Figures are shares of 1, as in report.json; differences are paired, with interval and p as in
``evaluation.paired``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import targets
from facewave.evaluation.intervals import Floats
from facewave.labels import affect
from facewave.params import ClassifierKind, Evaluate, Train
from facewave.study.runs import run
from facewave.study.scores import (
    CCC,
    DIFFERENCE,
    MAE,
    Answered,
    Score,
    chance,
    compared,
    counts,
    estimate,
    rounded,
)
from facewave.targets import Target
from facewave.training.calibration import FEWEST
from facewave.training.parts import is_learnt_from, truth_of
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips

_FIGURE = ("measure", "n", "groups", "folds", "figure", "low", "high")
Imbalance = Literal["none", "weights", "sampler"]
AXES = targets.PLANE[:2]
COLUMNS = {  # of each table
    "tasks": ("together", "target", "model", *_FIGURE, "chance", "against", *DIFFERENCE),
    "quadrants": ("way", "model", *_FIGURE, "chance", *DIFFERENCE),
    "sampling": ("imbalance", "target", "clips", "model", *_FIGURE, *DIFFERENCE),
}
CLASSIFIED, CUT = "four classes", "regressed and cut"


@dataclass(frozen=True, eq=False)
class Learner:
    """A network that learns sets of targets on every partition, each set once.

    Attributes:
        clips: that have any of the targets.
        transform: what made their features.
        kind: which network.
        settings: section ``train``.
        parts: for each partition, which part each clip is in.
    """

    clips: Clips
    transform: Transform
    kind: ClassifierKind
    settings: Train
    parts: Sequence[pd.Series]
    _known: dict[Any, pd.DataFrame] = field(default_factory=dict, init=False)

    def answers(
        self, together: Sequence[Target], imbalance: Imbalance | None = None
    ) -> pd.DataFrame:
        """Its answers to all test clips (prediction/schema.py).

        Args:
            together: what is learnt.
            imbalance: as ``train.imbalance``; None: that itself.
        """
        imbalance = imbalance or self.settings.imbalance
        if imbalance == "weights" and not any(target.is_words for target in together):
            imbalance = "none"  # there are weights of words alone
        key = (tuple(together), imbalance)
        if key not in self._known:
            settings = replace(self.settings, imbalance=imbalance)
            made = run(self.clips, self.transform, together, self.kind, settings, self.parts)
            self._known[key] = made.tested
        return self._known[key]

    def lacking(self, together: Sequence[Target]) -> str:
        """Why targets cannot be learnt on every partition, or not be tested; "" if they can."""
        usable_n = self.clips.table["usable"].to_numpy(bool)
        usable = self.clips.select(usable_n)
        learnt = [
            is_learnt_from(usable, part[usable_n], together, self.settings) for part in self.parts
        ]
        for target in together:
            truth_nW = truth_of(usable, [target], self.settings.network.soft_labels)
            known_n = ~np.isnan(truth_nW).all(axis=1)
            fewest = min(int((known_n & learnt_n).sum()) for learnt_n in learnt)
            if fewest < FEWEST:
                return f"{fewest} training clips have {target.name}, and {FEWEST} are the fewest"
            if not self.is_tested([target]):
                return f"no test clip has {target.name}"
        return ""

    def is_tested(self, together: Sequence[Target]) -> bool:
        """Whether some test clip has all of the targets."""
        known_n = np.all([targets.known([one], self.clips.table) for one in together], axis=0)
        return any((known_n & (part == "test").to_numpy()).any() for part in self.parts)


def tasks(learner: Learner, sets: Sequence[Sequence[Target]], evaluate: Evaluate) -> pd.DataFrame:
    """Each target of each set (``COLUMNS``); ``against`` is the set that differences are to."""
    rows = []
    for together in sets:
        for target in together:
            score = Score((target,))
            tested = score.tested(learner.answers(together))
            named = {"together": _named(together), "target": target.name}
            row: dict[str, Any] = named | {"model": learner.kind}
            row |= _figure(score.measure, tested, evaluate)
            row |= rounded({"chance": chance(score, tested)})
            smallest = min((one for one in sets if target in one), key=len)
            if smallest != together:
                alone = score.tested(learner.answers(smallest))
                row |= {"against": _named(smallest)}
                row |= compared(score.measure, tested, alone, evaluate)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS["tasks"]))


def quadrants(
    learner: Learner, target: Target, plane: Sequence[Target], zone: float, evaluate: Evaluate
) -> pd.DataFrame:
    """Both ways to tell quadrants (``COLUMNS``), the difference in the rows of the second.

    Args:
        learner: of both.
        target: the quadrant.
        plane: valence and arousal.
        zone: points that are no further from the centre are neutral (``labels.neutral_zone``).
        evaluate: the bootstrap.
    """
    score, clip = Score((target,)), ["partition", "video_idx"]
    classified = learner.answers([target], "none")
    trained = score.tested(classified)
    points = classified[clip].merge(learner.answers(plane, "none"), "left", clip, validate="1:1")
    valence_n, arousal_n = (points[of.numbers[0]].to_numpy(float) for of in plane)
    words_n = targets.quadrants(valence_n, arousal_n, zone)
    cut = replace(trained, said_nM=(words_n[:, None] == np.array(target.names)).astype(np.int8))
    rows = []
    for measure in score.measures:
        for way, tested in ((CLASSIFIED, trained), (CUT, cut)):
            row = {"way": way, "model": learner.kind} | _figure(measure, tested, evaluate)
            if measure == score.measure:
                row |= rounded({"chance": chance(score, tested)})
            if way == CUT:
                row |= compared(measure, cut, trained, evaluate)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS["quadrants"]))


def sampling(learner: Learner, plane: Sequence[Target], evaluate: Evaluate) -> pd.DataFrame:
    """Valence and arousal without and with the sampler (``COLUMNS``), the difference with it.

    CCC is over all clips; the mean absolute error over all, the rare and the common ones. There are
    no rare ones where all cells have the same number of clips.
    """
    score, tables = Score(tuple(plane)), {}
    both: tuple[Imbalance, ...] = ("none", "sampler")
    for imbalance in both:
        rows = learner.answers(plane, imbalance)
        known_n = rows[[of.actual[0] for of in plane]].notna().all(axis=1)
        tables[imbalance] = score.tested(rows[known_n])
    of_targets = {"mean": slice(None)} | {of.name: slice(at, at + 1) for at, of in enumerate(plane)}
    everything = np.ones(len(tables["none"].fold), bool)
    is_rare = rare(tables["none"].truth_nM)
    of_clips = {"all": everything}
    if not is_rare.all():
        of_clips |= {"rare": is_rare, "common": ~is_rare}
    rows = []
    for name, columns in of_targets.items():
        for measure, clips in ((CCC, "all"), *((MAE, clips) for clips in of_clips)):
            chosen = {
                imbalance: tested.part(of_clips[clips], columns)
                for imbalance, tested in tables.items()
            }
            for imbalance, tested in chosen.items():
                row = {"imbalance": imbalance, "target": name, "clips": clips}
                row |= {"model": learner.kind} | _figure(measure, tested, evaluate)
                if imbalance == "sampler":
                    row |= compared(measure, tested, chosen["none"], evaluate)
                rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS["sampling"]))


def rare(points_n2: Floats) -> NDArray[np.bool_]:
    """Which points of the plane are in cells with few points, about half of them, (n,).

    All are where all cells have the same number.
    """
    valence_n, arousal_n = affect.bins(points_n2).T
    cell_n = valence_n * affect.BINS + arousal_n
    count_n = np.bincount(cell_n)[cell_n]
    sizes, n_points = np.unique(count_n, return_counts=True)
    up_to = n_points.cumsum()[:-1]
    most = sizes[np.abs(up_to - len(count_n) / 2).argmin()] if len(up_to) else sizes[0]
    return np.asarray(count_n <= most)


def summary(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The main figures of each table that has rows, by its name."""
    names = {
        "tasks": ["together", "target", "measure", "figure", "against", "difference", "p"],
        "quadrants": ["way", "measure", "figure", "difference", "p"],
        "sampling": ["imbalance", "target", "clips", "measure", "figure", "difference", "p"],
    }
    return {
        name: [row.dropna().to_dict() for _, row in table[names[name]].astype(object).iterrows()]
        for name, table in tables.items()
        if len(table)
    }


def _named(together: Sequence[Target]) -> str:
    return " + ".join(target.name for target in together)


def _figure(measure: str, tested: Answered, evaluate: Evaluate) -> dict[str, Any]:
    figure, low, high = estimate(measure, tested, evaluate).named("").values()
    row = {"measure": measure} | counts(tested)
    return row | rounded({"figure": figure, "low": low, "high": high})
