"""A language model that is told of a face learns from it, and from another clip's does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.labels import schema as labels
from facewave.study import language
from facewave.workspace import Dataset
from language_project import settings
from making import (
    toy,
    trajectory,
    write_labels,
    write_landmarks,
    write_toy,
    write_video,
)

LETTERS = ("a", "b", "c")  # of one token each: a tiny model of random weights can learn to say them


def test_face_tokens_tell_the_label_and_shuffled_they_fall_back_to_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = toy(n_subjects=60)
    made.usable[:] = True
    made.blendshapes[..., 3:] = 0
    made.blendshapes[..., :3] /= 2
    made.blendshapes[np.arange(180), :, made.table["label"]] += 2
    write_toy(tmp_path, made)
    table = labels.read(Path("data/labels/demo.csv"))
    letters = ["" if pd.isna(code) else LETTERS[int(code)] for code in table["label"]]
    write_labels(tmp_path, table.assign(actual=letters), LETTERS)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(tmp_path, {name: trajectory(2) for name in names})
    for path in made.table["file_path"]:
        write_video(tmp_path / "data/raw/demo" / path, 2, seed=0)
    quick: dict[str, Any] = {
        "epochs": 5,
        "batch_size": 8,
        "accumulation": 1,
        "frames": 1,
        "side": 28,
    }
    rates = {"new": 0.05, "lora": 0.005, "projector": 0.0005}
    shown: dict[str, Any] = {"picture": "whole", "prompt": "Which?{face}"}
    settings(tmp_path, mode="finetune", lr=rates, **quick, **shown)
    loaded = params.load()
    torch.set_num_threads(1)
    ways = language.language(
        ["face_tokens"], Dataset("demo", loaded), ["split"], loaded.train, loaded.evaluate
    )
    frames, told, told_by_twin, shuffled = ways[ways["measure"] == "uar"].to_dict("records")
    assert frames["figure"] < 0.5  # all clips look alike
    assert told["figure"] > 0.9
    assert (told["against"], told_by_twin["against"]) == ("frames", "face_tokens, shuffled")
    assert min(told["difference_low"], told_by_twin["difference_low"]) > 0.3
    assert shuffled["shuffled"]
    assert abs(shuffled["difference"]) < 0.25
    assert shuffled["difference_low"] <= 0 <= shuffled["difference_high"]
