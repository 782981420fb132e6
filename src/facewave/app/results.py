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
_ALONE = {"auc": "AUC", "calibration_error": "ECE"}  # 80 columns have no room for their intervals
_REGRESSED = {"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "sagr": "SAGR"}


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
    for key in ("split", "folds"):
        if key in report:
            summary, targets = report[key], report.get("targets")
            folds = ", ".join(summary["model"].get("fold", []))
            heading = "80/10/10 split" if key == "split" else f"Mean over folds {folds}"
            console.print(f"\n{heading}: {_clips(summary)}")
            console.print(_regression(summary, targets) if targets else _classification(summary))
            if not targets:
                console.print(_classes(summary))
                for line in (_folds(summary), _fitted(summary)):
                    if line:
                        console.print(line)
    for role, note in report.get("normalized", {}).items():
        console.print(f"\n{role}: {note}")
    if others := report.get("published"):
        console.print(_published(**others))
    console.print(f"\nmetrics  {REPORT.parent}/metrics.json, report.json")
    console.print("answers  data/answers/answers.csv")
    console.print(f"plots    {REPORT.parent}/plots/")
    console.print(f"report   {PAGE}: everything on one page, for any browser")


def _clips(summary: dict[str, Any]) -> str:
    """What was tested, and what the intervals are over."""
    text = f"{summary['n']} test clips"
    if summary["subjects"] is not None:
        text += f" of {summary['subjects']} subject{'s' * (summary['subjects'] != 1)}"
    if summary["unusable"]:
        text += f", {summary['unusable']} of them unusable and answered from class frequencies"
    return f"{text}; in brackets 95 % intervals by bootstrap over {summary['interval_over']}"


def _classes(summary: dict[str, Any]) -> str:
    """Which classes UAR is over."""
    n = summary["classes"]
    text = f"UAR is the mean recall of {n} class{'es' * (n != 1)}"
    if summary["absent"]:
        text += f"; no test clip is {escape(', '.join(summary['absent']))}"
    folds = {
        fold: [word for word in figures["absent"] if word not in summary["absent"]]
        for fold, figures in summary["model"].get("fold", {}).items()
    }
    lacking = (
        f"{escape(', '.join(words))} in fold {fold}" for fold, words in folds.items() if words
    )
    if listed := "; ".join(lacking):
        text += f". Where a fold lacks some, its UAR is over the others: no {listed}"
    return f"{text}."


def _folds(summary: dict[str, Any]) -> str:
    """The model's UAR fold by fold."""
    folds = summary["model"].get("fold", {})
    known = ((name, figures.get("uar")) for name, figures in folds.items())
    listed = ", ".join(f"{name}: {100 * uar:.1f}" for name, uar in known if uar is not None)
    return f"UAR of the model by fold: {listed}." if listed else ""


def _fitted(summary: dict[str, Any]) -> str:
    """The model's UAR on what it learnt from beside that in test, so that overfitting is seen."""
    model = summary["model"]
    parts = {
        name: model.get("fitted", {}).get(part, {}).get("uar")
        for part, name in (("train", "training"), ("val", "validation"))
    } | {"test": model["uar"]}
    known = [f"{100 * uar:.1f} in {name}" for name, uar in parts.items() if uar is not None]
    return f"UAR of the model: {', '.join(known)}." if len(known) > 1 else ""


def _published(here: str, rows: list[dict[str, Any]]) -> Table:
    """What others report for the corpus, and what is not the same there as here."""
    table = _empty_table(
        "published, in %", "WAR", "UAR", title=f"What others report (here: {escape(here)})"
    )
    table.add_column("selected on")
    table.add_column("differs in")
    for row in rows:
        figures = ("-" if row[name] is None else f"{row[name]:.1f}" for name in ("war", "uar"))
        differs = ", ".join(row["differs"]) or "no known difference"
        table.add_row(
            *map(escape, (f"{row['method']} ({row['inputs']})", *figures, row["chosen"], differs))
        )
    return table


def _roles(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {role: figures for role, figures in summary.items() if isinstance(figures, dict)}


def _empty_table(*headings: str, title: str | None = None) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _classification(summary: dict[str, Any]) -> Table:
    table = _empty_table("in %", *_WITH_INTERVALS.values(), *_ALONE.values())
    for role, figures in _roles(summary).items():
        cells = (
            f"{100 * figures[name]:.1f} \\[{100 * figures[f'{name}_low']:.0f}, "
            f"{100 * figures[f'{name}_high']:.0f}]"
            for name in _WITH_INTERVALS
        )
        values = (figures[name] for name in _ALONE)
        alone = ("-" if value is None else f"{100 * value:.1f}" for value in values)
        name = role if role == figures["name"] else f"{role} ({figures['name']})"
        table.add_row(name, *cells, *alone)
    chance = f"{100 * summary['chance']:.1f}"
    table.add_row("chance", *(chance if name == "uar" else "" for name in _WITH_INTERVALS))
    return table


def _regression(summary: dict[str, Any], targets: list[str]) -> Table:
    """Each target's figures, their intervals below them."""
    title = f"model: {summary['model']['name']}"
    table = _empty_table("", *_REGRESSED.values(), title=title)
    for target in targets:
        table.add_row(f"[bold]{escape(target)}[/]")
        for role, figures in _roles(summary).items():
            table.add_row(role, *(_bounded(figures[target], name) for name in _REGRESSED))
    return table


def _bounded(figures: dict[str, float | None], name: str) -> str:
    """A figure, and its interval on a line of its own."""
    value, low, high = (figures[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:.2f}"
    value, low, high = (round(number, 2) + 0 for number in (value, low, high))  # no minus before 0
    return f"{value:.2f}\n\\[{low:.2f}, {high:.2f}]"
