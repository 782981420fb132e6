"""``facewave predict CLIP``: the classes with probabilities, and the quality of what was seen."""

import math
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from facewave import params
from facewave.app.seen import see
from facewave.errors import UserError
from facewave.landmarks import cache, quality
from facewave.landmarks import schema as landmarks
from facewave.training import schema as training
from facewave.wavelets.features import features, unusable
from facewave.wavelets.transform import Transform


def predict_all(clips: list[Path], folder: Path | None, fps: float) -> bool:
    """Print the answer for each clip; one that cannot be answered says why and stops no other.

    Returns:
        Whether every clip got an answer.

    Raises:
        UserError: a file is missing, or there is no trained model.
    """
    if not 0 < fps < math.inf:
        raise UserError(f"--fps is {fps:g}; pictures need a number of frames a second above 0.")
    settings = params.load()
    trained = training.load(folder or training.folder(settings.train.partitions[0], training.MODEL))
    found = see(clips, fps, settings)
    if found.problems:
        key, said = next(iter(found.problems.items()))
        raise UserError(f"{clips[found.keys.index(key)]}: {said}. Try again without it.")
    pairs = zip(clips, found.keys, strict=True)
    return all([_show(clip, cache.place(key), trained, settings) for clip, key in pairs])


def _show(clip: Path, place: Path, trained: training.Trained, settings: params.Params) -> bool:
    trajectory, facts = landmarks.read_clip(place), landmarks.read_facts(place)
    found = quality.measure(quality.frames_of(trajectory, facts))
    reason = quality.judge(found, facts.problem, settings.landmarks)
    reason = unusable(found | {"reason": reason}, settings.wavelets.max_gap_s)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{clip}: {found['frames']:.0f} frames, {found['duration']:.2f} s, "
        f"a face in {found['face_share']:.0%} of the frames"
    )
    if reason:
        console.print(f"  warning: {reason}")
    if found["face_frames"] < 2:
        console.print("  no answer: there is no face to judge by")
        return False
    if list(trajectory.names) != trained.wavelets["blendshapes"]:
        raise UserError(
            "the model was trained on other blendshapes. Train it again: dvc repro train"
        )
    config = {name: trained.wavelets[name] for name in ("mode", "family", "boundary", "k")}
    numbers = features(trajectory, facts, Transform(**config))
    blocks = {name: block[None] for name, block in numbers.items()}
    probabilities = trained.probabilities(training.arrange(blocks, trained.inputs))[0]
    table = Table("emotion", "probability", box=None, padding=(0, 2))
    for at in np.argsort(-probabilities):
        bar = "█" * round(30 * float(probabilities[at]))
        table.add_row(trained.config.classes[at], f"{probabilities[at]:6.1%} {bar}")
    console.print(table)
    return True
