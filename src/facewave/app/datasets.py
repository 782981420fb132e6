"""``facewave datasets``: which corpora are read, what lies in a folder, what two tables share."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape

from facewave import params
from facewave.errors import UserError
from facewave.labels import leaks, schema
from facewave.labels.clips import exists
from facewave.labels.collect import Source, read, sources
from facewave.labels.corpus import Track
from facewave.labels.readers import CORPORA, get
from facewave.params import Dataset

_NAMED = 3  # so many rows of each problem are named


def show_all(console: Console) -> None:
    """What is known of every corpus, in short."""
    for corpus in CORPORA.values():
        console.print(f"[bold]{corpus.name}[/]  {corpus.title}")
        for name, track in corpus.tracks.items():
            said = f"{len(track.words)} words" if track.words else "no words"
            if "clips" in track.published:
                said += f", {track.published['clips']:,} clips"
            console.print(f"    {name}: {said}; knows {', '.join(track.knows) or 'nothing more'}")
        console.print(f"    {corpus.home}, {corpus.access}; {corpus.licence}")
    console.print(
        "\nfacewave datasets show NAME          its words, counts, files and options\n"
        "facewave datasets check NAME FOLDER  what you have of it, and what is missing"
    )


def show_one(name: str, console: Console) -> None:
    """Everything that is known of one corpus.

    Raises:
        UserError: there is none of that name.
    """
    corpus = get(name)
    console.print(corpus.title)
    console.print(
        f"  where    {corpus.home}\n  access   {corpus.access}\n  licence  {corpus.licence}"
    )
    for track_name, track in corpus.tracks.items():
        console.print(f"  track    {track_name}")
        console.print(f"    words      {', '.join(track.words) or 'none: numbers'}")
        if track.knows:
            console.print(f"    knows      {', '.join(track.knows)}")
        if track.published:
            said = ", ".join(f"{key}: {count:,}" for key, count in track.published.items())
            console.print(f"    published  {said}")
    for pattern, what in corpus.layout.items():
        console.print(f"  files    {pattern}: {what}")
    takes = "".join(f", [{option}: ...]" for option in corpus.takes)
    line = f"  params   {name}: {{reader: {name}, root: FOLDER, about: WHAT IT IS{takes}}}"
    console.print(escape(line))


def check(name: str, root: Path | None, console: Console) -> bool:
    """Look at a corpus's folder, or at an entry of params.yaml, and report.

    Args:
        name: of a reader, if ``root`` is given; else of an entry.
        root: the corpus's folder.
        console: where to.

    Returns:
        Whether all is there and as published.

    Raises:
        UserError: no such reader, entry or folder.
    """
    seed = 0
    if root is None:
        settings = params.load()
        seed, entries = settings.labels.seed, {name: params.dataset(settings, name)}
        root = Path(entries[name].root)
    else:
        corpus = get(name)
        entries = {
            track: Dataset(reader=name, root=str(root), about="", track=track)
            for track in corpus.tracks
        }
    if not root.is_dir():
        raise UserError(f"{root} is no folder. Name the one that the corpus was unpacked into.")
    found = [
        _check_source(source, label, seed, console)
        for label, entry in entries.items()
        for source in sources(entry, name)
    ]
    return all(found)


def shared(train: str, test: str, console: Console) -> bool:
    """Say for each partition whether a model trained on one table may be tested on another.

    Returns:
        Whether no training or validation clip, subject or source of ``train`` is in a test part
        of ``test`` under the same partition.

    Raises:
        UserError: a table is missing.
    """
    settings = params.load()
    one, other = (_rows(settings, name) for name in (train, test))
    clean = True
    folds = sorted(set(one["fold"].dropna()) & set(other["fold"].dropna()))
    for partition in ("split", *folds):
        seen = one[schema.parts(one, partition) != "test"]
        tested = other[schema.parts(other, partition) == "test"]
        said = leaks.shared(seen, tested)
        title = "split" if partition == "split" else f"fold {partition}"
        console.print(f"{title}: {said or 'nothing is shared'}")
        clean &= not said
    if not clean:
        console.print(
            f"A model trained on {train} has seen test clips of {test}: report no such figure."
        )
    return clean


def _rows(settings: params.Params, name: str) -> pd.DataFrame:
    """The kept rows, with clips and people named so that two datasets of one corpus agree."""
    entry = params.dataset(settings, name)
    rows = schema.single_label(schema.read(Path("data/labels") / f"{name}.csv")).copy()
    for source in sources(entry, name):
        own = (rows["dataset"] == source.name) | (not source.below)
        # Names of one's own tables mean something in their folder only.
        folder = str(Path(source.entry.root).resolve())
        corpus = folder if source.corpus.name == "table" else source.corpus.name
        for column in ("video_idx", "subject", "source"):
            names = rows.loc[own, column]
            plain = names.str.removeprefix(source.below and source.below + "/")
            rows.loc[own, column] = (corpus + " " + plain).where(names != "", "")
    root = Path(entry.root).resolve()
    rows["file_path"] = [str(root / path) for path in rows["file_path"]]
    return rows


def _check_source(source: Source, label: str, seed: int, console: Console) -> bool:
    root = Path(source.entry.root)
    track = source.corpus.track(source.entry.track)
    console.print(f"[bold]{source.corpus.name}, {escape(label)}[/] in {escape(str(root))}")
    for pattern, what in source.corpus.layout.items():
        places = [place for some in pattern.split(" or ") for place in sorted(root.glob(some))]
        mark = "[green]✓[/]" if places else "[yellow]-[/]"
        where = places[0].relative_to(root) if places else f"no {pattern}"
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        console.print(f"  {mark} {what}: {escape(str(where))}{more}")
    try:
        raw = read(source, seed)
    except UserError as error:
        console.print(f"  [red]✗[/] {escape(str(error))}")
        return False
    sound = raw[raw["problem"].isna()]
    for problem, rows in raw[raw["problem"].notna()].groupby("problem"):
        named = "; ".join(
            f"{row.table}:{row.row} {row.note}" for row in rows.head(_NAMED).itertuples()
        )
        console.print(f"  [yellow]![/] {len(rows)} x {problem}: {escape(named)}")
    paths = sound["file_path"].str.removeprefix(source.below and source.below + "/").unique()
    there = sum(exists(root / path) for path in paths)
    missing = len(paths) - there
    mark = "[red]✗[/]" if missing else "[green]✓[/]"
    console.print(f"  {mark} {len(raw)} rows; {there} clips are there, {missing} are missing")
    same = True
    # A share of a corpus in a union, or a table of one's own: nothing was published of it.
    own = source.below or source.entry.table
    for key, have, published in [] if own else _compare(sound, track):
        same &= have == published
        mark = "[green]✓[/]" if have == published else "[red]✗[/]"
        differs = "" if have == published else f", published {published} ({have - published:+d})"
        console.print(f"  {mark} {key}: {have}{differs}")
    return same and not missing


def _compare(sound: pd.DataFrame, track: Track) -> Iterator[tuple[str, int, int]]:
    """Each published count's name, what is here, and what was published."""
    labelled = sound[sound["word"] != ""] if track.words else sound
    placed = labelled["fold"].notna() | (labelled["part"] != "")
    if {"fold 1", "train"} & set(track.published) and placed.any():
        labelled = labelled[placed]  # the published counts are of what the parts have
    have = {
        "clips": labelled["video_idx"].nunique(),
        "subjects": labelled.loc[labelled["subject"] != "", "subject"].nunique(),
        "sources": labelled.loc[labelled["source"] != "", "source"].nunique(),
        "classes": labelled["word"].nunique(),
        "scenes": labelled.loc[labelled["scene"] != "", "scene"].nunique(),
        **labelled["part"].value_counts().to_dict(),
        **{f"fold {fold}": n for fold, n in labelled["fold"].value_counts().items()},
        **labelled["word"].value_counts().to_dict(),
    }
    for key, published in track.published.items():
        yield key, int(have.get(key, 0)), published
