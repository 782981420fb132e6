"""A voice in words: loudness, pitch, rate and pauses, of sound made in code."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from facewave.params import Facts
from facewave.prompts.voice_facts import told
from facewave.voice.schema import HOP_S, PITCH, Voice
from facewave.voice.signals import HOP, signals
from sounding import RATE, Floats, tone

SETTINGS = Facts(2, 6)


def speech(seconds: float, hertz: float = 200, rate: float = 4, level: float = 0.25) -> Floats:
    """A voice-like tone with so many syllables a second, between which it fades by 20 dB."""
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = 0.55 - 0.45 * np.cos(2 * np.pi * rate * t)
    return (tone(hertz, seconds, level) * envelope).astype(np.float32)


def heard(*sounds: Floats | float) -> Voice:
    """Speech, and numbers for pauses in seconds; people speak wherever there is sound."""
    pieces = [np.zeros(round(s * RATE), np.float32) if isinstance(s, float) else s for s in sounds]
    speaking = [np.full(len(p) // HOP, p.any(), np.float32) for p in pieces]
    blocks = signals(np.concatenate(pieces))
    speaking_T = np.concatenate(speaking)
    times_T = np.arange(len(speaking_T), dtype=np.float64) * HOP_S
    return Voice(times_T, np.ones(len(times_T), bool), speaking_T, {"prosody": blocks["prosody"]})


def text(*phrases: str) -> str:
    return f"Voice: {'; '.join(phrases)}."


def test_loudness_pitch_rate_and_the_longest_pauses_are_told() -> None:
    gaps = heard(speech(1.0), 0.8, speech(0.5), 0.4, speech(0.5), 0.5, speech(0.5), 0.2)
    assert told(gaps, SETTINGS) == text(
        "speech for 2.5 of 4.4 s", "pitch about 200 Hz", "about 4 syllables a second",
        "pause of 0.8 s at 1.0 s", "pause of 0.5 s at 3.2 s",
    )  # fmt: skip
    assert "pause" not in told(gaps, Facts(0, 6))
    assert "pause" not in told(heard(speech(1.0), 0.2, speech(1.0)), SETTINGS)


@pytest.mark.parametrize(
    ("sounds", "phrase"),
    [
        ([speech(1.5, level=0.9)], "loud;"),
        ([speech(1.5, level=0.08)], "quiet;"),
        ([speech(0.7, level=0.15), speech(0.7, level=0.4)], "getting louder;"),
        ([speech(0.7, level=0.4), speech(0.7, level=0.15)], "getting quieter;"),
        ([speech(0.7, 120), speech(0.7, 180)], "pitch 120 to 180 Hz, rising;"),
        ([speech(0.7, 180), speech(0.7, 120)], "pitch 120 to 180 Hz, falling;"),
        ([speech(2.0, rate=7)], "fast, about 7 syllables a second"),
        ([speech(2.0, rate=2)], "slow, about 2 syllables a second"),
    ],
)
def test_what_differs_from_the_usual_or_changes_is_told(
    sounds: Sequence[Floats], phrase: str
) -> None:
    plain = heard(speech(0.7), speech(0.7))
    assert phrase not in told(plain, SETTINGS)
    assert phrase in told(heard(*sounds), SETTINGS)


def test_little_noise_changes_nothing() -> None:
    noise = np.random.default_rng(0)
    plain = [speech(1.0, hertz) for hertz in (130, 180)]
    noisy = [sound + noise.normal(0, 1e-3, len(sound)).astype(np.float32) for sound in plain]
    expected = told(heard(plain[0], 0.5, plain[1]), SETTINGS)
    assert told(heard(noisy[0], 0.5, noisy[1]), SETTINGS) == expected


def test_without_speech_little_is_told_and_without_sound_nothing() -> None:
    voice = heard(speech(0.3), 0.7)
    assert told(voice, SETTINGS) == text("speech for 0.3 of 1.0 s")
    silent = replace(voice, speaking_T=0 * voice.speaking_T)
    assert told(silent, SETTINGS) == "Nobody is heard speaking."
    whispered = heard(speech(1.0))
    whispered.blocks["prosody"][:, PITCH] = np.nan
    assert told(whispered, SETTINGS) == text("speech for 1.0 of 1.0 s")
    unheard = replace(voice, valid_T=np.zeros(len(voice), bool))
    assert told(unheard, SETTINGS) == told(None, SETTINGS) == ""
