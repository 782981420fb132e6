"""``facewave predict CLIP``: the classes with probabilities, and how well the face was seen."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from facewave import params
from facewave.app.seen import see
from facewave.errors import UserError
from facewave.labels import sidecars
from facewave.labels.cleaning import FileFact
from facewave.landmarks import cache, quality
from facewave.landmarks import schema as landmarks
from facewave.prediction.schema import UNREADABLE
from facewave.training import schema as training
from facewave.training.schema import Trained
from facewave.wavelets.features import features, unusable
from facewave.wavelets.schema import BLOCKS
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips


def predict_all(clips: list[Path], folder: Path | None, fps: float) -> bool:
    """Print each clip's answer, or why there is none, which stops no other clip.

    A regression answers with its targets' values, a language model that writes with its word.

    Returns:
        Whether every clip was answered.

    Raises:
        UserError: a file is missing, or there is no trained model.
    """
    if not 0 < fps < math.inf:
        raise UserError(f"--fps is {fps:g}; pictures need more than 0 frames a second.")
    settings = params.load()
    model = training.load(folder or training.folder(settings.train.partitions[0], training.MODEL))
    seen = see(clips, fps, settings)
    if seen.problems:
        key, problem = next(iter(seen.problems.items()))
        raise UserError(f"{clips[seen.keys.index(key)]}: {problem}. Try again without it.")
    pairs = zip(clips, seen.keys, strict=True)
    return all([_show(clip, fps, cache.place(key), model, settings) for clip, key in pairs])


def _show(clip: Path, fps: float, file: Path, model: Trained, settings: params.Params) -> bool:
    trajectory, facts = landmarks.read_clip(file), landmarks.read_facts(file)
    measures = quality.measure(quality.frames_of(trajectory, facts))
    reason = quality.judge(measures, facts.problem, settings.landmarks)
    reason = unusable(measures | {"reason": reason}, settings.wavelets.max_gap_s)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{clip}: {measures['frames']:.0f} frames, {measures['duration']:.2f} s, "
        f"a face in {measures['face_share']:.0%} of the frames"
    )
    if reason:
        console.print(f"  warning: {reason}")
    has_face = measures["face_frames"] >= 2
    if not has_face and (model.needs_face or not measures["frames"]):
        console.print("  no answer: there is no face to judge by")
        return False
    answer = model.answer(_clips(clip, fps, file, trajectory, facts, has_face, model)).iloc[0]
    if model.targets:
        table = Table("target", "value", box=None, padding=(0, 2))
        for target in model.targets:
            table.add_row(target, f"{answer[f'predicted_{target}']:.3f}")
    elif answer["predicted"] == UNREADABLE:
        console.print("  no answer: what the model wrote is none of its labels")
        return False
    elif model.writes:
        console.print(f"  emotion, as the model wrote it: {answer['predicted']}")
        return True
    else:
        table = Table("emotion", "probability", box=None, padding=(0, 2))
        for name in sorted(model.classes, key=lambda name: -answer[f"p_{name}"]):
            probability = answer[f"p_{name}"]
            table.add_row(name, f"{probability:6.1%} {'█' * round(30 * probability)}")
    console.print(table)
    return True


def _clips(
    clip: Path,
    fps: float,
    file: Path,
    trajectory: landmarks.Trajectory,
    facts: landmarks.ClipFacts,
    has_face: bool,
    model: Trained,
) -> Clips:
    """A clip that is in no dataset, as models take clips."""
    config = ("transform", "wavelet", "boundary", "k")
    transform = Transform(**{name: model.wavelets[name] for name in config})
    if has_face and model.inputs:
        if list(trajectory.names) != model.wavelets["blendshapes"]:
            raise UserError(
                "the model was trained on other blendshapes. Train it again: dvc repro train"
            )
        numbers = features(trajectory, facts, transform)
    else:
        numbers = {
            name: np.full((transform.numbers, *shape), np.nan, np.float32)
            for name, shape in BLOCKS.items()
        }
    row = dict.fromkeys(("subject", "source", "actual", "transcript", "table", "scores"), "")
    row |= {"video_idx": clip.name, "file_path": clip.name}
    table = pd.DataFrame([row | {"start": math.nan, "end": math.nan, "at": 0, "usable": has_face}])
    if model.needs_transcript:
        table = sidecars.fill(table, {clip.name: FileFact(exists=True)}, clip.parent)
    (entry,) = landmarks.entries(file)
    location = {"shard": file.name, "row_groups": entry.row_groups, "start": math.nan,
                "end": math.nan, "duration": landmarks.duration(trajectory.times_T),
                "row_group": entry.row_group if entry.row_groups else None}  # fmt: skip
    index = pd.DataFrame([location], pd.Index([clip.name]))
    blocks = {name: block[None] for name, block in numbers.items()}
    return Clips(table, blocks, clip.parent, fps, file.parent, index)
