"""A model on a server before it answers for one partition: which it is, and its examples."""

from dataclasses import replace
from typing import Any

from facewave.params import Train
from facewave.prompts import leaks
from facewave.prompts.examples import choose_shots
from facewave.prompts.server import Server
from facewave.prompts.speech import transcripts
from facewave.training import parts
from facewave.training.about import of_training
from facewave.training.leaks import keys
from facewave.training.served import Served
from facewave.workspace import Clips, Dataset


def choose(
    clips: Clips, partition: str | int, dataset: Dataset, settings: Train, wavelets: dict[str, Any]
) -> Served:
    """Ask the server which model it has, and choose the examples that it is shown.

    Args:
        clips: of the dataset, with or without a usable face.
        partition: whose training part the examples are from.
        dataset: which it is.
        settings: section ``train``.
        wavelets: how the features were made.

    Raises:
        UserError: the server cannot be reached, or transcripts give the label away.
    """
    language = replace(settings.language, face_tokens=0)  # there is nothing that makes them
    is_learnt = parts.is_learnt_from(clips, clips.parts(partition), dataset.targets, settings)
    is_labelled = (clips.table["actual"] != "") & (clips.table["pseudo"] == "")
    labelled = clips.select(is_learnt & is_labelled.to_numpy())
    if language.transcript != "none":
        texts = transcripts(labelled.table, labelled.root, language)
        leaks.check(labelled.table.assign(transcript=texts), "transcript")
    # One more than are shown, since no clip is shown its own.
    n_shots = language.examples + bool(language.examples)
    shots = labelled.select(choose_shots(labelled.table, n_shots, dataset.classes))
    identity = Server(language.server).identity
    about = of_training(dataset, partition, settings, shots.table, shots.table) | {
        "answers_by": f"{identity.id}, a language model on a server",
        "learnt": keys(shots),
        "validated": [],
    }
    names = shots.table["video_idx"]
    return Served(identity, dataset.classes, language, wavelets, names, about)
