"""What all networks over faces are: a trunk for each face, what joins them over time, and a head.

Legend of names: n clips, T moments of a clip, m faces of all clips, C = 3 colours, H and W pixels,
E features of a face, O outputs.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from facewave.errors import UserError
from facewave.models import outputs
from facewave.models.streamed import Streamed
from facewave.models.vision import over_time
from facewave.params import FaceNetworkKind, OverTime
from facewave.targets import Target

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NAMED = 3  # tensors in a message


@dataclass(frozen=True, config={"extra": "forbid"})
class FaceNetworkConfig:
    """Enough to rebuild a network over faces."""

    kind: FaceNetworkKind
    targets: tuple[Target, ...]  # in the order of the outputs
    binned: bool = False  # whether numbers are answered by bins
    width: float = 1.0  # share of each layer's channels
    side: int = 112  # of a face, px
    over_time: OverTime = "mean"  # what joins a clip's faces; of resnet50_gru always gru
    hidden: int = 64  # units of what joins them
    dropout: float = 0.0  # before the head, and within a Transformer over time
    modules: int = 4  # emofan's hour-glasses


class Trunk(NamedTuple):
    """What makes features of faces."""

    backbone: nn.Module  # (m, C, H, W), standardised, -> (m, E); its weights have published names
    width: int  # E
    # Of each colour in [0, 1]: what the backbone's faces are standardised by.
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class FaceNetwork(Streamed):
    """Features of each face, joined over time, and a linear head."""

    mean_C11: Tensor
    std_C11: Tensor

    def __init__(self, config: FaceNetworkConfig, trunk: Trunk) -> None:
        super().__init__(config.kind, config.targets, config.binned)
        self.config, self.backbone, self.width = config, trunk.backbone, trunk.width
        self.register_buffer("mean_C11", torch.tensor(trunk.mean)[:, None, None], persistent=False)
        self.register_buffer("std_C11", torch.tensor(trunk.std)[:, None, None], persistent=False)
        joint = "gru" if config.kind == "resnet50_gru" else config.over_time
        self.over_time = over_time.build(joint, trunk.width, config.hidden, config.dropout)
        self.n_outputs = sum(outputs.widths(config.targets, config.binned))
        self.head = nn.Sequential(
            nn.Dropout(config.dropout), nn.Linear(self.over_time.width, self.n_outputs)
        )

    @property
    def trunk(self) -> nn.Module:
        """What makes features of a face."""
        return self.backbone

    def forward(self, **batch: Tensor) -> Tensor:
        """Faces -> (n, O).

        Only faces that are there are looked at, so in training, too, padding changes nothing.

        Args:
            **batch: ``faces`` (n, T, 3, H, W) uint8 RGB, and ``faces_there`` (n, T) bool. A clip
                may have none, and then gets finite outputs that mean nothing.
        """
        faces_nTCHW, there_nT = batch["faces"], batch["faces_there"]
        features_mE = self.embed(faces_nTCHW[there_nT])
        there_nT = F.pad(there_nT, (0, there_nT.shape[1] == 0))  # at least one moment
        features_nTE = features_mE.new_zeros(*there_nT.shape, self.width)
        features_nTE[there_nT] = features_mE
        return self._answered(features_nTE, there_nT)

    def look(self, faces_mCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Faces one by one, uint8 RGB -> their features (m, E) and outputs (m, O).

        The outputs are those of a clip that has this face alone.
        """
        features_mE = self.embed(faces_mCHW)
        there_m1 = torch.ones(len(features_mE), 1, dtype=torch.bool, device=features_mE.device)
        return features_mE, self._answered(features_mE[:, None], there_m1)

    def embed(self, faces_mCHW: Tensor) -> Tensor:
        """Features of faces, uint8 RGB -> (m, E)."""
        n_faces = len(faces_mCHW)
        if not n_faces:
            return self.mean_C11.new_zeros(0, self.width)
        if self.training and n_faces == 1:  # of one number there is no variance to normalise by
            faces_mCHW = faces_mCHW.repeat(2, 1, 1, 1)
        scaled_mCHW = (faces_mCHW / 255 - self.mean_C11) / self.std_C11
        features_mE: Tensor = self.backbone(
            scaled_mCHW.contiguous(memory_format=torch.channels_last)
        )
        return features_mE[:n_faces]

    def _answered(self, features_nTE: Tensor, there_nT: Tensor) -> Tensor:
        if not len(there_nT):  # neither a GRU nor attention takes nothing
            return features_nTE.new_zeros(0, self.n_outputs)
        outputs_nO: Tensor = self.head(self.over_time(features_nTE, there_nT))
        return outputs_nO


def load_weights(network: FaceNetwork, weights: Mapping[str, Tensor], source: str) -> None:
    """Load a backbone's weights by name, strictly.

    Args:
        network: what they are loaded into.
        weights: all of the backbone's, and no others. Counts of batches, which old files lack, may
            be missing.
        source: where they come from, for messages.

    Raises:
        UserError: a tensor is missing, too much, or of another shape.
    """
    expected = network.backbone.state_dict()
    counts = {name for name in expected if name.endswith("num_batches_tracked")}
    problems = [
        f"{', '.join(sorted(names)[:_NAMED])}{', ...' if len(names) > _NAMED else ''} {problem}"
        for problem, names in (
            ("missing", expected.keys() - weights.keys() - counts),
            ("unknown", weights.keys() - expected.keys()),
            (
                "of another shape",
                {name for name in expected.keys() & weights.keys()
                 if expected[name].shape != weights[name].shape},
            ),
        )
        if names
    ]  # fmt: skip
    if problems:
        config = network.config
        raise UserError(
            f"{source}: these are no weights of {config.kind} at width {config.width:g} and side "
            f"{config.side}: {'; '.join(problems)}. Name others (train.vision.weights), or set "
            "train.model, train.vision.width and train.vision.side as they need it."
        )
    network.backbone.load_state_dict(weights)
