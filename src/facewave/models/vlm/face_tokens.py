"""Face tokens: a clip's wavelet numbers as a few soft tokens among a language model's text.

No model file is copied: a hook before the backbone's decoder puts the tokens where the prompt has
placeholders, so positions, masks, caches and image features are left to the backbone.

Legend of names: n clips, K steps, D channels of all blocks side by side, N face tokens, H hidden
size of the language model, E of an adapter's encoder, L tokens of a prompt, M of the context that
an adapter attends to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from facewave.models.classifiers.classifier import Balance, Standardize
from facewave.models.classifiers.heads import Encoder

AdapterKind = Literal["linear", "transformer", "cross"]

_ENCODER, _HEADS, _DROPOUT = 256, 4, 0.1  # of all adapters but the linear one
_CHUNK = 4096  # embeddings


@dataclass(frozen=True, config={"extra": "forbid"})
class FaceTokensConfig:
    """Enough to rebuild an adapter's modules."""

    # linear: every token is a mixture of the steps, through one matrix; transformer: the steps
    # attend to each other first; cross: and then to the prompt's words and pictures.
    kind: AdapterKind
    steps: int  # K
    widths: tuple[int, ...]  # the channels of each block of inputs, in order; their sum is D
    tokens: int  # N
    hidden: int  # H


class FaceTokens(nn.Module):
    """Numbers (n, K, D) -> tokens (n, N, H) as large as text embeddings.

    What is fitted before training (standardisation, the text embeddings' size) is held as buffers.
    A clip without a face gets tokens of its own, which are learnt.
    """

    size: Tensor

    def __init__(self, config: FaceTokensConfig) -> None:
        super().__init__()
        channels, is_linear = sum(config.widths), config.kind == "linear"
        self.standardize = Standardize(config.steps, channels)
        self.balance = Balance(config.widths)
        self.encoder: nn.Module = nn.Identity()
        if not is_linear:
            self.encoder = Encoder(config.steps, channels, _ENCODER, _DROPOUT)
        self.cross = _Cross(config.hidden) if config.kind == "cross" else None
        self.mix = nn.Parameter(_spread(config.tokens, config.steps))
        self.out = nn.Linear(channels if is_linear else _ENCODER, config.hidden)
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
        """The face tokens, (n, N, H), of numbers that are NaN where ``faces_n`` says there is none.

        ``cross`` attends to the context where the mask is true; the other adapters ignore it.

        Raises:
            ValueError: the adapter ``cross`` has no context.
        """
        encoded = self.encoder(self.balance(self.standardize(torch.nan_to_num(numbers_nKD))))
        if self.cross is not None:
            if context_nMH is None or mask_nM is None:
                raise ValueError("the adapter cross needs a context and its mask")
            encoded = self.cross(encoded, context_nMH, mask_nM)
        tokens = self.out(self.mix @ encoded) + self.positions
        tokens = torch.where(faces_n[:, None, None], tokens, self.absent)
        sized: Tensor = self.norm(tokens) * self.size
        return sized

    def of_clips(
        self, numbers_nSKD: Tensor, faces_nS: Tensor, is_text_nM: Tensor, inputs_nLH: Tensor
    ) -> Tensor:
        """The tokens of a conversation's S clips, one after the other, (n, S * N, H)."""
        context_nMH, n_clips = inputs_nLH[:, : is_text_nM.shape[1]], faces_nS.shape[1]
        context = [x.repeat_interleave(n_clips, 0) for x in (context_nMH, is_text_nM)]
        tokens: Tensor = self(numbers_nSKD.flatten(0, 1), faces_nS.flatten(), *context)
        return tokens.unflatten(0, faces_nS.shape).flatten(1, 2)


class _Cross(nn.Module):
    """Attention of the steps to a context, with normalisation before and a residual connection."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_ENCODER)
        self.context_norm = nn.LayerNorm(hidden)
        self.attention = nn.MultiheadAttention(
            _ENCODER, _HEADS, _DROPOUT, kdim=hidden, vdim=hidden, batch_first=True
        )

    def forward(self, steps_nKE: Tensor, context_nMH: Tensor, mask_nM: Tensor) -> Tensor:
        context_nMH = self.context_norm(context_nMH.float())
        steps_and_context = self.norm(steps_nKE), context_nMH, context_nMH
        seen_nKE, _ = self.attention(*steps_and_context, ~mask_nM, need_weights=False)
        attended: Tensor = steps_nKE + seen_nKE
        return attended


def _spread(tokens: int, steps: int) -> Tensor:
    """Each token begins as the mean of its share of the steps, (N, K)."""
    position_K = (torch.arange(steps) + 0.5) * tokens / steps
    near_NK = torch.relu(1 - (position_K - torch.arange(tokens)[:, None] - 0.5).abs())
    return near_NK / near_NK.sum(1, keepdim=True).clamp(min=1e-6)


def text_size(embedding: nn.Module, vocabulary: int) -> Tensor:
    """The root-mean-square of a model's text embeddings, as its first layer gets them."""
    ids = torch.arange(vocabulary, device=next(embedding.parameters()).device)
    with torch.no_grad():  # in chunks: all embeddings in float32 would be gigabytes
        squares = [embedding(chunk).float().pow(2).mean(1) for chunk in ids.split(_CHUNK)]
    return torch.cat(squares).mean().sqrt()


@contextmanager
def watching(backbone: nn.Module, placeholder: int) -> Iterator[Callable[[], Tensor | None]]:
    """Watch where the prompts that are being read have a placeholder, (n, L); None: nowhere."""
    mask_nL: Tensor | None = None

    def watch(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        nonlocal mask_nL
        here_nL = arguments[0] == placeholder
        mask_nL = here_nL if here_nL.any() else None

    model: Any = backbone
    with model.get_input_embeddings().register_forward_pre_hook(watch):
        yield lambda: mask_nL


@contextmanager
def placed(
    backbone: nn.Module, placeholder: int, tokens: Callable[[Tensor], Tensor]
) -> Iterator[None]:
    """Replace placeholders by face tokens before the backbone's decoder reads them.

    Each prompt has N placeholders or, when generation continues from a cache, none. ``tokens`` is
    called with the decoder's input, (n, L, H), which has the pictures, and returns (n, N, H).

    Raises:
        ValueError: a prompt has more or fewer placeholders than there are tokens.
    """

    def put(module: nn.Module, arguments: Any, named: dict[str, Any]) -> Any:
        mask_nL = get_mask()
        if mask_nL is None:
            return None
        inputs_nLH, counts = named["inputs_embeds"], mask_nL.sum(1)
        tokens_nNH = tokens(inputs_nLH)
        if len(counts) != len(tokens_nNH) or (counts != tokens_nNH.shape[1]).any():
            raise ValueError(
                f"{tokens_nNH.shape[1]} face tokens for each of {len(tokens_nNH)} prompts, but "
                f"{counts.tolist()} placeholders"
            )
        tokens_nNH = tokens_nNH.to(inputs_nLH.dtype)
        inputs_nLH = inputs_nLH.masked_scatter(mask_nL[..., None], tokens_nNH)
        return arguments, named | {"inputs_embeds": inputs_nLH}

    model: Any = backbone
    hooked = model.get_decoder().register_forward_pre_hook(put, with_kwargs=True)
    with hooked, watching(backbone, placeholder) as get_mask:
        yield
