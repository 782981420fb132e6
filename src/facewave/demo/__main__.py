"""Makes the synthetic demo dataset: ``python -m facewave.demo [--out data/raw/demo]``.

Reads   the landmarker's file (see landmarks/model_file.py)
Writes  <out>/annotation.csv, <out>/clips/<order>.mp4, <out>/README.md; the same bytes every time
"""

import argparse
import csv
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from facewave.errors import UserError, explain
from facewave.files import replacing
from facewave.landmarks import model_file

try:
    from facewave.demo import clips, faces, readme, table
except ModuleNotFoundError as error:
    _missing = error.name
else:
    _missing = None

SEED = 20240601


def main(out: Path) -> None:
    """Write the whole dataset."""
    if _missing:
        raise UserError(f"the demo's clips need {_missing}: pip install -r requirements-dev.txt")
    plans = table.plans(SEED)
    cast = people(range(table.SUBJECTS))
    for order, plan in tqdm(plans.items(), desc=f"film {out}", unit="clip"):
        if order != table.MISSING:
            still = faces.backdrop() if order == table.NO_FACE else cast[plan.subject]
            path = out / "clips" / f"{order}.mp4"
            clips.write(path, *clips.film(plan, still), faststart=order != table.NO_INDEX)
            if share := table.KEPT.get(order):
                with path.open("r+b") as file:
                    file.truncate(int(path.stat().st_size * share))
    shutil.copyfile(out / f"clips/{table.COPIED}.mp4", out / f"clips/{table.COPY}.mp4")
    with replacing(out / "annotation.csv") as temporary, temporary.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([table.COLUMNS, *table.rows(plans)])
    with replacing(out / "README.md") as temporary:
        temporary.write_text(readme.text(), "utf-8")


def people(numbers: Iterable[int]) -> "dict[int, faces.Face]":
    """The subjects with these numbers, each drawn from a seed of its own."""
    find = faces.Finder(model_file.get())
    base = faces.neutral(find)
    seeds = {i: np.random.SeedSequence(SEED, spawn_key=(1, i)) for i in numbers}
    return {i: faces.subject(base, find, np.random.default_rng(s)) for i, s in seeds.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="facewave.demo", description="Make the demo dataset.")
    parser.add_argument("--out", type=Path, default=Path("data/raw/demo"), help="%(default)s")
    explain(lambda: main(parser.parse_args().out))
