"""EmoFAN: published names and shapes, the number of hour-glasses, and attention by heat maps."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from facewave.errors import UserError
from facewave.models import vision
from facewave.models.vision.emofan import EmoFan
from facewave.models.vision.network import FaceNetworkConfig
from making import words

CONFIG = FaceNetworkConfig("emofan", (words("happy", "sad"),), width=0.125, side=64, modules=2)


def published(width: int, n_modules: int = 2, n_answers: int = 10) -> dict[str, Tensor]:
    """A state dict with the published names; their shapes are those of ``width`` 256.

    As github.com/face-analysis/emonet, emonet/models/emonet.py, has them.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def conv(name: str, n_inputs: int, n_outputs: int, kernel: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (n_outputs, n_inputs, kernel, kernel)
        if bias:
            shapes[f"{name}.bias"] = (n_outputs,)

    def block(name: str, n_inputs: int, n_outputs: int) -> None:
        widths = n_inputs, n_outputs // 2, n_outputs // 4, n_outputs // 4
        for i in (1, 2, 3):
            norm(f"{name}.bn{i}", widths[i - 1])
            conv(f"{name}.conv{i}", widths[i - 1], widths[i], 3, bias=False)
        if n_inputs != n_outputs:
            norm(f"{name}.downsample.0", n_inputs)
            conv(f"{name}.downsample.2", n_inputs, n_outputs, 1, bias=False)

    conv("conv1", 3, width // 4, 7)
    norm("bn1", width // 4)
    block("conv2", width // 4, width // 2)
    block("conv3", width // 2, width // 2)
    block("conv4", width // 2, width)
    for m in range(n_modules):
        for level in (4, 3, 2, 1):
            for part in ("b1", "b2", "b3"):
                block(f"m{m}.{part}_{level}", width, width)
        block(f"m{m}.b2_plus_1", width, width)
        block(f"top_m_{m}", width, width)
        conv(f"conv_last{m}", width, width, 1)
        norm(f"bn_end{m}", width)
        conv(f"l{m}", width, 68, 1)
        if m < n_modules - 1:
            conv(f"bl{m}", width, width, 1)
            conv(f"al{m}", 68, width, 1)
    conv("conv1x1_input_emo_2", width * (n_modules + 1), width, 1)
    for i in (0, 2, 4, 6):
        block(f"emo_net_2.{i}", width, width)
    shapes |= {"emo_fc_2.0.weight": (width // 2, width), "emo_fc_2.0.bias": (width // 2,)}
    norm("emo_fc_2.1", width // 2)
    shapes |= {"emo_fc_2.3.weight": (n_answers, width // 2), "emo_fc_2.3.bias": (n_answers,)}
    generator = torch.Generator().manual_seed(0)
    return {
        f"module.{name}": torch.rand(shape, generator=generator) for name, shape in shapes.items()
    }


def test_published_weights_load_by_name_and_what_does_not_fit_is_named() -> None:
    for n_answers, n_modules in ((10, 2), (7, 2), (10, 4)):  # words, valence and arousal
        state = published(32, n_modules, n_answers)
        network = vision.build_from(replace(CONFIG, modules=4), state, "emonet.pth")
        assert network.config.modules == n_modules
        loaded = {f"module.{name}": tensor for name, tensor in network.trunk.state_dict().items()}
        assert loaded.keys() == state.keys() - {
            f"module.emo_fc_2.3.{x}" for x in ("weight", "bias")
        }
        for name, tensor in loaded.items():
            assert torch.equal(tensor, state[name].to(tensor.dtype)), name
    state = published(32)
    for name in ("module.l1.bias", "module.m1.b2_plus_1.conv1.weight", "module.emo_fc_2.0.bias"):
        short = name.removeprefix("module.")
        missing = {key: tensor for key, tensor in state.items() if key != name}
        with pytest.raises(UserError, match=rf"emonet\.pth: .*{short} missing"):
            vision.build_from(CONFIG, missing, "emonet.pth")
        with pytest.raises(UserError, match=rf"emonet\.pth: .*{short} of another shape"):
            vision.build_from(CONFIG, state | {name: torch.zeros(1)}, "emonet.pth")
    with pytest.raises(UserError, match=r"emonet\.pth: .*bl1\.weight unknown"):
        vision.build_from(CONFIG, state | {"module.bl1.weight": torch.zeros(1)}, "emonet.pth")


def test_its_size_is_that_of_the_published_names() -> None:
    with torch.device("meta"):
        module = EmoFan(2, 1.0)
    trained = [name for name, _ in module.named_parameters()]
    shapes = {name.removeprefix("module."): tensor.shape for name, tensor in published(256).items()}
    total = sum(math.prod(shapes[name]) for name in trained)
    assert sum(parameter.numel() for parameter in module.parameters()) == total == 13_962_120
    assert {
        name: tensor.shape for name, tensor in module.state_dict().items()
    }.items() <= shapes.items()


def test_heat_maps_say_which_features_are_read() -> None:
    torch.manual_seed(0)
    module = EmoFan(2, 0.125).eval()
    faces = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        stem, features, heatmaps = module.align(faces)
        assert stem.shape == (2, 32, 32, 32)
        assert features.shape == (2, 64, 32, 32)
        assert heatmaps.shape == (2, 68, 32, 32)
        torch.testing.assert_close(module.read(stem, features, heatmaps), module(faces))
        # Where the maps add up to 0, nothing of the hour-glasses is read; elsewhere it is.
        heatmaps = heatmaps * 0
        heatmaps[:, 5, :, :16] = 100
        left = module.read(stem, features, heatmaps)
        changed = features.clone()
        changed[..., 16:] += 9
        assert torch.equal(module.read(stem, changed, heatmaps), left)
        changed[..., :16] += 9
        for other in (
            module.read(stem, changed, heatmaps),
            module.read(stem, features, heatmaps.flip(3)),
            module.read(stem, features, 0 * heatmaps),
        ):
            assert not torch.allclose(other, left, rtol=1e-3)
        # It is their sum that counts, not which landmark's map it is.
        moved = heatmaps.roll(1, dims=1)
        torch.testing.assert_close(module.read(stem, features, moved), left)
        moved[:, 7] = -moved[:, 6]
        unread = module.read(stem, features, 0 * heatmaps)
        torch.testing.assert_close(module.read(stem, features, moved), unread)
        # Its faces are in [0, 1], as those of the published network.
        network = vision.build(CONFIG)
        pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
        network.eval().backbone.register_forward_pre_hook(
            lambda _, given: torch.testing.assert_close(given[0], pictures / 255)
        )
        network.look(pictures)


def test_faces_that_it_cannot_halve_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"train\.vision\.side: emofan .* 64 pixels, not 112\. .*256"
    ):
        vision.build(replace(CONFIG, side=112))
