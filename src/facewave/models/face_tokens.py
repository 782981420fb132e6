"""Face tokens: a clip's wavelet numbers as a few soft tokens among a language model's text.

No model file is copied: a hook on the embedding layer puts the tokens where the prompt has
placeholders, so positions, masks, caches and image features stay the backbone's own affair.

Legend of names: n clips, K steps, D channels of all blocks side by side, N face tokens, H hidden
size of the language model, E of an adapter's encoder, L tokens of a prompt.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facewave.models.classifiers import Balance, Standardize

Kind = Literal["linear", "transformer"]

_ENCODER, _LAYERS, _HEADS = 256, 2, 4  # of the adapter ``transformer``


@dataclass(frozen=True)
class Config:
    """Enough to rebuild an adapter's modules.

    Attributes:
        kind: linear: every token is a mixture of the steps through one matrix; transformer: the
            steps see each other first.
        steps: K.
        widths: the channels of each block of inputs, in order; their sum is D.
        tokens: N.
        hidden: H.
    """

    kind: Kind
    steps: int
    widths: tuple[int, ...]
    tokens: int
    hidden: int


class FaceTokens(nn.Module):
    """Numbers (n, K, D) -> tokens (n, N, H) of the size that text embeddings have.

    What is learnt before training (standardisation, the text embeddings' size) are buffers. A clip
    without a face gets tokens of its own, which are learnt.
    """

    size: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        channels = sum(config.widths)
        self.standardize = Standardize(config.steps, channels)
        self.balance = Balance(config.widths)
        encoder: nn.Module = nn.Identity()
        width = channels
        if config.kind == "transformer":
            encoder, width = _Encoder(config.steps, channels), _ENCODER
        self.encoder = encoder
        self.mix = nn.Parameter(_spread(config.tokens, config.steps))
        self.out = nn.Linear(width, config.hidden)
        self.positions = nn.Parameter(0.02 * torch.randn(config.tokens, config.hidden))
        self.norm = nn.RMSNorm(config.hidden, elementwise_affine=False)
        self.absent = nn.Parameter(torch.randn(config.tokens, config.hidden))
        self.register_buffer("size", torch.ones(()))

    def forward(self, numbers_nKD: Tensor, faces_n: Tensor) -> Tensor:
        """(n, K, D) and whether there is a face, (n,) -> (n, N, H); NaN where there is none."""
        finite = torch.nan_to_num(numbers_nKD)
        encoded = self.encoder(self.balance(self.standardize(finite)))
        tokens = self.out(self.mix @ encoded) + self.positions
        tokens = torch.where(faces_n[:, None, None], tokens, self.absent)
        sized: Tensor = self.norm(tokens) * self.size
        return sized


class _Encoder(nn.Module):
    """Self-attention between the steps, with learnt positions."""

    def __init__(self, steps: int, channels: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, _ENCODER)
        self.positions = nn.Parameter(0.02 * torch.randn(steps, _ENCODER))
        layer = nn.TransformerEncoderLayer(
            _ENCODER, _HEADS, 2 * _ENCODER, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, _LAYERS, nn.LayerNorm(_ENCODER), enable_nested_tensor=False
        )

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, E)."""
        encoded: Tensor = self.layers(self.embed(inputs_nKD) + self.positions)
        return encoded


def _spread(tokens: int, steps: int) -> Tensor:
    """Each token begins as the mean of its share of the steps, (N, K)."""
    place_K = (torch.arange(steps) + 0.5) * tokens / steps
    near_NK = torch.relu(1 - (place_K - torch.arange(tokens)[:, None] - 0.5).abs())
    return near_NK / near_NK.sum(1, keepdim=True).clamp(min=1e-6)


def text_size(embedding: nn.Module, vocabulary: int) -> Tensor:
    """The root-mean-square of a model's text embeddings, as its layers get them."""
    with torch.inference_mode():
        weights: Tensor = embedding(
            torch.arange(vocabulary, device=next(embedding.parameters()).device)
        )
        return weights.float().pow(2).mean().sqrt().clone()


@contextmanager
def placed(backbone: nn.Module, placeholder: int, tokens_nNH: Tensor) -> Iterator[None]:
    """While it lasts, the backbone's embedding layer gives face tokens for placeholders.

    Args:
        backbone: a language model with ``get_input_embeddings``.
        placeholder: the token id of a place; each prompt has N of them, or, when generation goes on
            from a cache, none.
        tokens_nNH: for each prompt.

    Raises:
        ValueError: a prompt has another number of places than there are tokens.
    """

    def hook(module: nn.Module, arguments: tuple[Any, ...], embedded_nLH: Tensor) -> Tensor:
        places_nL = arguments[0] == placeholder
        if not places_nL.any():
            return embedded_nLH
        counts = places_nL.sum(1)
        if len(counts) != len(tokens_nNH) or (counts != tokens_nNH.shape[1]).any():
            raise ValueError(
                f"{tokens_nNH.shape[1]} face tokens for each of {len(tokens_nNH)} prompts, but "
                f"{counts.tolist()} places"
            )
        return embedded_nLH.masked_scatter(places_nL[..., None], tokens_nNH.to(embedded_nLH.dtype))

    get_embedding: Any = backbone.get_input_embeddings
    handle = get_embedding().register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
