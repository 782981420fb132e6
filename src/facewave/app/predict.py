"""``facewave predict CLIP``: the classes with probabilities, and the quality of what was seen."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facewave import params
from facewave.app.seen import see
from facewave.app.trained import Model, load, shots
from facewave.errors import UserError
from facewave.evaluation.answers import ask
from facewave.evaluation.measures import UNREADABLE
from facewave.labels import sidecars
from facewave.labels.cleaning import FileFact
from facewave.landmarks import cache, quality
from facewave.landmarks import schema as landmarks
from facewave.training import schema as training
from facewave.wavelets.features import features, unusable
from facewave.wavelets.transform import Transform

if TYPE_CHECKING:
    from facewave.prompts.examples import Clips


def predict_all(clips: list[Path], folder: Path | None, fps: float) -> bool:
    """Print the answer for each clip; one that cannot be answered says why and stops no other.

    Of a regression the answer is its targets' values, of a language model that writes its words.

    Returns:
        Whether every clip got an answer.

    Raises:
        UserError: a file is missing, or there is no trained model.
    """
    if not 0 < fps < math.inf:
        raise UserError(f"--fps is {fps:g}; pictures need a number of frames a second above 0.")
    settings = params.load()
    model = load(folder or training.folder(settings.train.partitions[0], training.MODEL))
    shown = shots(model, settings) if isinstance(model, training.TrainedLanguage) else None
    found = see(clips, fps, settings)
    if found.problems:
        key, said = next(iter(found.problems.items()))
        raise UserError(f"{clips[found.keys.index(key)]}: {said}. Try again without it.")
    pairs = zip(clips, found.keys, strict=True)
    return all([_show(clip, fps, cache.place(key), model, shown, settings) for clip, key in pairs])


def _show(
    clip: Path,
    fps: float,
    place: Path,
    model: Model,
    shown: "Clips | None",
    settings: params.Params,
) -> bool:
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
    numbers = _numbers(trajectory, facts, model) if found["face_frames"] >= 2 else None
    pictures = isinstance(model, training.TrainedLanguage) and bool(model.settings.frames)
    if numbers is None and not (pictures and found["frames"]):
        console.print("  no answer: there is no face to judge by")
        return False
    if isinstance(model, training.TrainedLanguage):
        asked = _one_clip(clip, fps, place, found["duration"], numbers, model)
        return _say_answer(console, model, asked, shown)
    if numbers is not None:
        _say_probabilities(console, model.config.classes, model.probabilities(numbers[None])[0])
    return True


def _numbers(
    trajectory: landmarks.Trajectory, facts: landmarks.ClipFacts, model: Model
) -> NDArray[np.float32]:
    """What the model takes of a clip with a face, (N, D)."""
    if list(trajectory.names) != model.wavelets["blendshapes"]:
        raise UserError(
            "the model was trained on other blendshapes. Train it again: dvc repro train"
        )
    config = {name: model.wavelets[name] for name in ("transform", "wavelet", "boundary", "k")}
    numbers = features(trajectory, facts, Transform(**config))
    blocks = {name: block[None] for name, block in numbers.items()}
    return training.arrange(blocks, model.inputs)[0]


def _say_answer(
    console: Console, model: training.TrainedLanguage, asked: "Clips", shown: "Clips | None"
) -> bool:
    config = model.model.config
    if config.targets:
        _say_values(console, model, asked, shown)
        return True
    answer = ask(model, asked, "split", shown).iloc[0]
    if model.settings.answers == "likelihood":
        probabilities = answer[[f"p_{word}" for word in config.classes]].to_numpy(float)
        _say_probabilities(console, config.classes, probabilities)
        return True
    if answer["predicted"] == UNREADABLE:
        console.print("  no answer: what the model wrote is none of its labels")
        return False
    console.print(f"  emotion, as the model wrote it: {answer['predicted']}")
    return True


def _say_probabilities(
    console: Console, words: tuple[str, ...], probabilities_C: NDArray[np.floating]
) -> None:
    table = Table("emotion", "probability", box=None, padding=(0, 2))
    for at in np.argsort(-probabilities_C, kind="stable"):
        bar = "█" * round(30 * float(probabilities_C[at]))
        table.add_row(words[at], f"{probabilities_C[at]:6.1%} {bar}")
    console.print(table)


def _say_values(
    console: Console, model: training.TrainedLanguage, asked: "Clips", shown: "Clips | None"
) -> None:
    from facewave.prompts.answers import values  # take seconds to load
    from facewave.prompts.examples import Examples

    config = model.model.config
    examples = Examples(
        asked, shown or asked.of([]), config.classes, config.targets, model.settings, seed=0
    )
    table = Table("target", "value", box=None, padding=(0, 2))
    for target, value in zip(
        config.targets, values(model.model, examples, model.settings)[0], strict=True
    ):
        table.add_row(target, f"{value:.3f}")
    console.print(table)


def _one_clip(
    clip: Path,
    fps: float,
    place: Path,
    duration: float,
    numbers_ND: NDArray[np.float32] | None,
    model: training.TrainedLanguage,
) -> "Clips":
    """A clip of no dataset as a language model is shown one; no numbers: it has no face."""
    from facewave.prompts.examples import Clips  # take seconds to load
    from facewave.prompts.transcripts import transcripts

    name = clip.name
    row = {"video_idx": name, "file_path": name, "start": math.nan, "end": math.nan, "at": 0}
    row |= dict.fromkeys(("subject", "source", "actual", "transcript", "table"), "")
    row |= {"usable": numbers_ND is not None, "split": "test"}
    table = pd.DataFrame([row])
    if model.settings.transcript != "none":
        table = sidecars.fill(table, {name: FileFact(exists=True)}, clip.parent)
    (entry,) = landmarks.entries(place)
    index = {
        "shard": place.name,
        "row_group": entry.row_group if entry.row_groups else None,
        "row_groups": entry.row_groups,
        "start": math.nan,
        "end": math.nan,
        "duration": duration,
    }
    faces = model.model.config.faces
    blind = np.full((faces.steps, sum(faces.widths)) if faces else (0, 0), np.nan, np.float32)
    return Clips(
        table,
        clip.parent,
        fps,
        place.parent,
        pd.DataFrame([index], pd.Index([name])),
        lambda at: blind if numbers_ND is None else numbers_ND,
        transcripts(table, clip.parent, model.settings),
        [""],
        np.zeros((1, len(model.model.config.targets))),
    )
