"""The vision transformer and its autoencoder: names, sizes, the mean that is read, and its loss."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facewave.errors import UserError
from facewave.models import vision
from facewave.models.vision import vit_mae
from facewave.models.vision.network import FaceNetworkConfig
from making import words

CONFIG = FaceNetworkConfig("vit_mae", (words("happy", "sad"),), width=0.125, side=32)


def test_the_autoencoders_encoder_loads_by_name_and_sees_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    autoencoder = vit_mae.autoencoder(CONFIG).eval()
    autoencoder.save_pretrained(tmp_path)  # names as in files of the hub
    old = load_file(tmp_path / "model.safetensors")
    assert any("encoder.layer.0.attention.attention.query" in name for name in old)
    autoencoder.vit.embeddings.config.mask_ratio = 0.0  # nothing is masked in use
    faces = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    for weights in (autoencoder.state_dict(), autoencoder.vit.state_dict(), old):
        network = vision.build_from(CONFIG, weights, "mae.safetensors").eval()
        with torch.inference_mode():
            features, _ = network.look(faces)
            standard = (faces / 255 - network.mean_C11) / network.std_C11
            tokens = autoencoder.vit(standard).last_hidden_state
        torch.testing.assert_close(features, tokens[:, 1:].mean(1), rtol=1e-4, atol=1e-5)
    del old["vit.encoder.layer.3.intermediate.dense.bias"]
    with pytest.raises(UserError, match=r"mae\.safetensors: .*layers\.3\.mlp\.fc1\.bias missing"):
        vision.build_from(CONFIG, old, "mae.safetensors")


def test_the_loss_is_of_what_was_masked_and_falls() -> None:
    torch.manual_seed(0)
    config = FaceNetworkConfig("vit_mae", CONFIG.targets, width=0.125, side=64)
    autoencoder = vit_mae.autoencoder(config)
    ramp = torch.linspace(0, 1, 64)
    faces = torch.stack(
        [ramp[:, None] * a + ramp * b for a, b in ((1, 1), (1, -1), (-1, 1), (2, 1))]
    )
    faces = faces[:, None].expand(-1, 3, -1, -1)
    assert autoencoder(faces).mask.mean(1).eq(vit_mae.MASKED).all()
    noise = torch.rand(4, 16)
    optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        output = autoencoder(faces, noise=noise)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.5 < losses[0]


def test_sizes() -> None:
    with torch.device("meta"):
        network = vision.build(FaceNetworkConfig("vit_mae", CONFIG.targets, side=224))
        autoencoder = vit_mae.autoencoder(FaceNetworkConfig("vit_mae", CONFIG.targets, side=224))
    assert network.width == 768
    # ViT-B/16: 86.6 million with the head of 1,000 classes (torchvision's table: 86,567,656).
    assert sum(p.numel() for p in network.trunk.parameters()) == 86_567_656 - 769_000
    # The published autoencoder of the base size is a file of 448 MB of float32.
    assert abs(sum(t.numel() for t in autoencoder.state_dict().values()) * 4 / 448e6 - 1) < 0.01
    for build in (vision.build, vit_mae.autoencoder):
        with pytest.raises(UserError, match=r"train\.vision\.side: vit_mae .* 16 .* 100\. Set 96"):
            build(FaceNetworkConfig("vit_mae", CONFIG.targets, side=100))
