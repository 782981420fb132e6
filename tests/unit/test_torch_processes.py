"""Several processes."""

from datetime import timedelta
from types import SimpleNamespace

import accelerate
import pytest

from facewave.on_torch import processes


def test_processes_wait_for_the_first_one_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes().num_processes == 1
    monkeypatch.setattr(accelerate, "PartialState", SimpleNamespace)
    assert processes().timeout > timedelta(hours=10)
