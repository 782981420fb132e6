"""Which engine is taken, and what is said where its libraries are not installed."""

import sys

import pytest

from facewave.errors import UserError
from facewave.landmarks import engines


def test_without_mediapipe_the_extra_that_brings_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(engines, "mediapipe", raising=False)
    monkeypatch.delitem(sys.modules, "facewave.landmarks.engines.mediapipe", raising=False)
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match=r'this needs mediapipe.*"facewave\[mediapipe\]"'):
        engines.landmarker("mediapipe", b"", smooth=True)
