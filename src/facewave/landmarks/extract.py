"""Trajectories of many clips: from the cache where it has them, else detected on all cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from facewave.errors import UserError
from facewave.files import CACHE
from facewave.landmarks import cache, cluster, hashes, model_file, pool
from facewave.landmarks.schema import write_clip
from facewave.params import Landmarks
from facewave.pictures import files_of


@dataclass(frozen=True)
class Ensured:
    """What was done.

    Attributes:
        keys: every clip's key in the cache, in the clips' order.
        detected: the keys that had to be detected now.
        problems: key -> why a clip could not be detected; it is not in the cache, and the next run
            tries again.
    """

    keys: list[str]
    detected: set[str]
    problems: dict[str, str]


def ensure(
    clips: Sequence[Path],
    what: str,
    fps: float,
    settings: Landmarks,
    shelves: Sequence[Path] = (),
) -> Ensured:
    """See to it that the cache has every clip's trajectory.

    Each clip is kept as soon as it is done, so an interrupted run goes on where it stopped.

    Args:
        clips: videos, pictures and folders of pictures that exist.
        what: a word for the progress bar.
        fps: of pictures.
        settings: what is looked for, how long a clip may take, and who does the work.
        shelves: folders of shards; what they have of the clips is taken from there.

    Raises:
        UserError: the landmarker's file is needed and cannot be had, or the cluster cannot be
            reached.
    """
    bar = tqdm(clips, desc=f"hash {what}", unit="clip", leave=False)
    with hashes.remembered(cache.folder() / "hashes.sqlite") as digest:
        keys = [cache.key(clip, fps, settings, digest) for clip in bar]
    pairs = zip(keys, clips, strict=True)
    waiting = {key: clip for key, clip in pairs if not cache.has(key)}
    for shelf in shelves if waiting else ():
        for key in cache.fill(shelf, set(waiting)):
            del waiting[key]
    if not waiting:
        return Ensured(keys, set(), {})
    model = model_file.get().absolute()
    # Longest first, so that no core is left alone with a long clip at the end.
    sizes = {key: sum(f.stat().st_size for f in files_of(clip)) for key, clip in waiting.items()}
    tasks = [
        (key, (cache.place(key), waiting[key].absolute(), model, fps, settings, cache.VERSION))
        for key in sorted(waiting, key=lambda key: -sizes[key])
    ]
    if settings.scheduler == "local":
        done = pool.each(_detect_one, tasks, settings.time_limit_s)
    else:
        done = cluster.each(_detect_one, tasks, settings.time_limit_s, settings.scheduler)
    problems = dict(tqdm(done, total=len(tasks), desc=f"detect {what}", unit="clip"))
    elsewhere = f"its worker keeps another folder than {cache.folder()}; {CACHE} tells which"
    lost = {key: said or elsewhere for key, said in problems.items() if not cache.has(key)}
    return Ensured(keys, set(waiting), lost)


def _detect_one(
    place: Path, clip: Path, model: Path, fps: float, settings: Landmarks, version: int
) -> None:
    # Loads MediaPipe: only where something is detected.
    from facewave.landmarks.detect import detect

    if version != cache.VERSION:
        raise UserError(
            "a worker runs another version of facewave than this machine. Start the workers anew, "
            "from the same installation."
        )
    # A file that is gone, a share that is not there: trouble that stops us, no fault of the clip.
    for file in files_of(clip):
        file.open("rb").close()
    if not cache.is_sound(place):  # another worker may have done it before it was lost
        seen = detect(clip, model, fps, settings)
        write_clip(place, seen.facts, seen.chunks(), seen.names)
