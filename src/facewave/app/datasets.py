"""``facewave datasets``: which corpora can be read, what a folder has, what two tables share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape

from facewave import params, workspace
from facewave.errors import UserError
from facewave.labels import leaks, more, schema
from facewave.labels.clips import inspect_clip
from facewave.labels.collect import Source, present_of, read, sources
from facewave.labels.corpus import Track
from facewave.labels.readers import CORPORA, get
from facewave.params import Dataset
from facewave.targets import ABOUT, CLASSES, PLANE, QUADRANT, SCORE, UNITS

_LOOKED_AT = 20  # clips of each corpus that are opened
_NAMED = 3  # rows of each problem that are named
_console = Console(highlight=False, soft_wrap=True)


def show_all() -> None:
    """Print what is known of every corpus, in short."""
    for corpus in CORPORA.values():
        _console.print(f"[bold]{corpus.name}[/]  {corpus.title}")
        for name, track in corpus.tracks.items():
            size = f"{len(track.words)} words" if track.words else "no words"
            if "clips" in track.published:
                size += f", {track.published['clips']:,} clips"
            size += ", grey pictures" if corpus.grey else ""
            asked = ", ".join(targets(track)) or "none"
            known = ", ".join(track.knows) or "nothing more"
            _console.print(escape(f"    {name}: {size}; targets {asked}; knows {known}"))
        _console.print(f"    {corpus.home}, {corpus.access}; {corpus.licence}")
    _console.print("""
facewave datasets show NAME          its words, counts, files and options
facewave datasets check NAME FOLDER  what you have of it, and what is missing""")


def show_one(name: str) -> None:
    """Print everything that is known of one corpus.

    Raises:
        UserError: there is none of that name.
    """
    corpus = get(name)
    lines = [corpus.title, f"  where    {corpus.home}", f"  access   {corpus.access}",
             f"  licence  {corpus.licence}"]  # fmt: skip
    if corpus.grey:
        lines.append("  colours  none: grey pictures")
    for track_name, track in corpus.tracks.items():
        lines.append(f"  track    {track_name}")
        lines.append(f"    words      {', '.join(track.words) or 'none: numbers'}")
        lines.append(f"    targets    {', '.join(targets(track))}")
        if track.knows:
            lines.append(f"    knows      {', '.join(track.knows)}")
        if track.published:
            counts = ", ".join(f"{key}: {count:,}" for key, count in track.published.items())
            lines.append(f"    published  {counts}")
        if track.of_compounds:
            counts = ", ".join(f"{key}: {count:,}" for key, count in track.of_compounds.items())
            lines.append(f"    published  {counts}, with words: compound")
    lines += [f"  files    {pattern}: {what}" for pattern, what in corpus.layout.items()]
    for preset, folds in corpus.folds.items():
        parts = "; ".join(" ".join(subjects) for subjects in folds)
        lines.append(f"  folds    {preset}: the subjects of each test part: {parts}")
    options = "".join(f", [{option}: ...]" for option in corpus.takes)
    lines.append(f"  params   {name}: {{reader: {name}, root: FOLDER, about: WHAT IT IS{options}}}")
    _console.print(escape("\n".join(lines)))


def targets(track: Track) -> list[str]:
    """What ``train.targets`` may name of a corpus, if its files have all that they can have."""
    knows = set(track.knows)
    return [
        *([CLASSES] if track.words or "votes" in knows else []),
        *([QUADRANT] if knows >= set(PLANE[:2]) else []),
        *(name for name in (*PLANE, UNITS) if name in knows),
        *([f"{SCORE}NAME"] if "scores" in knows else []),
        *([f"{ABOUT}NAME"] if "about" in knows else []),
    ]


def check(name: str, root: Path | None, options: Mapping[str, Any]) -> bool:
    """Look at the folder of a reader's corpus, or without one at an entry of params.yaml.

    ``options`` are those of an entry, over what it has.

    Returns:
        Whether all is there, readable and as published.

    Raises:
        UserError: there is no such reader, entry or folder, or an option that the reader does not
            take.
    """
    seed = 0
    if root is None:
        settings = params.load()
        entry = replace(params.dataset(settings, name), **options)
        seed, entries, root = settings.labels.seed, {name: entry}, Path(entry.root)
    else:
        tracks = [options["track"]] if "track" in options else list(get(name).tracks)
        basis = Dataset(reader=name, root=str(root), about="", **options)
        entries = {track: replace(basis, track=track) for track in tracks}
    if not root.is_dir():
        raise UserError(f"{root} is no folder. Name the one that the corpus was unpacked into.")
    checked = [
        _check_source(source, label, seed)
        for label, entry in entries.items()
        for source in sources(entry, name)
    ]
    checked += [_check_more(entry, name, seed) for entry in entries.values() if entry.more]
    return all(checked)


def _check_more(entry: Dataset, name: str, seed: int) -> bool:
    """Whether the further table of an entry whose own tables can be read fits them."""
    try:
        more.join(
            [read(source, seed) for source in sources(entry, name)], Path(entry.root) / entry.more
        )
    except UserError as error:
        _mark(str(error), False)
        return False
    _mark(f"{entry.more}: further numbers of the same clips", True)
    return True


def _check_source(source: Source, label: str, seed: int) -> bool:
    root = Path(source.entry.root)
    track = source.corpus.track(source.entry.track)
    _console.print(f"[bold]{source.corpus.name}, {escape(label)}[/] in {escape(str(root))}")
    layout = source.corpus.layout if source.entry.has_pictures else {}
    for pattern, what in layout.items():
        files = [file for part in pattern.split(" or ") for file in sorted(root.glob(part))]
        found = str(files[0].relative_to(root)) if files else f"no {pattern}"
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        mark = "[green]✓[/]" if files else "[yellow]-[/]"
        _console.print(f"  {mark} {what}: {escape(found)}{more}")
    try:
        table = read(source, seed)
    except UserError as error:
        _console.print(f"  [red]✗[/] {escape(str(error))}")
        return False
    for problem, rows in table[table["problem"].notna()].groupby("problem"):
        named = [f"{row.table}:{row.row} {row.note}" for row in rows.head(_NAMED).itertuples()]
        mark = "[yellow]![/]" if problem in schema.ORDINARY else "[red]✗[/]"
        _console.print(f"  {mark} {len(rows)} x {problem}: {escape('; '.join(named))}")
    left_out = table["problem"].notna() & ~table["problem"].isin(schema.ORDINARY)
    sound = table[table["problem"].isna()]
    paths = sound["file_path"].str.removeprefix(source.below and source.below + "/").unique()
    present = present_of(source.entry, paths)
    missing = [path for path in paths if path not in present]
    looked = [] if source.entry.features else sorted(present)[:_LOOKED_AT]
    strange = {path: why for path in looked if (why := inspect_clip(root / path).problem)}
    complete = bool(present) and not missing and not strange
    _mark(
        f"{len(table)} rows; {len(present)} clips are there, {len(missing)} are missing", complete
    )
    unlabelled = (sound["word"] == "") & sound["votes"].isna()
    if track.words and unlabelled.any():
        _console.print(f"    {unlabelled.sum()} rows have no label")
    if missing:
        where = root / source.entry.features.table if source.entry.features else root
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        _console.print(escape(f"    not in {where}: {', '.join(missing[:_NAMED])}{more}"))
    for path, why in list(strange.items())[:1]:
        unread = f"{len(strange)} of the first {len(looked)} clips cannot be read"
        _console.print(escape(f"    {unread}, such as {path}: {why}"))
    if not present and not missing:
        _console.print("    no row is usable, so that there is nothing to learn from")
    same = True
    # Nothing was published of a corpus's share in a union, or of a table of one's own.
    unpublished = source.below or source.entry.table
    published_of = track.published
    if source.entry.words == "compound":
        sound = sound[sound["word"].map(schema.compound) != ""]
        published_of = track.of_compounds
    for key, count, published in [] if unpublished else _compare(sound, track.words, published_of):
        differs = f", published {published} ({count - published:+d})" if count != published else ""
        _mark(f"{key}: {count}{differs}", count == published)
        same &= count == published
    return same and complete and not left_out.any()


def _mark(line: str, good: bool) -> None:
    _console.print(f"  {'[green]✓[/]' if good else '[red]✗[/]'} {escape(line)}")


def _compare(
    sound: pd.DataFrame, words: Sequence[str], published: Mapping[str, int]
) -> Iterator[tuple[str, int, int]]:
    """Each published count's name, what is here, and what was published."""
    labelled = sound[sound["word"] != ""] if words else sound
    placed = labelled["fold"].notna() | (labelled["part"] != "")
    if {"fold 1", "train"} & set(published) and placed.any():
        labelled = labelled[placed]  # the published counts are of the parts' clips
    counts = {
        "clips": labelled["video_idx"].nunique(),
        "classes": labelled["word"].nunique(),
        **{
            f"{column}s": labelled.loc[labelled[column] != "", column].nunique()
            for column in ("subject", "source", "scene")
        },
        **labelled["part"].value_counts().to_dict(),
        **{f"fold {fold}": n for fold, n in labelled["fold"].value_counts().items()},
        **labelled["word"].value_counts().to_dict(),
    }
    for key, number in published.items():
        yield key, int(counts.get(key, 0)), number


