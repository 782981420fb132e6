"""A small network over points, as models that are trained on what is read meanwhile; fast."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from facewave.models import outputs
from facewave.models.streamed import Streamed
from facewave.params import Train
from facewave.prompts.frames import draw_seed
from facewave.targets import Target
from facewave.training.streamed import Example, Examples, Handling, TrainedStreamed
from facewave.workspace import Clips


class Points(Streamed):
    """The mean over time of what a trunk makes of points, (n, T, 3) -> (n, O)."""

    def __init__(self, kind: str, targets: Sequence[Target], binned: bool, dropout: float) -> None:
        super().__init__(kind, targets, binned)
        self.first = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(8, sum(outputs.widths(targets, binned)))

    @property
    def trunk(self) -> nn.Module:
        return self.first

    def forward(self, **batch: Tensor) -> Tensor:
        points_nT3, there_nT = batch["points"], batch["points_there"]
        found = self.first(points_nT3[there_nT])
        seen = found.new_zeros(*there_nT.shape, 8)
        seen[there_nT] = found
        raw_nO: Tensor = self.last(self.dropout(seen.sum(1) / there_nT.sum(1, keepdim=True)))
        return raw_nO


class PointExamples(Examples):
    """Of each clip some points around its place; with a seed, moved by chance in each epoch."""

    def __init__(
        self, names: Sequence[str], places_n3: NDArray[np.float32], seed: int | None = None
    ) -> None:
        self.names, self.places_n3, self.seed, self.epoch = names, places_n3, seed, 0

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> Example:
        rng = np.random.default_rng(draw_seed(0, 0, self.names[row]))
        points_T3 = self.places_n3[row] + rng.normal(0, 0.1, (1 + rng.integers(4), 3))
        if self.seed is not None:
            moved = np.random.default_rng(draw_seed(self.seed, self.epoch, self.names[row]))
            points_T3 = points_T3 + moved.normal(0, 0.1, points_T3.shape)
        return {"points": points_T3.astype(np.float32)}

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


@dataclass(frozen=True)
class PointsConfig:
    """Enough to rebuild ``Points``."""

    kind: str
    targets: tuple[Target, ...]
    dropout: float


class TrainedPoints(TrainedStreamed):
    """``Points`` of a dataset's clips; a clip's place is drawn by its word, if it has one."""

    type = "face_network"
    needs_pictures = True

    @classmethod
    def fresh(cls, kind: str, targets: Sequence[Target], clips: Clips, settings: Train) -> Self:
        config = PointsConfig(kind, tuple(targets), settings.network.dropout)
        about = {"weights": {"name": "none"}}
        return cls(cls.rebuilt({"targets": config.targets, "kind": kind,
                                "dropout": config.dropout})[1], config, (), {}, about)  # fmt: skip

    @classmethod
    def rebuilt(cls, config: Mapping[str, Any]) -> tuple[PointsConfig, Streamed]:
        made = PointsConfig(**config)
        return made, Points(made.kind, made.targets, False, made.dropout)

    def answered_from(self, clips: Clips) -> NDArray[np.str_]:
        return np.where(clips.table["usable"].to_numpy(bool), "face", "prior")

    def examples(self, clips: Clips, seed: int | None = None) -> PointExamples:
        seeds = clips.table["actual"].map(lambda word: draw_seed(0, 0, word))
        places = [np.random.default_rng(one).normal(size=3) for one in seeds]
        names = clips.table["video_idx"].tolist()
        return PointExamples(names, np.reshape(places, (-1, 3)).astype(np.float32), seed)

    def shown(self, clips: Clips, settings: Train) -> PointExamples:
        return self.examples(clips, settings.seed)

    def handling(self, settings: Train) -> Handling:
        vision = settings.vision
        return Handling(vision.frozen_epochs, vision.trunk_lr, vision.ema)


TRAINED = TrainedPoints


def same(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """Whether weights are alike to the bit."""
    return left.keys() == right.keys() and all(
        torch.equal(left[name].nan_to_num(-1), right[name].nan_to_num(-1)) for name in left
    )
