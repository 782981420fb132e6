"""Parts of Transformers over what a clip has in some order (Vaswani et al., 2017).

Legend of names: n clips, T steps, H hidden units.
"""

import math

import torch
from torch import Tensor, nn

_SLOWEST = 10_000  # of the position codes' wavelengths, in steps and in 2 pi


def self_attention(hidden: int, dropout: float, layers: int) -> nn.TransformerEncoder:
    """Layers of self-attention with residuals, (n, T, H) -> (n, T, H).

    They are normalised before each part (Xiong et al., 2020), which needs no warm-up.
    """
    n_heads = math.gcd(hidden, 4)  # must divide H
    layer = nn.TransformerEncoderLayer(
        hidden, n_heads, 2 * hidden, dropout, "gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(hidden), enable_nested_tensor=False)


def positions(like_nTH: Tensor) -> Tensor:
    """Codes of the places 0, 1, ... of a sequence, (T, H): sines and cosines.

    Of the device and type of ``like_nTH``.
    """
    _, steps, hidden = like_nTH.shape
    places_T = torch.arange(steps, device=like_nTH.device)
    rates_H = torch.arange((hidden + 1) // 2, device=like_nTH.device) * (2 / hidden)
    angles_TH = places_T[:, None] * torch.exp(-math.log(_SLOWEST) * rates_H)
    codes_TH = torch.stack([angles_TH.sin(), angles_TH.cos()], 2).flatten(1)
    return codes_TH[:, :hidden].to(like_nTH)
