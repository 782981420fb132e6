"""Pictures seen in float32 by a model that otherwise computes in float16, which overflows there.

Legend of names: n prompts, L tokens of one, H hidden size.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import is_autocast_available


def see_in_float32(model: nn.Module, *names: str) -> None:
    """Give a model submodules in float32, which compute so under autocast, too.

    The text is embedded in float32, so that what was seen can take its places, and the decoder gets
    it in its own precision.
    """
    language: Any = model
    embedding, decoder = language.get_input_embeddings(), language.get_decoder()
    for name in names:
        module: Any = model.get_submodule(name).float()
        module.forward = partial(_in_float32, module.forward)
    embedding.register_forward_hook(_widened)
    narrowed = partial(_narrowed, embedding.weight.dtype)
    decoder.register_forward_pre_hook(narrowed, with_kwargs=True)


def exactly(tensor: Tensor) -> AbstractContextManager[Any]:
    """While it lasts, what is computed where a tensor is keeps its precision (autocast is off)."""
    kind = tensor.device.type  # the meta device has no autocast
    return torch.autocast(kind, enabled=False) if is_autocast_available(kind) else nullcontext()


def _in_float32(forward: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    tensors = [x for x in (*arguments, *named.values()) if isinstance(x, Tensor)]
    with exactly(tensors[0]):
        return forward(*map(_wide, arguments), **{name: _wide(x) for name, x in named.items()})


def _wide(x: Any) -> Any:
    return x.float() if isinstance(x, Tensor) and x.is_floating_point() else x


def _widened(module: nn.Module, arguments: Any, embedded_nLH: Tensor) -> Tensor:
    return embedded_nLH.float()


def _narrowed(dtype: torch.dtype, module: nn.Module, arguments: Any, named: dict[str, Any]) -> Any:
    return arguments, named | {"inputs_embeds": named["inputs_embeds"].to(dtype)}
