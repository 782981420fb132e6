"""Trained models as the commands use them: classifiers and language models alike."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.training import schema as training
from facewave.wavelets import schema as wavelets

if TYPE_CHECKING:
    from facewave.prompts.examples import Clips

Model = training.Trained | training.TrainedLanguage


def load(place: Path) -> Model:
    """Rebuild what was trained, whatever it is.

    Raises:
        UserError: as ``training.schema.load`` and ``load_language``.
    """
    return training.load_language(place) if speaks(place) else training.load(place)


def speaks(place: Path) -> bool:
    """Whether a language model lies there."""
    try:
        return "language" in json.loads((place / "config.json").read_bytes())
    except (OSError, ValueError):
        return False  # for the classifiers' reader to tell


def read_features(dataset: str, model: Model) -> wavelets.Features:
    """A dataset's features, as the model takes them.

    Raises:
        UserError: they were made in another way than those that it learnt from.
    """
    features = wavelets.read(Path("data/features") / dataset)
    blind = isinstance(model, training.TrainedLanguage) and model.model.faces is None
    own = {} if blind else model.wavelets
    if other := [name for name in own if features.config.get(name) != own[name]]:
        said = "; ".join(f"{name}: {own[name]}" for name in other if name != "blendshapes")
        raise UserError(
            f"data/features/{dataset} has other {', '.join(other)} than the features that the "
            f"model learnt from. Set wavelets in params.yaml to the model's ({said or 'as now'}) "
            "and make them again (dvc repro wavelet), or train the model again."
        )
    return features


def gathered(
    model: training.TrainedLanguage,
    dataset: str,
    table: pd.DataFrame,
    features: wavelets.Features,
    loaded: params.Params,
) -> "Clips":
    """Rows of a dataset as a language model is shown them.

    Args:
        model: whose prompts they are for.
        dataset: its name.
        table: rows with ``at`` and ``usable`` (wavelets.schema.join).
        features: of the dataset.
        loaded: params.yaml.
    """
    from facewave.prompts.examples import gather  # take seconds to load
    from facewave.prompts.transcripts import transcripts

    entry = params.dataset(loaded, dataset)
    own = replace(
        loaded.train,
        dataset=dataset,
        model=model.model.config.kind,
        inputs=list(model.inputs),
        language=model.settings,
    )
    said = transcripts(table, Path(entry.root), model.settings)
    return gather(table, entry, own, training.numbers(features.blocks, model.inputs), said)


def shots(model: training.TrainedLanguage, loaded: params.Params) -> "Clips | None":
    """The clips that a language model shows as examples, None where it shows none.

    Raises:
        UserError: they are not there any more.
    """
    if not model.shots:
        return None
    dataset = str(model.about["dataset"])
    params.dataset(loaded, dataset)
    features = read_features(dataset, model)
    table = labels.single_label(labels.read(Path("data/labels") / f"{dataset}.csv"))
    table = wavelets.join(table, features)
    places = pd.Index(table["video_idx"]).get_indexer(list(model.shots))
    if (places < 0).any():
        raise UserError(
            f"{dataset} lacks clips that the model shows as examples. Train it again: dvc repro "
            "train"
        )
    return gathered(model, dataset, table.iloc[places], features, loaded)
