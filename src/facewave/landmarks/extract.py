"""Trajectories of many clips: from the cache where it has them, else detected on all cores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from facewave import assets, hashes
from facewave.errors import UserError
from facewave.files import CACHE, sha256
from facewave.landmarks import cache
from facewave.landmarks.schema import CHUNK, read_layout, read_names, write_clip
from facewave.landmarks.tools import get
from facewave.landmarks.tracks import read as read_table
from facewave.params import Landmarks, Tracks
from facewave.pictures import files_of

if TYPE_CHECKING:
    from facewave.landmarks.engines.tracker import Models


@dataclass(frozen=True)
class Ensured:
    """What ``ensure`` did."""

    keys: list[str]  # every clip's key in the cache, in the clips' order; the chosen person's
    detected: set[str]  # those that were not cached before
    problems: dict[str, str]  # key -> why it is not in the cache; the next run tries again
    packed: set[str]  # those that came with a pack
    others: dict[str, list[str]] = field(default_factory=dict)  # of the other people, if wanted


def ensure(
    clips: Sequence[Path],
    what: str,
    fps: float,
    settings: Landmarks,
    packs: Sequence[Path] = (),
    folder: Path | None = None,
) -> Ensured:
    """Make sure that the cache has every clip's trajectory.

    Each clip is cached as soon as it is done, so an interrupted run resumes where it stopped.

    ``clips`` are videos, pictures and folders of pictures that exist, ``fps`` is of pictures, and
    ``what`` is the progress bar's title. Clips that ``packs`` or the shards of ``folder`` hold are
    not detected.

    Raises:
        UserError: the landmarker's file cannot be had, or the cluster or the GPU cannot be reached.
    """
    bar = tqdm(clips, desc=f"hash {what}", unit="clip", leave=False)
    with hashes.remembered(hashes.of_clips()) as digest:
        keys = [cache.key(clip, fps, settings, digest) for clip in bar]
        keys, packed = _taken(keys, packs, settings.whose, digest)
    missing = _missing(keys, clips, settings.whose, folder)
    if not missing:
        return _chosen(keys, settings.whose, set(), {}, packed)
    from facewave import pool  # not loaded for clips that are all cached

    if settings.device == "cuda":
        from facewave.landmarks import batches

        batches.require(settings)
    model = assets.get(assets.LANDMARKER).absolute()
    # Longest first, so that no core is left alone with a long clip at the end.
    sizes = {key: sum(f.stat().st_size for f in files_of(clip)) for key, clip in missing.items()}
    tasks = [
        (key, (cache.place(key), missing[key].absolute(), model, fps, settings, cache.VERSION))
        for key in sorted(missing, key=lambda key: -sizes[key])
    ]
    if settings.device == "cuda":
        batches.run(_detect, tasks, model, settings.time_limit_s, f"detect {what} on the GPU")
        left = _missing([*missing], [*missing.values()], settings.whose, None)
        tasks = [task for task in tasks if task[0] in left]
    problems = pool.run(_detect, tasks, settings.time_limit_s, settings.scheduler, f"detect {what}")
    elsewhere = f"its worker uses another cache folder than {cache.folder()}; {CACHE} sets it"
    failed = {
        key: why or pool.Fault(elsewhere)
        for key, why in problems.items()
        if not cache.people(cache.place(key), settings.whose)
    }
    if pool.CHANGED in failed.values():
        hashes.forget(hashes.of_clips())  # one may have kept its size and time
    return _chosen(keys, settings.whose, set(missing), failed, packed)


def _chosen(
    keys: list[str], whose: str, detected: set[str], problems: dict[str, str], packed: set[str]
) -> Ensured:
    """What was done, by the keys of the people whom ``whose`` chooses."""
    people = {key: cache.people(cache.place(key), whose) or [key] for key in dict.fromkeys(keys)}
    return Ensured(
        [people[key][0] for key in keys],
        {people[key][0] for key in detected},
        problems,
        {people[key][0] for key in packed},
        {first: others for first, *others in people.values()},
    )


def _taken(
    keys: list[str], packs: Sequence[Path], whose: str, digest: Callable[[Path], str]
) -> tuple[list[str], set[str]]:
    """The clips' keys after a look into packs, and which of them came with these."""
    taken = cache.take(packs, set(keys), whose, digest)
    return [taken.get(key, key) for key in keys], set(taken.values())


def _missing(
    keys: list[str], clips: Sequence[Path], whose: str, folder: Path | None
) -> dict[str, Path]:
    """The clips that the cache lacks, by their keys, after a folder's shards were looked at."""
    clip_of = dict(zip(keys, clips, strict=True))
    missing = {key for key in clip_of if not cache.people(cache.place(key), whose)}
    if folder and missing:
        cache.fill(folder, missing)
        missing = {key for key in missing if not cache.people(cache.place(key), whose)}
    return {key: clip for key, clip in clip_of.items() if key in missing}


def read_tracks(
    files: Sequence[Path],
    what: str,
    tracks: Tracks,
    settings: Landmarks,
    packs: Sequence[Path] = (),
    folder: Path | None = None,
) -> Ensured:
    """The same of another tool's files in place of clips.

    A file that cannot be read, or has other columns than most, is a problem of its own clip.

    Raises:
        UserError: an option of params.yaml is wrong, or no file can be read.
    """
    from facewave import pool

    tool = get(tracks).name
    with hashes.remembered(hashes.of_clips()) as digest:
        bar = tqdm(files, desc=f"hash {what}", unit="clip", leave=False)
        keys = [cache.key_of_tracks(file, tracks, settings.whose, digest) for file in bar]
        keys, packed = _taken(keys, packs, settings.whose, digest)
    missing = _missing(keys, files, settings.whose, folder)
    problems: dict[str, str] = {}
    for key, file in tqdm(missing.items(), desc=f"read {what}", unit="clip", leave=False):
        try:
            trajectory, facts = read_table(file, tracks, settings.whose)
        except UserError as error:
            problems[key] = str(error)
            continue
        if cache.key_of_tracks(file, tracks, settings.whose, sha256) != key:
            problems[key] = pool.CHANGED
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
    return Ensured(keys, read_now, problems, packed)


def _detect(
    target: Path,
    clip: Path,
    model: Path,
    fps: float,
    settings: Landmarks,
    version: int,
    models: "Models | None" = None,
) -> None:
    from facewave import pool
    from facewave.landmarks.detect import detect  # loads the engine

    if version != cache.VERSION:
        raise UserError(pool.OTHER_VERSION)
    # A file that is gone or a share that is not mounted stops the run: no fault of the clip.
    for file in files_of(clip):
        file.open("rb").close()
    if cache.people(target, settings.whose):  # another worker may have done it before it was lost
        return
    detection = detect(clip, model, fps, settings, models)
    if cache.key(clip, fps, settings) != target.stem:
        raise pool.ChangedError
    prominences = [person.prominence for person in detection.people]
    # The first person's file comes last: with it the clip is done.
    for number, person in reversed(list(enumerate(detection.people))):
        file = target.with_stem(cache.of_person(target.stem, number))
        chunks = person.chunks()
        write_clip(file, detection.facts, chunks, detection.names, people=prominences)
