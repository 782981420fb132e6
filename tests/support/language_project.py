"""A toy project whose clips a language model can be shown, and commands that are killed in it."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ruamel.yaml import YAML

from facewave import params
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.params import LanguageModelKind
from facewave.training import schema as training
from facewave.training.language_model import TrainedLanguageModel
from facewave.wavelets import schema as wavelets
from making import (
    REPOSITORY,
    toy,
    trajectory,
    write_faces,
    write_landmarks,
    write_params,
    write_toy,
    write_video,
)
from making_language import language_model

KIND: LanguageModelKind = "tiny-qwen2.5-vl"
SHOWN: dict[str, Any] = {"frames": 2, "side": 56, "batch_size": 2}


def write_project(project: Path, model: str = KIND, **language: Any) -> pd.DataFrame:
    """Toy data in which every third clip has no caption; returns the label table.

    "undecided" has no label; its trajectory and the others' are those of ``trajectory``'s seeds.
    """
    settings(project, model, **language)
    made = toy()
    words = made.table["actual"]
    captions = [
        f'Clip {i}: <image> <|video_pad|> "a {word}, one"\nturns {{away}}' if i % 3 else ""
        for i, word in enumerate(words)
    ]
    write_toy(project, replace(made, table=made.table.assign(caption=captions)))
    names = ["undecided", *made.table["video_idx"]]
    clips = {name: trajectory(12, seed=i) for i, name in enumerate(names)}
    write_landmarks(project, clips, unusable=(names[1],))
    write_faces(project, names)
    index = project / "data/landmarks/demo/index.csv"
    table = labels.read(project / "data/labels/demo.csv")
    table.loc[0, "caption"] = ""
    labels.write(project / "data/labels/demo.csv", table, WORDS)
    written = pd.read_csv(index, dtype=str, keep_default_na=False)
    written.assign(file_path=table["file_path"]).to_csv(index, index=False)
    for number, path in enumerate(made.table["file_path"]):
        write_video(project / "data/raw/demo" / path, seed=number)
    return table


def settings(
    project: Path, model: str = KIND, partitions: Sequence[str | int] = ("split",), **language: Any
) -> None:
    """params.yaml with a language model, quick to run."""
    defaults = YAML(typ="safe", pure=True).load((REPOSITORY / "params.yaml").read_text("utf-8"))
    chosen = defaults["train"]["language"] | SHOWN | language
    train = {"model": model, "partitions": [*partitions], "baselines": [], "language": chosen}
    write_params(project, train=train, evaluate={"resamples": 100})


def second_dataset(project: Path) -> None:
    """The same clips, known by other names and keys, as dataset ``other``."""
    for kind in ("landmarks", "faces", "features", "raw"):
        shutil.copytree(project / f"data/{kind}/demo", project / f"data/{kind}/other")
    table = labels.read(project / "data/labels/demo.csv")
    table["video_idx"] = "o" + table["video_idx"]
    labels.write(project / "data/labels/other.csv", table, WORDS)
    for path in (
        *(f"data/{room}/other/index.csv" for room in ("landmarks", "faces")),
        "data/features/other/clips.csv",
    ):
        rows = pd.read_csv(project / path, dtype=str, keep_default_na=False)
        rows["video_idx"] = "o" + rows["video_idx"]
        if "key" in rows:
            rows["key"] = "o" + rows["key"]
        rows.to_csv(project / path, index=False)
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text("utf-8"))
    content["datasets"]["other"] = content["datasets"]["demo"] | {"root": "data/raw/other"}
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def write_model(
    project: Path,
    *,
    faces: bool = False,
    targets: tuple[str, ...] = (),
    shots: tuple[str, ...] = (),
    about: dict[str, Any] | None = None,
    mode: Any = "zero_shot",
    folder: Path | None = None,
    **language: Any,
) -> Path:
    """A language model that has learnt nothing, as stage train would have written it."""
    features = wavelets.read(project / "data/features/demo")
    steps, width = features.blocks["blendshapes"].shape[1:]
    module = language_model(
        KIND,
        "linear" if faces else None,
        targets=targets,
        disturbed=False,
        words=WORDS,
        faces=(steps, (width,), 3),
        mode=mode,
    )
    if module.head:
        module.head.fit(torch.tensor([[0.0] * len(targets), [1.0] * len(targets)]))
    options = {"face_tokens": 3 * faces, "examples": max(0, len(shots) - 1)} | language
    chosen = replace(params.load(project / "params.yaml").train.language, **options)
    learnt = {"dataset": "demo", "partition": "split", "subset": [0, 1]} | (about or {})
    folder = folder or project / training.folder("split", training.MODEL)
    trained = TrainedLanguageModel(module, chosen, ["blendshapes"], features.config, shots, learnt)
    trained.save(folder)
    return folder


def killed(project: Path, track: Path, *command: str) -> int:
    """Kill a command once its track has a batch of rows; how many there were."""
    call = [sys.executable, "-m", "facewave.app.cli", *command]
    with (project / "log").open("w") as log:
        process = subprocess.Popen(call, cwd=project, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 200
        while process.poll() is None and not track.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL, (project / "log").read_text()
    return len(track.read_text("utf-8").splitlines()) - 1
