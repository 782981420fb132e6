"""Networks over faces in their real sizes: one step of training each, and what it reaches."""

import multiprocessing
import re
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from facewave import params
from facewave.models import vision
from facewave.models.vision.network import FaceNetworkConfig
from facewave.params import FaceNetworkKind
from facewave.targets import CLASSES
from facewave.training import losses
from making import REPOSITORY, words

COMPOUNDS = (
    *("Fearfully_Surprised", "Happily_Surprised", "Sadly_Surprised", "Disgustedly_Surprised"),
    *("Angrily_Surprised", "Sadly_Fearful", "Sadly_Angry"),
)
# As torchvision documents them, with 1,000 classes; features; and a bound for a step's memory (GB),
# Python and libraries included, which take 0.6.
FIVE: dict[FaceNetworkKind, tuple[int, int, float]] = {
    "mobilenet_v2": (3_504_872, 1280, 1.5),
    "resnet18": (11_689_512, 512, 1.5),
    "resnet152": (60_192_808, 2048, 2.2),
    "densenet121": (7_978_856, 1024, 1.3),
    "densenet201": (20_013_928, 1920, 1.5),
}
SIDES = {"emofan": 256, "vit_mae": 224}  # what they are published for


@pytest.mark.parametrize("kind", get_args(FaceNetworkKind))
def test_a_step_of_the_real_size(kind: FaceNetworkKind) -> None:
    torch.manual_seed(0)
    config = FaceNetworkConfig(kind, (words("happy", "sad"),), side=SIDES.get(kind, 112))
    network = vision.build(config).train()
    faces = torch.randint(0, 256, (1, 2, 3, config.side, config.side), dtype=torch.uint8)
    outputs = network(faces=faces, faces_there=torch.ones(1, 2, dtype=torch.bool))
    assert outputs.shape == (1, 2)
    torch.nn.functional.cross_entropy(outputs, torch.tensor([1])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def step(kind: FaceNetworkKind) -> tuple[int, list[float], float]:
    """One step on two faces: parameters, the loss before and after, and the peak of memory (GB)."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    target = words(*COMPOUNDS)
    network = vision.build(FaceNetworkConfig(kind, (target,))).train()
    faces = torch.randint(0, 256, (2, 1, 3, 112, 112), dtype=torch.uint8)
    truth_nW = torch.eye(7)[[2, 5]]
    settings = params.load(REPOSITORY / "params.yaml").train.network
    settings = replace(settings, loss="balanced_dice")
    loss = losses.TaskLosses((target,), settings, {CLASSES: torch.arange(7.0) + 1})
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    figures = []
    for _ in range(2):
        optimizer.zero_grad()
        outputs_nO = network(faces=faces, faces_there=torch.ones(2, 1, dtype=torch.bool))
        value = loss(outputs_nO, truth_nW, torch.ones(2, 1))
        value.backward()
        figures.append(value.item())
        if len(figures) == 1:
            optimizer.step()
    return sum(weight.numel() for weight in network.parameters()), figures, peak()


def peak() -> float:
    """The most memory that this process has had, GB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would count what the parent had when it started this process
        (most,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text("utf-8"))
        return int(most) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


@pytest.mark.parametrize("kind", FIVE)
def test_the_five_networks_learn_seven_compounds(kind: FaceNetworkKind) -> None:
    of_torchvision, features, bound = FIVE[kind]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as alone:  # so that the peak is this network's
        parameters, (before, after), most = alone.submit(step, kind).result()
    print(f"{kind}: {parameters:,} parameters, loss {before:.2f} to {after:.2f}, {most:.2f} GB")
    assert parameters == of_torchvision - (features + 1) * (1000 - len(COMPOUNDS))
    assert after < before
    assert most < bound
