"""Results read from memory are those of MediaPipe's own objects, bit by bit."""

import sys
from pathlib import Path

import numpy as np
import pytest

from facewave.video import Clip
from running import ROOT


def test_results_from_memory_are_those_of_the_public_call(
    landmarker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediapipe.tasks.python.components.containers import category_c

    from facewave.landmarks.engines.mediapipe import Landmarker, _native_call

    frames = Clip(ROOT / "data/raw/demo/clips/3.mp4", fps=25.0).frames(10)
    pictures = [picture for _, _, picture in frames if picture is not None][:6]
    with Landmarker(landmarker.read_bytes()) as native:
        assert _native_call(native._inner), "MediaPipe's private names are gone"
        with monkeypatch.context() as patch:
            patch.delattr(category_c, "CategoryC")
            public = Landmarker(landmarker.read_bytes())
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, category_c.__name__, None)
            assert _native_call(native._inner) is None
        assert _native_call(object()) is None
        assert public._native is None
        assert native.look(np.zeros((64, 48, 3), np.uint8), 0) == []
        assert native.names == ()
        with public:
            public.look(np.zeros((64, 48, 3), np.uint8), 0)
            for t, picture in enumerate(pictures, start=1):
                seen = native.look(picture, 40 * t), public.look(picture, 40 * t)
                ((track, one, _),), ((its_track, other, _),) = seen
                assert track == its_track == 1  # there was nobody in the first picture
                for name, shape in (
                    ("landmarks_PC", (478, 3)),
                    ("blendshapes_B", (52,)),
                    ("pose_44", (4, 4)),
                ):
                    assert getattr(one, name).dtype == getattr(other, name).dtype == np.float32
                    assert getattr(one, name).shape == shape
                    np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert native.names == public.names
        assert len(set(native.names)) == 52
        assert native.look(np.zeros((64, 48, 3), np.uint8), 400) == []
        (back,) = native.look(pictures[0], 440)
        assert back.track == 2  # lost and found again
