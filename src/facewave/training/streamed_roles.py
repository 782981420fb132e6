"""Training the roles of a partition that are networks whose inputs are read while they train."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import cast

from facewave import models, on_torch
from facewave.params import Params
from facewave.targets import CLASSES
from facewave.training import checkpoints, schema
from facewave.training.about import fewest_labels, of_training
from facewave.training.checkpoints import Finished
from facewave.training.roles import CURVES, curves, delay_of, fitted
from facewave.training.schema import first_stage
from facewave.training.streamed import TrainedStreamed
from facewave.training.streamed_setup import prepare
from facewave.wavelets import moments
from facewave.workspace import Clips, Dataset

_MODELS = Path(models.__path__[0])
_CODE = [
    *(_MODELS / name for name in ("classifiers", "vision", "fusion.py", "outputs.py")),
    *(_MODELS / name for name in ("readout.py", "streamed.py")),
    Path(__file__).parent,
    Path(moments.__file__).parent,
]


def train(clips: Clips, partition: str | int, dataset: Dataset, loaded: Params) -> None:
    """Train them; ``clips`` are all that have a part, whether they can be judged or not.

    Second stages come last, as they start from the weights of the first.
    All processes that ``accelerate launch`` has started call this; the first one writes.
    """
    processes, teacher = on_torch.processes(), None
    roles = schema.roles(loaded.train).items()
    for role, kind in sorted(roles, key=lambda one: bool(first_stage(one[0], loaded.train))):
        if kind in schema.TYPES:
            processes.wait_for_everyone()  # all look before the first one writes
            _train_role(role, kind, clips, partition, dataset, loaded, teacher)
            processes.wait_for_everyone()
            if role == schema.TEACHER:
                teacher = cast(TrainedStreamed, schema.load(schema.folder(partition, role)))


def _train_role(
    role: str,
    kind: str,
    clips: Clips,
    partition: str | int,
    dataset: Dataset,
    loaded: Params,
    teacher: TrainedStreamed | None,
) -> None:
    settings, targets = schema.settings_of(role, loaded.train), dataset.targets
    processes, folder = on_torch.processes(), schema.folder(partition, role)
    of_kind = cast(type[TrainedStreamed], schema.class_of(schema.TYPES[kind]))
    is_student = role in schema.students(loaded.train)
    teacher = teacher if is_student else None
    first, start, started_from = first_stage(role, loaded.train), None, ""
    if first:
        place = schema.folder(partition, first)
        start, started_from = cast(TrainedStreamed, schema.load(place)), schema.fingerprint(place)
    which = schema.learns(role, loaded.train)
    run = prepare(of_kind, kind, targets, clips, partition, settings, teacher, which, start)
    trained = run.trained
    about = of_training(dataset, partition, settings, run.rows, run.whole) | trained.about
    about |= {"labelled": fewest_labels(targets, run.rows)}
    if first:
        about["pseudo"]["after"] = first
    used = schema.used_by(kind, settings) | {"partitions": partition}
    shown = [one.described(trained) for one in (run.learnt, run.val)]
    follows_from = (kind, asdict(trained.config), used, trained.wavelets, shown, about)
    mark = checkpoints.fingerprint(started_from, _CODE, *follows_from)
    finished, has_curves = Finished(partition, role, folder, mark), role == schema.MODEL
    is_due = not finished or (has_curves and not (CURVES / str(partition)).is_dir())
    processes.wait_for_everyone()  # all have looked before the first one writes
    if not is_due:
        return
    place = checkpoints.ROOT / str(partition)
    with curves(partition, has_curves and processes.is_main_process) as log:
        run.fit(place / f"{role}-{mark[:16]}", log)
    if not processes.is_main_process:
        return
    trained.about = about
    if any(target.name == CLASSES for target in targets):
        trained.about["fitted"] = {
            name: fitted(targets, trained.answers(one.clips), one.truth_nW)
            for name, one in {"train": run.train, "val": run.val}.items()
        }
    if settings.delay == "learnt" and len(run.val.clips):
        trained.about["delay_s"] = delay_of(trained, run.val.clips)
    schema.save(trained, folder)
    finished.write()
    for checkpoint in place.glob(f"{role}-*/"):
        shutil.rmtree(checkpoint)
