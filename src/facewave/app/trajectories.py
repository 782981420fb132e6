"""``facewave trajectories CLIP``: a plot of trajectories, and of what K numbers keep of them."""

from dataclasses import replace
from pathlib import Path

from facewave import params
from facewave.app.seen import look
from facewave.errors import UserError
from facewave.models.knowledge import with_unit
from facewave.report import pictures
from facewave.video import Clip
from facewave.wavelets.features import features
from facewave.wavelets.schema import TIMELESS
from facewave.wavelets.transform import Transform

SUFFIX = ".trajectories.png"
_POINTS = 512  # of time at which the inverse is drawn


def draw(clip: Path, out: Path, fps: float) -> None:
    """Draw frames, the blendshapes that move most with their inverse, and a scalogram.

    Left and right are drawn apart, and an approximation where params.yaml has a transform whose
    numbers have no place in time (``energy``). ``fps`` is that of a folder of pictures.

    Raises:
        UserError: the clip cannot be decoded or has fewer than two frames with a face, or the file
            is no .png.
    """
    settings = params.for_clips()
    if out.suffix != ".png":
        raise UserError(f"{out} is no .png file; name one.")
    trajectory, facts = look(clip, fps, settings)
    if trajectory.valid_T.sum() < 2:
        raise UserError(f"{clip}: a face in fewer than two frames: there is no trajectory.")
    transform = replace(Transform.of(settings.wavelets), sides="apart")
    if transform.transform in TIMELESS:
        transform = Transform("approximation")
    pictures.clip(
        replace(trajectory, names=tuple(map(with_unit, trajectory.names))),
        features(trajectory, facts, transform)["blendshapes"],
        transform.over_time(_POINTS),
        Clip(clip, fps),
        f"{clip.name}: {transform.name}, {transform.numbers} numbers a trajectory",
        out,
    )
    print(f"{out}: {len(trajectory.times_T)} frames, {transform.numbers} numbers a trajectory")
