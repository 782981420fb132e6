"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv; for a language model
        also the clips, and data/faces/<train.dataset>/; for what answers without training
        data/appearance/<train.dataset>/ or the trajectories
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors, README.md
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  what a killed run resumes from
Nothing is learnt from test parts: each clip's part is looked up, and only train and val are used.
``accelerate launch -m facewave.training`` trains a language model on several GPUs.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast, get_args

import joblib
import numpy as np
import torch
from dvclive import Live
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import models, params, training
from facewave.errors import UserError, explain
from facewave.files import locked
from facewave.models.classifiers.classifier import HARDLY
from facewave.params import (
    CORRELATED,
    NETWORKS,
    ClassifierKind,
    LanguageModelKind,
    Params,
    Train,
)
from facewave.targets import CLASSES, PLANE, Target, truth
from facewave.training import checkpoints, delay, ensemble, knowledge, parts, pretrained, schema
from facewave.training.checkpoints import Finished
from facewave.training.classifier import TrainedClassifier
from facewave.training.fit import fit, fitted
from facewave.training.loop import Report
from facewave.training.schema import Trained
from facewave.training.untrained import Given
from facewave.wavelets.schema import Features
from facewave.workspace import Clips, Dataset

CURVES = Path("metrics/train")
_NAMED = 5  # columns
_ENOUGH = 8  # clips of a batch whose correlation is learnt
# An ensemble comes last: it is made of the others.
_UNTRAINED: dict[str, Callable[[Given], Trained]] = {
    "pretrained": pretrained.learn,
    "knowledge": knowledge.learn,
    "ensemble": ensemble.learn,
    schema.STUDENTS: ensemble.of_students,
}
_CODE = [Path(models.__path__[0]) / "classifiers"] + [
    Path(training.__path__[0]) / f"{name}.py"
    for name in (
        "classifier",
        "conformal",
        "delay",
        "fit",
        "loop",
        "losses",
        "parts",
        "person",
        "sampling",
    )
]


