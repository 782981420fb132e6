"""What networks over faces owe to pseudo-labels: in one stage or two, by how wrong they are.

Each of ``study.teaching.networks`` is trained on every partition with section train's settings:

- ``labels``: by labels alone;
- ``together``: by labels and pseudo-labels at once;
- ``two stages``: by labels, then, from there, by pseudo-labels alone.

With ``study.teaching.hidden`` the labels of one corpus's training part are hidden (hidden.py) and
come back as pseudo-labels with each error rate of ``errors``; ``all labels`` has them as labels,
the most that can be had from them. Else those of section pseudo teach, and nobody knows how many
are right. The classes alone are learnt, and counted by their macro F1; differences are paired, and
less what labels alone give. Of the same answers follows from which accuracy on pseudo-labels help
(turning.py).
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.evaluation.intervals import mean
from facewave.params import Evaluate, FaceNetworkKind, Loss, Params, Train
from facewave.study import hidden, kept, networks, teaching_plots
from facewave.study.networks import POOLED
from facewave.study.runs import answer
from facewave.study.scores import (
    DIFFERENCE,
    F1,
    Answered,
    Score,
    compared,
    counts,
    estimate,
    rounded,
)
from facewave.study.turning import turns
from facewave.targets import CLASSES, Target
from facewave.training.schema import Which
from facewave.workspace import Clips, Dataset

LABELS, TOGETHER, STAGES, ALL = "labels", "together", "two stages", "all labels"
_FIGURES = (
    *("corpus", "measure", "n", "groups", "folds", "figure", "low", "high", "chance"),
    *("against", *DIFFERENCE),
)
_TURN = tuple(f"turns_at{end}" for end in ("", "_low", "_high"))
COLUMNS = ("network", "way", "error", "accuracy", *_FIGURES, *_TURN)
LOSSES = ("network", "loss", "way", "error", "accuracy", *_FIGURES)


def of_dataset(loaded: Params, dataset: Dataset, partitions: Sequence[str | int]) -> dict[str, Any]:
    """Make teaching.csv, losses.csv and their figures; their summary."""
    study, tables = loaded.study.teaching, {"teaching": COLUMNS, "losses": LOSSES}
    kinds = study.networks
    reason = "" if not kinds else _lacking(loaded, dataset)
    if reason:
        print(f"teaching.csv and losses.csv are empty: {reason}.")
    if reason or not kinds:
        for name, columns in tables.items():
            empty = partial(pd.DataFrame, columns=list(columns))
            kept.table(name, kept.key("no networks"), empty)
        return {}
    key = kept.key(
        *(kept.code("teaching", "face_network"), networks.made_from(kinds, loaded, dataset)),
        [study.hidden, study.errors, study.losses],
    )

    @cache  # both tables follow from the same networks
    def make() -> dict[str, pd.DataFrame]:
        return teaching(loaded, dataset, partitions, networks.place(key))

    made = {name: kept.table(name, key, partial(_of, make, name)) for name in tables}
    shutil.rmtree(networks.place(key), ignore_errors=True)
    plots = kept.OUT / "plots"
    teaching_plots.teaching(made["teaching"], dataset.title, plots / "teaching.png")
    teaching_plots.losses(made["losses"], dataset.title, plots / "losses.png")
    return summary(made["teaching"])


def _of(make: Callable[[], Mapping[str, pd.DataFrame]], name: str) -> pd.DataFrame:
    return make()[name]


def _lacking(loaded: Params, dataset: Dataset) -> str:
    """Why nothing can be taught, "" if it can."""
    if not dataset.entry.has_pictures:
        return f"{dataset.name} has no pictures of faces"
    if CLASSES not in loaded.train.targets:
        return "pseudo-labels are words of the classes, and train.targets has none"
    if loaded.study.teaching.hidden == "none" and loaded.pseudo.track == "none":
        return "study.teaching.hidden and pseudo.track are none, so there are no pseudo-labels"
    return ""


def teaching(
    loaded: Params, dataset: Dataset, partitions: Sequence[str | int], place: Path
) -> dict[str, pd.DataFrame]:
    """The tables "teaching" and "losses", as shares of 1.

    Args:
        loaded: params.yaml.
        dataset: whose clips teach and test.
        partitions: each network is trained on every one.
        place: has the checkpoints, from which a killed study resumes.

    Raises:
        UserError: a network cannot be trained, as in stage train, or no training clip is hidden.
    """
    study, settings = loaded.study.teaching, replace(loaded.train, students=0)
    is_hidden = study.hidden != "none"
    errors = sorted(study.errors) if is_hidden else [None]
    (classes,) = (target for target in dataset.targets if target.name == CLASSES)
    lessons = Lessons(dataset.clips(), classes, partitions, settings, study.hidden, place)
    rows, of_losses = [], []
    for network in study.networks:
        first = Lesson(network, LABELS, settings.network.loss)
        others = [replace(first, way=way, error=e) for way in (TOGETHER, STAGES) for e in errors]
        others += [replace(first, way=ALL)] * is_hidden
        made = {lesson: lessons.told(lesson) for lesson in (first, *others)}
        rows += _rows(made, first, loaded.evaluate, classes)
        for way, error in ((LABELS, None), (STAGES, errors[0])):
            alike = [Lesson(network, way, loss, error) for loss in study.losses]
            some = {lesson: lessons.told(lesson) for lesson in alike}
            of_losses += _rows(some, alike[0], loaded.evaluate, classes) if some else []
    return {
        "teaching": pd.DataFrame(rows).reindex(columns=list(COLUMNS)),
        "losses": pd.DataFrame(of_losses).reindex(columns=list(LOSSES)),
    }


@dataclass(frozen=True)
class Lesson:
    """What a network is taught."""

    network: FaceNetworkKind
    way: str
    loss: Loss
    error: float | None = None  # share of wrong pseudo-labels, where it is known


@dataclass(frozen=True, eq=False)
class Told:
    """What a network answers of test clips."""

    rows: pd.DataFrame  # answers (prediction/schema.py), and the corpus of each
    accuracy: float | None  # of the pseudo-labels that taught it, if there were any


@dataclass(frozen=True, eq=False)
class Lessons:
    """Networks that are taught, each once.

    Attributes:
        clips: that have a part.
        classes: what is learnt of them.
        partitions: each network learns on every one.
        settings: section ``train``.
        hidden: the corpus whose labels are hidden, or "none".
        place: of the checkpoints.
    """

    clips: Clips
    classes: Target
    partitions: Sequence[str | int]
    settings: Train
    hidden: str
    place: Path
    _told: dict[Lesson, Told] = field(default_factory=dict)

    def told(self, lesson: Lesson) -> Told:
        """A network's answers to the test parts, and the accuracy of what taught it."""
        if lesson not in self._told:
            made = [self._made(lesson, partition) for partition in self.partitions]
            known = [accuracy for _, accuracy in made if accuracy is not None]
            rows = pd.concat([rows for rows, _ in made], ignore_index=True)
            accuracy = float(np.mean(known)) if known else None
            self._told[lesson] = Told(rows, accuracy)
        return self._told[lesson]

    def _made(self, lesson: Lesson, partition: str | int) -> tuple[pd.DataFrame, float | None]:
        """The answers to one test part."""
        model, accuracy = self._taught(lesson, partition)
        tested = self.clips.select(self.clips.parts(partition) == "test")
        rows = answer(model, tested, partition)
        corpora = tested.table.set_index("video_idx")["dataset"]
        return rows.assign(corpus=rows["video_idx"].map(corpora)), accuracy

    def _taught(self, lesson: Lesson, partition: str | int) -> tuple[Any, float | None]:
        """A network, and the accuracy of its pseudo-labels."""
        from facewave.study.face_network import trained  # torchvision takes seconds to load

        clips, accuracy = self.clips, None
        if self.hidden != "none":
            clips, unhidden = hidden.hide(clips, partition, self.hidden)
            if lesson.way == ALL:
                clips = unhidden
            elif lesson.error is not None:
                seed = self.settings.seed
                back = hidden.returned(clips, unhidden, self.classes, lesson.error, seed)
                clips, accuracy = back
        start = None
        if lesson.way == STAGES:
            first = replace(lesson, way=LABELS, error=None)
            start, _ = self._taught(first, partition)
        settings = replace(self.settings, network=replace(self.settings.network, loss=lesson.loss))
        by_way: dict[str, Which] = {TOGETHER: "both", STAGES: "pseudo"}
        which = by_way.get(lesson.way, "labels")
        named = "-".join(map(str, (*asdict(lesson).values(), partition))).replace(" ", "-")
        model, _ = trained(
            lesson.network, [self.classes], clips, partition, settings, self.place / named,
            which, start,
        )  # fmt: skip
        return model, accuracy


