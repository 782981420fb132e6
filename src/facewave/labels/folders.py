"""Searches below a corpus's folder: they end, whatever links there are in it.

Quick to import: only the standard library is used.
"""

import glob
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath


def walk(
    root: str, follow_links: bool, home: str | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder at or below ``root``, once, with the names of its folders and its files.

    They come in the order of their names. Hidden ones are passed over, and so are links to nowhere,
    to themselves, to folders below ``root`` or around it, and, unless they are followed, out of
    ``home`` (default: ``root``).
    """
    base, home = os.path.realpath(root), os.path.realpath(home or root)
    seen, waiting = set[str](), [root] if os.path.isdir(root) else []  # noqa: PTH112
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        names: dict[str, list[str]] = {"folder": [], "link": [], "file": []}
        with os.scandir(folder) as entries:
            for entry in entries:
                if (kind := _kind(entry)) and not entry.name.startswith("."):
                    names[kind].append(entry.name)
        entered = names["folder"].copy()
        for name in names["link"]:
            target = os.path.realpath(f"{folder}/{name}")
            is_other = not is_below(target, base) and not is_below(base, target)
            if is_other and (follow_links or is_below(target, home)):
                entered.append(name)
        waiting += [f"{folder}/{name}" for name in sorted(entered, reverse=True)]
        yield folder, [*names["folder"], *names["link"]], names["file"]


def find(root: Path, pattern: str, follow_links: bool = False) -> list[Path]:
    """The paths below ``root`` that match a glob, sorted, without hidden files.

    ``**`` stands for the folders that ``walk`` finds; other links are as in ``walk``.
    """
    parts = PurePosixPath(pattern).parts
    places = [str(root)]
    for part in parts:
        if part == "**":
            found = (walk(place, follow_links, str(root)) for place in places)
            places = list(dict.fromkeys(folder for folder, *_ in chain.from_iterable(found)))
        else:
            places = [
                os.path.join(place, name)  # noqa: PTH118
                for place in places
                for name in glob.glob(part, root_dir=place)  # noqa: PTH207
            ]
    home = os.path.realpath(root)
    return sorted(
        Path(place) for place in places if follow_links or is_below(os.path.realpath(place), home)
    )


def is_below(real: str, home: str) -> bool:
    """Whether a path is a folder or below it, both without links."""
    return real == home or real.startswith(home.rstrip("/") + "/")


def _kind(entry: os.DirEntry[str]) -> str:
    """What a name is: a "folder", a "link" to one, a "file", or "" for nothing of these."""
    try:
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else ""
    except OSError:  # a link to itself
        return ""
