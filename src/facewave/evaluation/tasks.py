"""The tasks of some models: each target of words, all numbers together, the action units."""

import pandas as pd

from facewave.evaluation.task import NUMBERS, Task
from facewave.evaluation.task_of_numbers import Numbers, Presence, Units
from facewave.evaluation.task_of_words import Words
from facewave.params import Evaluate
from facewave.prediction.schema import Models
from facewave.targets import UNITS


def tasks(
    models: Models,
    settings: Evaluate,
    table: pd.DataFrame | None = None,
    frames: pd.DataFrame | None = None,
) -> dict[str, Task]:
    """The tasks of some models by key, in the order of their targets.

    Args:
        models: who answered what.
        settings: of the stage.
        table: of labels, a row a clip; None: nothing more is known of the clips.
        frames: the truth of each frame (labels.schema.read_frames).
    """
    found: dict[str, Task] = {}
    for target in models.targets:
        if target.is_words:
            found[target.name] = Words(target.name, [target], models, settings, table)
        elif target.name == UNITS:
            kind = Presence if target.kind == "presence" else Units
            found[UNITS] = kind(UNITS, [target], models, settings, table)
        elif NUMBERS not in found:
            numbers = [target for target in models.targets if target.kind == "number"]
            found[NUMBERS] = task = Numbers(NUMBERS, numbers, models, settings, table)
            task.frames = frames
    return found
