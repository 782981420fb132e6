"""Where networks over faces start: files of weights, ImageNet's, and what is said of wrong ones."""

import json
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from facewave import files
from facewave.errors import UserError
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.training import leaks
from facewave.training.face_weights import start
from facewave.training.leaks import Lineage
from making import words

TARGETS = (words("happy", "sad"),)
CONFIG = FaceNetworkConfig("resnet18", TARGETS, width=0.125, side=32)


def network(config: FaceNetworkConfig = CONFIG, seed: int = 1) -> FaceNetwork:
    torch.manual_seed(seed)
    return build(config)


def is_started_from(source: FaceNetwork, started: FaceNetwork) -> bool:
    """Whether the trunk is the source's, and the head is not."""
    pairs = zip(source.state_dict().items(), started.state_dict().values(), strict=True)
    same = {name: torch.equal(ours, theirs) for (name, ours), theirs in pairs}
    trunk = all(is_same for name, is_same in same.items() if name.startswith("backbone."))
    return trunk and not same["head.1.weight"]


def test_a_file_of_weights_is_where_the_trunk_starts_and_is_told(tmp_path: Path) -> None:
    source = network()
    plain = source.backbone.state_dict()
    torch.save(plain, tmp_path / "plain.pth")
    torch.save({"state_dict": plain, "epoch": 3}, tmp_path / "kept.pt")
    save_file(plain, tmp_path / "plain.safetensors")
    for path in sorted(tmp_path.iterdir()):
        torch.manual_seed(2)
        started, about, lineage = start(CONFIG, str(path))
        assert lineage == leaks.NOTHING
        assert is_started_from(source, started), path
        assert about == {"weights": {"name": path.name, "sha256": files.sha256(path)}}
    torch.manual_seed(1)
    random, about, _ = start(CONFIG, "none")
    assert about == {"weights": {"name": "none"}}
    assert torch.equal(*(one.state_dict()["head.1.weight"] for one in (random, source)))


def test_what_a_model_of_this_project_learnt_from_goes_with_its_file(tmp_path: Path) -> None:
    weights = network().state_dict()
    lineage = Lineage([["old", "2"], ["big", "split"]], ["a nan nan"], ["b 0 1.5"])
    save_file(weights, tmp_path / "mine.safetensors", lineage.described())
    started, about, told = start(CONFIG, str(tmp_path / "mine.safetensors"))
    assert is_started_from(network(), started)
    assert told == lineage
    assert about["weights"]["name"] == "mine.safetensors"
    save_file(weights, tmp_path / "model.safetensors")
    save_file(weights, tmp_path / "odd.safetensors", {"lineage": "{"})
    torch.save(weights, tmp_path / "model.pth")
    for name, problem in {
        "model.safetensors": "does not say",
        "model.pth": "does not say",
        "odd.safetensors": "is damaged",
    }.items():
        with pytest.raises(UserError, match=rf"{name} has the weights .*{problem}.*could leak"):
            start(CONFIG, str(tmp_path / name))


def test_wrong_weights_are_a_sentence(tmp_path: Path) -> None:
    other = network(FaceNetworkConfig("mobilenet_v2", TARGETS, width=0.25, side=32))
    save_file(other.backbone.state_dict(), tmp_path / "other.safetensors")
    torn = network().backbone.state_dict()
    save_file(torn, tmp_path / "torn.safetensors")
    torch.save(torn, tmp_path / "torn.pth")
    for path in tmp_path.glob("torn.*"):
        path.write_bytes(path.read_bytes()[:-100])
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": {"a": "b"}}, tmp_path / "texts.pth")
    torch.save(other, tmp_path / "module.pth")  # code: it is not run
    (tmp_path / "empty.pth").touch()
    for name, sentence in {
        "other.safetensors": r"no weights of resnet18 at width 0\.125.*missing.*unknown",
        "torn.safetensors": "no file of weights",
        "torn.pth": "no file of weights",
        "list.pth": "holds something else",
        "texts.pth": "holds something else",
        "module.pth": "no file of weights",
        "empty.pth": "no file of weights",
        "absent.pth": "there is no such file",
        "": "there is no such file",
    }.items():
        with pytest.raises(UserError, match=sentence):
            start(CONFIG, str(tmp_path / name))


def test_imagenet_s_weights_are_torchvision_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FaceNetworkConfig("resnet18", TARGETS, side=32)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    published = models.ResNet18_Weights.DEFAULT
    file = tmp_path / "checkpoints" / published.url.rpartition("/")[2]
    torch.manual_seed(5)
    source = models.resnet18(weights=None)

    def downloaded(self: Any, **options: Any) -> dict[str, Any]:
        assert options == {"progress": False, "check_hash": True, "weights_only": True}
        file.parent.mkdir()
        file.write_bytes(b"weights")
        return dict(source.state_dict())

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", downloaded)
    started, about, lineage = start(whole, "imagenet")
    assert lineage == leaks.NOTHING
    first = started.state_dict()["backbone.conv1.weight"]
    assert torch.equal(first, source.conv1.weight)
    assert about["weights"] == {
        "name": "imagenet",
        "address": published.url,
        "sha256": files.sha256(file),
        "licence": "BSD-3-Clause",
        "learnt_on": "ImageNet (IMAGENET1K_V1)",
    }
    json.dumps(about)

    def offline(self: Any, **options: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", offline)
    with pytest.raises(UserError, match=r"resnet18 could not be downloaded.*checkpoints"):
        start(whole, "imagenet")
    with pytest.raises(UserError, match=r"train\.vision\.width is 0\.125"):
        start(CONFIG, "imagenet")
    for kind in ("emofan", "vit_mae"):
        with pytest.raises(UserError, match=f"imagenet.*no|has not trained {kind}"):
            start(FaceNetworkConfig(kind, TARGETS), "imagenet")
