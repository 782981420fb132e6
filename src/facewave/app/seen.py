"""A person's own clips, looked at as a dataset's are: kept in the cache, and found there again."""

from collections.abc import Sequence
from pathlib import Path

from facewave import params
from facewave.errors import UserError
from facewave.landmarks import cache, extract


def see(clips: Sequence[Path], fps: float, settings: params.Params) -> extract.Ensured:
    """Detect the clips that were not yet.

    Args:
        clips: videos or folders of pictures.
        fps: of pictures.
        settings: how to look, and the datasets whose shipped trajectories may have a clip already.

    Raises:
        UserError: a clip is not here.
    """
    if missing := [clip for clip in clips if not clip.exists()]:
        raise UserError(f"{missing[0]} is not here. Name a video, or a folder of pictures.")
    shelves = [cache.pack(name) for name in settings.datasets]
    return extract.ensure(clips, "clips", fps, settings.landmarks, shelves)
