"""The tasks of an evaluation as the page tells of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from facewave.report.cells import interval, number, value_of
from facewave.report.results import Json
from facewave.targets import CLASSES, QUADRANT, UNITS


class Measure(NamedTuple):
    """How a measure is written."""

    title: str
    times: int = 100  # a share as a percentage
    digits: int = 1

    @property
    def sign(self) -> str:
        """What stands behind a figure in a sentence; the sign stays on the number's line."""
        return "\u00a0%" if self.times == 100 else ""

    def of(self, value: float | str | None) -> str:
        """A figure in a sentence."""
        return f"{number(self.times * value_of(value), self.digits)}{self.sign}"

    def between(self, low: float | str | None, high: float | str | None) -> str:
        """Both ends of an interval, or nothing."""
        return interval(self.times * value_of(low), self.times * value_of(high), self.digits)


MEASURES = {
    **{"war": Measure("WAR"), "uar": Measure("UAR"), "macro_f1": Measure("macro F1")},
    **{"auc": Measure("AUC"), "top2": Measure("top 2"), "log_loss": Measure("log loss", 1, 2)},
    **{"calibration_error": Measure("ECE"), "kl": Measure("KL", 1, 2)},
    **{"ccc": Measure("CCC", 1, 2), "pcc": Measure("PCC", 1, 2), "icc": Measure("ICC", 1, 2)},
    **{"rmse": Measure("RMSE", 1, 2), "mae": Measure("MAE", 1, 2), "sagr": Measure("SAGR")},
    **{"coverage": Measure("coverage"), "width": Measure("width", 1, 2)},
    **{"f1": Measure("F1"), "prevalence": Measure("share of clips")},
}
NOMINAL = 0.9  # coverage that prediction intervals are made for
_OF_KIND = {  # the foremost, then whatever else there may be
    "words": ("uar", "war uar macro_f1 auc log_loss calibration_error"),
    "number": ("ccc", "ccc pcc rmse mae sagr"),
    "presence": ("f1", "f1 auc"),
    "intensity": ("icc", "icc pcc mae"),
}
_ERRORS = ("log_loss", "calibration_error", "rmse", "mae")
_OF_CONDITIONS = {"words": "war uar", "number": "ccc rmse", "presence": "f1", "intensity": "icc"}
_NAMES = {CLASSES: ("emotion", "emotions"), QUADRANT: ("quadrant", "quadrants")}
_MODEL = "model"


@dataclass(frozen=True, eq=False)
class Task:
    """One task of report.json.

    Attributes:
        kind: words, number, presence or intensity.
        names: its words, targets or units.
        main: the summary that the page is about: over folds if there are any, since they test
            every clip.
        split: that of the split beside folds.
        published: what others report.
        over_folds: whether every clip is a test clip once.
        end: of the names of its pictures.
    """

    key: str
    kind: str
    names: Sequence[str]
    main: Json
    split: Json | None
    published: Json | None
    over_folds: bool
    end: str

    @property
    def is_words(self) -> bool:
        """Whether answers are words."""
        return self.kind == "words"

    @property
    def noun(self) -> str:
        """What an answer is."""
        return _NAMES.get(self.key, (target(self.key), ""))[0]

    @property
    def plural(self) -> str:
        """What its words are."""
        return _NAMES.get(self.key, ("", "words"))[1]

    @property
    def title(self) -> str:
        """Its name for people."""
        if self.key == UNITS:
            return "action units"
        return self.noun if self.is_words else listed(self.names)

    @property
    def model(self) -> Json | None:
        """The figures of what train.model names, None if it does not answer the task."""
        return self.main.get(_MODEL)

    @property
    def n_folds(self) -> int:
        """Over how many folds the figures are means."""
        return len(next(iter(by_role(self.main).values())).get("fold", [0]))

    @property
    def measures(self) -> dict[str, Measure]:
        """Those that its tables have."""
        figures = self.foremost_of(next(iter(by_role(self.main).values())))
        names = _OF_KIND[self.kind][1].split()
        return {name: MEASURES[name] for name in names if name in figures}

    @property
    def errors(self) -> list[str]:
        """The titles of those that are better when lower."""
        return [of.title for name, of in self.measures.items() if name in _ERRORS]

    @property
    def conditions(self) -> dict[str, Measure]:
        """Those that robustness.csv has."""
        return {name: MEASURES[name] for name in _OF_CONDITIONS[self.kind].split()}

    @property
    def first(self) -> str:
        """The measure by which models are compared."""
        return _OF_KIND[self.kind][0]

    @property
    def first_title(self) -> str:
        """Its name for people."""
        return title(self.first)

    @property
    def rows(self) -> list[str]:
        """The targets, and their mean where there are several."""
        return [*self.names, *(["mean"] if len(self.names) > 1 else [])]

    def foremost_of(self, figures: Json) -> Json:
        """Of a role's figures, or a fold's, those over everything."""
        of: Json = figures if self.is_words else figures["mean"]
        return of

    def value(self, figures: Json) -> float:
        """The foremost figure of a role, NaN where there is none."""
        return value_of(self.foremost_of(figures)[self.first])

    def said(self, figures: Json, name: str = "") -> tuple[str, str]:
        """A role's figure, by default the foremost, in a sentence, and both ends."""
        of, name = self.foremost_of(figures), name or self.first
        between = MEASURES[name].between(of.get(f"{name}_low"), of.get(f"{name}_high"))
        return MEASURES[name].of(of[name]), between


def tasks(report: Json) -> list[Task]:
    """The tasks of report.json, in their order."""
    found: list[Task] = []
    for key, content in report["tasks"].items():
        over_folds = "folds" in content
        found.append(
            Task(
                key,
                content["kind"],
                content["names"],
                main=content["folds" if over_folds else "split"],
                split=content.get("split") if over_folds else None,
                published=content.get("published"),
                over_folds=over_folds,
                end=f"_{key}" if found else "",
            )
        )
    return found


def title(measure: str) -> str:
    """A measure by which models are compared, for people: of several targets it is a mean."""
    return ("" if measure in ("uar", "war") else "mean ") + MEASURES[measure].title


def by_role(summary: Json) -> dict[str, Json]:
    """Role -> its figures, of one protocol of a task."""
    return {role: of for role, of in summary.items() if isinstance(of, dict) and "name" in of}


def target(name: str) -> str:
    """A target in words."""
    return name.removeprefix("score.").removeprefix("about.")


def listed(names: Sequence[str]) -> str:
    """Targets in a sentence: "valence, arousal and stress"."""
    *first, last = map(target, names)
    return f"{', '.join(first)} and {last}" if first else last
