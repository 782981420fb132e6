"""Image encoders of transformers, on small random models of several families."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.appearance import encoders
from facewave.errors import UserError

SIDE = 28
FACES = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION = SMALL | {"intermediate_size": 64, "image_size": SIDE, "patch_size": 14}
TEXT = SMALL | {"intermediate_size": 64, "vocab_size": 64}
TEXT |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def write(folder: Path, kind: str) -> Any:
    """Save a small random model of a family with its image processor; return its image encoder."""
    import transformers as tf
    from torch.random import fork_rng, manual_seed

    square = {"height": SIDE, "width": SIDE}
    with fork_rng():
        manual_seed(0)
        match kind:
            case "dinov2":
                network: Any = tf.Dinov2Model(
                    tf.Dinov2Config(**SMALL, image_size=2 * SIDE, patch_size=14)
                )
                processor: Any = tf.BitImageProcessor(
                    size={"shortest_edge": 36}, crop_size=square, do_center_crop=True
                )
            case "clip":
                network = tf.CLIPModel(tf.CLIPConfig(vision_config=VISION, text_config=TEXT))
                processor = tf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=square)
            case "siglip":
                network = tf.SiglipModel(tf.SiglipConfig(vision_config=VISION, text_config=TEXT))
                processor = tf.SiglipImageProcessor(size=square)
            case "dino":
                network = tf.ViTModel(tf.ViTConfig(**VISION), add_pooling_layer=False)
                processor = tf.ViTImageProcessor(size=square)
            case _:
                network = tf.ResNetModel(
                    tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
                )
                processor = tf.ConvNextImageProcessor(size={"shortest_edge": SIDE})
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return getattr(network, "vision_model", network).eval()


def expected(
    network: Any, mean: list[float], std: list[float], pooled: bool
) -> NDArray[np.float32]:
    import torch

    x = (FACES / 255 - np.array(mean)) / np.array(std)
    with torch.inference_mode():
        output = network(torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float32))
    embedding = output.pooler_output.flatten(1) if pooled else output.last_hidden_state.mean(1)
    return embedding.numpy()


def test_what_a_family_pools_is_the_embedding(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    half = [[0.5] * 3] * 2
    clip = [[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]]
    families = {"dinov2": clip, "clip": clip, "siglip": half, "dino": half, "resnet": half}
    for kind, (mean, std) in families.items():
        network = write(tmp_path / kind, kind)
        capfd.readouterr()
        encoder = encoders.load(f"hub:{tmp_path / kind}")
        answers, embedding = encoder(FACES)
        assert capfd.readouterr() == ("", ""), kind  # no bars, no tables of the other tower
        assert (encoder.side, encoder.width) == (SIDE, 16 if kind == "resnet" else 32)
        assert answers.shape == (3, 0)
        assert embedding.dtype == np.float32
        values = expected(network, mean, std, pooled=kind != "dino")
        assert values.std() > 0.01
        np.testing.assert_allclose(embedding, values, atol=1e-4, err_msg=kind)
        assert (encoder(FACES)[1] == embedding).all()


def test_other_weights_are_another_identity(tmp_path: Path) -> None:
    write(tmp_path, "resnet")
    first = encoders.load(f"hub:{tmp_path}").identity
    assert encoders.load(f"hub:{tmp_path}").identity == first
    with (tmp_path / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert encoders.load(f"hub:{tmp_path}").identity != first


def test_a_gpu_with_too_little_memory_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from small_gpu import FREE_SOME, memory_runs_out

    write(tmp_path, "resnet")
    for _ in memory_runs_out(monkeypatch):
        with pytest.raises(UserError, match=FREE_SOME):
            encoders.load(f"hub:{tmp_path}")(FACES)


def test_what_is_no_image_encoder_and_what_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from huggingface_hub import constants
    from safetensors.torch import load_file, save_file

    def fails(folder: Path | str, message: str) -> None:
        with pytest.raises(UserError, match=message):
            encoders.load(f"hub:{folder}")(FACES)

    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", r"empty cannot be loaded .*preprocessor_config\.json and safetensors")
    write(tmp_path / "a", "resnet")
    file = tmp_path / "a/model.safetensors"
    weights = load_file(file)
    save_file({name: weights[name] for name in sorted(weights)[1:]}, file)
    fails(tmp_path / "a", rf"1 tensors are missing or of another shape, as {sorted(weights)[0]}")
    file.write_bytes(file.read_bytes()[:100])
    fails(tmp_path / "a", "a cannot be loaded")
    file.unlink()
    torch.save(weights, tmp_path / "a/pytorch_model.bin")  # a pickle, which nothing reads
    fails(tmp_path / "a", "a cannot be loaded")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fails("nobody/nothing", "hub:nobody/nothing cannot be loaded .*connect to the internet once")
