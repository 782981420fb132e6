"""``facewave trajectories CLIP``: a picture of trajectories, and of what K numbers keep of them."""

from pathlib import Path

from facewave import params
from facewave.app.seen import see
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import read_clip, read_facts
from facewave.report import pictures
from facewave.video import Clip
from facewave.wavelets.features import features
from facewave.wavelets.transform import Transform

_POINTS = 512


def draw(clip: Path, out: Path, fps: float) -> None:
    """Write the picture: frames, the blendshapes that move most with their inverse, a scalogram.

    Args:
        clip: a video or a folder of pictures.
        out: the .png file.
        fps: of pictures.

    Raises:
        UserError: the clip is not here or cannot be decoded, or shows no face that moves; or the
            file is no .png.
    """
    settings = params.load()
    if out.suffix != ".png":
        raise UserError(f"{out} is no .png file; name one.")
    found = see([clip], fps, settings)
    (key,) = found.keys
    if key in found.problems:
        raise UserError(f"{clip}: {found.problems[key]}. Try again.")
    trajectory, facts = read_clip(cache.place(key)), read_facts(cache.place(key))
    if trajectory.valid_T.sum() < 2:
        raise UserError(f"{clip}: a face in fewer than two frames: there is no trajectory.")
    chosen = settings.wavelets
    transform = Transform.of(chosen)
    numbers = features(trajectory, facts, transform)
    pictures.clip(
        trajectory,
        numbers["blendshapes"],
        transform.over_time(_POINTS),
        Clip(clip, fps),
        f"{clip.name}: {transform.name}, {transform.numbers} numbers a trajectory",
        out,
    )
    print(f"{out}: {len(trajectory.times_T)} frames, {transform.numbers} numbers a trajectory")
