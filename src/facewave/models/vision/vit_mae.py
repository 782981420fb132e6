"""A vision transformer over patches of 16 x 16 pixels, and the autoencoder that pretrains it.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, the base size; and He et al.,
"Masked Autoencoders Are Scalable Vision Learners", CVPR 2022. Both are transformers' own modules,
whose encoders have the same names: pretrained by ``autoencoder``, one loads by name. In use nothing
is masked, and the mean of the patches' tokens is read, as He et al. do for finetuning.

Legend of names: m faces, C = 3 colours, H and W pixels, E features.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from transformers import ViTConfig, ViTMAEConfig, ViTMAEForPreTraining, ViTModel

from facewave.errors import UserError
from facewave.models.vision.network import FaceNetworkConfig, Trunk

PATCH = 16  # px
MASKED = 0.75  # share of the patches
_HEADS, _DECODER_HEADS, _DECODER_LAYERS = 12, 16, 8
_PER_HEAD, _DECODER_PER_HEAD = 64, 32  # channels
# What transformers called its parts before its fifth version, as in files of the hub.
_RENAMED = {
    "encoder.layer.": "layers.",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


class Encoder(nn.Module):
    """The mean of the last layer's patches."""

    def __init__(self, vit: ViTModel) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, faces_mCHW: Tensor) -> Tensor:
        """(m, C, H, W) -> (m, E)."""
        tokens_mPE: Tensor = self.vit(faces_mCHW).last_hidden_state
        return tokens_mPE[:, 1:].mean(1)  # the first is no patch's


def trunk(config: FaceNetworkConfig) -> Trunk:
    """The encoder.

    Raises:
        UserError: a face is no whole number of patches.
    """
    sizes = _sizes(config)
    return Trunk(
        Encoder(ViTModel(ViTConfig(**sizes), add_pooling_layer=False)), sizes["hidden_size"]
    )


def autoencoder(config: FaceNetworkConfig) -> ViTMAEForPreTraining:
    """The encoder and a smaller decoder, fresh.

    Given faces (m, C, H, W), standardised as ImageNet's, its output has ``loss``: the mean squared
    error of the patches that it did not see, each standardised by its own mean and variance, so
    that 1 is what guessing the mean costs.

    Raises:
        UserError: a face is no whole number of patches.
    """
    decoder_width = _DECODER_HEADS * _per_head(_DECODER_PER_HEAD, config.width)
    return ViTMAEForPreTraining(
        ViTMAEConfig(
            **_sizes(config),
            decoder_hidden_size=decoder_width,
            decoder_intermediate_size=4 * decoder_width,
            decoder_num_attention_heads=_DECODER_HEADS,
            decoder_num_hidden_layers=_DECODER_LAYERS,
            mask_ratio=MASKED,
            norm_pix_loss=True,
        )
    )


def convert(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's weights, of those of an autoencoder or of a file of the hub."""
    converted = {}
    for name, tensor in weights.items():
        if name.startswith("decoder."):
            continue
        for old, new in _RENAMED.items():
            name = name.replace(old, new)
        converted[f"vit.{name.removeprefix('vit.')}"] = tensor
    return converted


def _sizes(config: FaceNetworkConfig) -> dict[str, Any]:
    """The encoder's sizes, as transformers calls them."""
    if config.side % PATCH:
        raise UserError(
            f"params.yaml: train.vision.side: vit_mae takes faces whose side is a multiple of "
            f"{PATCH} pixels, not {config.side}. Set {config.side - config.side % PATCH}, say."
        )
    hidden = _HEADS * _per_head(_PER_HEAD, config.width)
    return {
        "hidden_size": hidden,
        "intermediate_size": 4 * hidden,
        "num_attention_heads": _HEADS,
        "num_hidden_layers": 12,
        "image_size": config.side,
        "patch_size": PATCH,
    }


def _per_head(channels: int, share: float) -> int:
    return max(1, round(channels * share))
