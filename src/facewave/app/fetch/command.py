"""``facewave fetch``: lists the open corpora; fetches one, or what is missing of it."""

import json
import shutil
import sys
import threading
from pathlib import Path

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from facewave import params, workspace
from facewave.app import entries
from facewave.app.fetch import lfs, registry
from facewave.app.fetch.download import Client, Remote
from facewave.app.fetch.registry import OpenCorpus
from facewave.app.fetch.unpack import unpack
from facewave.errors import UserError
from facewave.files import locked

JOURNAL = ".fetched.jsonl"  # in the corpus's folder: what is finished, a line each
_ENOUGH = 100_000_000  # bytes that a disk should have left


class Journal:
    """What has been fetched into a folder: the files of each download, and whether it is all.

    A line is added when a download is checked and unpacked. What was deleted since counts as not
    fetched; a line that was cut off counts for nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / JOURNAL
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, int]] = {}
        self._whole = False
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        for line in lines:
            try:
                content = json.loads(line)
                self._files[content["fetched"]] = content["files"]
                self._whole = content["whole"]
            except (ValueError, KeyError, TypeError):
                continue

    @property
    def is_whole(self) -> bool:
        """Whether all of the corpus is there."""
        return self._whole and all(map(self._are_there, self._files.values()))

    def has(self, remote: Remote) -> bool:
        """Whether all files of a download are there, with their sizes."""
        files = self._files.get(_key(remote))
        return bool(files) and self._are_there(files or {})

    def add(self, fetched: str, files: dict[str, int], whole: bool = False) -> None:
        """Note that a download is finished."""
        line = json.dumps({"fetched": fetched, "files": files, "whole": whole})
        with self._lock, self._path.open("a", encoding="utf-8") as journal:
            journal.write(f"{line}\n")

    def _are_there(self, files: dict[str, int]) -> bool:
        places = [(self._folder / path, size) for path, size in files.items()]
        return all(place.is_file() and place.stat().st_size == size for place, size in places)


def show_all() -> None:
    """List the open corpora."""
    table = Table("name", "size", "licence", "what it is", box=box.SIMPLE_HEAD)
    for corpus in registry.CORPORA.values():
        texts = (corpus.name, _size(corpus), corpus.licence, corpus.title)
        table.add_row(*map(escape, texts))
    Console(highlight=False).print(table)
    print("""\
facewave fetch NAME  shows the licence, asks, and fetches into data/raw/NAME
facewave datasets    all corpora that can be read, including those that need permission""")


def fetch(name: str, into: Path | None = None, agreed: bool = False) -> None:
    """Fetch a corpus, or what is missing of it, and write its entry into params.yaml.

    Args:
        name: of the registry.
        into: its folder; None: data/raw/NAME.
        agreed: do not ask.

    Raises:
        UserError: it cannot be had, is not what was published, or there is no room for it.
    """
    corpus = registry.get(name)
    folder = into or workspace.corpus_folder(name)
    if Journal(folder).is_whole:
        print(f"{name}: all of it is in {folder}")
    else:
        _show(corpus, folder)
        _agree(corpus, agreed)
        _check_room(corpus.disk - _held(folder), folder)
        print("Ctrl-C stops it; the same command goes on from there.")
        with locked(folder):
            _fetch(corpus, folder)
    _enter(corpus, folder)


def _show(corpus: OpenCorpus, folder: Path) -> None:
    print(f"{corpus.name}: {corpus.title}")
    print(f"  from     {corpus.source}")
    print(f"  licence  {corpus.licence}")
    print(f"  cite     {corpus.cite}")
    room = f", {_bytes(corpus.disk)} on the disk at most" if corpus.disk > corpus.size else ""
    print(f"  size     {_size(corpus)}{room}")
    print(f"  into     {folder}")


def _agree(corpus: OpenCorpus, agreed: bool) -> None:
    if agreed:
        return
    if not sys.stdin.isatty():
        raise UserError(
            f"nobody is there to agree to the licence of {corpus.name}. Read it above, then run "
            f"facewave fetch {corpus.name} --yes"
        )
    if not typer.confirm("Fetch it under this licence?"):
        raise UserError("nothing was fetched.")


def _held(folder: Path) -> int:
    """Bytes of what is already in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _check_room(wanted: int, folder: Path) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if (free := shutil.disk_usage(there).free) < wanted + _ENOUGH:
        raise UserError(
            f"{there} has {_bytes(free)} free, and {_bytes(wanted)} more are wanted. Free some "
            "space, or name a folder on another disk: --into FOLDER"
        )


def _fetch(corpus: OpenCorpus, folder: Path) -> None:
    journal = Journal(folder)  # what whoever held the lock has fetched is there
    lock = threading.Lock()
    with tqdm(unit="B", unit_scale=True, unit_divisor=1000, desc=corpus.name) as bar:

        def progress(count: int) -> None:
            with lock:
                bar.update(count)

        def ready(remote: Remote, path: Path) -> None:
            files = {remote.path: path.stat().st_size}
            if corpus.unpacks:
                files = unpack(path, folder, corpus.unpacks)
                path.unlink()
            journal.add(_key(remote), files)

        with Client(progress) as client:
            remotes = corpus.plan(client, folder)
            missing = [remote for remote in remotes if not journal.has(remote)]
            size = sum(remote.size or 0 for remote in missing)
            _check_room(size - _held_parts(folder), folder)
            bar.reset(total=size)
            located = lfs.batches(client, corpus.servers, missing) if corpus.servers else [missing]
            for batch in located:
                client.fetch(batch, folder, ready)
    texts = {path: (folder / path).stat().st_size for path in corpus.texts}
    journal.add("", texts, whole=True)
    print(f"{corpus.name}: {len(remotes)} downloads, all checked, are in {folder}")


def _held_parts(folder: Path) -> int:
    return sum(part.stat().st_size for part in folder.rglob(".*.part"))


def _enter(corpus: OpenCorpus, folder: Path) -> None:
    """Write the entry, and say what to do next."""
    entry = {**corpus.entry, "root": entries.root_of(folder)}
    entry = {key: entry[key] for key in ("reader", "root", *corpus.entry)}
    if not params.PARAMS_FILE.exists():
        print(f"there is no {params.PARAMS_FILE} here; in a project, this is its entry:")
        print(entries.as_text(corpus.name, entry), end="")
        return
    if entries.has(corpus.name):
        print(f"{params.PARAMS_FILE} has the entry datasets.{corpus.name}; it stays as it is")
    else:
        entries.add(corpus.name, entry)
        print(f"{params.PARAMS_FILE} now has the entry datasets.{corpus.name}")
    print("next:")
    print(corpus.then.format(name=corpus.name, folder=folder))


def _key(remote: Remote) -> str:
    return f"{remote.path} {remote.digest}"


def _size(corpus: OpenCorpus) -> str:
    return "some " * bool(corpus.servers) + _bytes(corpus.size)


def _bytes(count: int) -> str:
    return decimal(count).replace(".0 ", " ")
