"""Trajectories of many clips: from the cache where it has them, else detected on all cores."""

from collections.abc import Sequence
from pathlib import Path

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from facewave.errors import UserError
from facewave.landmarks import cache, model_file
from facewave.pictures import files_of


def ensure(clips: Sequence[Path], what: str, fps: float) -> tuple[list[str], set[str]]:
    """See to it that the cache has every clip's trajectory.

    Each clip is kept as soon as it is done, so an interrupted run goes on where it stopped.

    Args:
        clips: videos, pictures and folders of pictures that exist.
        what: a word for the progress bar.
        fps: of pictures.

    Returns:
        Every clip's key in the cache, in their order, and the keys that had to be detected.

    Raises:
        UserError: the landmarker's file is needed and cannot be had, or a worker died.
    """
    keys = [
        cache.key(clip, fps) for clip in tqdm(clips, desc=f"hash {what}", unit="clip", leave=False)
    ]
    pairs = zip(keys, clips, strict=True)
    waiting = {key: clip for key, clip in pairs if not cache.has(key)}
    if not waiting:
        return keys, set()
    model = model_file.get()
    # Longest first, so that no core is left alone with a long clip at the end.
    sizes = {key: sum(f.stat().st_size for f in files_of(clip)) for key, clip in waiting.items()}
    order = sorted(waiting, key=lambda key: -sizes[key])
    done = Parallel(n_jobs=-1, batch_size=1, return_as="generator_unordered")(
        delayed(_detect_one)(key, waiting[key], model, fps) for key in order
    )
    try:
        for _ in tqdm(done, total=len(order), desc=f"detect {what}", unit="clip"):
            pass
    except TerminatedWorkerError:
        raise UserError(
            "a process that detects faces was killed, probably for lack of memory. Finished clips "
            "are kept; run the same command again to go on."
        ) from None
    return keys, set(order)


def _detect_one(key: str, clip: Path, model: Path, fps: float) -> None:
    from facewave.landmarks.detect import (
        detect,  # loads MediaPipe: only where something is detected
    )

    cache.put(key, *detect(clip, model, fps))
