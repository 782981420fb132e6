"""Makes the synthetic demo dataset: ``python -m facewave.demo [--out data/raw/demo]``.

Reads   the landmarker's file (see assets.py)
Writes  <out>/annotation.csv, <out>/affect.csv, <out>/clips/<order>.mp4, <out>/README.md; the same
        bytes every time
"""

import argparse
import csv
import shutil
from pathlib import Path

from tqdm import tqdm

from facewave import assets
from facewave.errors import UserError, explain
from facewave.files import replacing

SEED = 20240601


def main(out: Path) -> None:
    """Write the whole dataset."""
    try:
        from facewave.demo import clips, faces, table, voices
    except ModuleNotFoundError as error:
        raise UserError(
            f"the demo's clips need {error.name}: pip install 'facewave[demo]'"
        ) from None
    plans = table.plans(SEED)
    cast = faces.people(assets.get(assets.LANDMARKER), SEED, range(table.SUBJECTS))
    for order, plan in tqdm(plans.items(), desc=f"film {out}", unit="clip"):
        if order != table.MISSING:
            still = faces.backdrop() if order == table.NO_FACE else cast[plan.subject]
            path = out / "clips" / f"{order}.mp4"
            is_silent = order in table.SILENT
            sound = None if is_silent else voices.voice(plan, clips.seconds(plan))
            clips.write(path, *clips.film(plan, still), sound, faststart=order != table.NO_INDEX)
            if share := table.KEPT.get(order):
                with path.open("r+b") as file:
                    file.truncate(int(path.stat().st_size * share))
    shutil.copyfile(out / f"clips/{table.COPIED}.mp4", out / f"clips/{table.COPY}.mp4")
    tables = {
        "annotation.csv": [table.COLUMNS, *table.rows(plans)],
        "affect.csv": [table.AFFECT_COLUMNS, *table.affect_rows(plans)],
    }
    for name, rows in tables.items():
        with replacing(out / name) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    with replacing(out / "README.md") as temporary:
        shutil.copyfile(Path(__file__).with_name("README.md"), temporary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="facewave.demo", description="Make the demo dataset.")
    parser.add_argument("--out", type=Path, default=Path("data/raw/demo"), help="%(default)s")
    explain(lambda: main(parser.parse_args().out))
