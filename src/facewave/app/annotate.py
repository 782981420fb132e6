"""``facewave annotate DATASET``: descriptions of clips that have none, by a language model.

They are a track of their own (tracks.py) and never an input: what describes a face tells its
emotion. Captions that people wrote stay where they are.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from facewave import params
from facewave.app import tracks
from facewave.errors import UserError
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.params import LanguageModelKind
from facewave.workspace import Clips, Dataset

if TYPE_CHECKING:
    from facewave.models.vlm.backbones import Backbone
    from facewave.prompts.examples import PromptClips

PROMPT = (
    "These are frames of a clip of a person. Describe in one or two sentences what the person does "
    "and how the face moves."
)
_MOST = 96  # tokens of a description


def annotate(
    dataset: str,
    track: str,
    kind: str | None,
    prompt: str,
    source: str | None,
    shown: int,
    limit: int | None,
) -> None:
    """Write data/tracks/<dataset>/<track>.csv: ``tracks.CLIP`` and text, "" where nothing was said.

    The weights are those of ``train.language.weights``, as they come: nothing trained is added.
    Frames are shown as ``train.language`` says.

    Args:
        dataset: a dataset of params.yaml; its clips without a caption are described.
        track: the track's name.
        kind: a language model's; None: ``train.model``.
        prompt: what is asked, word by word.
        source: a dataset whose clips and captions are shown as examples before, by chance
            (``train.seed``); None: nothing is.
        shown: how many.
        limit: describe so many clips at most, and the others in a later run.

    Raises:
        UserError: there is no such dataset, language model or caption, no frame is to be shown, or
            the track was made in another way.
    """
    import torch  # these take seconds to load

    from facewave.models.vlm import backbones
    from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
    from facewave.prompts.answers import texts
    from facewave.prompts.examples import Examples

    loaded = params.load()
    params.dataset(loaded, dataset)
    own = replace(
        loaded.train.language,
        face_tokens=0,
        prompt=prompt.replace("{", "{{").replace("}", "}}"),  # as it is
        transcript="none",
        examples=shown if source else 0,
    )
    if not own.frames:
        raise UserError("params.yaml: train.language.frames is 0: nothing is there to describe.")
    kind = kind or loaded.train.model
    known = {name: name for name in get_args(LanguageModelKind)}
    if kind not in known:
        raise UserError(f"{kind} is no language model. Name one with --model: {', '.join(known)}.")
    table = _read(dataset, loaded)
    table = tracks.keyed(table[table["caption"] == ""], dataset).reset_index(drop=True)
    clips = _clips(table, dataset, loaded)
    shots = _shots(source, shown, loaded) if source else clips.select([])

    torch.set_num_threads(1)  # sums in a fixed order
    backbone = backbones.load(known[kind], own.weights, own.quantized)
    module = LanguageModel(
        LanguageModelConfig(known[kind], own.weights, backbone.revision, "zero_shot", ()), backbone
    )

    def describe(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        asked = Examples(clips.select(missing.index.tolist()), shots, (), (), own, seed=0)
        said = texts(module.eval(), asked, own, _MOST)
        for start in range(0, len(missing), own.batch_size):
            rows = missing[tracks.CLIP].iloc[start : start + own.batch_size]
            yield rows.assign(text=[_line(text) for text in islice(said, len(rows))])

    about = {
        "model": _identity(backbone, kind, own.weights),
        "prompt": prompt,
        "frames": {
            name: getattr(own, name) for name in ("frames", "sampling", "picture", "side", "grid")
        },
        "examples": _about(shots, source, own.examples),
        "tokens": _MOST,
    }
    found = tracks.fill(dataset, track, about, table, describe, limit)
    print(
        f"{tracks.ROOT}/{dataset}/{track}.csv: {len(found)} of {len(table)} clips without a "
        f"caption are described, by {kind}"
    )


def _read(dataset: str, loaded: params.Params) -> pd.DataFrame:
    return labels.with_trajectories(Dataset(dataset, loaded).read_labels())


def _clips(table: pd.DataFrame, name: str, loaded: params.Params) -> "PromptClips":
    """Rows of a dataset to be shown by frames alone; their captions are the answers."""
    from facewave.prompts.examples import PromptClips

    dataset = Dataset(name, loaded)
    clips = Clips(
        table.assign(usable=False, at=0),
        {},
        dataset.root,
        dataset.entry.fps,
        dataset.landmarks,
        dataset.read_index().set_index("video_idx"),
    )
    captions = [_line(caption.replace("<", " ")) for caption in table["caption"]]
    return PromptClips(clips, (), [""] * len(table), captions, np.zeros((len(table), 0)))


def _shots(source: str, count: int, loaded: params.Params) -> "PromptClips":
    """Captioned clips drawn by chance; one too many, as ``Examples`` wants them."""
    params.dataset(loaded, source)
    table = _read(source, loaded)
    table = table[table["caption"] != ""]
    if len(table) < count:
        raise UserError(
            f"{source} has captions of {len(table)} clips, and {count} are to be shown as "
            "examples. Name another dataset with --examples-of, or ask for fewer with --examples."
        )
    drawn = table.sample(min(count + 1, len(table)), random_state=loaded.train.seed)
    return _clips(tracks.keyed(drawn, source), source, loaded)


def _about(shots: "PromptClips", source: str | None, count: int) -> dict[str, Any]:
    """Which clips were shown with which captions."""
    lines = [*shots.table.get("key", []), *shots.answers]
    return {
        "dataset": source,
        "shown": count,
        "clips": shots.table["video_idx"].tolist(),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _identity(backbone: "Backbone", kind: str, weights: str) -> dict[str, str]:
    """A model by its weights: those of the hub by their commit, a folder's by their bytes."""
    from facewave.models.vlm.backbones import HUB

    identity = {"kind": kind, "precision": str(backbone.model.dtype)}
    if kind.startswith("tiny-"):
        return identity
    if backbone.revision:
        source = backbone.family.hub if weights == HUB else weights
        return identity | {"weights": f"{source.partition('@')[0]}@{backbone.revision}"}
    saved = sorted(
        file for end in ("json", "safetensors") for file in Path(weights).glob(f"*.{end}")
    )
    digests = "".join(f"{file.name} {sha256(file)}\n" for file in saved)
    return identity | {"weights": "sha256:" + hashlib.sha256(digests.encode()).hexdigest()}


def _line(text: str) -> str:
    """A text as a table's readers have no trouble with."""
    return " ".join(text.replace("\0", "\ufffd").split())
