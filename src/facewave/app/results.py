"""The table at the end of a run."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from facewave.errors import UserError

METRICS = Path("metrics/evaluate/metrics.json")
_COLUMNS = {"war": "WAR", "uar": "UAR", "macro_f1": "macro F1"}


def show() -> None:
    """Print metrics/evaluate/metrics.json as a table per protocol.

    Raises:
        UserError: there are no metrics yet.
    """
    try:
        metrics = json.loads(METRICS.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{METRICS} is not here. Make it with: make repro") from None
    console = Console(highlight=False)
    for key, heading in (("split", "80/10/10 split"), ("folds", "mean over folds")):
        if key in metrics:
            console.print(_table(f"{metrics['about']}\n{heading}", metrics[key]))
    console.print(f"metrics  {METRICS.parent}/metrics.json, predictions.csv")
    console.print(f"plots    {METRICS.parent}/plots/*.png; as one page: dvc plots show --open")


def _table(title: str, summary: dict[str, Any]) -> Table:
    note = f"; {summary['no_face']} without a usable face" if summary["no_face"] else ""
    table = Table(
        title=f"{title}, n = {summary['n']} clips of {summary['subjects']} subjects{note}",
        caption=f"[ ]: 95 % bootstrap interval over {summary['interval_over']}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("")
    for name in _COLUMNS.values():
        table.add_column(f"{name} (%)", justify="right")
    for role, figures in summary.items():
        if isinstance(figures, dict):
            table.add_row(
                role,
                *(
                    f"{100 * figures[name]:.1f} \\[{100 * figures[f'{name}_low']:.0f}, "
                    f"{100 * figures[f'{name}_high']:.0f}]"
                    for name in _COLUMNS
                ),
            )
    return table
