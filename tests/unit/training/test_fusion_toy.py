"""Toys in which a class is in face and voice together, or in each by half.

They show that the network does what it is for, not that it helps with people.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewave import params
from facewave.models.fusion import Fusion, FusionConfig
from facewave.params import Train
from facewave.training.streamed import Example, Examples, Handling, outputs
from facewave.training.streamed_trainer import Part, fit
from making import REPOSITORY, words

TOKENS, CHANNELS = 4, 3
_OPTIONS: dict[str, Any] = {"epochs": 12, "patience": 12, "lr": 0.01, "batch_size": 64}
_TRAIN = params.load(REPOSITORY / "params.yaml").train
TRAIN: Train = replace(_TRAIN, imbalance="none", network=replace(_TRAIN.network, **_OPTIONS))


class Signs(Examples):
    """Clips of which face and voice each show one sign, in noise; ``lacking``: not shown at all."""

    def __init__(self, signs_2n: NDArray[np.int64], seed: int, lacking: str = "") -> None:
        rng = np.random.default_rng(seed)
        self.tokens = rng.normal(0, 0.4, (2, signs_2n.shape[1], TOKENS, CHANNELS)).astype("f")
        self.tokens[:, :, :, 0] += (2 * signs_2n - 1)[:, :, None]
        self.lacking = lacking

    def __len__(self) -> int:
        return self.tokens.shape[1]

    def __getitem__(self, row: int) -> Example:
        return {
            kind: tokens[row, : 0 if kind == self.lacking else TOKENS]
            for kind, tokens in zip(("face", "voice"), self.tokens, strict=True)
        }


def signs(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 2, (2, n))


def learnt(
    signs_2n: NDArray[np.int64], codes_n: NDArray[np.int64], folder: Path, lacking: str = "",
    missing: float = 0.0,
) -> Fusion:  # fmt: skip
    """A network after its last epoch: nobody validates."""
    names = [f"class {code}" for code in range(codes_n.max() + 1)]
    shape: Any = ("wavelets", 10.0, 1, CHANNELS, CHANNELS, 16, 0.0, 1, missing)
    torch.manual_seed(0)
    module = Fusion(FusionConfig((words(*names),), *shape))
    truth = torch.eye(len(names))[torch.from_numpy(codes_n)]
    part = Part(Signs(signs_2n, 1, lacking), truth, torch.ones(len(truth)))
    nothing = Part(Signs(signs_2n[:, :0], 2), truth[:0], torch.ones(0))
    fit(module, part, nothing, TRAIN, Handling(), folder)
    return module


def answers(module: Fusion, signs_2n: NDArray[np.int64], lacking: str = "") -> Tensor:
    return module.read(outputs(module, Signs(signs_2n, 3, lacking)))


def test_a_class_that_is_in_both_together_is_learnt_and_by_either_alone_it_is_not(
    tmp_path: Path,
) -> None:
    learning, testing = signs(384, 1), signs(400, 2)
    codes, truth = learning[0] ^ learning[1], torch.from_numpy(testing[0] ^ testing[1])
    for lacking, low, high in (("", 0.95, 1.0), ("voice", 0.4, 0.6), ("face", 0.4, 0.6)):
        module = learnt(learning, codes, tmp_path / f"without {lacking}", lacking)
        right = (answers(module, testing, lacking).argmax(1) == truth).double().mean()
        assert low < right <= high, (lacking, right)


def test_what_is_missing_in_use_costs_less_if_it_is_sometimes_left_out_in_training(
    tmp_path: Path,
) -> None:
    """Each of both tells half of which of four classes it is.

    By one alone no answer is better than one in two, with log 2 as its loss; the prior's is log 4.
    """
    learning, testing = signs(384, 1), signs(400, 2)
    codes, truth = 2 * learning[0] + learning[1], torch.from_numpy(2 * testing[0] + testing[1])
    losses = {}
    for missing in (0.0, 0.3):
        module = learnt(learning, codes, tmp_path / f"{missing}", missing=missing)
        whole = answers(module, testing)
        assert (whole.argmax(1) == truth).double().mean() > 0.95
        for lacking in ("face", "voice"):
            found = answers(module, testing, lacking)
            right = (found.argmax(1) == truth).double().mean()
            assert 0.25 + 0.1 < right < 0.95 - 0.2
            losses[missing, lacking] = -found[range(len(truth)), truth].log().mean().item()
    for lacking in ("face", "voice"):
        assert losses[0.3, lacking] < losses[0.0, lacking] - 0.1, losses
        assert np.log(2) - 0.05 < losses[0.3, lacking] < np.log(4) - 0.2
