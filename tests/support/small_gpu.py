"""A GPU whose memory is too small."""

from collections.abc import Iterator
from typing import Any

import pytest
from torch import OutOfMemoryError, nn

SENTENCE = r"the GPU's memory is too small for this network\. "
FREE_SOME = SENTENCE + r"Free some of it, or hide the GPU"


def memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Once when a network is put there, and once when its first layers run."""

    def fail(*_: Any, **__: Any) -> None:
        raise OutOfMemoryError("CUDA out of memory")

    for methods in ([(nn.Module, "to")], [(nn.Conv1d, "forward"), (nn.Conv2d, "forward")]):
        with monkeypatch.context() as context:
            for owner, method in methods:
                context.setattr(owner, method, fail)
            yield
