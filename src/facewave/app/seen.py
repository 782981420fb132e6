"""A person's own clips, detected as a dataset's clips are: once, and then read from the cache."""

from collections.abc import Sequence
from pathlib import Path

from facewave import params
from facewave.errors import UserError
from facewave.landmarks import cache, extract
from facewave.landmarks.schema import ClipFacts, Trajectory, read_clip, read_facts
from facewave.workspace import pack


def see(clips: Sequence[Path], fps: float, settings: params.Params) -> extract.Ensured:
    """Detect those clips that are neither in the cache nor among a dataset's shipped trajectories.

    ``fps`` is that of folders of pictures.
    """
    packs = [pack(name) for name in settings.datasets]
    return extract.ensure(clips, "clips", fps, settings.landmarks, packs)


def look(clip: Path, fps: float, settings: params.Params) -> tuple[Trajectory, ClipFacts]:
    """What is seen in one clip.

    Raises:
        UserError: it could not be detected.
    """
    ensured = see([clip], fps, settings)
    (key,) = ensured.keys
    if key in ensured.problems:
        raise UserError(f"{clip}: {ensured.problems[key]}. Try again.")
    return read_clip(cache.place(key)), read_facts(cache.place(key))
