"""How encoders run on torch: where there is a GPU, on it; and the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def device() -> str:
    """Cuda where torch has a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def repeatable() -> Iterator[None]:
    """Inference alone, on one thread; on a GPU in full float32 and with kernels that repeat."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
