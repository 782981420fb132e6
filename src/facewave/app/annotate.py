"""``facewave annotate DATASET``: a language model describes the clips that have no caption.

Its descriptions are a track of their own (tracks.py) and never an input, because a description of a
face tells the emotion. Captions written by people stay where they are.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
import pandas as pd

from facewave import params
from facewave.errors import UserError
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.params import Language, LanguageModelKind
from facewave.pseudo import tracks
from facewave.workspace import Clips, Dataset, Stored

if TYPE_CHECKING:
    from facewave.models.vlm.backbones import Backbone
    from facewave.prompts.examples import Examples, PromptClips

    Describer = Callable[[Examples], Iterator[str | None]]  # None where there is no answer

PROMPT = (
    "These are frames of a clip of a person. Describe in one or two sentences what the person does "
    "and how the face moves."
)
_MAX_TOKENS = 96  # of a description


def annotate(
    name: str,
    track: str,
    kind: str | None,
    prompt: str,
    examples_of: str | None,
    examples: int,
    limit: int | None,
) -> None:
    """Write data/tracks/<dataset>/<track>.csv: ``tracks.CLIP`` and text, "" for an empty answer.

    The weights are ``train.language.weights``, without anything trained; frames are shown
    whole, and otherwise as ``train.language`` says.

    Args:
        name: a dataset of params.yaml.
        track: its name.
        kind: of language model; None: ``train.model``.
        prompt: the question, verbatim.
        examples_of: the dataset whose captioned clips are drawn (with ``train.seed``); None: none.
        examples: the number of them.
        limit: describe at most N clips.

    Raises:
        UserError: there is no such dataset or language model, too few captions or no frame to
            show, or the track was made in another way.
    """
    from facewave.prompts.examples import Examples

    loaded = params.load()
    dataset = Dataset(name, loaded)
    settings = replace(
        loaded.train.language,
        face_tokens=0,
        prompt=prompt.replace("{", "{{").replace("}", "}}"),  # verbatim
        transcript="none",
        reasons="none",
        picture="whole",  # what somebody does is more than a face
        examples=examples if examples_of else 0,
    )
    if not settings.frames:
        raise UserError("params.yaml: train.language.frames is 0: there is nothing to describe.")
    kind = kind or loaded.train.model
    kinds = (*get_args(LanguageModelKind), "served")
    if kind not in kinds:
        raise UserError(f"{kind} is no language model. Name one with --model: {', '.join(kinds)}.")
    table = labels.with_trajectories(dataset.read_labels())
    table = tracks.keyed(table[table["caption"] == ""], dataset).reset_index(drop=True)
    clips = _clips(table, dataset)
    shots = clips.select([])
    if examples_of:
        shots = _shots(Dataset(examples_of, loaded), examples, loaded.train.seed)

    identity, describer = (_served if kind == "served" else _local)(kind, settings)

    def describe(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        prompts = Examples(clips.select(missing.index.tolist()), shots, (), (), settings, seed=0)
        answers = describer(prompts)
        for start in range(0, len(missing), settings.inference_batch_size):
            rows = missing[tracks.CLIP].iloc[start : start + settings.inference_batch_size]
            told = [None if text is None else _line(text) for text in islice(answers, len(rows))]
            yield rows.assign(text=told).dropna(subset="text")

    shown = ("frames", "sampling", "picture", "side", "grid")
    about = {
        "model": identity,
        "prompt": prompt,
        "frames": {name: getattr(settings, name) for name in shown},
        "examples": {
            "dataset": examples_of,
            "shown": settings.examples,
            "clips": shots.table["video_idx"].tolist(),
            "sha256": _digest([*shots.table.get("key", []), *shots.answers]),
        },
        "tokens": _MAX_TOKENS,
    }
    described = tracks.fill(dataset, track, about, table, describe, limit)
    print(
        f"{dataset.tracks}/{track}.csv: {len(described)} of {len(table)} clips without a "
        f"caption are described, by {kind}"
    )


def _local(kind: str, settings: Language) -> tuple[dict[str, str], "Describer"]:
    """A model by its weights, and what writes its texts."""
    import torch

    from facewave.models.vlm import backbones
    from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
    from facewave.prompts.answers import texts

    torch.set_num_threads(1)  # sums in a fixed order
    name = cast(LanguageModelKind, kind)
    backbone = backbones.load(name, settings.weights, settings.quantized, settings.pixels)
    config = LanguageModelConfig(name, settings.weights, backbone.revision, "zero_shot", ())
    model = LanguageModel(config, backbone).eval()
    identity = _identity(backbone, kind, settings.weights)
    return identity, lambda prompts: texts(model, prompts, settings, _MAX_TOKENS)


def _served(kind: str, settings: Language) -> tuple[dict[str, str], "Describer"]:
    """The model that a server has, and what writes its texts: of all clips, before the first."""
    from facewave.prompts.served import replies
    from facewave.prompts.server import Server

    server = Server(settings.server)

    def write(prompts: "Examples") -> Iterator[str | None]:
        each = (prompts[row] for row in range(len(prompts)))
        parallel = settings.server.parallel
        found, _ = replies(
            each, len(prompts), server.identity, lambda: server, [{}], parallel, _MAX_TOKENS
        )
        return (reply.text if reply else None for reply in found)

    return {"kind": kind, "weights": server.identity.id}, write


def _clips(table: pd.DataFrame, dataset: Dataset) -> "PromptClips":
    """Rows of a dataset, shown by frames alone; their captions are the answers."""
    from facewave.prompts.examples import PromptClips

    clips = Clips(
        table.assign(usable=False, at=0),
        {},
        dataset.root,
        dataset.entry.fps,
        dataset.landmarks,
        dataset.read_index().set_index("video_idx"),
        {},
        Stored(dataset.faces, "faces"),
    )
    # Without the marks that mean something to a model.
    captions = [_line(caption.replace("<", " ")) for caption in table["caption"]]
    nothing = [""] * len(table)
    texts = (nothing, nothing, nothing, nothing, nothing, captions)
    return PromptClips(clips, (), *texts, np.zeros((len(table), 0)))


def _shots(dataset: Dataset, count: int, seed: int) -> "PromptClips":
    """Captioned clips at random, one more than are shown, as ``Examples`` takes them."""
    table = labels.with_trajectories(dataset.read_labels())
    table = table[table["caption"] != ""]
    if len(table) < count:
        raise UserError(
            f"{dataset.name} has {len(table)} clips with a caption, and {count} are to be shown as "
            "examples. Name another dataset with --examples-of, or ask for fewer with --examples."
        )
    drawn = table.sample(min(count + 1, len(table)), random_state=seed)
    return _clips(tracks.keyed(drawn, dataset), dataset)


def _identity(backbone: "Backbone", kind: str, weights: str) -> dict[str, str]:
    """A model by its weights: those of the hub by their commit, a folder's by their bytes."""
    from facewave.models.vlm.backbones import HUB

    identity = {"kind": kind, "precision": str(backbone.model.get_input_embeddings().weight.dtype)}
    if kind.startswith("tiny-"):
        return identity
    if backbone.revision:
        source = backbone.family.hub if weights == HUB else weights
        return identity | {"weights": f"{source.partition('@')[0]}@{backbone.revision}"}
    files = sorted(p for p in Path(weights).iterdir() if p.suffix in {".json", ".safetensors"})
    digest = _digest([*(f"{file.name} {sha256(file)}" for file in files), ""])
    return identity | {"weights": f"sha256:{digest}"}


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _line(text: str) -> str:
    """A text as one line that every reader of tables takes."""
    return " ".join(text.replace("\0", "\ufffd").split())
