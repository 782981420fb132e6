"""The signals of a sound: against other formulas, whole and in parts."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from facewave.params import Block
from facewave.voice import activity, listen
from facewave.voice.schema import LOWEST_HZ, PROSODY
from facewave.voice.signals import HOP, signals
from sounding import RATE, Floats, noise, tone


def column(blocks: dict[Block, Floats], name: str) -> Floats:
    return blocks["prosody"][:, PROSODY.index(name)]


def test_the_spectrum_s_signals_are_those_of_other_formulas() -> None:
    sound = noise(1.003)
    blocks = signals(sound)
    n_rows = -(-len(sound) // HOP)
    assert {name: len(values) for name, values in blocks.items()} == dict.fromkeys(
        ("mel", "prosody", "mfcc"), n_rows
    )
    spectra = scipy.signal.stft(
        np.pad(sound, (0, 400)), RATE, "hann", 400, 400 - HOP, 512, padded=False
    )[2]
    power = (np.abs(spectra) * 200) ** 2  # SciPy divides by the sum of the window
    frequencies = np.fft.rfftfreq(512, 1 / RATE)
    top = 15 + 27 * np.log(8) / np.log(6.4)
    steps = np.linspace(0, top, 66)  # Slaney's scale: 15 up to 1 kHz, 27 from there to 6.4 kHz
    edges = np.where(steps < 15, steps * 1000 / 15, 1000 * 6.4 ** ((steps - 15) / 27))
    bands = [
        np.interp(frequencies, part, [0, 2 / (part[2] - part[0]), 0])
        for part in np.lib.stride_tricks.sliding_window_view(edges, 3)
    ]
    mel = 10 * np.log10(np.maximum(np.stack(bands) @ power, 1e-10))[:, :n_rows]
    np.testing.assert_allclose(blocks["mel"], mel.T, atol=2e-3)
    cepstrum = scipy.fft.dct(mel, axis=0, norm="ortho")[:13]
    np.testing.assert_allclose(blocks["mfcc"], cepstrum.T, atol=1e-2)
    flux = np.maximum(np.diff(mel), 0).mean(0)
    np.testing.assert_allclose(column(blocks, "flux")[1:], flux, atol=2e-3)
    padded = np.pad(sound, (200, 400))
    for row in (3, 40, n_rows - 1):
        part = padded[row * HOP :][:400]
        bins = np.abs(np.fft.rfft(part * scipy.signal.get_window("hann", 400), 512))
        hertz = np.fft.rfftfreq(512, 1 / RATE)
        centroid = (bins * hertz).sum() / bins.sum() / 1000
        assert column(blocks, "centroid")[row] == pytest.approx(centroid, abs=2e-3)
        level = 10 * np.log10((part.astype(float) ** 2).mean())
        assert column(blocks, "loudness")[row] == pytest.approx(level, abs=2e-3)


def test_the_pitch_of_a_tone_is_found_to_one_percent_and_silence_has_none() -> None:
    for hertz in (75.0, 131.0, 440.0):
        blocks = signals(np.concatenate([tone(hertz, 1), np.zeros(RATE, np.float32)]))
        pitch, voicing = column(blocks, "pitch"), column(blocks, "voicing")
        found = LOWEST_HZ * 2 ** (pitch[10:90] / 12)
        np.testing.assert_allclose(found, hertz, rtol=0.01)
        assert voicing[10:90].min() > 0.3 > 0.1 > voicing[110:].max()
        assert np.isnan(pitch[110:]).all()
        assert (column(blocks, "loudness")[110:] == -100).all()
        assert np.isfinite(np.delete(blocks["prosody"], PROSODY.index("pitch"), 1)).all()


def test_a_glide_is_followed_and_noise_has_no_pitch() -> None:
    hertz = np.linspace(100, 300, 2 * RATE)
    glide = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    found = LOWEST_HZ * 2 ** (column(signals(glide.astype(np.float32)), "pitch") / 12)
    np.testing.assert_allclose(found[10:190], hertz[::HOP][10:190], rtol=0.02)
    white = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    assert np.isnan(column(signals(white), "pitch")).mean() > 0.95


def test_an_hour_is_heard_in_parts_as_a_minute_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the pitch and the speaking, which see more than a part's surroundings."""
    sizes = []

    def watched(sound: Floats) -> dict[Block, Floats]:
        sizes.append(len(sound))
        n_rows = -(-len(sound) // HOP)
        padded = np.pad(sound, (HOP, 2 * HOP))  # what lies a hop around each row counts
        level = [np.abs(padded[row * HOP :][: 2 * HOP]).sum() for row in range(n_rows)]
        return {"prosody": np.array(level, np.float32)[:, None]}

    monkeypatch.setattr(activity, "speaking", lambda sound: np.zeros(-(-len(sound) // HOP), "f4"))
    sound = noise(61.237)
    sound[5 * RATE : 6 * RATE] = np.nan
    sound[47 * RATE : 49 * RATE] = np.nan  # over the border of two parts
    pieces = np.split(sound, [7, 1000, 300_000, 400_001, 900_000])
    parts = list(listen.hear(pieces, [watched]))
    assert [len(part) for part in parts] == [2400, 2400, 1324]
    assert max(sizes) == 28 * RATE
    expected = watched(np.nan_to_num(sound))["prosody"]
    heard = np.concatenate([part.blocks["prosody"] for part in parts])
    valid = np.concatenate([part.valid_T for part in parts])
    np.testing.assert_allclose(heard[valid], expected[valid], rtol=1e-6)
    assert np.isnan(heard[~valid]).all()
    assert np.flatnonzero(~valid).tolist() == [*range(500, 600), *range(4700, 4900)]
    times = np.concatenate([part.times_T for part in parts])
    np.testing.assert_allclose(times, np.arange(6124) / 100)
    for length in (1, 24 * RATE, 24 * RATE + 1, 26 * RATE, 48 * RATE):
        parts = list(listen.hear([np.ones(length, np.float32)], [watched]))
        assert sum(map(len, parts)) == -(-length // HOP)
    assert list(listen.hear([], [watched])) == []
