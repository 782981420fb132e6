"""Labels that a frame encoder knows, which was trained here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from facewave import params
from facewave.errors import UserError
from facewave.files import sha256
from facewave.training.leaks import Lineage, check_encoder, keys
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, toy, trajectory, write_landmarks, write_params, write_toy


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clips:
    monkeypatch.chdir(tmp_path)
    made = toy()
    write_toy(tmp_path, made)
    write_landmarks(tmp_path, {name: trajectory(2) for name in made.table["video_idx"]})
    write_params(tmp_path, train=TOY_TRAIN)
    return Dataset("demo", params.load()).clips()


def described(trained: dict[str, str]) -> dict[str, Any]:
    """The features' config.json with the encoder ``copy``."""
    identity = {"trained": trained, "learnt_from": [["demo", "2"]]}
    return {"encoder": {"name": "trained:copy", "identity": identity}}


def test_without_its_file_the_names_of_what_an_encoder_learnt_from_are_compared(
    clips: Clips,
) -> None:
    wavelets = described({})
    check_encoder({"encoder": {"name": "none"}}, clips, "demo", ["split", 1])
    check_encoder(wavelets, clips, "other", ["split", 1])
    check_encoder(wavelets, clips, "demo", [2])
    for partitions in ([2, 3], ["split"]):
        with pytest.raises(UserError, match=r"learnt from partition 2 of demo.*leak"):
            check_encoder(wavelets, clips, "demo", partitions)


def test_by_its_file_clips_are_compared_whatever_they_are_called(clips: Clips) -> None:
    part = clips.parts(2)
    learnt, val = (keys(clips.select(part == name)) for name in ("train", "val"))
    unknown = replace(clips, index=clips.index.assign(key=""))
    assert len(keys(clips)) == len(clips) > len(keys(unknown)) == 0
    weights = Path("copy/model.safetensors")
    weights.parent.mkdir()
    lineage = Lineage([["demo", "2"]], learnt, val)
    save_file({"x": torch.zeros(1)}, weights, lineage.described())
    wavelets = described({weights.name: sha256(weights)})
    check_encoder(wavelets, clips, "demo", [2])
    for dataset in ("demo", "union"):
        with pytest.raises(UserError, match=rf"partition 2 of demo, and \d+ .* 1 of {dataset}: "):
            check_encoder(wavelets, clips, dataset, [2, 1])
    lineage = Lineage([["demo", "2"]], ["elsewhere nan nan"], val)
    save_file({"x": torch.zeros(1)}, weights, lineage.described())
    wavelets = described({weights.name: sha256(weights)})
    with pytest.raises(UserError, match="would leak"):  # its temperature was fitted to some
        check_encoder(wavelets, clips, "demo", [3])
