"""Pretraining as a masked autoencoder: it learns, resumes to the same bytes, and loads by name."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facewave.errors import UserError
from facewave.models import vision
from facewave.models.vision import vit_mae
from facewave.models.vision.network import FaceNetworkConfig
from facewave.targets import CLASSES, Target
from facewave.training import autoencoder
from facewave.training.autoencoder import Progress, Settings
from facewave.training.unlabelled import Folder, Pictures
from small_gpu import SENTENCE, memory_runs_out

TINY = Settings(epochs=2, batch_size=8, side=32, width=0.02, seed=0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Twelve pictures with stripes, the same in all patches of one."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(12):
        stripes = np.zeros((32, 32, 3), np.uint8)
        stripes[:, i % 4 :: 4] = 40 + 18 * i
        cv2.imwrite(str(folder / f"{i:02d}.png"), stripes)
    return Pictures([Folder(folder, [f"{i:02d}.png" for i in range(12)])])


def train(
    pictures: Pictures, checkpoint: Path, settings: Settings = TINY, stop: int | None = None
) -> tuple[dict[str, Tensor], Progress]:
    """The weights and the progress; killed after ``stop`` epochs."""

    def report(progress: Progress) -> None:
        if len(progress.losses) == stop:
            raise KeyboardInterrupt

    model = autoencoder.build(settings)
    progress = autoencoder.train(model, pictures, settings, checkpoint, report)
    return model.state_dict(), progress


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_killed_run_ends_as_one_that_was_not(pictures: Pictures, tmp_path: Path) -> None:
    whole, progress = train(pictures, tmp_path / "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        train(pictures, tmp_path / "killed.safetensors", stop=1)
    torch.rand(7)
    resumed, again = train(pictures, tmp_path / "killed.safetensors")
    assert equal(whole, resumed)
    assert progress == again
    contents = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("whole", "killed")]
    assert contents[0] == contents[1]
    assert [loss["epoch"] for loss in progress.losses] == [0, 1]
    assert not equal(whole, autoencoder.build(TINY).state_dict())


def test_the_encoder_starts_a_network_over_faces(pictures: Pictures, tmp_path: Path) -> None:
    weights, _ = train(pictures, tmp_path / "state.safetensors", Settings(1, 8, 32, 0.02, 0))
    encoder = vit_mae.convert(weights)
    targets = (Target(CLASSES, "words", ("a", "b")),)
    config = FaceNetworkConfig("vit_mae", targets, width=0.02, side=32)
    network = vision.build_from(config, encoder, "here").eval()
    assert equal(encoder, network.backbone.state_dict())
    faces_mCHW = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    seen = autoencoder.standardised(faces_mCHW)
    with torch.inference_mode():
        autoencoded = autoencoder.build(TINY).eval()
        autoencoded.load_state_dict(weights)
        autoencoded.vit.config.mask_ratio = 0.0  # all patches in order, as the network sees them
        order = torch.arange(4).float().expand(2, 4)
        tokens = autoencoded.vit(seen, noise=order).last_hidden_state
        assert torch.allclose(network.embed(faces_mCHW), tokens[:, 1:].mean(1), atol=1e-5)


def test_settings_and_pictures_that_do_not_go(tmp_path: Path) -> None:
    for side, instead in ((100, 96), (8, 16)):
        with pytest.raises(UserError, match=f"--side {side}: .* such as {instead}"):
            autoencoder.build(Settings(1, 8, side, 0.02, 0))
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(UserError, match="none of the 1 pictures can be read"):
        train(Pictures([Folder(tmp_path, ["a.png", "b.png"])]), tmp_path / "state")


def test_a_training_that_diverges_is_stopped(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder, "_LR", 1e30)
    with pytest.raises(UserError, match=r"the loss is not a number in epoch [01]: training"):
        train(pictures, tmp_path / "state.safetensors")


def test_a_gpu_with_too_little_memory_is_a_sentence(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = autoencoder.build(TINY)
    for _ in memory_runs_out(monkeypatch):
        with pytest.raises(UserError, match=SENTENCE + "Lower --batch-size or --side"):
            autoencoder.train(model, pictures, TINY, tmp_path / "state", lambda progress: None)


def test_biases_and_norms_do_not_decay(pictures: Pictures) -> None:
    model = autoencoder.build(TINY)
    decayed, kept = autoencoder._Run(model, pictures, TINY).optimizer.param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.05, 0.0)

    def shapes(weights: Sequence[Tensor]) -> set[int]:
        return {weight.ndim for weight in weights}

    assert max(shapes(kept["params"])) == 1 < min(shapes(decayed["params"]))
    assert decayed["betas"] == (0.9, 0.95)
