"""Parts of Transformers: codes of places, and the names that saved models have."""

import torch

from facewave.models.attention import positions
from facewave.models.classifiers.heads import Encoder


def test_codes_of_places_are_sines_and_cosines_that_tell_them_apart() -> None:
    codes = positions(torch.zeros(1, 50, 7))
    assert codes.shape == (50, 7)
    torch.testing.assert_close(codes[3, :2], torch.tensor([0.14112, -0.98999]))
    slower = torch.tensor(3 / 10_000 ** (2 / 7))
    torch.testing.assert_close(codes[3, 2:4], torch.stack([slower.sin(), slower.cos()]))
    assert torch.cdist(codes, codes).fill_diagonal_(9).min() > 0.1
    assert positions(torch.zeros(2, 0, 4, dtype=torch.float64)).shape == (0, 4)


def test_saved_encoders_keep_their_names() -> None:
    names = {name.rpartition(".")[0] for name in Encoder(3, 5, 8, 0.1).state_dict()}
    parts = ("norm1", "norm2", "linear1", "linear2", "self_attn", "self_attn.out_proj")
    of_layers = {f"layers.layers.{layer}.{part}" for layer in range(2) for part in parts}
    assert names == {"", "embed", "layers.norm"} | of_layers
