"""A network over faces as a model that answers, and what it is shown of clips.

Legend of names: n clips, T faces of a clip, C = 3 colours, S pixels a side.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from facewave.errors import UserError
from facewave.faces.align import middle
from facewave.faces.schema import Place, Reader
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.params import Align, FaceNetworkKind, Train
from facewave.prompts.frames import draw_seed
from facewave.targets import Target
from facewave.training import augment, face_weights
from facewave.training.streamed import PRIOR, Example, Examples, Handling, TrainedStreamed
from facewave.workspace import Clips, Stored

MARGIN = 0.1  # of the face's box, kept on each of its sides, in boxes


@dataclass(frozen=True, config={"extra": "forbid"})
class ShownConfig:
    """Enough to rebuild a network over faces, and what it is shown."""

    network: FaceNetworkConfig
    frames: int  # faces of a clip, at most
    align: Align  # how they were cut out
    margin: float  # that the network sees around a face's box, in boxes


class Part(NamedTuple):
    """Where the faces of a clip's row lie, as ``faces.schema.Reader`` takes it."""

    place: Place
    start: float
    end: float


class Faces(Examples):
    """Of each clip some faces, (T, C, S, S) uint8 RGB, one of each equal part of those it has.

    It is the one in the middle of the part or, in training, any. Of a clip with fewer faces than
    are wanted each is shown once.

    Args:
        clips: which have faces.
        config: which faces are shown, and how.
        seed: of what is drawn by chance in each epoch; None: nothing is.
        augments: whether the faces are changed by chance (augment.py).
    """

    def __init__(
        self, clips: Clips, config: ShownConfig, seed: int | None = None, augments: bool = False
    ) -> None:
        stored = _stored(clips)
        self.names = clips.table["video_idx"].tolist()
        self.parts = [_part(stored, name) for name in self.names]
        self.margin = float(stored.config["margin"])
        self.config, self.seed, self.augments, self.epoch = config, seed, augments, 0
        self._reader = Reader()

    def __len__(self) -> int:
        return len(self.names)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in each of which other faces are drawn."""
        self.epoch = epoch

    def __getitem__(self, row: int) -> Example:
        part = self.parts[row]
        seen_n2 = self._reader.seen(*part)
        count = min(self.config.frames, len(seen_n2))
        first_T, end_T = (
            (np.arange(count) + end) * len(seen_n2) // max(count, 1) for end in (0, 1)
        )
        chosen_T = (first_T + end_T) // 2
        if self.seed is not None:
            chosen_T = np.random.default_rng(self._drawn(row, "faces")).integers(first_T, end_T)
        pictures = self._reader.pictures(part.place, seen_n2[chosen_T])
        faces_TSSC = middle(pictures, self.margin, self.config.margin, self.config.network.side)
        faces_TCSS = np.ascontiguousarray(faces_TSSC.transpose(0, 3, 1, 2))
        if self.augments:
            faces_TCSS = augment.augmented(faces_TCSS, self._drawn(row, "changes"))
        return {"faces": faces_TCSS}

    def is_mirrored(self, row: int) -> bool:
        """Whether a clip's faces are shown flipped."""
        return self.augments and augment.is_flipped(self._drawn(row, "changes"))

    def _drawn(self, row: int, what: str) -> int:
        """The seed of what is drawn of a clip in this epoch."""
        return draw_seed(self.seed or 0, self.epoch, f"{self.names[row]} {what}")


class TrainedFaceNetwork(TrainedStreamed):
    """A network over a clip's cut-out faces."""

    type = "face_network"
    needs_pictures = True
    config: ShownConfig

    @classmethod
    def fresh(cls, kind: str, targets: Sequence[Target], clips: Clips, settings: Train) -> Self:
        """A network with the weights that ``train.vision.weights`` names (face_weights.py).

        Raises:
            UserError: the clips have no faces, the weights cannot be had or are not this network's,
                or it takes no faces of ``train.vision.side``.
        """
        vision, cut = settings.vision, _stored(clips).config
        wanted = FaceNetworkConfig(
            kind=cast(FaceNetworkKind, kind),
            targets=tuple(targets),
            binned=settings.network.numbers == "bins",
            width=vision.width,
            side=vision.side,
            over_time=vision.over_time,
            hidden=settings.network.hidden,
            dropout=settings.network.dropout,
        )
        module, about, lineage = face_weights.start(wanted, vision.weights)
        margin = min(MARGIN, cut["margin"])
        config = ShownConfig(module.config, vision.frames, cut["align"], margin)
        about["takes"] = f"up to {vision.frames} faces of a clip, {vision.side} pixels each"
        return cls(module, config, (), {}, about, lineage)

    @classmethod
    def rebuilt(cls, config: Mapping[str, Any]) -> tuple[ShownConfig, FaceNetwork]:
        """A configuration as JSON gives it back, as what it was, and a network of it."""
        model = ShownConfig(**config)
        return model, build(model.network)

    def answered_from(self, clips: Clips) -> NDArray[np.str_]:
        """The face, if it is usable and stage crop has pictures of it; else the prior."""
        names, reader = clips.table["video_idx"], Reader()
        usable_n = clips.table["usable"]
        if "usable" in clips.index:  # in a picture nothing moves, but a network sees its face
            usable_n = clips.index["usable"].reindex(names)
        has_face_n = [
            bool(usable) and _has_face(_stored(clips), name, reader)
            for usable, name in zip(usable_n, names, strict=True)
        ]
        return np.where(has_face_n, "face", PRIOR)

    def examples(self, clips: Clips, seed: int | None = None, augments: bool = False) -> Faces:
        """Faces of clips.

        Raises:
            UserError: they were cut out in another way than those that the model learnt from.
        """
        cut, config = _stored(clips).config, self.config
        if cut["align"] != config.align or cut["margin"] < config.margin:
            raise UserError(
                f"the model learnt from faces with faces.align: {config.align} and a margin of "
                f"{config.margin:g}, and these were cut out with align: {cut['align']} and margin: "
                f"{cut['margin']:g}. Set section faces of params.yaml as the model needs it."
            )
        return Faces(clips, config, seed, augments)

    def shown(self, clips: Clips, settings: Train) -> Faces:
        """Faces of training clips, changed by chance with ``train.vision.augment``."""
        return self.examples(clips, settings.seed, settings.vision.augment)

    def handling(self, settings: Train) -> Handling:
        """As section ``train.vision`` has it."""
        vision = settings.vision
        return Handling(
            vision.frozen_epochs, vision.trunk_lr, vision.ema, vision.precision, vision.workers
        )


def _stored(clips: Clips) -> Stored:
    """Where faces are.

    Raises:
        UserError: nowhere.
    """
    if clips.stored_faces is None:
        raise UserError("a network over faces needs pictures of them, and these clips have none.")
    return clips.stored_faces


def _part(stored: Stored, name: str) -> Part:
    """Where the faces of a row lie, which has some."""
    row: Any = stored.index.loc[name]
    place = (stored.folder / row["shard"], int(row["row_group"]), int(row["row_groups"]))
    return Part(place, float(row["start"]), float(row["end"]))


def _has_face(stored: Stored, name: str, reader: Reader) -> bool:
    """Whether a row has a picture of a face."""
    row: Any = stored.index.loc[name] if name in stored.index.index else None
    if row is None or not row["shard"]:
        return False
    if "faces" in row and math.isnan(row["start"]) and math.isnan(row["end"]):
        return bool(row["faces"] > 0)
    return len(reader.seen(*_part(stored, name))) > 0


TRAINED = TrainedFaceNetwork
