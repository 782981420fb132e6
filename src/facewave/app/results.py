"""``facewave results``: the table at the end of a run."""

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facewave.errors import UserError

REPORT = Path("metrics/evaluate/report.json")
PAGE = Path("metrics/report.html")
_WITH_INTERVALS = {"war": "WAR", "uar": "UAR", "macro_f1": "macro F1"}
# 80 columns have no room for all intervals.
_ALONE = {"auc": "AUC", "calibration_error": "ECE"}
_OF_NUMBERS = {
    **{"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "mae": "MAE", "sagr": "SAGR"},
    "coverage": "cover",
}
_BOUNDED = ("ccc", "rmse")  # of numbers
_OF_UNITS = {
    "presence": {"f1": "F1", "auc": "AUC", "prevalence": "occurs"},
    "intensity": {"icc": "ICC", "pcc": "PCC", "mae": "MAE"},
}
_PUBLISHED = {
    "words": {"war": "WAR", "uar": "UAR"},
    "number": {"ccc_valence": "valence", "ccc_arousal": "arousal"},
}
_NAMES = {"numbers": "numbers", "aus": "action units"}


def show() -> None:
    """Print metrics/evaluate/report.json as a table per protocol.

    Raises:
        UserError: there are no metrics yet.
    """
    try:
        report = json.loads(REPORT.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{REPORT} is missing. Make it with: make repro") from None
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(report['dataset'])}[/]")
    tasks = report["tasks"]
    for name, task in tasks.items():
        if len(tasks) > 1:
            console.print(f"\n[bold]{escape(_NAMES.get(name, name))}[/]")
        for key in ("split", "folds"):
            if key in task:
                summary = task[key]
                folds = ", ".join(_foremost(summary).get("fold", []))
                heading = "80/10/10 split" if key == "split" else f"Mean over folds {folds}"
                console.print(f"\n{heading}: {_clips(summary, task['kind'])}")
                for part in _parts(task, summary):
                    console.print(part)
        if others := task.get("published"):
            console.print(_published(**others, names=_PUBLISHED[task["kind"]]))
    for role, note in report.get("normalized", {}).items():
        console.print(f"\n{role}: {note}")
    console.print(f"\nmetrics  {REPORT.parent}/metrics.json, report.json")
    console.print("answers  data/answers/answers.csv")
    console.print(f"plots    {REPORT.parent}/plots/")
    console.print(f"report   {PAGE}: everything on one page, for any browser")


def _parts(task: dict[str, Any], summary: dict[str, Any]) -> list[Table | str]:
    """What is printed of one protocol of a task."""
    if task["kind"] == "words":
        lines = [_classes(summary), _folds(summary), _fitted(summary), _votes(summary)]
        return [_words(summary), *filter(None, lines)]
    if task["kind"] == "number":
        parts: list[Table | str] = [_numbers(summary, task["names"]), _known(summary)]
        return parts + ([_traces(summary)] if _traced(summary) else [])
    return [_units(summary, task["names"], _OF_UNITS[task["kind"]])]


def _foremost(summary: dict[str, Any]) -> dict[str, Any]:
    """The figures of the model, or of the first role where it does not answer."""
    roles = _roles(summary)
    figures: dict[str, Any] = roles.get("model") or next(iter(roles.values()))
    return figures


def _clips(summary: dict[str, Any], kind: str) -> str:
    """What was tested, and what the intervals are over."""
    text = f"{summary['n']} test clips"
    if summary["subjects"] is not None:
        text += f" of {summary['subjects']} subject{'s' * (summary['subjects'] != 1)}"
    if summary["unusable"]:
        frequencies = {"words": "class frequencies", "presence": "training shares"}.get(
            kind, "training means"
        )
        text += f", {summary['unusable']} of them unusable and answered from {frequencies}"
    return f"{text}; in brackets 95 % intervals by bootstrap over {summary['interval_over']}"


def _classes(summary: dict[str, Any]) -> str:
    """Which classes UAR is over."""
    n = summary["classes"]
    text = f"UAR is the mean recall of {n} class{'es' * (n != 1)}"
    if summary["absent"]:
        text += f"; no test clip is {escape(', '.join(summary['absent']))}"
    folds = {
        fold: [word for word in figures["absent"] if word not in summary["absent"]]
        for fold, figures in _foremost(summary).get("fold", {}).items()
    }
    lacking = (
        f"{escape(', '.join(words))} in fold {fold}" for fold, words in folds.items() if words
    )
    if listed := "; ".join(lacking):
        text += f". Where a fold lacks some, its UAR is over the others: no {listed}"
    return f"{text}."


def _folds(summary: dict[str, Any]) -> str:
    """The model's UAR fold by fold."""
    folds = _foremost(summary).get("fold", {})
    known = ((name, figures.get("uar")) for name, figures in folds.items())
    listed = ", ".join(f"{name}: {100 * uar:.1f}" for name, uar in known if uar is not None)
    return f"UAR of the model by fold: {listed}." if listed else ""


def _fitted(summary: dict[str, Any]) -> str:
    """The model's UAR on what it learnt from beside that in test, so that overfitting is seen."""
    model = _foremost(summary)
    parts = {
        name: model.get("fitted", {}).get(part, {}).get("uar")
        for part, name in (("train", "training"), ("val", "validation"))
    } | {"test": model["uar"]}
    known = [f"{100 * uar:.1f} in {name}" for name, uar in parts.items() if uar is not None]
    return f"UAR of the model: {', '.join(known)}." if len(known) > 1 else ""


def _votes(summary: dict[str, Any]) -> str:
    """How near the model is to what the annotators voted."""
    model = _foremost(summary)
    if model.get("kl") is None:
        return ""
    top2 = " to ".join(f"{100 * model[f'top2_{end}']:.0f}" for end in ("low", "high"))
    kl = " to ".join(f"{model[f'kl_{end}']:.2f}" for end in ("low", "high"))
    return (
        f"Of clips with votes, {100 * model['top2']:.1f} % ({top2}) have their word among the two "
        f"most probable; divergence of the probabilities from the votes {model['kl']:.2f} nats "
        f"({kl})."
    )


def _published(here: str, rows: list[dict[str, Any]], names: dict[str, str]) -> Table:
    """What others report for the corpus, and what is not the same there as here."""
    in_percent = "war" in names
    table = _empty_table(
        "published, in %" if in_percent else "published CCC",
        *names.values(),
        title=f"What others report (here: {escape(here)})",
    )
    table.add_column("selected on")
    table.add_column("differs in")
    for row in rows:
        digits = 1 if in_percent else 3
        figures = ("-" if row[name] is None else f"{row[name]:.{digits}f}" for name in names)
        differs = ", ".join(row["differs"]) or "no known difference"
        table.add_row(
            *map(escape, (f"{row['method']} ({row['inputs']})", *figures, row["chosen"], differs))
        )
    return table


def _roles(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures of the roles: of all parts of a summary they alone have a kind of model."""
    parts = summary.items()
    return {role: of for role, of in parts if isinstance(of, dict) and "name" in of}


def _empty_table(*headings: str, title: str | None = None) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _words(summary: dict[str, Any]) -> Table:
    table = _empty_table("in %", *_WITH_INTERVALS.values(), *_ALONE.values())
    for role, figures in _roles(summary).items():
        cells = (
            f"{100 * figures[name]:.1f} \\[{100 * figures[f'{name}_low']:.0f}, "
            f"{100 * figures[f'{name}_high']:.0f}]"
            for name in _WITH_INTERVALS
        )
        values = (figures[name] for name in _ALONE)
        alone = ("-" if value is None else f"{100 * value:.1f}" for value in values)
        table.add_row(_name(role, figures), *cells, *alone)
    chance = f"{100 * summary['chance']:.1f}"
    table.add_row("chance", *(chance if name == "uar" else "" for name in _WITH_INTERVALS))
    return table


def _name(role: str, figures: dict[str, Any]) -> str:
    kind = figures["name"]
    return escape(role if role == kind else f"{role} ({kind})")


def _whose(summary: dict[str, Any]) -> str | None:
    """What kind of model the role of that name is."""
    model = _roles(summary).get("model")
    return escape(f"model: {model['name']}") if model else None


def _numbers(summary: dict[str, Any], targets: list[str]) -> Table:
    """Each target's figures of every role, and their mean."""
    table = _empty_table("", *_OF_NUMBERS.values(), title=_whose(summary))
    for target in [*targets, *(["mean"] if len(targets) > 1 else [])]:
        table.add_row(f"[bold]{escape(target)}[/]")
        for role, figures in _roles(summary).items():
            cells = (_number(figures[target], name) for name in _OF_NUMBERS)
            table.add_row(escape(role), *cells)
    return table


def _known(summary: dict[str, Any]) -> str:
    """How many clips have each target, where some lack one; and what is covered."""
    n, known = summary["n"], summary["known"]
    lacking = [f"{target} {count}" for target, count in known.items() if count < n]
    text = "cover: the share of clips within the model's own 90 % prediction interval."
    return f"{text} Clips with a number: {escape(', '.join(lacking))}." if lacking else text


def _traced(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    roles = _roles(summary).items()
    return {role: figures["traces"] for role, figures in roles if "traces" in figures}


def _traces(summary: dict[str, Any]) -> Table:
    """The CCC of each role over all frames."""
    traced = _traced(summary)
    first = next(iter(traced.values()))
    targets = [name for name, value in first.items() if isinstance(value, dict)]
    frames = f"{first['frames']:,} frames of {first['videos']} videos"
    title = f"CCC as traces, over {frames}; intervals over {first['interval_over']}"
    table = _empty_table("", *map(escape, targets), title=title)
    for role, figures in traced.items():
        table.add_row(escape(role), *(_bounded(figures[target], "ccc") for target in targets))
    return table


def _units(summary: dict[str, Any], units: list[str], measures: dict[str, str]) -> Table:
    """The model's figures of each unit, and every role's means."""
    times = 100 if "f1" in measures else 1
    unit = "in %" * (times == 100)
    table = _empty_table(unit, *measures.values(), title=_whose(summary))
    for unit in units:
        figures = _foremost(summary)[unit]
        table.add_row(escape(unit), *(_bounded(figures, name, times) for name in measures))
    table.add_section()
    for role, figures in _roles(summary).items():
        cells = (_bounded(figures["mean"], name, times) for name in measures)
        table.add_row(escape(f"mean of {role}"), *cells)
    return table


def _number(figures: dict[str, float | None], name: str) -> str:
    """A figure, with its interval where there is room for it."""
    value = figures[name]
    if name in _BOUNDED or value is None:
        return _bounded(figures, name)
    return f"{100 * value:.0f} %" if name in ("coverage", "sagr") else _rounded(value, 2)


def _bounded(figures: dict[str, float | None], name: str, times: int = 1) -> str:
    """A figure with its interval; "-" where it is not defined."""
    value, low, high = (figures.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    digits, digits_of_ends = (2, 2) if times == 1 else (1, 0)
    text = _rounded(times * value, digits)
    if low is None or high is None:
        return text
    ends = (_rounded(times * end, digits_of_ends) for end in (low, high))
    return f"{text} \\[{', '.join(ends)}]"


def _rounded(value: float, digits: int) -> str:
    """No minus before a zero."""
    return f"{round(value, digits) + 0:.{digits}f}"
