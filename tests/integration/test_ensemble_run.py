"""Stage train as a real process: several networks over faces and the ensemble of them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from facewave.training import schema
from facewave.training.ensemble import TrainedEnsemble
from making import (
    TOY_TRAIN,
    contents,
    toy,
    trajectory,
    write_faces,
    write_landmarks,
    write_params,
    write_toy,
)
from running import ROOT

FIVE = ["mobilenet_v2", "resnet18", "resnet152", "densenet121", "densenet201"]
_MOST = 3.5e9  # bytes: the largest alone, with its gradients, the optimiser's state and checkpoints


def project(folder: Path, kinds: list[str], width: float, batch: int, epochs: int) -> None:
    """Random faces of few people, and networks of one size that learn them."""
    made = toy(n_subjects=5)
    write_toy(folder, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(folder, {name: trajectory(12) for name in names}, unusable=("000",))
    write_faces(folder, names)
    training: dict[str, Any] = {
        "partitions": ["split"], "model": "ensemble", "baselines": kinds,
        "ensemble": {"roles": kinds, "by": "stacking", "median_s": "learnt"},
        "vision": {"width": width, "side": 64, "frames": 1},
        "network": {"epochs": epochs, "batch_size": batch, "loss": "balanced_dice"},
    }  # fmt: skip
    write_params(folder, train=TOY_TRAIN | training)


def start(folder: Path) -> "subprocess.Popen[str]":
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "FACEWAVE_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "facewave.training"]
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, text=True)


def test_five_networks_of_real_size_fit_into_memory_one_after_the_other(tmp_path: Path) -> None:
    project(tmp_path, FIVE, width=1.0, batch=2, epochs=1)
    process = start(tmp_path)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"peak of the memory: {peak / 1e9:.2f} GB; {usage.ru_utime:.0f} s of a core")
    assert status == 0, (tmp_path / "log.txt").read_text()
    assert peak < _MOST
    model = schema.load(tmp_path / "models/trained/split/model")
    assert isinstance(model, TrainedEnsemble)
    assert [member.kind for member in model.members.values()] == FIVE
    assert not list((tmp_path / "models/checkpoints/split").glob("*/"))


def test_a_killed_process_goes_on_in_the_member_that_it_was_in(tmp_path: Path) -> None:
    kinds = ["mobilenet_v2", "resnet18", "densenet121"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        project(tmp_path / name, kinds, width=0.125, batch=8, epochs=8)
    whole = start(tmp_path / "whole")
    assert whole.wait() == 0
    folder = tmp_path / "killed"
    trained, kept = folder / "models/trained/split", folder / "models/checkpoints/split"
    process = start(folder)
    while process.poll() is None and not list(kept.glob("resnet18-*/*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (trained / "mobilenet_v2/model.safetensors").exists()
    assert not (trained / "resnet18").exists()
    made = (trained / "mobilenet_v2/model.safetensors").stat().st_mtime_ns
    again = start(folder)
    assert again.wait() == 0
    assert (trained / "mobilenet_v2/model.safetensors").stat().st_mtime_ns == made
    assert contents(trained) == contents(tmp_path / "whole/models/trained/split")
    shutil.rmtree(tmp_path / "whole")
