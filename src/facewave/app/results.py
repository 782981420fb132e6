"""The table at the end of a run."""

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
_ALONE = {"auc": "AUC", "calibration_error": "ECE"}  # with theirs, 80 columns would not do
_REGRESSED = {"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "sagr": "SAGR"}


def show() -> None:
    """Print metrics/evaluate/report.json as a table per protocol.

    Raises:
        UserError: there are no metrics yet.
    """
    try:
        metrics = json.loads(REPORT.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{REPORT} is not here. Make it with: make repro") from None
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{escape(metrics['dataset'])}[/]")
    for key in ("split", "folds"):
        if key in metrics:
            folds = ", ".join(metrics[key]["model"].get("fold", []))
            heading = "80/10/10 split" if key == "split" else f"Mean over folds {folds}"
            console.print(f"\n{heading}: {_say(metrics[key])}")
            targets = metrics.get("targets")
            console.print(_numbers(metrics[key], targets) if targets else _table(metrics[key]))
    console.print(f"\nmetrics  {REPORT.parent}/metrics.json, report.json, predictions.csv")
    console.print(f"plots    {REPORT.parent}/plots/")
    console.print(f"report   {PAGE}: all of it on one page, for any browser")


def _say(summary: dict[str, Any]) -> str:
    text = f"{summary['n']} test clips"
    if summary["subjects"] is not None:
        text += f" of {summary['subjects']} subject{'s' * (summary['subjects'] != 1)}"
    if summary.get("unusable"):
        text += f", {summary['unusable']} of them unusable and answered from class frequencies"
    return f"{text}; in brackets 95 % intervals by bootstrap over {summary['interval_over']}"


def _table(summary: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("in %")
    for heading in (_WITH_INTERVALS | _ALONE).values():
        table.add_column(heading, justify="right")
    for role, figures in summary.items():
        if isinstance(figures, dict):
            cells = (
                f"{100 * figures[name]:.1f} \\[{100 * figures[f'{name}_low']:.0f}, "
                f"{100 * figures[f'{name}_high']:.0f}]"
                for name in _WITH_INTERVALS
            )
            values = (figures[name] for name in _ALONE)
            alone = ("-" if value is None else f"{100 * value:.1f}" for value in values)
            name = role if role == figures["name"] else f"{role} ({figures['name']})"
            table.add_row(name, *cells, *alone)
    return table


def _numbers(summary: dict[str, Any], targets: list[str]) -> Table:
    """Of a regression: each target's figures, their intervals below them."""
    table = Table(title=f"model: {summary['model']['name']}", box=box.SIMPLE_HEAD)
    table.add_column("")
    for heading in _REGRESSED.values():
        table.add_column(heading, justify="right")
    for target in targets:
        table.add_row(f"[bold]{escape(target)}[/]")
        for role, figures in summary.items():
            if isinstance(figures, dict):
                table.add_row(role, *(_bounded(figures[target], one) for one in _REGRESSED))
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
