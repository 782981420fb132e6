"""Stage report: ``python -m facewave.report``.

Reads   params.yaml and, of train.dataset, metrics/clean/, extract/, wavelet/, evaluate/, study/
Writes  metrics/report.html   what was done, on what, how good, how sure, what failed; one file that
                              needs no network, with pictures of people
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

from facewave import params
from facewave.errors import UserError, explain
from facewave.files import replacing
from facewave.report.found import Found
from facewave.report.page import render

METRICS = Path("metrics")
OUT = METRICS / "report.html"
_TABLES = {
    "evaluate": ("robustness", "importance", "suspects"),
    "study": ("runs", "leakage", "removed"),
}
_PLOTS = {
    "evaluate/plots": ("confusion", "regression", "curves", "robustness", "explanation"),
    "evaluate/pictures": ("clip", "suspects"),
    "study/plots": ("ablation", "removed", "leakage"),
}


def main() -> None:
    """Write the page."""
    settings = params.load()
    name = settings.train.dataset
    found = _found(name)
    said = f"{name}: {settings.datasets[name].about}"
    for stage, figures in (("evaluate", found.report), ("study", found.study)):
        if figures["dataset"] != said:
            raise UserError(
                f"{METRICS / stage} is about {figures['dataset']!r}, and {params.PARAMS_FILE} "
                f"about {said!r}. Make it anew with: dvc repro {stage}"
            )
    text = params.PARAMS_FILE.read_text("utf-8")
    with replacing(OUT) as temporary:
        temporary.write_text(render(found, settings, text), "utf-8")
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.1f} MB, opens in any browser without a network")


def _found(name: str) -> Found:
    """All that the page is made of."""
    first = {
        stage: _json(METRICS / stage / f"{name}.json", f"{stage}@{name}")
        for stage in ("clean", "extract", "wavelet")
    }
    records = {
        table: _records(METRICS / stage / f"{table}.csv", stage)
        for stage, listed in _TABLES.items()
        for table in listed
    }
    places = {stage: METRICS / stage / f"{name}.png" for stage in first} | {
        plot: METRICS / folder / f"{plot}.png" for folder, plots in _PLOTS.items() for plot in plots
    }
    return Found(
        **first,
        report=_json(METRICS / "evaluate/report.json", "evaluate"),
        study=_json(METRICS / "study/summary.json", "study"),
        records=records,
        pictures={plot: place.read_bytes() for plot, place in places.items() if place.exists()},
    )


def _json(path: Path, stage: str) -> dict[str, Any]:
    try:
        return json.loads(_text(path, stage))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path} is no readable JSON: {error}. Make it anew with: dvc repro --force {stage}"
        ) from None


def _records(path: Path, stage: str) -> list[dict[str, str]]:
    """The lines of a CSV as text: nothing in it becomes a missing value by its name."""
    return list(csv.DictReader(io.StringIO(_text(path, stage), newline="")))


def _text(path: Path, stage: str) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: dvc repro {stage}") from None


if __name__ == "__main__":
    explain(main)
