"""Trajectories of many clips: from the cache where it has them, else detected on all cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from facewave.landmarks import cache, hashes, model_file, pool
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


def ensure(clips: Sequence[Path], what: str, fps: float, limit: float) -> Ensured:
    """See to it that the cache has every clip's trajectory.

    Each clip is kept as soon as it is done, so an interrupted run goes on where it stopped.

    Args:
        clips: videos, pictures and folders of pictures that exist.
        what: a word for the progress bar.
        fps: of pictures.
        limit: seconds that one clip may take.

    Raises:
        UserError: the landmarker's file is needed and cannot be had.
    """
    bar = tqdm(clips, desc=f"hash {what}", unit="clip", leave=False)
    with hashes.remembered(cache.folder() / "hashes.sqlite") as digest:
        keys = [cache.key(clip, fps, digest) for clip in bar]
    pairs = zip(keys, clips, strict=True)
    waiting = {key: clip for key, clip in pairs if not cache.has(key)}
    if not waiting:
        return Ensured(keys, set(), {})
    model = model_file.get()
    # Longest first, so that no core is left alone with a long clip at the end.
    sizes = {key: sum(f.stat().st_size for f in files_of(clip)) for key, clip in waiting.items()}
    tasks = [
        (key, (key, waiting[key], model, fps))
        for key in sorted(waiting, key=lambda key: -sizes[key])
    ]
    done = pool.each(_detect_one, tasks, limit)
    problems = dict(tqdm(done, total=len(tasks), desc=f"detect {what}", unit="clip"))
    return Ensured(keys, set(waiting), {key: said for key, said in problems.items() if said})


def _detect_one(key: str, clip: Path, model: Path, fps: float) -> None:
    from facewave.landmarks.detect import (
        detect,  # loads MediaPipe: only where something is detected
    )

    cache.put(key, *detect(clip, model, fps))
