"""What the training of every role has in common: its curves, and what is measured of it after."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from dvclive import Live
from torch import Tensor

from facewave.models import outputs
from facewave.targets import CLASSES, PLANE, Target, truth
from facewave.training import delay
from facewave.training.loop import Report, recalled
from facewave.training.schema import Trained
from facewave.workspace import Clips

CURVES = Path("metrics/train")
_DECIMALS = 4


@contextmanager
def curves(partition: str | int, wanted: bool) -> Iterator[Report]:
    """Where a partition's model reports its epochs; without ``wanted`` nothing is written."""
    if not wanted:
        yield lambda step, figures: None
        return
    folder = CURVES / str(partition)
    shutil.rmtree(folder, ignore_errors=True)
    with Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) as live:

        def log(step: int, figures: dict[str, float]) -> None:
            live.step = step
            for name, value in figures.items():
                live.log_metric(name, value)

        yield log


def delay_of(trained: Trained, clips: Clips) -> float:
    """How far the labels of validation clips lag behind a model's answers (s)."""
    targets = [target for target in trained.targets if target.name in PLANE]
    answers = trained.answer(clips)[[target.numbers[0] for target in targets]]
    truth_nT = np.concatenate([truth(target, clips.table) for target in targets], axis=1)
    return delay.learn(clips.table, truth_nT, answers.to_numpy(float))


def fitted(
    targets: Sequence[Target], answers_nW: Tensor, truth_nW: Tensor
) -> dict[str, float | None]:
    """WAR and UAR of a model's answers to a part, None where it has no clips of any class.

    On the training part they say how much the model has memorised.
    """
    (place,) = (at for at, target in enumerate(targets) if target.name == CLASSES)
    widths = outputs.truth_widths(targets)
    truth_nC, answers_nC = (of_all.split(widths, 1)[place] for of_all in (truth_nW, answers_nW))
    known_n = ~truth_nC.isnan().any(1)
    if not known_n.any():
        return {"war": None, "uar": None}
    figures = recalled(truth_nC[known_n].argmax(1), answers_nC[known_n].argmax(1))
    return {name: round(value, _DECIMALS) for name, value in figures.items()}
