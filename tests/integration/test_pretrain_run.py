"""Pretraining learns what masked patches hold, and what it learns is of use: a toy."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from facewave.models import vision
from facewave.models.vision import vit_mae
from facewave.models.vision.network import FaceNetworkConfig
from facewave.targets import CLASSES, Target
from facewave.training import autoencoder
from facewave.training.autoencoder import Settings, standardised
from facewave.training.unlabelled import Folder, Pictures, Shown

SETTINGS = Settings(epochs=24, batch_size=16, side=32, width=0.125, seed=0)


def stripes(rng: np.random.Generator, kind: int) -> np.ndarray:
    """A picture with soft stripes, whose direction is its kind; width, place, colour by chance."""
    at = np.arange(32)[:, None] if kind % 2 else np.arange(32)[None]
    wave = np.sin(at / (2.5 + kind // 2 * 2) + rng.uniform(0, 6))
    wave = np.broadcast_to(wave, (32, 32))[..., None] * rng.uniform(0.3, 1, 3)
    return np.clip(127 + 100 * wave + rng.normal(0, 4, (32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pictures, np.ndarray]:
    """Pictures of four kinds, and the kinds."""
    folder, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    kinds = np.arange(320) % 4
    for i, kind in enumerate(kinds):
        cv2.imwrite(str(folder / f"{i:03d}.png"), stripes(rng, int(kind)))
    return Pictures([Folder(folder, [f"{i:03d}.png" for i in range(320)])]), kinds


def test_masked_patches_are_told_from_the_rest_and_the_encoder_is_of_use(
    pictures: tuple[Pictures, np.ndarray], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    of_all, kinds = pictures
    model = autoencoder.build(SETTINGS)
    fresh = vit_mae.convert({k: v.clone() for k, v in model.state_dict().items()})
    state = tmp_path / "state.safetensors"
    progress = autoencoder.train(model, of_all, SETTINGS, state, lambda progress: None)
    first, last = progress.losses[0], progress.losses[-1]
    learnt_n, held_out_n = of_all.divided(autoencoder.HELD_OUT)
    mean_patch = _loss_of_mean_patch(model, of_all, learnt_n, held_out_n)
    assert last["train_loss"] < 0.8 * first["train_loss"]
    assert last["held_out_loss"] < 0.8 * mean_patch
    shown = Shown(of_all, np.arange(len(of_all)), 32, None)
    faces = torch.stack([shown[row][0] for row in range(len(shown))])
    shares = {}
    for name, weights in (("pretrained", vit_mae.convert(model.state_dict())), ("fresh", fresh)):
        targets = (Target(CLASSES, "words", ("a", "b")),)
        config = FaceNetworkConfig("vit_mae", targets, width=0.125, side=32)
        network = vision.build_from(config, weights, name).eval()
        with torch.inference_mode():
            features = network.embed(faces).numpy()
        features = (features - features[:40].mean(0)) / features[:40].std(0)
        probe = LogisticRegression(max_iter=2000).fit(features[:40], kinds[:40])
        shares[name] = probe.score(features[40:], kinds[40:])
    assert shares["pretrained"] > shares["fresh"] + 0.05


def _loss_of_mean_patch(
    model: torch.nn.Module, pictures: Pictures, learnt_n: np.ndarray, held_out_n: np.ndarray
) -> float:
    """What it costs to say of each patch the mean patch of the pictures that were learnt from."""
    patches = []
    for chosen_n in (learnt_n, held_out_n):
        shown = Shown(pictures, chosen_n, 32, None)
        faces = standardised(torch.stack([shown[row][0] for row in range(len(shown))]))
        patch = model.patchify(faces)  # type: ignore[operator]
        deviation = (patch.var(-1, keepdim=True) + 1e-6) ** 0.5
        patches.append((patch - patch.mean(-1, keepdim=True)) / deviation)
    return float(((patches[1] - patches[0].mean(0)) ** 2).mean())
