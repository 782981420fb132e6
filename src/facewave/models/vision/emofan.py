"""EmoFAN: a face-alignment network whose heat maps say where its own features are worth reading.

Toisoul, Kossaifi, Bulat, Tzimiropoulos and Pantic, "Estimation of continuous valence and arousal
levels from faces in naturalistic conditions", Nature Machine Intelligence 3, 2021. The stem, the
stacked hour-glasses of hierarchical, parallel and multi-scale residual blocks, and the 68 heat maps
are those of Bulat and Tzimiropoulos, "How far are we from solving the 2D & 3D Face Alignment
problem?", ICCV 2017. The sum of the last hour-glass's heat maps multiplies the features of all of
them; a small residual network turns these and the stem's into features of the face.

Names and shapes are those of the published weights
(https://github.com/face-analysis/emonet, ``pretrained/emonet_8.pth`` and ``emonet_5.pth``), which
have two hour-glasses and load by name. Without weights there are four, as in the
face-alignment network. What makes heat maps of landmarks is pretraining on landmarks: there the
published network has it from, and its authors kept it frozen. From random weights, the "heat maps"
are 68 maps that are learnt with all the rest from the labels of emotions: attention of its own
making, and no landmarks.

Legend of names: m faces, C = 3 colours, H and W pixels, E features; D channels, h and w of maps.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from facewave.errors import UserError
from facewave.models.vision.network import FaceNetworkConfig, Trunk

SIDE = 256  # of the faces that it was made for, px
_DEPTH = 4  # how often an hour-glass halves its maps
_STEM_STRIDE = 4
_STEP = _STEM_STRIDE * 2**_DEPTH  # what a face's side is a multiple of
_CHANNELS, _LANDMARKS, _BLOCKS = 256, 68, 4
_LAST = "emo_fc_2.3"  # what makes the published answers


class Block(nn.Module):
    """Three 3 x 3 convolutions in a row, whose outputs stand side by side, beside a short cut.

    The hierarchical, parallel and multi-scale block; a half, a quarter and a quarter of its
    channels.
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        half, quarter = n_outputs - 2 * (n_outputs // 4), n_outputs // 4
        self.bn1, self.conv1 = nn.BatchNorm2d(n_inputs), _convolution(n_inputs, half)
        self.bn2, self.conv2 = nn.BatchNorm2d(half), _convolution(half, quarter)
        self.bn3, self.conv3 = nn.BatchNorm2d(quarter), _convolution(quarter, quarter)
        self.downsample = (
            None
            if n_inputs == n_outputs
            else nn.Sequential(
                nn.BatchNorm2d(n_inputs), nn.ReLU(), nn.Conv2d(n_inputs, n_outputs, 1, bias=False)
            )
        )

    def forward(self, x_mDhw: Tensor) -> Tensor:
        """(m, D, h, w) -> (m, D of outputs, h, w)."""
        a = self.conv1(F.relu(self.bn1(x_mDhw)))
        b = self.conv2(F.relu(self.bn2(a)))
        c = self.conv3(F.relu(self.bn3(b)))
        short_cut: Tensor = self.downsample(x_mDhw) if self.downsample else x_mDhw
        return torch.cat((a, b, c), 1) + short_cut


class HourGlass(nn.Module):
    """Blocks at every scale down to a sixteenth, and back up (Newell, Yang and Deng, ECCV 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for level in range(_DEPTH, 0, -1):
            for name in ("b1", "b2", *(["b2_plus"] if level == 1 else []), "b3"):
                self.add_module(f"{name}_{level}", Block(channels, channels))

    def forward(self, x_mDhw: Tensor) -> Tensor:
        """(m, D, h, w) -> the same shape."""
        return self._at(_DEPTH, x_mDhw)

    def _at(self, level: int, x_mDhw: Tensor) -> Tensor:
        low = self._block("b2", level, F.max_pool2d(x_mDhw, 2))
        low = self._at(level - 1, low) if level > 1 else self._block("b2_plus", level, low)
        low = self._block("b3", level, low)
        return self._block("b1", level, x_mDhw) + F.interpolate(low, scale_factor=2)

    def _block(self, name: str, level: int, x_mDhw: Tensor) -> Tensor:
        output: Tensor = self.get_submodule(f"{name}_{level}")(x_mDhw)
        return output


class EmoFan(nn.Module):
    """Heat maps, and features of a face that they attend to; the modules' names are published."""

    def __init__(self, n_modules: int, share: float) -> None:
        super().__init__()
        channels = max(4, round(_CHANNELS * share))
        quarter, half = channels // 4, channels // 2
        self.n_modules = n_modules
        self.conv1, self.bn1 = nn.Conv2d(3, quarter, 7, 2, 3), nn.BatchNorm2d(quarter)
        self.conv2, self.conv3 = Block(quarter, half), Block(half, half)
        self.conv4 = Block(half, channels)
        for i in range(n_modules):
            self.add_module(f"m{i}", HourGlass(channels))
            self.add_module(f"top_m_{i}", Block(channels, channels))
            self.add_module(f"conv_last{i}", nn.Conv2d(channels, channels, 1))
            self.add_module(f"bn_end{i}", nn.BatchNorm2d(channels))
            self.add_module(f"l{i}", nn.Conv2d(channels, _LANDMARKS, 1))
            if i < n_modules - 1:
                self.add_module(f"bl{i}", nn.Conv2d(channels, channels, 1))
                self.add_module(f"al{i}", nn.Conv2d(_LANDMARKS, channels, 1))
        self.conv1x1_input_emo_2 = nn.Conv2d(channels * (n_modules + 1), channels, 1)
        self.emo_net_2 = nn.Sequential(
            *(layer for _ in range(_BLOCKS)
              for layer in (Block(channels, channels), nn.MaxPool2d(2)))
        )  # fmt: skip
        self.width = half
        self.emo_fc_2 = nn.Sequential(nn.Linear(channels, half), nn.BatchNorm1d(half), nn.ReLU())

    def forward(self, faces_mCHW: Tensor) -> Tensor:
        """(m, C, H, W) in [0, 1] -> (m, E)."""
        stem, features, heatmaps = self.align(faces_mCHW)
        return self.read(stem, features, heatmaps)

    def align(self, faces_mCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the face-alignment network sees, a quarter as large as the faces.

        Returns:
            The stem's maps (m, D, h, w), those of all hour-glasses (m, modules D, h, w), and the
            last one's heat maps (m, 68, h, w).
        """
        x = F.relu(self.bn1(self.conv1(faces_mCHW)))
        stem: Tensor = self.conv4(self.conv3(F.max_pool2d(self.conv2(x), 2)))
        previous, features, heatmaps = stem, [], stem
        for i in range(self.n_modules):
            x = self._part("top_m_", i, self._part("m", i, previous))
            x = F.relu(self._part("bn_end", i, self._part("conv_last", i, x)))
            heatmaps = self._part("l", i, x)
            if i < self.n_modules - 1:
                x = self._part("bl", i, x)
                previous = previous + x + self._part("al", i, heatmaps)
            features.append(x)
        return stem, torch.cat(features, 1), heatmaps

    def read(self, stem: Tensor, features: Tensor, heatmaps: Tensor) -> Tensor:
        """What ``align`` saw -> (m, E)."""
        attended = features * heatmaps.sum(1, keepdim=True)
        x = self.emo_net_2(self.conv1x1_input_emo_2(torch.cat((stem, attended), 1)))
        read_mE: Tensor = self.emo_fc_2(x.mean((2, 3)))
        return read_mE

    def _part(self, name: str, i: int, x_mDhw: Tensor) -> Tensor:
        output: Tensor = self.get_submodule(f"{name}{i}")(x_mDhw)
        return output


def trunk(config: FaceNetworkConfig) -> Trunk:
    """The network without its last layer.

    Raises:
        UserError: its hour-glasses cannot halve faces of this size.
    """
    if config.side % _STEP:
        raise UserError(
            f"params.yaml: train.vision.side: emofan takes faces whose side is a multiple of "
            f"{_STEP} pixels, not {config.side}. Set {SIDE}, what it was made for."
        )
    network = EmoFan(config.modules, config.width)
    return Trunk(network, network.width, mean=(0, 0, 0), std=(1, 1, 1))


def convert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published weights by the names of ``EmoFan``, without the last layer.

    They were saved from several GPUs, with ``module.`` before each name.
    """
    plain = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return {name: tensor for name, tensor in plain.items() if not name.startswith(_LAST)}


def count_modules(weights: Mapping[str, Any]) -> int:
    """How many hour-glasses there are in weights, at least one."""
    found = (re.match(r"m(\d+)\.", name) for name in weights)
    return 1 + max((int(match[1]) for match in found if match), default=0)


def _convolution(n_inputs: int, n_outputs: int) -> nn.Conv2d:
    return nn.Conv2d(n_inputs, n_outputs, 3, padding=1, bias=False)
