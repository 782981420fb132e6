"""Prefix tuning: learnt keys and values of virtual tokens before a prompt (Li and Liang 2021).

PEFT's wrapper puts them into a cache before the prompt, which Qwen's positions and PaliGemma's
masks do not allow for. Here the virtual tokens are placeholders in the prompt, and hooks on the
projections of every layer replace their keys and values: positions, masks and caches are left to
the backbone. It costs the reading of as many tokens.

Legend of names: n prompts, L tokens of one, P virtual tokens, B layers, W width of a layer's keys.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from facewave.models.vlm.face_tokens import watching


class Prefix(nn.Module):
    """Keys and values before the turn by positions, (2, B, P, W)."""

    def __init__(self, backbone: nn.Module, words: Sequence[int], tokens: int) -> None:
        """Start from those of words (token ids, repeated or cut to P), better than at random."""
        super().__init__()
        model: Any = backbone
        ids_1P = torch.tensor([(list(words) * tokens)[:tokens]], device=model.device)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        with ExitStack() as stack, torch.no_grad():
            for projections in _projections(backbone):
                for projection, outputs in zip(projections, (keys, values), strict=True):
                    hook = partial(_record, outputs)
                    stack.enter_context(projection.register_forward_hook(hook))
            mask_1P = torch.ones_like(ids_1P)
            model(input_ids=ids_1P, attention_mask=mask_1P, use_cache=False, logits_to_keep=1)
        self.learnt = nn.Parameter(torch.stack([torch.stack(keys), torch.stack(values)]))

    @contextmanager
    def placed(self, backbone: nn.Module, placeholder: int) -> Iterator[None]:
        """Give the placeholders that ``prefixed`` has added the learnt keys and values."""
        with watching(backbone, placeholder) as get_mask, ExitStack() as stack:

            def hook(
                learnt_PW: Tensor, module: nn.Module, arguments: Any, projected_nLW: Tensor
            ) -> Tensor | None:
                mask_nL = get_mask()
                if mask_nL is None:
                    return None
                learnt_nPW = learnt_PW.to(projected_nLW.dtype).expand(len(mask_nL), -1, -1)
                return projected_nLW.masked_scatter(mask_nL[..., None], learnt_nPW)

            learnt_B2PW = self.learnt.transpose(0, 1)
            for projections, learnt_2PW in zip(_projections(backbone), learnt_B2PW, strict=True):
                for projection, learnt_PW in zip(projections, learnt_2PW, strict=True):
                    hooked = projection.register_forward_hook(partial(hook, learnt_PW))
                    stack.enter_context(hooked)
            yield


def _record(outputs: list[Tensor], module: nn.Module, arguments: Any, projected: Tensor) -> None:
    outputs.append(projected[0].float())


def _projections(backbone: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """The projections to keys and to values of every layer."""
    model: Any = backbone
    layers = model.get_decoder().layers
    return [(layer.self_attn.k_proj, layer.self_attn.v_proj) for layer in layers]


def prefixed(inputs: dict[str, Tensor], placeholder: int, tokens: int) -> dict[str, Tensor]:
    """Prompts (padded left), with placeholders between the padding and the first token."""
    mask_nL = inputs["attention_mask"]
    n, shape = len(mask_nL), mask_nL.shape
    # Only padding on the left moves: padding behind an answer stays where it is.
    begun_nL = torch.cat([mask_nL.new_ones(n, tokens), mask_nL.cummax(1).values], 1)
    order_nL = begun_nL.argsort(dim=1, stable=True)
    fill = {"input_ids": placeholder, "attention_mask": 1}
    return {
        name: torch.cat([x.new_full((n, tokens), fill.get(name, 0)), x], 1).gather(1, order_nL)
        if x.shape == shape
        else x
        for name, x in inputs.items()
    }
