"""A Transformer over what is seen and what is heard of a clip.

As in Zhang et al. (CVPR workshops 2023, "Multi-modal Facial Affective Analysis based on Masked
Autoencoder"): visual and acoustic features, each projected, then one sequence, an encoder with
residuals and layer normalisation, and a linear head.

Legend of names: n clips, T tokens of the face, U of the voice, D and E their channels, H hidden
units, O outputs.
"""

from typing import Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from facewave.models import outputs
from facewave.models.attention import positions, self_attention
from facewave.models.classifiers.classifier import Standardize
from facewave.models.streamed import Streamed
from facewave.targets import Target

FACE, VOICE = "face", "voice"  # the kinds of a batch


@dataclass(frozen=True, config={"extra": "forbid"})
class FusionConfig:
    """Enough to rebuild a network's modules."""

    targets: tuple[Target, ...]  # in the order of the outputs
    tokens: Literal["wavelets", "trajectories"]  # what they are: a clip's numbers, or its moments
    rate: float  # moments a second
    steps: int  # tokens that are standardised each by itself; 1: all alike
    face: int  # D
    voice: int  # E
    hidden: int
    dropout: float
    layers: int
    missing: float  # share of the clips in training of which one, by chance, is not shown
    binned: bool = False  # whether numbers are answered by bins


class Fusion(Streamed):
    """Face and voice as one sequence of tokens, of which a clip may have either alone.

    A token has a code of its place in its own sequence, so that what is seen and heard at one
    moment has the same, and one of which of the two it is. Of a clip that has both, training leaves
    one out with the probability ``missing``; that is what lets the network answer by one alone.
    A token of which no number is known is left out, too. The answer is read off the tokens' mean; a
    clip without any has the same as all such clips.
    """

    def __init__(self, config: FusionConfig) -> None:
        super().__init__("fusion", config.targets, config.binned)
        self.missing = config.missing
        n_channels = {FACE: config.face, VOICE: config.voice}
        self.scales = {kind: Standardize(config.steps, n) for kind, n in n_channels.items()}
        self.standardize = nn.ModuleDict(self.scales)
        self.project = nn.ModuleDict(
            {kind: nn.Linear(n, config.hidden) for kind, n in n_channels.items()}
        )
        self.kinds = nn.ParameterDict(
            {kind: nn.Parameter(0.02 * torch.randn(config.hidden)) for kind in n_channels}
        )
        self.encoder = self_attention(config.hidden, config.dropout, config.layers)
        n_outputs = sum(outputs.widths(config.targets, config.binned))
        self.out = nn.Linear(config.hidden, n_outputs)

    def forward(self, **batch: Tensor) -> Tensor:
        """``face`` (n, T, D) and ``voice`` (n, U, E) with their masks (streamed.py) -> (n, O)."""
        there = {
            kind: batch[f"{kind}_there"] & ~batch[kind].isnan().all(2) for kind in (FACE, VOICE)
        }
        if self.training and self.missing:
            there = self._without_some(there)
        tokens = [self._tokens(kind, batch[kind]) for kind in there]
        tokens_nSH, there_nS = torch.cat(tokens, 1), torch.cat([*there.values()], 1)
        # Attention to nothing is not a number: a clip that has nothing attends to its padding.
        hidden_nS = ~there_nS & there_nS.any(1, keepdim=True)
        encoded_nSH = self.encoder(tokens_nSH, src_key_padding_mask=hidden_nS)
        shares_nS = there_nS / there_nS.sum(1, keepdim=True).clamp(min=1)
        mean_nH = torch.einsum("ns,nsh->nh", shares_nS.to(encoded_nSH), encoded_nSH)
        outputs_nO: Tensor = self.out(mean_nH)
        return outputs_nO

    def _tokens(self, kind: str, inputs_nTD: Tensor) -> Tensor:
        """The tokens of one kind, (n, T, H)."""
        if inputs_nTD.shape[1]:  # some clip of the batch has any
            inputs_nTD = self.standardize[kind](inputs_nTD)
        projected_nTH: Tensor = self.project[kind](inputs_nTD)
        return projected_nTH + positions(projected_nTH) + self.kinds[kind]

    def _without_some(self, there: dict[str, Tensor]) -> dict[str, Tensor]:
        """The masks, without one kind of some of the clips that have both, drawn by chance."""
        has_both_n = there[FACE].any(1) & there[VOICE].any(1)
        draws_2n = torch.rand(2, len(has_both_n), device=has_both_n.device)
        lacks_n = has_both_n & (draws_2n[0] < self.missing)
        lacks = {FACE: lacks_n & (draws_2n[1] < 0.5), VOICE: lacks_n & (draws_2n[1] >= 0.5)}
        return {kind: there_nT & ~lacks[kind][:, None] for kind, there_nT in there.items()}
