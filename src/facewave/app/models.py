"""Which model answers a person's own clips, and how well it is known to do."""

import json
from collections.abc import Mapping
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
from facewave.targets import ABOUT, CLASSES, PLANE, Target, number
from facewave.training import schema as training
from facewave.training.cards import Figure
from facewave.training.combination import Combination
from facewave.training.ensemble import TrainedEnsemble
from facewave.training.knowledge import TrainedKnowledge
from facewave.training.pretrained import TrainedPretrained
from facewave.training.schema import Trained

DEMO = "demo"  # the dataset, and what ``--model`` calls the project's own model of it
UNTRAINED = "untrained"  # what ``--model`` calls the model that needs no training
ENCODER = "fer"  # of the model that needs no training
_MEASURED = (
    "On 82 labelled film clips of six words (not part of this project; chance is 16.7 %) `fer` "
    "alone had a UAR of 43.7 % [35, 53]"
)
_WEAK = "It is nearly blind to disgust and weak on fear."
_PLANE = (
    "Valence and arousal follow from where its words lie in the plane of both{}; no labelled clip "
    "has measured them, so they have no interval."
)
_SHOWN = ("uar", "war", "ccc", "rmse", "f1", "icc")


def choose(model: str | None) -> Trained:
    """The model that ``--model`` names, with its figures where they have been measured here.

    Args:
        model: a trained model's folder; ``demo``: the project's model of the demo; None: what
            answers on real faces without having been trained, as does ``untrained``.

    Raises:
        UserError: it is not there or damaged, or ``demo`` is asked for and another is trained.
    """
    if model in (None, UNTRAINED):
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
    """A pretrained frame encoder and rules on facial actions as one: the seven words, and numbers.

    Nobody's labels are learnt from here; what the encoder learnt from, its description says. Its
    valence and arousal follow from where its words lie in the plane (plane.py), those of the rules
    from rules of their own.
    """
    encoder = embed.describe(encoders.load(ENCODER))
    of_encoder: dict[str, str] = encoder.about or {}
    targets = (Target(CLASSES, "words", SEVEN), *map(number, PLANE[:2]))
    nothing_W = np.array([*[1 / len(SEVEN)] * len(SEVEN), 0.0, 0.0])
    licence = f"The weights' licence is {of_encoder['licence']}."
    about: dict[str, Any] = {
        "dataset": of_encoder["learnt_on"],
        "description": f"encoder {ENCODER} and rules on facial actions; nothing was learnt here",
        "synthetic": False,
        "note": f"{_MEASURED}; with the rules it was not measured. {_WEAK} "
        f"{_PLANE.format(', and from the rules')} {licence}",
    }
    of_words = about | {
        "description": f"encoder {ENCODER}; nothing was learnt here",
        "note": f"{_MEASURED}. {_WEAK} {_PLANE.format('')} {licence}",
    }
    of_rules = {
        "description": "published rules on facial actions; nothing was learnt",
        "synthetic": False,
    }
    members: dict[str, Trained] = {
        "pretrained": TrainedPretrained(
            targets,
            encoder.words,
            [[encoder.words.index(word)] for word in SEVEN],
            *("none", nothing_W, np.zeros(len(encoder.words)), {}),
            of_words | {"encoder": json.loads(json.dumps(asdict(encoder)))},
        ),
        "knowledge": TrainedKnowledge(
            targets,
            [[word] for word in SEVEN],
            *("faces", nothing_W, *np.array([FACES[name] for name in BLENDSHAPES]).T, {}, of_rules),
        ),
    }
    mean = Combination("mean", targets, np.full(len(members), 1 / len(members)))
    return TrainedEnsemble(members, {}, "ensemble", mean, {}, about)


def measured(folder: Path) -> dict[str, Figure]:
    """The figures of a model in metrics/evaluate/report.json, by measure; {} if it has none.

    Folds say most of a way of training, each clip being a test clip once; so they speak for the
    model of the split, too.
    """
    try:
        tasks = json.loads(REPORT.read_text("utf-8"))["tasks"]
    except (FileNotFoundError, KeyError, ValueError):  # not measured here
        return {}
    key = training.fingerprint(folder)
    found: dict[str, Figure] = {}
    for name, task in tasks.items():
        summaries = [task[protocol] for protocol in ("folds", "split") if protocol in task]
        for role in (name for name, value in summaries[0].items() if isinstance(value, dict)):
            if any(
                key in summary.get(role, {}).get("fingerprints", {}).values()
                for summary in summaries
            ):
                for of, figures in _named(name, task, summaries[0][role]):
                    found |= {
                        measure.upper() + of: Figure(
                            value=figures[measure],
                            low=figures.get(f"{measure}_low"),
                            high=figures.get(f"{measure}_high"),
                            n=summaries[0]["n"],
                            folds=len(summaries[0][role].get("fold", "1")),
                        )
                        for measure in _SHOWN
                        if isinstance(figures.get(measure), float)
                    }
    return found


def _named(
    name: str, task: Mapping[str, Any], figures: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any]]]:
    """A role's figures of a task, and of what they are."""
    if task["kind"] == "words":
        return [(f" of {name.removeprefix(ABOUT)}" * (name != CLASSES), figures)]
    if task["kind"] == "number":
        return [(f" of {target}", figures[target]) for target in task["names"]]
    return [(" of action units", figures["mean"])]
