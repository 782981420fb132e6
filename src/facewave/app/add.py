"""``facewave datasets add``: an entry for people's own clips, from their table and its columns.

What a column is taken for follows from its name and is checked on its cells; every choice is said.
Nothing is written before the cleaned table is known to have clips.
"""

import json
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from facewave import params
from facewave.app import entries
from facewave.errors import UserError
from facewave.labels import leaks, schema, splits, tables
from facewave.labels.__main__ import print_parts, print_rows
from facewave.labels.clips import exists
from facewave.labels.collect import collect
from facewave.labels.corpus import clip_path
from facewave.labels.listing import CLIPS
from facewave.params import Dataset
from facewave.targets import PLANE, SCORE

# Ours -> names that people give such columns, without case and punctuation.
_CALLED = {
    "actual": ("actual", "label", "emotion", "class", "expression", "category"),
    "subject": ("subject", "subjectid", "person", "participant", "participantid", "speaker",
                "actor", "patient", "user"),
    "source": ("source", "session", "recording", "film", "movie"),
    "scene": ("scene", "situation", "condition"),
    "transcript": ("transcript", "text", "utterance", "sentence"),
    "split": ("split", "part", "partition"),
    "fold": ("fold",),
    "valence": ("valence",),
    "arousal": ("arousal",),
    "dominance": ("dominance",),
    "start": ("start", "starts", "onset"),
    "end": ("end", "ends", "offset"),
}  # fmt: skip
_CLIP_FIRST = ("filepath", "path", "file", "filename", "video", "clip", "videoname", "videoidx",
               "clipname", "name", "id", "order")  # fmt: skip
_MOST_CLASSES = 50
_MOST_CODES = 20  # more different whole numbers are a scale, not classes
_TEXTS = ("subject", "source", "scene", "transcript")  # there NA may be a name
_NAME = re.compile(r"\w[\w-]*")
Rows = Sequence[Mapping[str, str]]


