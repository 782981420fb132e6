"""Which model answers a person's own clips, and how well it is known to do."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facewave import params
from facewave.app.results import REPORT
from facewave.appearance import embed, encoders
from facewave.errors import UserError
from facewave.labels.schema import SEVEN
from facewave.models.knowledge import BLENDSHAPES
from facewave.models.real_faces import FACES
from facewave.training import schema as training
from facewave.training.cards import Figure
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.knowledge import TrainedKnowledge
from facewave.training.pretrained import TrainedPretrained
from facewave.training.schema import Trained

DEMO = "demo"  # the dataset, and what ``--model`` calls the project's own model of it
ENCODER = "fer"  # of the model that needs no training
_NOTE = (
    "On 82 labelled film clips of six words (not part of this project; chance is 16.7 %) `fer` "
    "alone had a UAR of 43.7 % [35, 53]; with the rules it was not measured. It is nearly blind "
    "to disgust and weak on fear."
)
_SHOWN = ("uar", "war", "ccc", "rmse")


def choose(model: str | None) -> Trained:
    """The model that ``--model`` names, with its figures where they have been measured here.

    Args:
        model: a trained model's folder; ``demo``: the project's model of the demo; None: what
            answers on real faces without having been trained (``untrained``).

    Raises:
        UserError: it is not there or damaged, or ``demo`` is asked for and another is trained.
    """
    if model is None:
        return untrained()
    folder = Path(model)
    if model == DEMO:
        folder = training.folder(params.load().train.partitions[0], training.MODEL)
    trained = training.load(folder)
    if model == DEMO and trained.about.get("dataset") != DEMO:
        raise UserError(
            f"{folder} did not learn from the demo but from {trained.about.get('dataset')}. Name "
            "another with --model FOLDER, or set train.dataset to demo and run: dvc repro train"
        )
    trained.about = {"figures": measured(folder)} | trained.about
    return trained


def untrained() -> Trained:
    """A pretrained frame encoder and rules on facial actions as one, in the words of the seven.

    Nobody's labels are learnt from here; what the encoder learnt from, its description says.
    """
    encoder = embed.describe(encoders.load(ENCODER))
    of_encoder: dict[str, str] = encoder.about or {}
    uniform_C = np.full(len(SEVEN), -np.log(len(SEVEN)))
    about: dict[str, Any] = {
        "dataset": of_encoder["learnt_on"],
        "description": f"encoder {ENCODER} and rules on facial actions; nothing was learnt here",
        "synthetic": False,
        "note": f"{_NOTE} The weights' licence is {of_encoder['licence']}.",
    }
    members: dict[str, Trained] = {
        "pretrained": TrainedPretrained(
            SEVEN,
            encoder.words,
            [encoder.words.index(word) for word in SEVEN],
            *("none", uniform_C, np.zeros(len(encoder.words)), {}),
            about | {"encoder": json.loads(json.dumps(asdict(encoder)))},
        ),
        "knowledge": TrainedKnowledge(
            SEVEN,
            [[word] for word in SEVEN],
            *("faces", uniform_C, *np.array([FACES[name] for name in BLENDSHAPES]).T, {}, about),
        ),
    }
    weights = [1 / len(members)] * len(members)
    return TrainedEnsemble(members, {}, "mean", weights, {}, about)


def measured(folder: Path) -> dict[str, Figure]:
    """The figures of a model in metrics/evaluate/report.json, by measure; {} if it has none.

    Folds say most of a way of training, each clip being a test clip once; so they speak for the
    model of the split, too.
    """
    try:
        report = json.loads(REPORT.read_text("utf-8"))
    except (FileNotFoundError, ValueError):  # not measured here
        return {}
    key = training.fingerprint(folder)
    summaries = [report[protocol] for protocol in ("folds", "split") if protocol in report]
    if not summaries:
        return {}
    for role in (name for name, value in summaries[0].items() if isinstance(value, dict)):
        if any(key in summary[role].get("fingerprints", {}).values() for summary in summaries):
            of, targets = summaries[0][role], report.get("targets", [])
            by_target = {f" of {target}": of[target] for target in targets} or {"": of}
            return {
                name.upper() + suffix: Figure(
                    value=figures[name],
                    low=figures.get(f"{name}_low"),
                    high=figures.get(f"{name}_high"),
                    n=summaries[0]["n"],
                    folds=len(of.get("fold", "1")),
                )
                for suffix, figures in by_target.items()
                for name in _SHOWN
                if figures.get(name) is not None
            }
    return {}
