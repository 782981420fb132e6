"""A voice without words for each clip: vowels, sung by a program.

Harmonics of a gliding pitch pass through two formants (Peterson and Barney, 1952). How it speaks is
weakly tied to the emotion, in the directions that Juslin and Laukka (2003, Psychological Bulletin
129) found in people's voices: pitch, its range, loudness, tempo and brightness. Every speaker and
every clip strays from that by chance, so that a logistic regression on the sound alone should
classify 30 to 45 % of the clips of unseen subjects correctly (chance: 14 %). Like the face's, that
figure is a property of these constants.
"""

import numpy as np

from facewave.demo.clips import SOUND_RATE as RATE
from facewave.demo.clips import Plan
from facewave.demo.faces import Floats

_SEED = 20240603  # a stream of its own: no picture and no label depends on it
_SPEAKS = 2  # number of this stream below a clip's seed
_PITCH_HZ, _SPEAKER = 150.0, 2.0  # of the speakers, and their standard deviation in semitones
_HARMONICS = 24
_LEVEL = 0.08  # root mean square of a plain voice
_NOISE = 0.002  # of the room
# Word -> semitones above the speaker's pitch, semitones of its movement, dB of loudness, share of
# tempo, dB an octave of brightness.
_MANNERS: dict[str, tuple[float, ...]] = {
    "happy": (3.0, 1.5, 2.0, 0.15, 1.5),
    "sad": (-2.0, -1.0, -4.0, -0.3, -2.5),
    "neutral": (0.0, -0.5, 0.0, 0.0, 0.0),
    "angry": (1.0, 0.5, 5.0, 0.15, 3.0),
    "surprise": (4.5, 2.5, 1.0, 0.0, 1.0),
    "disgust": (-1.0, 0.0, -1.0, -0.25, 0.0),
    "fear": (3.5, -0.5, -2.0, 0.3, -0.5),
}
_PLAIN = np.array([0.0, 2.0, 0.0, 0.0, -9.0])
_STRAYS = np.array([2.6, 0.9, 3.3, 0.2, 2.0])  # standard deviation of a clip
_SYLLABLES = 3.5  # a second, of a plain voice
_VOWELS = np.array([[730, 1090], [270, 2290], [300, 870], [530, 1840], [570, 840], [660, 1720]])
_WIDTHS = np.array([90.0, 140.0])  # of the formants, Hz


def voice(plan: Plan, seconds: float) -> Floats:
    """The sound of a clip, (n,) in [-1, 1], at SOUND_RATE."""
    rng = np.random.default_rng(
        np.random.SeedSequence(plan.seed.entropy, spawn_key=(*plan.seed.spawn_key, _SPEAKS))
    )
    speaker = np.random.default_rng([_SEED, plan.subject]).normal(0, _SPEAKER)
    manner = sum(share * np.array(_MANNERS[word]) for word, share in plan.blend.items())
    manner = _PLAIN + plan.intensity * manner + rng.normal(0, _STRAYS)
    higher, moves, louder, faster, bright = manner
    n_samples = round(seconds * RATE)
    t = np.arange(n_samples) / RATE
    n_syllables = max(1, round(seconds * _SYLLABLES * np.exp(faster)))
    edges = np.linspace(0, seconds, n_syllables + 1)
    edges[1:-1] += rng.normal(0, 0.1 * seconds / n_syllables, n_syllables - 1)
    middles = (edges[1:] + edges[:-1]) / 2
    glide = np.interp(t, middles, rng.normal(0, max(moves, 0.3) / 2, n_syllables))
    hertz = _PITCH_HZ * 2 ** ((speaker + higher + glide) / 12)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    vowels = _VOWELS[rng.integers(len(_VOWELS), size=n_syllables)]
    formants = [np.interp(t, middles, centres) for centres in vowels.T]
    sound = np.zeros(n_samples)
    for number in range(1, _HARMONICS + 1):
        tilt = 10 ** (bright * np.log2(number) / 20)
        passed = sum(
            1 / (1 + ((number * hertz - centre) / width) ** 2)
            for centre, width in zip(formants, _WIDTHS, strict=True)
        )
        is_heard = number * hertz < RATE / 2
        sound += is_heard * tilt * (0.05 + passed) * np.sin(number * phase)
    place = np.interp(t, edges, np.arange(n_syllables + 1)) % 1
    sound *= np.sin(np.pi * place) ** 0.7
    sound *= _LEVEL * 10 ** (louder / 20) / np.sqrt((sound**2).mean())
    sound += rng.normal(0, _NOISE, n_samples)
    return np.clip(sound, -1, 1).astype(np.float32)
