"""Stage train: ``python -m facewave.training``.

Reads   data/features/<train.dataset>/ and data/labels/<train.dataset>.csv; where section pseudo
        names a track, the pseudo-labels in data/pseudo/; for a language model
        also the clips, and data/faces/<train.dataset>/; for what answers without training
        data/appearance/<train.dataset>/ or the trajectories
Writes  models/trained/<partition>/<role>/   config.json, model.safetensors, README.md
        metrics/train/<partition>/           DVCLive's curves of the model
        models/checkpoints/                  what a killed run resumes from
Nothing is learnt from test parts: each clip's part is looked up, and only train and val are used.
``accelerate launch -m facewave.training`` trains a language model, and networks over pictures and
sound, on several GPUs.
"""

import gc
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import get_args

import joblib
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import on_torch, params
from facewave.errors import UserError, explain
from facewave.files import locked
from facewave.models.classifiers.classifier import HARDLY
from facewave.params import (
    CORRELATED,
    NETWORKS,
    FaceNetworkKind,
    LanguageModelKind,
    Params,
    Train,
)
from facewave.targets import PLANE, Target, truth
from facewave.training import (
    checkpoints,
    classifier_roles,
    ensemble,
    knowledge,
    leaks,
    parts,
    pretrained,
    schema,
)
from facewave.training.about import of_training
from facewave.training.checkpoints import Finished
from facewave.training.roles import CURVES, curves, delay_of
from facewave.training.schema import Trained
from facewave.training.untrained import Given
from facewave.wavelets.schema import SEEN, Features
from facewave.workspace import Clips, Dataset

_NAMED = 5  # columns
_ENOUGH = 8  # clips of a batch whose correlation is learnt
_OF_FACES = ("pretrained", "knowledge")  # they take the face whatever the inputs are
# What is made of others comes last.
_UNTRAINED: dict[str, Callable[[Given], Trained]] = {
    "pretrained": pretrained.learn,
    "knowledge": knowledge.learn,
    "ensemble": ensemble.learn,
    schema.LATE_FUSION: ensemble.of_face_and_voice,
    schema.STUDENTS: ensemble.of_students,
}


def main() -> None:
    """Train the model and its baselines on every partition."""
    loaded = params.load()
    settings = loaded.train
    dataset = Dataset(settings.dataset, loaded)
    _check_kinds(dataset, settings)
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    if set(SEEN) & set(settings.inputs) or "pretrained" in schema.roles(settings).values():
        leaks.check_encoder(features.config, clips, dataset.name, settings.partitions)
    if clips.pseudo:
        what = f"what gave the pseudo-labels (pseudo.track: {clips.pseudo.track})"
        leaks.check(leaks.of_pseudo(clips), what, clips, dataset.name, settings.partitions)
    _print_still(features)
    # The same for all partitions, so that what is read of them is kept.
    faces, judged = (clips.select(clips.known_by(inputs)) for inputs in ((), settings.inputs))
    _check_targets(clips, dataset.targets, settings)

    # One thread: sums in a fixed order, so that the same clips give the same bytes.
    torch.set_num_threads(1)
    with threadpool_limits(1), ExitStack() as held:
        is_first = _is_first_process()  # it alone trains classifiers
        if is_first:
            held.enter_context(locked(schema.ROOT))
            for folder in (schema.ROOT, CURVES, checkpoints.ROOT):
                checkpoints.remove_all_but(map(str, settings.partitions), folder)
        bar = tqdm(settings.partitions, "train", unit="partition", disable=not is_first)
        for partition in bar:
            if is_first:
                checkpoints.remove_all_but(schema.roles(settings), schema.ROOT / str(partition))
                classifier_roles.train(clips, partition, features, dataset, loaded)
            if any(kind in schema.TYPES for kind in schema.roles(settings).values()):
                from facewave.training import streamed_roles  # it takes seconds to load

                streamed_roles.train(clips, partition, dataset, loaded)
            if is_first:
                _make_untrained(clips, faces, judged, partition, dataset, loaded)
                if settings.model == "served":
                    _make_served(clips, features, partition, dataset, settings)
        if settings.model in get_args(LanguageModelKind):
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
        needs |= dict.fromkeys(get_args(FaceNetworkKind), "pictures of the face")
        if settings.language.frames:
            asked = ("served", *get_args(LanguageModelKind))
            needs |= dict.fromkeys(asked, "pictures (train.language.frames)")
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