def shared(train: str, test: str) -> bool:
    """Say for each partition whether a model trained on one table may be tested on another.

    Returns:
        Whether no training or validation clip, subject or source of ``train`` is in a test part
        of ``test`` under the same partition.

    Raises:
        UserError: a table is missing.
    """
    settings = params.load()
    trained_on, tested_on = (_rows(settings, name) for name in (train, test))
    clean = True
    folds = sorted(set(trained_on["fold"].dropna()) & set(tested_on["fold"].dropna()))
    for partition in ("split", *folds):
        leak = leaks.shared(
            trained_on[schema.parts(trained_on, partition) != "test"],
            tested_on[schema.parts(tested_on, partition) == "test"],
        )
        title = "split" if partition == "split" else f"fold {partition}"
        _console.print(f"{title}: {leak or 'nothing is shared'}")
        clean &= not leak
    if not clean:
        verdict = f"A model trained on {train} has seen test clips of {test}"
        _console.print(f"{verdict}: report no such figure.")
    return clean


def _rows(settings: params.Params, name: str) -> pd.DataFrame:
    """The kept rows, with clips and people named so that two datasets of one corpus agree."""
    entry = params.dataset(settings, name)
    rows = schema.single_label(workspace.Dataset(name, settings).read_labels()).copy()
    for source in sources(entry, name):
        of_source = (rows["dataset"] == source.name) | (not source.below)
        # Names in a table of one's own mean something in its folder only.
        folder = str(Path(source.entry.root).resolve())
        corpus = folder if source.corpus.name == "table" else source.corpus.name
        for column in ("video_idx", "subject", "source"):
            names = rows.loc[of_source, column]
            plain = names.str.removeprefix(source.below and source.below + "/")
            rows.loc[of_source, column] = (corpus + " " + plain).where(names != "", "")
    root = Path(entry.root).resolve()
    rows["file_path"] = [str(root / path) for path in rows["file_path"]]
    return rows