def add(name: str, folder: Path, table: str, clips: str = "", labels: Sequence[str] = ()) -> None:
    """Write an entry of the reader ``table`` into params.yaml.

    Args:
        name: of the entry.
        folder: where clips and table are.
        table: the table's path, in the folder.
        clips: where a clip lies in it, with its name as {clip}; "" where the table has paths.
        labels: columns with what is to be learnt; () for the first that is called so.

    Raises:
        UserError: there is such an entry, no clip is found, or none is left after cleaning.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for a dataset: letters, digits, _ and - only.")
    if entries.has(name):
        raise UserError(
            f"{params.PARAMS_FILE} has an entry datasets.{name}. Choose another name, or remove it."
        )
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder. Name the one that has the clips and their table.")
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder} is the project itself. Put clips and table in a folder in it.")
    whole = Path(table) if Path(table).is_absolute() else folder / table
    if not whole.is_file() and Path(table).is_file():
        whole = Path(table)
    if not whole.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{table} is not in {folder}. Put the table there; paths start from it.")
    below = whole.resolve().relative_to(folder.resolve()).as_posix()
    rows = [row for _, row in tables.rows(whole, ())]

    columns, clips = _clip_column(rows, folder, clips, whole)
    words = _columns(rows, columns, labels, whole)
    entry: dict[str, Any] = {
        "reader": "table",
        "root": entries.root_of(folder),
        "about": f"{name}: clips of our own",
        "table": below,
        **({"clips": clips} if clips else {}),
        "columns": columns,
        **({"words": words} if words else {}),
    }
    _check(name, entry)
    _keep_out_of_git(folder, whole)
    entries.add(name, entry)
    print(f"{params.PARAMS_FILE} now has the entry datasets.{name}; check it")
    print(f"next: dvc exp run -n {name} -S train.dataset={name}")


def _clip_column(rows: Rows, folder: Path, pattern: str, table: Path) -> tuple[dict[str, str], str]:
    """The column that names the clips, as an entry has it, and the pattern of their paths."""
    names = sorted(rows[0], key=lambda name: _rank(name, _CLIP_FIRST))
    if pattern:
        shares = {name: _share(rows, name, folder, pattern) for name in names}
    else:
        shares = {name: _share(rows, name, folder) for name in names}
    best = max(names, key=lambda name: shares[name])
    if not pattern and not shares[best]:
        return _by_stem(rows, names, folder, table)
    if not shares[best]:
        first = rows[0][names[0]]
        raise UserError(
            f"{table}: no column names clips by the pattern {pattern!r}: of {names[0]!r} the first "
            f"would be {folder / clip_path(pattern, clip=first)}. Correct --clips."
        )
    ours = "video_idx" if pattern else "file_path"
    _say(best, f"the clips' {'names' if pattern else 'paths'} ({shares[best]:.0%} are there)")
    return {ours: best}, pattern


def _by_stem(
    rows: Rows, names: Sequence[str], folder: Path, table: Path
) -> tuple[dict[str, str], str]:
    """The column whose cells are names of clips somewhere below the folder, without suffix."""
    files = [path for path in folder.rglob("*") if path.suffix.lower() in CLIPS]
    for name in names:
        cells = {row[name] for row in rows} - {""}
        places = {
            (path.relative_to(folder).with_name("{clip}" + path.suffix)).as_posix()
            for path in files
            if path.stem in cells
        }
        if len(places) == 1:
            (pattern,) = places
            share = _share(rows, name, folder, pattern)
            _say(name, f"the clips' names, {pattern} ({share:.0%} are there)")
            return {"video_idx": name}, pattern
    raise UserError(
        f"{table}: no column names clips below {folder}; its columns are {', '.join(names)[:300]}. "
        "Have one with paths from there, or say where a clip lies: --clips 'videos/{clip}.mp4'"
    )


def _share(rows: Rows, name: str, folder: Path, pattern: str = "{clip}") -> float:
    cells = [row[name] for row in rows if row[name]]
    present = [exists(folder / clip_path(pattern, clip=cell)) for cell in cells]
    return sum(present) / len(rows)


def _columns(rows: Rows, columns: dict[str, str], labels: Sequence[str], table: Path) -> list[str]:
    """Add the columns of labels and of what else is known; the classes' words."""
    if unknown := [label for label in labels if label not in rows[0]]:
        raise UserError(f"{table} has no column {unknown[0]!r}; it has {', '.join(rows[0])[:300]}.")
    free = [name for name in rows[0] if name not in columns.values()]
    cells_of = {name: [tables.given(row[name]) for row in rows] for name in rows[0]}
    words: list[str] = []
    named = [name for name in free if _plain(name) in _CALLED["actual"]]
    named.sort(key=lambda name: _rank(name, _CALLED["actual"]))
    for name in labels or named[:1]:
        cells = [cell for cell in cells_of[name] if cell]
        ours = _plain(name)
        if ours in PLANE:
            continue
        if not words and _are_classes(cells):
            words = _words(cells, name, table)
            columns["actual"] = name
            _say(name, f"the label; {len(words)} classes: {', '.join(words)}")
        elif cells and _are(tables.real, cells):
            columns[f"{SCORE}{ours or name}"] = name
            _say(name, "a number, to learn by regression")
        else:
            raise UserError(
                f"{table}: column {name!r} is neither a second number nor the one label; give one "
                "column of classes, and others of numbers alone."
            )
    for ours, called in _CALLED.items():
        taken = columns.values()
        fits = [name for name in free if name not in taken and _plain(name) in called]
        if ours == "actual" or not fits:
            continue
        cells = [row[fits[0]] for row in rows] if ours in _TEXTS else cells_of[fits[0]]
        different = set(cells) - {""}
        if different and _is_as(ours, different):
            columns[ours] = fits[0]
            _say(fits[0], f"{ours} ({len(different)} different)")
    if not {"actual", *PLANE} & set(columns) and not any(key.startswith(SCORE) for key in columns):
        raise UserError(
            f"{table}: no column is called {', '.join(_CALLED['actual'])}. Say which is to be "
            f"learnt: --label COLUMN, of {', '.join(free)[:300]}."
        )
    if ignored := [name for name in free if name not in columns.values()]:
        print(f"  not used: {', '.join(ignored)}")
    if "subject" not in columns:
        print("  beware: no column says who is seen, so that folds may share people")
    return words


def _are_classes(cells: Sequence[str]) -> bool:
    """Whether cells are words, or whole numbers of which there are few different ones."""
    if not _are(tables.real, cells):
        return True
    return all(re.fullmatch(r"[0-9]+", cell) for cell in cells) and len(set(cells)) <= _MOST_CODES


