"""Trajectories of many clips: from the cache where it has them, else detected on all cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from facewave import assets, hashes
from facewave.errors import UserError
from facewave.files import CACHE
from facewave.landmarks import cache
from facewave.landmarks.schema import CHUNK, entries, read_layout, read_names, write_clip
from facewave.landmarks.tools import get
from facewave.landmarks.tracks import read as read_table
from facewave.params import Landmarks, Tracks
from facewave.pictures import files_of


@dataclass(frozen=True)
class Ensured:
    """What ``ensure`` did."""

    keys: list[str]  # every clip's key in the cache, in the clips' order
    detected: set[str]  # those that were not cached before
    problems: dict[str, str]  # key -> why it is not in the cache; the next run tries again


def ensure(
    clips: Sequence[Path],
    what: str,
    fps: float,
    settings: Landmarks,
    shard_folders: Sequence[Path] = (),
) -> Ensured:
    """Make sure that the cache has every clip's trajectory.

    Each clip is cached as soon as it is done, so an interrupted run resumes where it stopped.

    ``clips`` are videos, pictures and folders of pictures that exist, ``fps`` is of pictures, and
    ``what`` is the progress bar's title. Clips that ``shard_folders`` hold are not detected.

    Raises:
        UserError: the landmarker's file cannot be had, or the cluster cannot be reached.
    """
    bar = tqdm(clips, desc=f"hash {what}", unit="clip", leave=False)
    with hashes.remembered(cache.folder() / "hashes.sqlite") as digest:
        keys = [cache.key(clip, fps, settings, digest) for clip in bar]
    missing = {key: clip for key, clip in zip(keys, clips, strict=True) if not cache.has(key)}
    for folder in shard_folders if missing else ():
        for key in cache.fill(folder, set(missing)):
            del missing[key]
    if not missing:
        return Ensured(keys, set(), {})
    from facewave import pool  # not loaded for clips that are all cached

    model = assets.get(assets.LANDMARKER).absolute()
    # Longest first, so that no core is left alone with a long clip at the end.
    sizes = {key: sum(f.stat().st_size for f in files_of(clip)) for key, clip in missing.items()}
    tasks = [
        (key, (cache.place(key), missing[key].absolute(), model, fps, settings, cache.VERSION))
        for key in sorted(missing, key=lambda key: -sizes[key])
    ]
    problems = pool.run(_detect, tasks, settings.time_limit_s, settings.scheduler, f"detect {what}")
    elsewhere = f"its worker uses another cache folder than {cache.folder()}; {CACHE} sets it"
    failed = {key: why or elsewhere for key, why in problems.items() if not cache.has(key)}
    return Ensured(keys, set(missing), failed)


def read_tracks(
    files: Sequence[Path],
    what: str,
    tracks: Tracks,
    settings: Landmarks,
    shard_folders: Sequence[Path] = (),
) -> Ensured:
    """The same of another tool's files in place of clips.

    A file that cannot be read, or has other columns than most, is a problem of its own clip.

    Raises:
        UserError: an option of params.yaml is wrong, or no file can be read.
    """
    tool = get(tracks).name
    with hashes.remembered(cache.folder() / "hashes.sqlite") as digest:
        bar = tqdm(files, desc=f"hash {what}", unit="clip", leave=False)
        keys = [cache.key_of_tracks(file, tracks, settings.whose, digest) for file in bar]
    missing = {key: file for key, file in zip(keys, files, strict=True) if not cache.has(key)}
    for folder in shard_folders if missing else ():
        for key in cache.fill(folder, set(missing)):
            del missing[key]
    problems: dict[str, str] = {}
    for key, file in tqdm(missing.items(), desc=f"read {what}", unit="clip", leave=False):
        try:
            trajectory, facts = read_table(file, tracks, settings.whose)
        except UserError as error:
            problems[key] = str(error)
            continue
        parts = range(0, len(trajectory.times_T), CHUNK)
        chunks = (trajectory[at : at + CHUNK] for at in parts)
        write_clip(cache.place(key), facts, chunks, trajectory.names, trajectory.layout)
    read_now = set(missing) - set(problems)
    readable = [key for key in dict.fromkeys(keys) if key not in problems]
    if problems and not readable:
        raise UserError(
            f"none of the {len(files)} files can be read: {next(iter(problems.values()))}"
        )
    layouts = {
        key: (read_names(cache.place(key)), read_layout(cache.place(key))) for key in readable
    }
    counted = [(list(layouts.values()).count(layout), layout) for layout in layouts.values()]
    _, usual = max(counted, key=lambda pair: pair[0], default=(0, None))
    for key, layout in layouts.items():
        if layout != usual:
            problems[key] = (
                f"its columns differ from those of most files. Run {tool} on this clip with the "
                "same options as on the others"
            )
    return Ensured(keys, read_now, problems)


def _detect(
    target: Path, clip: Path, model: Path, fps: float, settings: Landmarks, version: int
) -> None:
    from facewave import pool
    from facewave.landmarks.detect import detect  # loads MediaPipe

    if version != cache.VERSION:
        raise UserError(pool.OTHER_VERSION)
    # A file that is gone or a share that is not mounted stops the run: no fault of the clip.
    for file in files_of(clip):
        file.open("rb").close()
    if not entries(target):  # another worker may have done it before it was lost
        detection = detect(clip, model, fps, settings)
        write_clip(target, detection.facts, detection.chunks(), detection.names)
