"""Stage clean: ``python -m facewave.labels DATASET``.

Reads   the dataset's label table and, of each clip, whether it opens and whose bytes it has
Writes  data/labels/<dataset>.csv         one row per row of the table (labels/schema.py)
        data/labels/<dataset>.folds.json  which subject is in which part; kept from run to run
        metrics/clean/<dataset>.json      counts: classes, parts, every exclusion with its rows
"""

from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from facewave import params
from facewave.errors import UserError, explain
from facewave.files import sha256, write_json
from facewave.labels import cleaning, dfew, schema, splits
from facewave.video import open_video

READERS = {"dfew": dfew.read}


def main(name: str) -> None:
    """Clean one dataset."""
    settings = params.load()
    entry = params.dataset(settings, name)
    root, source = Path(entry.root), Path(entry.root) / entry.table
    raw = READERS[entry.reader](source, entry.clips)
    for row, path in zip(raw["row"], raw["file_path"], strict=True):
        cleaning.check_inside(path, str(source), row)

    facts = look_at(root, sorted(set(raw["file_path"]) - {""}))
    table = cleaning.clean(raw, facts, schema.WORDS[entry.reader]).assign(dataset=name)
    kept = schema.single_label(table)
    store = Path("data/labels") / f"{name}.folds.json"
    if kept.empty:
        why = ", ".join(f"{n} {word}" for word, n in table["excluded"].value_counts().items())
        raise UserError(
            f"{source}: no clip is left ({why}). The first one looked for was "
            f"{root / raw['file_path'].iloc[0]}; correct the table, or root and clips of "
            f"datasets.{name} in params.yaml."
        )
    parts = splits.assign(kept, store, settings.labels.folds, settings.labels.seed)
    table["fold"] = parts["fold"].reindex(table.index)
    table["split"] = parts["split"].reindex(table.index, fill_value="")

    schema.write(Path("data/labels") / f"{name}.csv", table)
    counts = cleaning.report(table)
    write_json(Path("metrics/clean") / f"{name}.json", counts)
    print(f"{name}: {counts['rows']} rows, {counts['kept']} kept, {counts['excluded']} left out")
    for row in table[table["excluded"] != ""].itertuples():
        print(f"  row {row.row}: {row.excluded}{f' ({row.note})' if row.note else ''}")


def look_at(root: Path, paths: list[str]) -> dict[str, cleaning.FileFact]:
    """Whether each clip exists and opens, and which clips have the same bytes."""
    by_size = defaultdict(list)
    for path in paths:
        if (root / path).is_file():
            by_size[(root / path).stat().st_size].append(path)
    twins: dict[str, str] = {}
    for same_size in by_size.values():
        if len(same_size) > 1:  # only files of one size can be equal: few must be read
            twins |= {path: sha256(root / path) for path in same_size}
    return {
        path: cleaning.FileFact(
            exists=(root / path).exists(),
            problem=opening_problem(root / path) if (root / path).exists() else "",
            twin=twins.get(path, ""),
        )
        for path in tqdm(paths, desc=f"clean {root}", unit="clip")
    }


def opening_problem(path: Path) -> str:
    """Why a video cannot be opened, or "" if it can; what is in it is for stage extract to see."""
    if not path.is_file():
        return "not a file"
    if path.stat().st_size == 0:
        return "0 bytes"
    capture = open_video(path)
    try:
        if not capture.isOpened():
            return "not a video, or its header is damaged or cut off"
        return "" if capture.grab() else "no frame can be decoded"
    finally:
        capture.release()


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))
