"""How cleaning grows with the number of rows: ``python benchmarks/labels.py``.

Tables in DFEW's format, from 1,000 to 100,000 rows with a twentieth of dirt, go through reading,
rules, splits, leak check, subsets and writing. Files are taken as there: opening them is another
matter, and is measured below on the demo's clips.
"""

import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from facewave.labels import cleaning, leaks, schema, splits, subsets
from facewave.labels.clips import inspect
from facewave.labels.collect import read, rules, sources, words_of
from facewave.labels.readers.dfew import VOTE_COLUMNS, WORDS
from facewave.params import Dataset, Labels

SIZES = (1_000, 10_000, 40_000, 100_000)
SETTINGS = Labels(5, 0, 0.0, "exclude", 0.0, "exclude")


def write(path: Path, rows: int) -> None:
    """A table of DFEW's format, some of its rows doubled, undecided or against their votes."""
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, np.full(len(WORDS), 1 / len(WORDS)), size=rows)
    label = rng.integers(1, len(WORDS) + 1, rows)
    votes[:] = 0
    votes[np.arange(rows), label - 1] = 7
    votes[np.arange(rows), label % len(WORDS)] = 3
    order = np.arange(1, rows + 1)
    kinds = rng.random(rows)
    label[kinds < 0.02] = 0
    order[1:][kinds[1:] > 0.98] = order[:-1][kinds[1:] > 0.98]
    subject = rng.integers(0, rows // 5, rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*VOTE_COLUMNS, "order", "label", "subject"])
        writer.writerows(
            [*v, o, k, f"s{s}"] for v, o, k, s in zip(votes, order, label, subject, strict=True)
        )


def clean(root: Path) -> dict[str, float]:
    """Seconds of each step."""
    entry = Dataset(reader="dfew", root=str(root), about="", table="a.csv", clips="{order}.mp4")
    marks = [time.perf_counter()]
    (source,) = sources(entry, "benchmark")
    raw = read(source, SETTINGS.seed)
    marks.append(time.perf_counter())
    facts = {path: cleaning.FileFact(exists=True) for path in raw["file_path"]}
    table = cleaning.clean(raw, facts, rules(source, SETTINGS))
    marks.append(time.perf_counter())
    kept = schema.single_label(table)
    kept = kept.assign(**splits.assign(kept, root / "folds.json", SETTINGS.folds, SETTINGS.seed))
    marks.append(time.perf_counter())
    leaks.check(kept, "benchmark")
    subsets.rank(kept.assign(word=kept["actual"], part=kept["split"]), SETTINGS.seed)
    marks.append(time.perf_counter())
    schema.write(root / "labels.csv", table, words_of(entry))
    marks.append(time.perf_counter())
    names = ("read", "rules", "splits", "leaks, order", "write")
    return dict(zip(names, np.diff(marks).tolist(), strict=True))


def main() -> None:
    """Print the table."""
    print(f"{'rows':>8} {'seconds':>8} {'us/row':>7} {'ratio':>6}  of which")
    first = 0.0
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write(root / "a.csv", rows)
            steps = clean(root)
        seconds = sum(steps.values())
        first = first or seconds / rows
        said = ", ".join(f"{name} {value:.2f}" for name, value in steps.items())
        print(
            f"{rows:8,} {seconds:8.2f} {1e6 * seconds / rows:7.0f} {seconds / rows / first:6.2f}  "
            + said
        )
    demo = Path("data/raw/demo")
    clips = sorted(path.relative_to(demo).as_posix() for path in demo.glob("clips/*.mp4"))
    start = time.perf_counter()
    inspect(demo, clips)
    print(f"opening a clip: {1e3 * (time.perf_counter() - start) / len(clips):.1f} ms")


if __name__ == "__main__":
    main()
