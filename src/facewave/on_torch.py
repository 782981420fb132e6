"""How networks run on torch: on a GPU where there is one; encoders the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from facewave.errors import UserError

if TYPE_CHECKING:
    from accelerate import PartialState

_PATIENCE = timedelta(days=7)
_REMEDY = "Free some of it, or hide the GPU from this run (CUDA_VISIBLE_DEVICES=)."


def device() -> str:
    """Cuda where torch has a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def processes() -> "PartialState":
    """The processes that ``accelerate launch`` has started, or this one alone.

    They wait for each other for as long as what the first does alone may take, such as choosing a
    temperature on all validation clips: on GPUs ten minutes would be the default. Who asks first
    decides.
    """
    from accelerate import PartialState  # it takes seconds to load

    return PartialState(timeout=_PATIENCE)


@contextmanager
def enough_memory(remedy: str = _REMEDY) -> Iterator[None]:
    """Turn a GPU's want of memory into a sentence.

    Raises:
        UserError: its memory is too small.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(f"the GPU's memory is too small for this network. {remedy}") from None


@contextmanager
def repeatable() -> Iterator[None]:
    """Inference alone, on one thread; on a GPU in full float32 and with kernels that repeat.

    Raises:
        UserError: the GPU's memory is too small.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            enough_memory(),
            torch.inference_mode(),
            torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
