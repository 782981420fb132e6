"""Facts about the clips' files for cleaning: where they are, whether they open, and have copies."""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from facewave.files import sha256
from facewave.labels.cleaning import FileFact
from facewave.labels.folders import is_below
from facewave.pictures import TRACKS, files_of
from facewave.video import Clip

_LEADS_OUT = "a link leads out of the dataset's root; follow_links: true in its entry allows that"


def inspect(root: Path, paths: list[str], follow_links: bool = False) -> dict[str, FileFact]:
    """Whether each clip exists and opens, and which clips have the same bytes.

    A clip that a link puts outside of ``root`` is not opened unless ``follow_links``.
    """
    home = os.path.realpath(root)
    by_size = defaultdict(list)
    opened = {}
    for path in tqdm(paths, desc=f"clean {root}", unit="clip"):
        if exists(root / path):
            if not follow_links and _leads_out(root / path, home):
                opened[path] = FileFact(exists=True, problem=_LEADS_OUT)
                continue
            opened[path] = inspect_clip(root / path)
            if not opened[path].problem:
                files = files_of(root / path)
                by_size[len(files), sum(file.stat().st_size for file in files)].append(path)
    # Only clips of equal size can be copies, so few must be read.
    suspects = [path for same_size in by_size.values() if len(same_size) > 1 for path in same_size]
    twins = {path: _digest(root / path) for path in suspects}
    names = cache(_names)
    missing = {
        path: FileFact(exists=False, problem=_nearest(root / path, names))
        for path in paths
        if path not in opened
    }
    return missing | {
        path: replace(fact, twin=twins.get(path, "")) for path, fact in opened.items()
    }


def located(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Each path as the disk has it: tables are written on other systems than their clips.

    Backslashes are slashes; an absolute path may lead below the root; where a name is not there,
    the only one that differs from it in case or in how Unicode composes its accents is meant. A
    path that leads nowhere stays as it is written.
    """
    names = cache(lambda folder: _names(root / folder))
    return {path: _located(path.replace("\\", "/"), root, names) or path for path in paths}


def _leads_out(path: Path, home: str) -> bool:
    """Whether a clip, or one of its pictures, is by a link outside of the folder ``home``."""
    files = [path, *files_of(path)] if path.is_dir() else [path]
    return not all(is_below(os.path.realpath(file), home) for file in files)


def _nearest(path: Path, names: Callable[[Path], dict[str, list[str]]]) -> str:
    """What lies beside a missing clip under the same name but for its zeros and end, as a note."""
    beside = {name for alike in names(path.parent).values() for name in alike} - {path.name}
    alike = sorted(name for name in beside if _bare(name) == _bare(path.name))
    return f"; there is {alike[0]}" if alike else ""


def _bare(name: str) -> str:
    """A file's name without its end, and its numbers without leading zeros."""
    return re.sub("0*([0-9]+)", r"\1", _folded(PurePosixPath(name).stem))


def _located(path: str, root: Path, names: Callable[[str], dict[str, list[str]]]) -> str:
    """The path on the disk, "" for none; ``names`` are a folder's by their folded form."""
    parts = PurePosixPath(path)
    if not path:
        return ""
    if parts.is_absolute():
        home = PurePosixPath(root.resolve().as_posix())
        if not parts.is_relative_to(home):
            return ""
        parts = parts.relative_to(home)
    if exists(root / parts):
        return str(parts)
    place = PurePosixPath()
    for part in parts.parts:
        alike = names(str(place)).get(_folded(part), [])
        if part not in alike and len(alike) != 1:
            return ""
        place /= part if part in alike else alike[0]
    return str(place)


def _names(folder: Path) -> dict[str, list[str]]:
    """The names in a folder by their folded form; none if it is no folder."""
    names = defaultdict(list)
    if os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        for name in os.listdir(folder):  # noqa: PTH208
            names[_folded(name)].append(name)
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def exists(path: Path) -> bool:
    """Whether a file or folder exists; Path.exists raises for names that are too long."""
    return os.path.exists(path)  # noqa: PTH110


def inspect_clip(path: Path) -> FileFact:
    """Whether an existing clip can be opened; its content is checked by stage extract."""
    files = files_of(path)
    if files and not files[0].is_file():
        return FileFact(exists=True, problem="not a file")
    if path.suffix.lower() in TRACKS:  # another tool's table, which stage extract reads
        return FileFact(exists=True, problem="" if path.stat().st_size else "0 bytes")
    return FileFact(exists=True, problem=Clip(path, fps=0.0).problem)


def _digest(path: Path) -> str:
    """Equal for clips with the same bytes in the same order."""
    return hashlib.sha256("".join(map(sha256, files_of(path))).encode()).hexdigest()
