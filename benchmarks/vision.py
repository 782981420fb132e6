"""Speed and memory of networks over faces: ``python benchmarks/vision.py``.

Faces a second of each network, a step of training and inference: in bfloat16 on a GPU, elsewhere in
float32; and the share that this is of the bare loop of torchvision on the same network, which is
given standardised faces, classifies each for itself, and knows nothing of clips, masks and targets.
Of networks that torchvision lacks, the bare loop has the same trunk. Ours are given uint8 clips of
8 faces. All faces are on the device beforehand, and random, as the weights are. Memory is the peak
of a training step that PyTorch has allocated on the GPU, else the process's, Python and libraries
included; each network has a process of its own. All take at most five minutes on one GPU.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import NamedTuple, TypeVar, get_args

import torch
from torch import Tensor, nn
from torchvision import models

from facewave.models import vision
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.models.vision.torchvision_networks import OFFICIAL
from facewave.params import FaceNetworkKind, load
from facewave.targets import CLASSES, Target
from facewave.training import losses

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
FRAMES = 8  # of a clip
TARGET = Target(CLASSES, "words", ("happy", "sad", "neutral", "angry", "surprise", "disgust"))
SIDES: dict[str, int] = {"emofan": 256, "vit_mae": 224}  # px; of all others the default


Module = TypeVar("Module", bound=nn.Module)


class Settings(NamedTuple):
    """What is measured, and how long."""

    batch: int  # faces
    seconds: float  # of each measurement
    rounds: int
    width: float


class Result(NamedTuple):
    """Faces a second, their share of the bare loop's, and gigabytes."""

    training: float
    of_bare_training: float
    inference: float
    of_bare_inference: float
    memory: float


def standardized(network: FaceNetwork, faces: Tensor) -> Tensor:
    """Faces as the trunk takes them."""
    x = (faces / 255 - network.mean_C11) / network.std_C11
    return x.contiguous(memory_format=torch.channels_last)


def bare(network: FaceNetwork) -> nn.Module:
    """The same network as a classifier of pictures."""
    config, words = network.config, len(TARGET.names)
    if config.kind in OFFICIAL and config.width == 1:
        return models.get_model(OFFICIAL[config.kind], weights=None, num_classes=words)
    return nn.Sequential(vision.build(config).trunk, nn.Linear(network.width, words))


def speed(call: Callable[[], object], batch: int, seconds: float) -> float:
    """Faces a second: of a GPU's time, or the processor's, which others' work does not lengthen."""
    clock = time.perf_counter if GPU else time.process_time
    calls, start = 0, clock()
    while (spent := clock() - start) < seconds:
        call()
        calls += 1
        if GPU:
            torch.cuda.synchronize()
    return calls * batch / spent


def measure(kind: FaceNetworkKind, settings: Settings) -> Result:
    """Measure one network."""
    train = load().train
    side = SIDES.get(kind, train.vision.side)
    network = moved(vision.build(FaceNetworkConfig(kind, (TARGET,), False, settings.width, side)))
    clips, words = settings.batch // FRAMES, len(TARGET.names)
    faces = torch.randint(0, 256, (clips, FRAMES, 3, side, side), dtype=torch.uint8, device=DEVICE)
    there = torch.ones(clips, FRAMES, dtype=torch.bool, device=DEVICE)
    standard = standardized(network, faces.flatten(0, 1))
    word_n = torch.arange(clips, device=DEVICE) % words
    truth_nW = nn.functional.one_hot(word_n, words).float()
    weights_n1 = torch.ones_like(truth_nW[:, :1])
    task_losses = losses.TaskLosses((TARGET,), train.network, {CLASSES: truth_nW.sum(0).cpu() + 1})
    task_losses.to(DEVICE)
    autocast = partial(torch.autocast, DEVICE, torch.bfloat16, enabled=GPU)

    def ours() -> Tensor:
        with autocast():
            outputs_nO = network(faces=faces, faces_there=there)
        loss: Tensor = task_losses(outputs_nO.float(), truth_nW, weights_n1)
        return loss

    train_ours = trainer(network, ours, clips=True)
    for _ in range(2):  # kernels are chosen, buffers made
        train_ours()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = (torch.cuda.max_memory_allocated() if GPU else peak) / 1e9
    rival = moved(bare(network))

    def theirs() -> Tensor:
        with autocast():
            outputs_mO = rival(standard)
        return nn.functional.cross_entropy(outputs_mO.float(), word_n.repeat_interleave(FRAMES))

    figures: list[float] = []
    trainings = train_ours, trainer(rival, theirs, clips=False)
    inferences = (torch.inference_mode()(ours), torch.inference_mode()(theirs))
    for calls in (trainings, inferences):
        network.train(calls is trainings)
        rival.train(calls is trainings)
        for call in calls:
            call()
            call()
        # Ratios are taken within a round: a machine that others share is slow for minutes.
        rows = [
            [speed(call, settings.batch, settings.seconds) for call in calls]
            for _ in range(settings.rounds)
        ]
        figures += [median(row[0] for row in rows), median(row[0] / row[1] for row in rows)]
    return Result(figures[0], figures[1], figures[2], figures[3], memory)


def moved(network: Module) -> Module:
    """A network where it is measured, with channels last in memory."""
    return network.to(DEVICE).to(memory_format=torch.channels_last)


def trainer(network: nn.Module, loss: Callable[[], Tensor], clips: bool) -> Callable[[], None]:
    """A step of training; the trainer's clips gradients."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        if clips:
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed and memory of networks over faces.")
    kinds = get_args(FaceNetworkKind)
    parser.add_argument("--networks", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--batch", type=int, default=128 if GPU else 8, help="faces")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of everything; medians are printed")
    parser.add_argument("--width", type=float, default=1.0, help="share of the channels")
    given = parser.parse_args()
    if given.batch % FRAMES:
        parser.error(f"--batch should be a multiple of {FRAMES}, the faces of a clip")
    settings = Settings(given.batch, given.seconds, given.rounds, given.width)
    name = torch.cuda.get_device_name() if GPU else f"{torch.get_num_threads()} threads"
    print(f"{name}, {'bfloat16' if GPU else 'float32'}, {given.batch} faces at a time")
    print(f"{'':14}{'training':>16}{'inference':>18}{'memory':>9}")
    print(f"{'':14}{'faces/s':>8}{'of bare':>8}{'faces/s':>10}{'of bare':>8}{'GB':>9}")
    for kind, result in zip(given.networks, alone(given.networks, settings), strict=True):
        print(
            f"{kind:14}{result.training:8.0f}{result.of_bare_training:8.2f}"
            f"{result.inference:10.0f}{result.of_bare_inference:8.2f}{result.memory:9.2f}",
            flush=True,
        )


def alone(networks: Iterable[FaceNetworkKind], settings: Settings) -> Iterable[Result]:
    """Each in a process of its own, one after the other."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as pool:
        yield from pool.map(partial(measure, settings=settings), networks)


if __name__ == "__main__":
    main()
