"""Stage clean: ``python -m facewave.labels DATASET``.

Reads   the dataset's label files, and whether each clip opens and has a copy
Writes  data/labels/<dataset>.csv         one row per row of the files (labels/schema.py)
        data/labels/<dataset>.words.json  the word list, in the order of the codes
        data/labels/<dataset>.folds.json  the part of each subject or clip; kept between runs
        data/labels/<dataset>.frames.parquet  valence and arousal of every frame, where the corpus
                                              has them
        metrics/clean/<dataset>.json      counts: classes, parts, every exclusion with its rows
        metrics/clean/<dataset>.png       classes per part, and the valence-arousal plane
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params, targets
from facewave.errors import UserError, explain
from facewave.files import write_json
from facewave.labels import cleaning, leaks, plots, schema, splits, subsets
from facewave.labels.collect import collect, traces
from facewave.workspace import Dataset

_NAMED = 20  # up to this many rows are named one by one


def main(name: str) -> None:
    """Clean one dataset."""
    settings = params.load()
    dataset = Dataset(name, settings)
    entry, report = dataset.entry, Path("metrics/clean")

    table, words = collect(entry, name, settings.labels)
    kept = schema.single_label(table)
    unsure = table[table["excluded"].isin(schema.AMBIGUOUS)]
    has_nothing = (unsure["excluded"] == schema.Reason.UNLABELLED) & ~_have_others(unsure)
    ambiguous, unlabelled = unsure[~has_nothing], unsure[has_nothing]
    if kept.empty and (unlabelled.empty or len(ambiguous)):
        print_rows(name, table, 0)
        out = table[table["excluded"] != ""].iloc[0]
        raise UserError(
            f"{name}: no clip is left. The first row, {cleaning.where(out)}, is left out: "
            f"{out['excluded']} ({out['note'] or entry.root}). Correct the label files, or the "
            f"entry datasets.{name} in params.yaml."
        )
    folds = entry.folds if isinstance(entry.folds, int) else settings.labels.folds
    seed = settings.labels.seed
    parts = splits.assign(kept, dataset.folds, folds, seed, ambiguous, unlabelled)
    for column in parts:
        table[column] = parts[column].reindex(table.index)
    table["split"] = table["split"].fillna("")
    leaks.check(table[table["split"] != ""], name)
    kept = table.loc[kept.index]
    for rows in (kept, table.loc[ambiguous.index], table.loc[unlabelled.index]):
        order = subsets.rank(rows.assign(word=rows["actual"], part=rows["split"]), seed)
        table.loc[rows.index, "rank"] = order
    codes = {word: code for code, word in enumerate(words)}
    table["label"] = table["actual"].map(codes).astype("Int64")

    schema.write(dataset.labels, table, words)
    schema.write_frames(dataset.labels, traces(entry, name, set(kept["file_path"])))
    counts = cleaning.report(table)
    write_json(report / f"{name}.json", counts)
    plots.overview(kept, words, f"{name}: {entry.about}", report / f"{name}.png", len(unlabelled))
    print_rows(name, table, len(kept))
    if rare := cleaning.rare_words(table):
        listed = ", ".join(f"{word} ({n})" for word, n in rare.items())
        print(f"{name}: words with fewer than {entry.min_count} clips, left out: {listed}")
    if kept.empty:
        print(f"{name}: no clip has a label. A model that has learnt elsewhere can answer them: "
              f"facewave pseudo-label {name} --model FOLDER")  # fmt: skip
    else:
        if few := splits.shortage(kept, folds, dataset.folds):
            print(f"{name}: {few}")
        print_parts(name, kept, words)
    problems = table[~table["excluded"].isin(["", *schema.ORDINARY])]
    if settings.labels.on_problem == "fail" and len(problems):
        raise UserError(
            f"{name}: {len(problems)} rows have problems, and labels.on_problem is fail. They are "
            f"listed above and in {report / name}.json; correct them, or set it to exclude."
        )


def print_rows(name: str, table: pd.DataFrame, kept: int) -> None:
    """Say how many rows are kept, which are left out and why, and what else is known."""
    out = table[table["excluded"] != ""]
    print(f"{name}: {len(table)} rows, {kept} kept, {len(out)} left out")
    if len(out) <= _NAMED:
        for row in out.itertuples():
            note = f" ({row.note})" if row.note else ""
            print(f"  {cleaning.where(row)}: {row.excluded}{note}")
    else:
        for reason, group in out.groupby("excluded"):
            row = next(group.itertuples())
            note = f" ({row.note})" if row.note else ""
            print(f"  {len(group)} x {reason}, the first: {cleaning.where(row)}{note}")
    unsure = out[out["excluded"].isin(schema.AMBIGUOUS)]
    if n := _have_others(unsure).sum():
        print(f"  {n} of these have other targets ({', '.join(targets.available(unsure, ()))})")


def _have_others(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows without a word have another target, (n,)."""
    return targets.known(list(targets.available(rows, ()).values()), rows)


def print_parts(name: str, kept: pd.DataFrame, words: Sequence[str]) -> None:
    """Say which parts are empty, and which words are absent from parts, with what follows."""
    for partition, missing in leaks.empty_parts(kept):
        follows = "the last epoch is kept, and probabilities are not calibrated"
        for part, lost in (("test", "nothing can be tested"), ("train", "nothing can be learnt")):
            follows = f"{lost} there" if part in missing else follows
        print(f"{name}, {partition}: no clip is in {missing}; {follows}")
    present = [word for word in kept["actual"].unique() if word]
    if words and len(present) == 1:
        print(f"{name}: every clip is {present[0]}, so that there is nothing to tell apart")
    absent = [word for word in words if word not in set(kept["actual"])]
    if absent:
        print(f"{name}: no clip is {', '.join(absent)}; min_count: 1 leaves such words out")
    found = leaks.absent_words(kept, [word for word in words if word not in absent])
    for word, part, partitions in found:
        follows = {
            "train": "it cannot be answered there",
            "test": "UAR there is over the other words",
        }[part]
        print(f"{name}: no {part} clip is {word} in {partitions}; {follows}")


if __name__ == "__main__":
    explain(lambda: main(params.dataset_argument()))
