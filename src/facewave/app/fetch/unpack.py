"""Zip archives of others, unpacked below one folder and nowhere else, or refused as a whole."""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from facewave.errors import UserError
from facewave.files import replacing

_MOST_FILES = 200_000
_MOST_RATIO = 200  # of unpacked to packed bytes; tables of numbers reach 20
_SMALL = 1 << 20  # a file of so many bytes may have any ratio
_ADVICE = "Nothing was unpacked. Tell whoever publishes the archive."


def unpack(
    archive: Path, folder: Path, limit: int, wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, int]:
    """Unpack an archive's files.

    Args:
        archive: a zip file.
        folder: where its paths are below.
        limit: unpacked bytes at most.
        wanted: which of its paths to take.

    Returns:
        The path below ``folder`` -> bytes of each file.

    Raises:
        UserError: it is damaged, encrypted or malicious: a path leaves the folder, two files have
            one place, there are links, or it unpacks to more than it may.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [item for item in packed.infolist() if not item.is_dir()]
            for item in members:
                _check(item, archive)
            _check_all(members, archive, limit)
            chosen = [item for item in members if wanted(item.filename)]
            for item in chosen:
                with (
                    packed.open(item) as source,
                    replacing(folder / item.filename) as temporary,
                    temporary.open("wb") as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive} is damaged ({error}). Delete it and run again.") from None
    return {item.filename: item.file_size for item in chosen}


def _check(item: zipfile.ZipInfo, archive: Path) -> None:
    """Refuse a member that is no plain file below the folder."""
    name, mode = item.orig_filename, item.external_attr >> 16
    path = PurePosixPath(name)
    outside = path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive
    if outside or "\\" in name or "\0" in name or path.as_posix() != name:
        raise UserError(f"{archive}: the path {name!r} leaves the folder. {_ADVICE}")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UserError(f"{archive}: {name!r} is a link or a device, not a file. {_ADVICE}")
    if item.flag_bits & 1:
        raise UserError(f"{archive}: {name!r} is encrypted. {_ADVICE}")
    if item.file_size > max(_SMALL, _MOST_RATIO * item.compress_size):
        raise UserError(
            f"{archive}: {name!r} unpacks from {item.compress_size:,} to {item.file_size:,} bytes; "
            f"no corpus does. {_ADVICE}"
        )


def _check_all(members: list[zipfile.ZipInfo], archive: Path, limit: int) -> None:
    """Refuse members that take too much, or one another's place on any file system."""
    total = sum(item.file_size for item in members)
    if total > limit or len(members) > _MOST_FILES:
        raise UserError(
            f"{archive} unpacks to {len(members):,} files of {total:,} bytes, over the limit of "
            f"{_MOST_FILES:,} and {limit:,}. {_ADVICE}"
        )
    places: dict[str, str] = {}
    for item in members:
        folded = item.filename.casefold()
        if folded in places:
            raise UserError(
                f"{archive}: {item.filename!r} and {places[folded]!r} have one place. {_ADVICE}"
            )
        places[folded] = item.filename
    for folded, name in places.items():
        above = [parent.as_posix() for parent in PurePosixPath(folded).parents]
        if taken := [parent for parent in above if parent in places]:
            raise UserError(f"{archive}: {places[taken[0]]!r} and {name!r} clash. {_ADVICE}")