def main() -> None:
    """Train the model and its baselines on every partition."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    _check_kinds(dataset, settings)
    features = dataset.read_features()
    _print_still(features)
    clips = dataset.clips(features=features)
    usable = clips.select(clips.table["usable"])
    _check_targets(clips, dataset.targets, settings)

    # One thread: sums in a fixed order, so that the same clips give the same bytes.
    torch.set_num_threads(1)
    with threadpool_limits(1), ExitStack() as held:
        if _is_first_process():  # it alone trains classifiers
            held.enter_context(locked(schema.ROOT))
            for folder in (schema.ROOT, CURVES, checkpoints.ROOT):
                checkpoints.remove_all_but(map(str, settings.partitions), folder)
            for partition in tqdm(settings.partitions, "train", unit="partition"):
                checkpoints.remove_all_but(schema.roles(settings), schema.ROOT / str(partition))
                _train_classifiers(usable, partition, features, dataset, loaded)
                _make_untrained(usable, partition, dataset, loaded)
        if settings.is_language_model:
            _train_language_models(clips, features, dataset, loaded)


def _check_targets(clips: Clips, targets: Sequence[Target], settings: Train) -> None:
    """Refuse what these targets cannot be learnt with, and say what is doubtful.

    Raises:
        UserError: a delay is to be learnt, but the labels are no traces.
    """
    of_plane = any(target.name in PLANE for target in targets)
    if settings.delay == "learnt":
        is_window = clips.table["end"].notna() & clips.table.duplicated("file_path", keep=False)
        if not of_plane or not is_window.any():
            raise UserError(
                "params.yaml: train.delay is learnt, but the labels are no traces of valence, "
                "arousal or dominance: no clip has several labelled moments. Set train.delay: none."
            )
    if settings.model in NETWORKS and settings.network.numbers in CORRELATED:
        known_nT = np.stack([~np.isnan(truth(t, clips.table)).any(axis=1) for t in targets], axis=1)
        for target, share in zip(targets, known_nT.mean(axis=0), strict=True):
            n_labelled = share * settings.network.batch_size
            if target.kind == "number" and n_labelled < _ENOUGH:
                print(
                    f"beware: a batch has {n_labelled:.1f} clips with {target.name}, and a "
                    f"correlation of fewer than {_ENOUGH} says little: raise "
                    "train.network.batch_size"
                )


def _check_kinds(dataset: Dataset, settings: Train) -> None:
    """Refuse what needs more than a dataset has.

    Raises:
        UserError: a model is named that looks at pictures, and there are none; or rules on
            blendshapes, and the clips are rows of a table of features.
    """
    needs = {}
    if not dataset.entry.has_pictures:
        needs["pretrained"] = "an encoder's answers to pictures of the face"
        if settings.language.frames:
            needs |= dict.fromkeys(get_args(LanguageModelKind), "pictures (train.language.frames)")
    if dataset.entry.features:
        needs["knowledge"] = "blendshapes over time"
    for kind in schema.roles(settings).values():
        if kind in needs:
            raise UserError(
                f"params.yaml: {kind} needs {needs[kind]}, which {dataset.name} does not have: its "
                f"clips are {'rows of a table' if dataset.entry.features else 'tables of tracks'}. "
                "Take it out of train.model and train.baselines."
            )


def _print_still(features: Features) -> None:
    """Say which columns of a table of features hardly vary, of which classifiers learn nothing."""
    if "functionals" in features.blocks:
        spread_D = np.nanstd(features.blocks["functionals"][:, 0], axis=0)
        still = [features.config["functionals"][at] for at in np.flatnonzero(spread_D <= HARDLY)]
        if still:
            named = ", ".join(still[:_NAMED]) + (", ..." if len(still) > _NAMED else "")
            print(
                f"nothing is learnt from {len(still)} columns that vary by {HARDLY:g} at most "
                f"({named}). If they matter, write them in a smaller unit."
            )


@contextmanager
def _curves(partition: str | int, wanted: bool) -> Iterator[Report]:
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


def _train_classifiers(
    clips: Clips, partition: str | int, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train all roles that are classifiers; ``clips`` have a usable face."""
    targets = dataset.targets
    kinds: tuple[ClassifierKind, ...] = get_args(ClassifierKind)
    names = schema.roles(loaded.train).items()
    roles = [(role, kind) for role, name in names for kind in kinds if kind == name]
    if not roles:
        return
    part = clips.parts(partition)
    is_train_n = parts.is_learnt_from(clips, part, targets, loaded.train)
    learnt, whole = clips.select(is_train_n).table, clips.select(part == "train").table
    truth_nW = parts.truth_of(clips.select(is_train_n), targets, soft=False)
    is_labelled_n = ~np.isnan(truth_nW).all(axis=1)
    val_clips = clips.select((part == "val").to_numpy())
    samples = {}  # by all in which roles differ
    teacher: TrainedClassifier | None = None
    for role, kind in roles:
        settings = schema.settings_of(role, loaded.train)
        is_student = role in schema.students(settings)
        config, reduction = parts.plan(kind, targets, clips, features.config, settings)
        shown = (settings.normalize, settings.network.soft_labels)
        if shown not in samples:
            samples[shown] = parts.split(clips, part, targets, settings)
        everything, val, population = samples[shown]
        train = parts.labelled(everything)
        population = None if kind == schema.PRIOR else population
        rows = learnt if is_student else learnt[is_labelled_n]
        if is_student and teacher:
            temperature = settings.teacher.temperature
            train = parts.taught(everything, teacher.module, temperature)
        if not len(train.truth_nW):
            raise UserError(
                f"partition {partition} of {dataset.name} has no usable training clip. "
                "metrics/clean and metrics/extract say why clips were left out."
            )
        about = schema.about(dataset, partition, settings, rows, whole)
        about |= {"labelled": schema.fewest_labels(targets, rows)}
        folder, has_curves = schema.folder(partition, role), role == schema.MODEL
        tensors = [tensor for one in (train, val) for tensor in vars(one).values()]
        used = schema.used_by(kind, settings) | {"partitions": partition, "inputs": settings.inputs}
        if population:
            tensors += map(torch.from_numpy, population.tensors().values())
        follows_from = (config, used, reduction, features.config, about)
        mark = checkpoints.fingerprint(checkpoints.digest(tensors), _CODE, *follows_from)
        finished = Finished(partition, role, folder, mark)
        if finished and (not has_curves or (CURVES / str(partition)).is_dir()):
            if role == schema.TEACHER:
                teacher = cast(TrainedClassifier, schema.load(folder))
            continue
        with _curves(partition, has_curves) as log:
            module = fit(config, train, val, settings, reduction, log)
        if any(target.name == CLASSES for target in targets):
            labelled = parts.labelled(everything)  # a student's, too: not what a teacher said
            about |= {"fitted": {"train": fitted(module, labelled), "val": fitted(module, val)}}
        made = (module, config, settings.inputs, features.config, about, population)
        trained = TrainedClassifier(*made)
        if settings.delay == "learnt" and len(val_clips):
            about["delay_s"] = _delay(trained, val_clips)
        schema.save(trained, folder)
        finished.write()
        if role == schema.TEACHER:
            teacher = trained