def _rows(
    made: Mapping[Lesson, Told], first: Lesson, evaluate: Evaluate, classes: Target
) -> list[dict[str, Any]]:
    """A row of figures for each of some lessons and each corpus, beside those of the first."""
    score, corpora = Score((classes,)), made[first].rows["corpus"].unique().tolist()
    rows = []
    for corpus in [POOLED, *(corpora if len(corpora) > 1 else [])]:
        tested = {lesson: _tested(told.rows, corpus, score) for lesson, told in made.items()}
        turn = _turns(made, tested, first, evaluate)
        for lesson, told in made.items():
            some = tested[lesson]
            figures = estimate(F1, some, evaluate).named("figure")
            row = asdict(lesson) | {"accuracy": told.accuracy, "corpus": corpus}
            row |= {"measure": F1} | counts(some)
            row |= rounded({name.removeprefix("figure_"): of for name, of in figures.items()})
            row |= rounded({"chance": _guessed(some)})
            if lesson != first:
                row |= {"against": first.way if first.way != lesson.way else first.loss}
                row |= compared(F1, some, tested[first], evaluate)
            rows.append(row | turn.get(lesson.way, {}))
    return rows


def _tested(rows: pd.DataFrame, corpus: str, score: Score) -> Answered:
    chosen = rows if corpus == POOLED else rows[rows["corpus"] == corpus]
    return score.tested(chosen.reset_index(drop=True))