def _make_untrained(
    clips: Clips,
    faces: Clips,
    judged: Clips,
    partition: str | int,
    dataset: Dataset,
    loaded: Params,
) -> None:
    """Make the roles that answer without training.

    They are made each time: that takes no longer than to find out whether they must be.

    Args (others as in ``classifier_roles.train``):
        clips: all that have a part, of which networks say which they can judge.
        faces: clips with a usable face, which encoder and rules look at.
        judged: clips that models with ``train.inputs`` can judge.
    """
    settings, targets = loaded.train, tuple(dataset.targets)
    names = schema.roles(settings).items()
    shown = dict.fromkeys(_OF_FACES, faces)
    if set(settings.ensemble.roles) & set(schema.TYPES):
        shown["ensemble"] = clips
    for role, kind in [(role, kind) for kind in _UNTRAINED for role, name in names if name == kind]:
        some = shown.get(kind, judged)
        part = some.parts(partition)
        is_train_n = parts.is_learnt_from(some, part, targets, settings)
        truth_nW = parts.truth_of(some, targets, soft=False)
        taught_nW = parts.truth_of(some, targets, soft=False, which="both")
        learnt, whole = some.select(is_train_n).table, some.select(part == "train").table
        given = Given(
            some,
            is_train_n,
            (part == "val").to_numpy(),
            truth_nW,
            parts.prior(targets, taught_nW[is_train_n]),
            targets,
            settings,
            schema.ROOT / str(partition),
            of_training(dataset, partition, settings, learnt, whole)
            | leaks.before(
                SEEN if kind == "pretrained" else settings.inputs,
                some.wavelets,
                leaks.of_pseudo(some),
            ),
        )
        model = _UNTRAINED[kind](given)
        if settings.delay == "learnt" and given.is_val_n.any():
            model.about = model.about | {"delay_s": delay_of(model, some.select(given.is_val_n))}
        with curves(partition, role == schema.MODEL):  # there are none
            schema.save(model, schema.folder(partition, role))
        unknown = model.describe().get("unknown")
        if unknown and partition == settings.partitions[0]:
            tqdm.write(f"{role}: knows nothing of {', '.join(unknown)}: they get no probability")


def _make_served(
    clips: Clips, features: Features, partition: str | int, dataset: Dataset, settings: Train
) -> None:
    """Make the model of one that a server has, each time: that takes no longer than to look."""
    from facewave.training import served_setup  # it takes seconds to load

    model = served_setup.choose(clips, partition, dataset, settings, features.config)
    with curves(partition, True):  # there are none
        schema.save(model, schema.folder(partition, schema.MODEL))


def _train_language_models(
    clips: Clips, features: Features, dataset: Dataset, loaded: Params
) -> None:
    """Train the model, a language model, on all labelled clips."""
    from facewave.prompts.examples import gather  # these take seconds to load
    from facewave.training import language_setup

    settings, processes = loaded.train, on_torch.processes()
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
        with curves(partition, _is_first_process()) as log:
            run.fit(log)
        if _is_first_process():
            schema.save(run.trained, folder)
            finished.write()
            for used in (checkpoints.ROOT / str(partition)).glob(f"{schema.MODEL}-*"):
                shutil.rmtree(used)

    for partition in tqdm(settings.partitions, settings.model, unit="partition"):
        train(partition)
        gc.collect()  # what refers to itself is still there, with gigabytes of a GPU
        torch.cuda.empty_cache()


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"  # of the processes that accelerate has launched


if __name__ == "__main__":
    explain(main)
