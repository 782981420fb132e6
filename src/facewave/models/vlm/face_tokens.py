"""Face tokens: a clip's wavelet numbers as a few soft tokens among a language model's text.

No model file is copied: a hook before the backbone's decoder puts the tokens where the prompt has
placeholders, so positions, masks, caches and image features stay the backbone's own affair.

Legend of names: n clips, K steps, D channels of all blocks side by side, N face tokens, H hidden
size of the language model, E of an adapter's encoder, L tokens of a prompt, M of what an adapter
looks at.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from facewave.models.classifiers.classifier import Balance, Standardize

AdapterKind = Literal["linear", "transformer", "cross"]

_ENCODER, _LAYERS, _HEADS, _DROPOUT = 256, 2, 4, 0.1  # of all adapters but the linear one
_AT_ONCE = 4096  # embeddings


@dataclass(frozen=True)
class FaceTokensConfig:
    """Enough to rebuild an adapter's modules.

    Attributes:
        kind: linear: every token is a mixture of the steps through one matrix; transformer: the
            steps see each other first; cross: and then the prompt's words and pictures.
        steps: K.
        widths: the channels of each block of inputs, in order; their sum is D.
        tokens: N.
        hidden: H.
    """

    kind: AdapterKind
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

    def __init__(self, config: FaceTokensConfig) -> None:
        super().__init__()
        channels = sum(config.widths)
        self.standardize = Standardize(config.steps, channels)
        self.balance = Balance(config.widths)
        encoder: nn.Module = nn.Identity()
        width = channels
        if config.kind != "linear":
            encoder, width = _Encoder(config.steps, channels), _ENCODER
        self.encoder = encoder
        self.cross = _Cross(config.hidden) if config.kind == "cross" else None
        self.mix = nn.Parameter(_spread(config.tokens, config.steps))
        self.out = nn.Linear(width, config.hidden)
        self.positions = nn.Parameter(0.02 * torch.randn(config.tokens, config.hidden))
        self.norm = nn.RMSNorm(config.hidden, elementwise_affine=False)
        self.absent = nn.Parameter(torch.randn(config.tokens, config.hidden))
        self.register_buffer("size", torch.ones(()))

    def forward(
        self,
        numbers_nKD: Tensor,
        faces_n: Tensor,
        context_nMH: Tensor | None = None,
        mask_nM: Tensor | None = None,
    ) -> Tensor:
        """The face tokens, (n, N, H).

        Args:
            numbers_nKD: the clips' numbers, NaN where there is no face.
            faces_n: whether there is one.
            context_nMH: what the adapter ``cross`` looks at; the others do not.
            mask_nM: which of it is there.

        Raises:
            ValueError: the adapter ``cross`` has nothing to look at.
        """
        finite = torch.nan_to_num(numbers_nKD)
        encoded = self.encoder(self.balance(self.standardize(finite)))
        if self.cross is not None:
            if context_nMH is None or mask_nM is None:
                raise ValueError("the adapter cross needs a context and its mask")
            encoded = self.cross(encoded, context_nMH, mask_nM)
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
            _ENCODER, _HEADS, 2 * _ENCODER, _DROPOUT, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, _LAYERS, nn.LayerNorm(_ENCODER), enable_nested_tensor=False
        )

    def forward(self, inputs_nKD: Tensor) -> Tensor:
        """(n, K, D) -> (n, K, E)."""
        encoded: Tensor = self.layers(self.embed(inputs_nKD) + self.positions)
        return encoded


class _Cross(nn.Module):
    """Attention of the steps to a context, normalised first, beside what they were."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_ENCODER)
        self.context_norm = nn.LayerNorm(hidden)
        self.attention = nn.MultiheadAttention(
            _ENCODER, _HEADS, _DROPOUT, kdim=hidden, vdim=hidden, batch_first=True
        )

    def forward(self, steps_nKE: Tensor, context_nMH: Tensor, mask_nM: Tensor) -> Tensor:
        """(n, K, E), (n, M, H) and what of it is there, (n, M) -> (n, K, E)."""
        context_nMH = self.context_norm(context_nMH.float())
        seen_nKE, _ = self.attention(
            self.norm(steps_nKE),
            context_nMH,
            context_nMH,
            key_padding_mask=~mask_nM,
            need_weights=False,
        )
        attended: Tensor = steps_nKE + seen_nKE
        return attended


def _spread(tokens: int, steps: int) -> Tensor:
    """Each token begins as the mean of its share of the steps, (N, K)."""
    place_K = (torch.arange(steps) + 0.5) * tokens / steps
    near_NK = torch.relu(1 - (place_K - torch.arange(tokens)[:, None] - 0.5).abs())
    return near_NK / near_NK.sum(1, keepdim=True).clamp(min=1e-6)


def text_size(embedding: nn.Module, vocabulary: int) -> Tensor:
    """The root-mean-square of a model's text embeddings, as its layers get them."""
    ids = torch.arange(vocabulary, device=next(embedding.parameters()).device)
    with torch.no_grad():  # some at a time: all embeddings in float32 would be gigabytes
        squares = [embedding(some).float().pow(2).mean(1) for some in ids.split(_AT_ONCE)]
    return torch.cat(squares).mean().sqrt()


@contextmanager
def places(backbone: nn.Module, placeholder: int) -> Iterator[Callable[[], Tensor | None]]:
    """While it lasts, where the backbone is reading a placeholder, (n, L); None: nowhere."""
    found_nL: Tensor | None = None

    def look(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        nonlocal found_nL
        here_nL = arguments[0] == placeholder
        found_nL = here_nL if here_nL.any() else None

    get_embedding: Any = backbone.get_input_embeddings
    handle = get_embedding().register_forward_pre_hook(look)
    try:
        yield lambda: found_nL
    finally:
        handle.remove()


@contextmanager
def placed(
    backbone: nn.Module, placeholder: int, tokens: Callable[[Tensor, Tensor], Tensor]
) -> Iterator[None]:
    """While it lasts, the backbone's decoder gets face tokens for placeholders.

    Args:
        backbone: a vision-language model of transformers.
        placeholder: the token id of a place; each prompt has N of them, or, when generation goes on
            from a cache, none.
        tokens: called with what the decoder is about to read, (n, L, H), the pictures in it, and
            with where the places are in it, (n, L); gives the face tokens, (n, N, H).

    Raises:
        ValueError: a prompt has another number of places than there are tokens.
    """

    def put(module: nn.Module, arguments: Any, named: dict[str, Any]) -> Any:
        places_nL = where()
        if places_nL is None:
            return None
        read_nLH = named["inputs_embeds"]
        tokens_nNH = tokens(read_nLH, places_nL)
        counts = places_nL.sum(1)
        if len(counts) != len(tokens_nNH) or (counts != tokens_nNH.shape[1]).any():
            raise ValueError(
                f"{tokens_nNH.shape[1]} face tokens for each of {len(tokens_nNH)} prompts, but "
                f"{counts.tolist()} places"
            )
        with_faces = read_nLH.masked_scatter(places_nL[..., None], tokens_nNH.to(read_nLH.dtype))
        return arguments, named | {"inputs_embeds": with_faces}

    get_decoder: Any = backbone.get_decoder
    handle = get_decoder().register_forward_pre_hook(put, with_kwargs=True)
    try:
        with places(backbone, placeholder) as where:
            yield
    finally:
        handle.remove()