def _turns(
    made: Mapping[Lesson, Told],
    tested: Mapping[Lesson, Answered],
    first: Lesson,
    evaluate: Evaluate,
) -> dict[str, dict[str, float]]:
    """Where each way of teaching pseudo-labels of several accuracies turns, by the way."""
    turning_points = {}
    for way in (TOGETHER, STAGES):
        curve = {
            lesson: told.accuracy for lesson, told in made.items()
            if lesson.way == way and told.accuracy is not None and lesson.loss == first.loss
        }  # fmt: skip
        if first.way == LABELS and len(curve) > 1:
            taught, accuracies = [tested[lesson] for lesson in curve], list(curve.values())
            turn = turns(F1, tested[first], taught, accuracies, evaluate).named(_TURN[0])
            turning_points[way] = rounded(turn)
    return turning_points


def _guessed(tested: Answered) -> float:
    """The macro F1 of words that are guessed, each equally often."""
    truth_nM = tested.truth_nM
    shares = [truth_nM[tested.fold == fold].mean(axis=0) for fold in range(tested.n_folds)]
    guess = 1 / truth_nM.shape[1]
    f1 = [np.where(share > 0, 2 * share * guess / (share + guess), np.nan) for share in shares]
    return float(mean(mean(np.stack(f1))))


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """From which accuracy on pseudo-labels help, all corpora together; None where none does."""
    turning = table[(table["corpus"] == POOLED) & table[_TURN[1]].notna()]
    names = ["network", "way", *_TURN]
    rows = turning.drop_duplicates(["network", "way"])[names].replace(np.inf, None)
    return {"teaching": rows.to_dict("records")} if len(rows) else {}
