"""Whether somebody speaks: silence and noise are no speech, a person's talk is."""

from pathlib import Path

import numpy as np
import pytest

from facewave import assets
from facewave.sound import RATE, read
from facewave.voice.activity import ASSET, speaking
from facewave.voice.signals import HOP

if assets.find(ASSET) is None:
    pytest.skip(f"no voice activity detector: pip install {ASSET.package}", allow_module_level=True)


def test_silence_and_noise_are_no_speech_at_any_length() -> None:
    hiss = np.random.default_rng(0).normal(0, 0.01, 2 * RATE).astype(np.float32)
    for sound in (np.zeros(RATE, np.float32), hiss, hiss[:1], hiss[:513]):
        probabilities = speaking(sound)
        assert probabilities.shape == (-(-len(sound) // HOP),)
        assert (probabilities >= 0).all()
        assert (probabilities < 0.5).all()
    np.testing.assert_array_equal(speaking(hiss), speaking(hiss))


def test_talk_is_speech_and_an_ambience_is_not(real_clips: Path) -> None:
    shares = {
        name: float((speaking(read(real_clips / f"{name}.mp4", RATE)) >= 0.5).mean())
        for name in ("liveportrait_d11", "liveportrait_s13_fullbody", "no_face")
    }
    assert shares["liveportrait_d11"] > 0.6
    assert max(shares["liveportrait_s13_fullbody"], shares["no_face"]) < 0.1
