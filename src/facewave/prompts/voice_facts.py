"""How a person sounds, in words: a text that any language model can read, without training.

It is made of what stage listen measures a hundred times a second (voice/schema.py), of speech
alone. How the person usually speaks is not known, so words are relative to what is stated here:

- loud and quiet: to -23 dB of full scale, the level that EBU R 128 gives programmes (there with a
  weighting of frequencies that is left out here). How near the microphone was is not known.
- pitch: in Hz, in coarse steps, and where it goes. Nothing is called high: what is high for a man
  is low for a woman or a child.
- fast and slow: to the 3.3 to 5.9 syllables a second of conversations in English (Arnfield et al.,
  ESCA workshop on speech under stress, 1995). Syllables are counted by their nuclei: maxima of
  loudness that are voiced and 2 dB above the dips beside them (de Jong and Wempe, Behavior Research
  Methods 41, 2009, 385).
- rising and falling, louder and quieter: from the first third of the speech to the last.
- a pause: 0.3 s or more without speech, with speech before and after.

Legend of names: T rows.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from facewave.params import Facts
from facewave.voice.schema import HOP_S, LOWEST_HZ, PITCH, PROSODY, SPEECH_FROM, Voice

_LOUDNESS = PROSODY.index("loudness")
_USUAL_DB, _LOUD_DB = -23.0, 6.0  # and by how much loud and quiet differ from it
_LOUDER_DB, _HIGHER = 3, 2  # changes that are told: dB, semitones
_STEP_HZ = 20
_SLOW, _FAST = 3.3, 5.9  # syllables a second
_NUCLEUS_DB, _SMOOTHED = 2.0, 5  # rows that loudness is averaged over first
_PAUSE_S, _LEAST_S = 0.3, 0.5  # and seconds of speech of which more than its length is told

Floats = NDArray[np.float64]


def told(voice: Voice | None, settings: Facts) -> str:
    """How a clip's voice sounds, as a sentence; "" where there is no sound.

    How much of the clip is speech, how loud it is, its pitch, its rate, and the longest pauses, at
    most ``settings.actions``, each with when it begins (s from the clip's start).
    """
    if voice is None or not voice.valid_T.any():
        return ""
    speaks_T = (voice.speaking_T >= SPEECH_FROM) & voice.valid_T
    if not speaks_T.any():
        return "Nobody is heard speaking."
    prosody_TC = voice.blocks["prosody"].astype(np.float64)
    loudness_T, pitch_T = prosody_TC[:, _LOUDNESS], prosody_TC[:, PITCH]
    spoken_s = speaks_T.sum() * HOP_S
    phrases = [f"speech for {spoken_s:.1f} of {len(voice) * HOP_S:.1f} s"]
    if spoken_s >= _LEAST_S:
        phrases += _of_loudness(loudness_T[speaks_T])
        phrases += _of_pitch(pitch_T[speaks_T])
        phrases += _of_rate(loudness_T, speaks_T & ~np.isnan(pitch_T), spoken_s)
    return f"Voice: {'; '.join([*phrases, *_pauses(speaks_T, settings.actions)])}."


def _of_loudness(loudness_T: Floats) -> list[str]:
    """Against a usual level, and whether it changes; of rows with speech (dB)."""
    level = round(_mean_db(loudness_T) - _USUAL_DB)
    words = ["loud" if level >= _LOUD_DB else "quiet"] if abs(level) >= _LOUD_DB else []
    third = math.ceil(len(loudness_T) / 3)
    change = round(_mean_db(loudness_T[-third:]) - _mean_db(loudness_T[:third]))
    if abs(change) >= _LOUDER_DB:
        words.append(f"getting {'louder' if change > 0 else 'quieter'}")
    return [", ".join(words)] if words else []


def _of_pitch(pitch_T: Floats) -> list[str]:
    """Its range but for the tenths at the ends, and whether it changes; semitones to Hz."""
    voiced_T = pitch_T[~np.isnan(pitch_T)]
    if not len(voiced_T):
        return []
    hertz = LOWEST_HZ * 2 ** (np.percentile(voiced_T, (10, 90)) / 12)
    low, high = (round(end / _STEP_HZ) * _STEP_HZ for end in hertz)
    text = f"pitch {low} to {high} Hz" if low < high else f"pitch about {low} Hz"
    third = math.ceil(len(voiced_T) / 3)
    change = round(float(np.median(voiced_T[-third:]) - np.median(voiced_T[:third])))
    if abs(change) >= _HIGHER:
        text += ", rising" if change > 0 else ", falling"
    return [text]


def _of_rate(loudness_T: Floats, voiced_T: NDArray[np.bool_], spoken_s: float) -> list[str]:
    """Nuclei of syllables a second of speech; nothing of a whisper."""
    if not voiced_T.any():
        return []
    power_T = uniform_filter1d(_power(np.nan_to_num(loudness_T, nan=-100.0)), _SMOOTHED)
    nuclei, _ = find_peaks(10 * np.log10(power_T), prominence=_NUCLEUS_DB)
    rate = round(voiced_T[nuclei].sum() / spoken_s)
    word = "fast, " if rate > _FAST else "slow, " if rate < _SLOW else ""
    return [f"{word}about {rate} syllable{'s' * (rate != 1)} a second"]


def _pauses(speaks_T: NDArray[np.bool_], most: int) -> list[str]:
    """The longest pauses, in the order of time."""
    spoken = np.flatnonzero(speaks_T)
    gaps = np.diff(spoken) - 1
    (long,) = np.nonzero(gaps * HOP_S >= _PAUSE_S)
    chosen = sorted(sorted(long, key=lambda at: -gaps[at])[:most])
    return [
        f"pause of {gaps[at] * HOP_S:.1f} s at {(spoken[at] + 1) * HOP_S:.1f} s" for at in chosen
    ]


def _mean_db(loudness_T: Floats) -> float:
    return 10 * math.log10(_power(loudness_T).mean())


def _power(decibels_T: Floats) -> Floats:
    return 10 ** (decibels_T / 10)
