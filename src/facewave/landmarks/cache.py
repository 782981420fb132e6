"""All detections, kept under a hash of the clip's bytes, the landmarker and the settings.

One small parquet file per clip and person, in a folder of the user's own that all checkouts and
experiments share, so a clip is never detected twice. The clip's key names the file of the first
person seen, ``KEY-1`` and so on those of the others; each file says how much every person counts,
so that whose trajectory is wanted is no matter of detection. ``FACEWAVE_CACHE`` moves the folder.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from facewave import assets
from facewave.files import cache_folder, sha256
from facewave.landmarks import follow
from facewave.landmarks.schema import (
    Entry,
    chunks,
    entries,
    read_layout,
    read_names,
    write_clip,
)
from facewave.params import Landmarks, Tracks
from facewave.pictures import files_of, is_pictures
from facewave.shards import DamagedError

TRACKS_VERSION = 1  # the same of landmarks/tools/ and tracks.py
VERSION = 4  # of what detect.py returns and how it is stored: raise it when either changes
_HALF = 32  # digits of a key
_NAME = re.compile(r"([0-9a-f]+)(?:-[1-9][0-9]*)?")  # as ``of_person`` makes them


def folder() -> Path:
    """The cache's folder."""
    return cache_folder("landmarks")


def key(clip: Path, fps: float, settings: Landmarks, digest: Callable[[Path], str] = sha256) -> str:
    """The name under which the first person's trajectory of a clip (a video or pictures) is kept.

    It depends on ``fps``, for pictures, on the settings that change what is detected, and on the
    ``digest`` (SHA-256) of each file.
    """
    identity: dict[str, object] = {"landmarker": assets.LANDMARKER.sha256, "version": VERSION}
    identity |= {"rate": settings.fps, "max_side": settings.max_side}
    identity |= {"engine": settings.engine, "smooth": settings.smooth}
    identity |= {"device": settings.device} if settings.device != "cpu" else {}  # equal to 1e-3
    if is_pictures(clip):  # their names give their times
        identity |= {"clip": [(file.name, digest(file)) for file in files_of(clip)], "fps": fps}
    else:
        identity |= {"clip": digest(clip)}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def key_of_tracks(file: Path, tracks: Tracks, whose: str, digest: Callable[[Path], str]) -> str:
    """The name in the cache of what another tool's file says of a clip."""
    identity = {"tracks": asdict(tracks), "whose": whose, "version": TRACKS_VERSION}
    identity |= {"clip": digest(file), "form": file.suffix.lower()}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def place(name: str) -> Path:
    """The file of a key, whether it exists or not."""
    return folder() / name[:2] / f"{name}.parquet"


def has(name: str) -> bool:
    """Whether a key's trajectory is cached, whole and in today's format."""
    return bool(entries(place(name)))


def of_person(name: str, number: int) -> str:
    """The name of a clip's person; the first is number 0."""
    return f"{name}-{number}" if number else name


def people(first: Path, whose: str) -> list[str]:
    """The names of the people of a clip whom a rule chooses; [] if not all of them are cached.

    ``first`` is the place of the clip's first person; ``follow.chosen`` has the order.
    """
    others = (file for file in first.parent.glob(f"{first.stem}-*.parquet"))
    known = next((entry for file in chain([first], others) for entry in entries(file)), None)
    numbers = follow.chosen(known.people, whose) if known else []
    names = [of_person(first.stem, number) for number in numbers]
    return names if all(entries(first.with_stem(name)) for name in names) else []


def fill(shards: Path, wanted: set[str]) -> None:
    """Copy the wanted clips of a folder of shards into the cache."""
    for file in sorted(shards.glob("part-*.parquet")):
        for key, people_there in _by_clip(entries(file)).items():
            for entry in people_there if key in wanted else ():
                if not has(entry.key):
                    _copied(file, entry, entry.key)


def take(
    packs: Sequence[Path], wanted: set[str], whose: str, digest: Callable[[Path], str]
) -> dict[str, str]:
    """Copy the wanted clips that packs hold into the cache, each under a key of its own.

    A pack need have only the people whom ``whose`` chooses; where it lacks one, the clip is not
    taken.

    Whoever made a pack could write anything into it. So the key keeps its first half, which says of
    what clip it is, and gets a second from the pack's bytes: only who has the same pack finds it,
    and what follows from it (faces, appearance) is kept apart as well.

    Returns:
        The new keys, by the clips' own.
    """
    names, taken = {name[:_HALF]: name for name in wanted}, {}
    for file in (file for pack in packs for file in sorted(pack.glob("part-*.parquet"))):
        for key, people_there in _by_clip(entries(file)).items():
            name = names.get(key[:_HALF], "")
            if not name or name in taken:
                continue
            source = hashlib.sha256(f"{key} {digest(file)}".encode()).hexdigest()
            kept = name[:_HALF] + source[_HALF:]
            by_name = {entry.key: entry for entry in people_there}
            numbers = follow.chosen(people_there[0].people, whose)
            pairs = [(by_name.get(of_person(key, n)), of_person(kept, n)) for n in numbers]
            if all(entry and (has(to) or _copied(file, entry, to)) for entry, to in pairs):
                taken[name] = kept
    return taken


def _by_clip(people_there: Sequence[Entry]) -> dict[str, list[Entry]]:
    """A shard's entries by the clips' keys; without any that the cache could not have made."""
    clips = defaultdict(list)
    for entry in people_there:
        if name := _NAME.fullmatch(entry.key):
            clips[name[1]].append(entry)
    return clips


def _copied(file: Path, entry: Entry, name: str) -> bool:
    """Copy a shard's clip into the cache, unless it is damaged."""
    try:
        clip = chunks(file, entry.row_group, entry.row_groups)
        names, layout = read_names(file), read_layout(file)
        write_clip(place(name), entry.facts, clip, names, layout, entry.people)
    except DamagedError:
        return False
    return True
