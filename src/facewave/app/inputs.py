"""The clips that a person names: files, folders and patterns; and files made of them, by name.

Pure, apart from looking at folders.

A folder of videos is its videos, a folder of pictures is one clip.
"""

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from facewave.errors import UserError
from facewave.labels.folders import find
from facewave.labels.listing import VIDEOS
from facewave.pictures import PICTURES, files_of, is_pictures


def clips_of(words: Sequence[str]) -> list[Path]:
    """The clips that words of the command line name, each once, in their order.

    A folder's videos are sorted by name; folders below it are not looked into. A folder with videos
    and pictures is its videos, which a line says.

    Raises:
        UserError: a word is an address, names nothing that is here, or something else than clips.
    """
    return list(dict.fromkeys(clip for word in words for clip in _named(word)))


def clip_of(word: str) -> Path:
    """The one clip that a word names; see ``clips_of``.

    Raises:
        UserError: it names none, or several.
    """
    clips = clips_of([word])
    if len(clips) > 1:
        raise UserError(f"{word} has {len(clips)} videos, and this takes one: name it.")
    return clips[0]


def outputs(clips: Sequence[Path], folder: Path, suffix: str) -> list[Path]:
    """A file of each clip: its stem and ``suffix``, below ``folder``.

    Where two clips have one name, each is in the folder that it has below the one they share.

    Raises:
        UserError: two clips of one folder differ in their suffix alone.
    """
    names = [Path(clip.stem) for clip in clips]
    if len(set(names)) < len(names):
        where = [clip.absolute().parent for clip in clips]
        shared = os.path.commonpath(where)
        names = [
            parent.relative_to(shared) / name for parent, name in zip(where, names, strict=True)
        ]
    files = [folder / name.with_name(f"{name.name}{suffix}") for name in names]
    if twice := next((at for at, file in enumerate(files) if file in files[:at]), None):
        raise UserError(
            f"{clips[files.index(files[twice])]} and {clips[twice]} would both be written to "
            f"{files[twice]}. Rename one, or name them in two commands with folders apart."
        )
    return files


def _named(word: str) -> list[Path]:
    path = Path(word)
    if "://" in word:
        raise UserError(f"{word} is an address. Download it first, and name the file.")
    if not path.exists():
        if not glob.has_magic(word):
            raise UserError(f"{word} is not here. Name a video, a picture, or a folder of either.")
        if not (matches := find(Path(path.anchor), word[len(path.anchor) :], follow_links=True)):
            raise UserError(f"{word} matches nothing that is here.")
        clips = [match for match in matches if match.is_dir() or _is_clip(match)]
        if not clips:
            raise UserError(f"{word} matches neither videos nor pictures.")
        return [clip for path in clips for clip in _here(path)]
    return _here(path)


def _is_clip(file: Path) -> bool:
    return is_pictures(file) or file.suffix.lower() in VIDEOS


def _here(path: Path) -> list[Path]:
    """The clips of a file or folder that exists."""
    if not path.is_dir():
        if _is_clip(path):
            return [path]
        raise UserError(
            f"{path} is neither a video nor a picture, by its name: they end in .mp4, .mov, .webm, "
            f"... or {', '.join(PICTURES)}."
        )
    videos = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in VIDEOS and file.name[0] != "." and file.is_file()
    )
    pictures = files_of(path)
    if not videos and not pictures:
        raise UserError(f"{path} has neither videos nor pictures in it.")
    if videos and pictures:
        print(
            f"{path} has videos and pictures: its {len(videos)} videos are taken, not its "
            f"{len(pictures)} pictures",
            file=sys.stderr,
        )
    return videos or [path]