def _delay(trained: Trained, clips: Clips) -> float:
    """How far the labels of validation clips lag behind a model's answers (s)."""
    targets = [target for target in trained.targets if target.name in PLANE]
    answers = trained.answer(clips)[[target.numbers[0] for target in targets]]
    truth_nT = np.concatenate([truth(target, clips.table) for target in targets], axis=1)
    return delay.learn(clips.table, truth_nT, answers.to_numpy(float))


def _make_untrained(clips: Clips, partition: str | int, dataset: Dataset, loaded: Params) -> None:
    """Make the roles that answer without training; ``clips`` have a usable face.

    They are made each time: that takes no longer than to find out whether they must be.
    """
    settings, targets = loaded.train, tuple(dataset.targets)
    names = schema.roles(settings).items()
    roles = [(role, kind) for kind in _UNTRAINED for role, name in names if name == kind]
    if not roles:
        return
    part = clips.parts(partition)
    is_train_n = parts.is_learnt_from(clips, part, targets, settings)
    truth_nW = parts.truth_of(clips, targets, soft=False)
    learnt, whole = clips.select(is_train_n).table, clips.select(part == "train").table
    given = Given(
        clips,
        is_train_n,
        (part == "val").to_numpy(),
        truth_nW,
        parts.prior(targets, truth_nW[is_train_n]),
        targets,
        settings,
        schema.ROOT / str(partition),
        schema.about(dataset, partition, settings, learnt, whole),
    )
    for role, kind in roles:
        model = _UNTRAINED[kind](given)
        if settings.delay == "learnt" and given.is_val_n.any():
            model.about = model.about | {"delay_s": _delay(model, clips.select(given.is_val_n))}
        with _curves(partition, role == schema.MODEL):  # there are none
            schema.save(model, schema.folder(partition, role))
        unknown = model.describe().get("unknown")
        if unknown and partition == settings.partitions[0]:
            tqdm.write(f"{role}: knows nothing of {', '.join(unknown)}: they get no probability")


def _train_language_models(
    clips: Clips, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train the model, a language model, on all labelled clips."""
    from accelerate import PartialState  # these take seconds to load

    from facewave.prompts.examples import gather
    from facewave.training import language_setup

    settings, processes = loaded.train, PartialState()
    targets = settings.targets if settings.is_regression else []
    with processes.main_process_first():  # the others find its transcripts in the cache
        prompted = gather(clips, settings.inputs, settings.language, targets)
    if not settings.model.startswith("tiny-"):
        torch.set_num_threads(joblib.cpu_count())

    def train(partition: str | int) -> None:  # its backbone is freed before the next one's
        run = language_setup.prepare(prompted, partition, dataset, features, settings)
        folder = schema.folder(partition, schema.MODEL)
        finished = Finished(partition, schema.MODEL, folder, run.fingerprint)
        is_due = not finished or not (CURVES / str(partition)).is_dir()
        processes.wait_for_everyone()  # all have looked before the first one writes
        if not is_due:
            return
        with _curves(partition, _is_first_process()) as log:
            run.fit(log)
        if _is_first_process():
            schema.save(run.trained, folder)
            finished.write()
            for used in (checkpoints.ROOT / str(partition)).glob(f"{schema.MODEL}-*"):
                shutil.rmtree(used)

    for partition in tqdm(settings.partitions, settings.model, unit="partition"):
        train(partition)


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"  # of the processes that accelerate has launched


if __name__ == "__main__":
    explain(main)