def _words(cells: Sequence[str], name: str, table: Path) -> list[str]:
    spellings: dict[str, Counter[str]] = {}
    for cell in cells:
        spellings.setdefault(cell.casefold(), Counter())[cell] += 1
    if len(spellings) > _MOST_CLASSES:
        raise UserError(
            f"{table}: column {name!r} has {len(spellings)} different texts in {len(cells)} rows, "
            "too many for classes. Name the column of the label: --label COLUMN"
        )
    if len(spellings) < 2:
        raise UserError(
            f"{table}: column {name!r} has {len(spellings)} class{'es' * (not spellings)}: there "
            "is nothing to tell apart. Name another: --label COLUMN"
        )
    words = [counts.most_common(1)[0][0] for counts in spellings.values()]
    return sorted(words, key=lambda word: (len(word) if word.isdecimal() else 0, word))


def _is_as(ours: str, cells: Collection[str]) -> bool:
    """Whether cells are what a column of that name has to hold."""
    match ours:
        case "split":
            return _are(lambda cell, _: tables.part(cell), cells)
        case "fold":
            return _are(lambda cell, _: tables.fold(cell), cells)
        case "valence" | "arousal" | "dominance":
            return _are(tables.real, cells) and all(abs(tables.real(c, ours)) <= 1 for c in cells)
        case "start" | "end":
            return _are(tables.seconds, cells)
        case _:
            return True


def _are(read: Callable[[str, str], object], cells: Collection[str]) -> bool:
    """Whether all cells can be read in a way of ``tables``."""
    try:
        for cell in cells:
            read(cell, "")
    except tables.Unusable:
        return False
    return True


def _check(name: str, entry: Mapping[str, Any]) -> None:
    """Clean in memory, and say what clips, people, folds and parts there would be.

    Raises:
        UserError: nothing is left, or parts leak.
    """
    settings = params.load()
    dataset = TypeAdapter(Dataset).validate_json(json.dumps(entry))
    table, words = collect(dataset, name, settings.labels)
    kept = schema.single_label(table)
    print_rows(name, table, len(kept))
    if kept.empty:
        row = table.iloc[0]
        raise UserError(
            f"{name}: no clip is left; the first row is left out: {row['excluded']} "
            f"({row['note'] or dataset.root}). Nothing was written."
        )
    folds = settings.labels.folds
    with tempfile.TemporaryDirectory() as nowhere:
        store = Path(nowhere) / "folds.json"
        parts = splits.assign(kept, store, folds, settings.labels.seed)
        kept = kept.assign(**{column: parts[column] for column in parts})
        leaks.check(kept, name)
        few = splits.shortage(kept, folds, store)
    people = kept.loc[kept["subject"] != "", "subject"].nunique()
    print(f"{name}: {len(kept)} clips of {people or 'unnamed'} people, {kept['fold'].nunique()} "
          "folds")  # fmt: skip
    if words:
        counts = kept["actual"].value_counts().reindex(words, fill_value=0)
        print(f"{name}: {', '.join(f'{word} {n}' for word, n in counts.items())}")
    if few:
        print(f"{name}: {few.replace(str(store), f'{name}.folds.json')}")
    print_parts(name, kept, words)


def _keep_out_of_git(folder: Path, table: Path) -> None:
    """Have git ignore a folder of recordings that lies in its repository."""
    if not folder.resolve().is_relative_to(Path.cwd().resolve()):
        return
    below = folder.resolve().relative_to(Path.cwd().resolve()).as_posix()
    if _git("rev-parse", "--git-dir") is None:
        return
    if _git("check-ignore", "--no-index", "-q", str(table.resolve())) is None:
        ignore = Path(".gitignore")
        before = ignore.read_text("utf-8") if ignore.exists() else ""
        line = "" if not before or before.endswith("\n") else "\n"
        pattern = re.sub(r"([*?\[\\])", r"\\\1", below)
        ignore.write_text(f"{before}{line}/{pattern}/\n", "utf-8")
        print(f"  .gitignore has /{below}/, so that no recording gets into git")
    if known := (_git("ls-files", "--", str(folder)) or "").split("\n")[:-1]:
        print(
            f"  beware: git already has {len(known)} files of it, such as {known[0]}; take them "
            f"out with: git rm -r --cached {below}"
        )


def _git(*words: str) -> str | None:
    """What git prints; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None
    return done.stdout


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(_plain(name)) if _plain(name) in order else len(order)


def _say(column: str, meaning: str) -> None:
    print(f"  column {column!r}: {meaning}")
