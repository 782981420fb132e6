"""Prefix tuning: learnt keys and values of virtual tokens before a prompt (Li and Liang 2021).

PEFT's wrapper puts them into a cache that a prompt goes on from, which Qwen's positions and
PaliGemma's masks know nothing of. Here the virtual tokens stand in the prompt as placeholders, and
hooks on the projections of every layer give their keys and values: positions, masks and caches stay
the backbone's own affair. It costs the reading of as many tokens.

Legend of names: n prompts, L tokens of one, P virtual tokens, B layers, W width of a layer's keys.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from facewave.models.vlm.face_tokens import places


class Prefix(nn.Module):
    """Keys and values before the turn by positions, (2, B, P, W)."""

    def __init__(self, backbone: nn.Module, words: Sequence[int], tokens: int) -> None:
        """Begin with those of words: what was learnt from there came out better than from chance.

        Args:
            backbone: a vision-language model of transformers.
            words: token ids, repeated or cut to the number of virtual tokens.
            tokens: P.
        """
        super().__init__()
        model: Any = backbone
        ids_1P = torch.tensor([(list(words) * tokens)[:tokens]], device=model.device)
        keys: list[Tensor] = []
        values: list[Tensor] = []
        with ExitStack() as stack, torch.no_grad():
            for both in _projections(backbone):
                for projection, kept in zip(both, (keys, values), strict=True):
                    hook = partial(_keep, kept)
                    stack.callback(projection.register_forward_hook(hook).remove)
            model(
                input_ids=ids_1P,
                attention_mask=torch.ones_like(ids_1P),
                use_cache=False,
                logits_to_keep=1,
            )
        self.learnt = nn.Parameter(torch.stack([torch.stack(keys), torch.stack(values)]))

    @contextmanager
    def ahead(self, backbone: nn.Module, placeholder: int) -> Iterator[None]:
        """While it lasts, the placeholders that ``prefixed`` has put are the virtual tokens."""
        with places(backbone, placeholder) as where, ExitStack() as stack:

            def give(projection: nn.Module, learnt_PW: Tensor) -> None:
                def put(module: nn.Module, arguments: Any, projected_nLW: Tensor) -> Tensor | None:
                    places_nL = where()
                    if places_nL is None:
                        return None
                    given = learnt_PW.to(projected_nLW.dtype).expand(len(places_nL), -1, -1)
                    return projected_nLW.masked_scatter(places_nL[..., None], given)

                stack.callback(projection.register_forward_hook(put).remove)

            for both, learnt_2PW in zip(
                _projections(backbone), self.learnt.transpose(0, 1), strict=True
            ):
                for projection, learnt_PW in zip(both, learnt_2PW, strict=True):
                    give(projection, learnt_PW)
            yield


def _keep(kept: list[Tensor], module: nn.Module, arguments: Any, projected_1PW: Tensor) -> None:
    kept.append(projected_1PW[0].float())


def _projections(backbone: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """What makes keys, and what makes values, of every layer."""
    model: Any = backbone
    layers = model.get_decoder().layers
    return [(layer.self_attn.k_proj, layer.self_attn.v_proj) for layer in layers]


def prefixed(inputs: dict[str, Tensor], placeholder: int, tokens: int) -> dict[str, Tensor]:
    """Prompts (padded left) with placeholders between their padding and their first token."""
    mask_nL = inputs["attention_mask"]
    n, shape = len(mask_nL), mask_nL.shape
    # Padding behind an answer stays where it is: what has begun does not end.
    begun_nL = torch.cat([mask_nL.new_ones(n, tokens), mask_nL.cummax(1).values], 1)
    order_nL = begun_nL.argsort(dim=1, stable=True)
    given = {"input_ids": placeholder, "attention_mask": 1}
    return {
        name: torch.cat([x.new_full((n, tokens), given.get(name, 0)), x], 1).gather(1, order_nL)
        if x.shape == shape
        else x
        for name, x in inputs.items()
    }
