"""Searches below a corpus's folder: they end, whatever links there are in it.

Quick to import: only the standard library is used.
"""

import glob
import os
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath


def walk(
    root: str, follow_links: bool, home: str | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder at or below ``root``, once, with the names of its folders and its files.

    Hidden ones are passed over, and so are links to nowhere or to themselves. Folders come in the
    order of their names; links to other folders come last, those out of ``home`` (default:
    ``root``) only where they are followed.
    """
    home = os.path.realpath(home or root)
    seen, waiting, links = set[str](), [root], deque[str]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.popleft()
        real = os.path.realpath(folder)
        if real in seen or not (follow_links or is_below(real, home)):
            continue
        seen.add(real)
        names: dict[str, list[str]] = {"folder": [], "link": [], "file": []}
        with os.scandir(folder) as entries:
            for entry in entries:
                if (kind := _kind(entry)) and not entry.name.startswith("."):
                    names[kind].append(entry.name)
        links += [f"{folder}/{name}" for name in sorted(names["link"])]
        waiting += [f"{folder}/{name}" for name in sorted(names["folder"], reverse=True)]
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
                f"{place}/{name}"
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
    """ "folder", "link" to a folder, "file", or "" for what is neither."""
    try:
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else ""
    except OSError:  # a link to itself
        return ""
