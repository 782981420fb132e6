"""From an emotion to a film: action units over time, a moving head, changing light, a codec.

The difficulty is designed: strengths vary, units drop out, units of other emotions mix in, some
clips are weak. A plain logistic regression on ten segment means of the blendshapes should classify
55 to 80 % of the clips of unseen subjects correctly (chance: 14 %). That figure is a property of
these constants and says nothing about emotion recognition.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from facewave.demo.faces import ACTION_UNITS, CANVAS, TURNS, Face, Floats, Picture, pose
from facewave.files import replacing

SIZE = 224  # px, width and height of a clip
FPS = (24, 25, 30)
SECONDS = (1.0, 2.4)
_VIEW = 262  # px of the canvas that the camera sees
_CRF = 20  # x264's quality
SOUND_RATE = 16_000  # samples a second
_BIT_RATE = 32_000  # of the sound

# Prototypes after EMFACS (Friesen & Ekman 1983); words in DFEW's order.
Prototypes = Mapping[str, Mapping[str, float]]  # word -> action unit -> strength
PROTOTYPES: Prototypes = {
    "happy": {"AU6": 0.9, "AU12": 0.8, "AU25": 0.5},
    "sad": {"AU1": 0.8, "AU4": 0.5, "AU15": 0.8, "AU17": 0.6},
    "neutral": {},
    "angry": {"AU4": 1.0, "AU5": 0.5, "AU7": 0.8, "AU23": 0.9},
    "surprise": {"AU1": 0.8, "AU2": 0.9, "AU5": 0.8, "AU25": 0.4, "AU26": 0.8},
    "disgust": {"AU9": 0.9, "AU10": 0.8, "AU17": 0.6, "AU4": 0.4},
    "fear": {"AU1": 0.8, "AU2": 0.5, "AU4": 0.6, "AU5": 0.8, "AU20": 0.8, "AU25": 0.6},
}
_DROPPED = 0.08  # share of a prototype's units that are missing
_STRENGTH = (0.65, 1.15)  # of each unit
_FOREIGN = (0.1, 0.5)  # strength of each unit of another emotion
_FOREIGN_UNITS = 2  # at most
_STRONGEST = 1.2  # that a unit can be
_FIDGET = 0.10  # slow wandering of all units


@dataclass(frozen=True)
class Plan:
    """What a clip shows."""

    order: int  # its number, the name of its file
    subject: int  # from 0
    blend: dict[str, float]  # emotion -> share of its prototype; one at 1 in ordinary clips
    intensity: float  # of the whole expression, (0, 1]
    seed: np.random.SeedSequence  # of everything else in this clip
    prototypes: Prototypes = field(default_factory=lambda: PROTOTYPES)


def film(
    plan: Plan, still: Face | Picture, times: Floats | None = None
) -> tuple[int, Iterator[Picture]]:
    """Frame rate and frames (SIZE, SIZE, 3) of an acting face, or of a still without a face.

    ``times`` (s) are the moments of the frames, the last one the clip's end, if it is not chance
    that says.
    """
    fps, drawn, apex, rng = _begin(plan)
    times = drawn if times is None else times
    strengths = _act(apex, times, rng)
    shots = (pose(still, s) if isinstance(still, Face) else still for s in strengths)
    return fps, _shoot(shots, times, rng)


def peaks(plan: Plan) -> dict[str, float]:
    """How strong each action unit is at the clip's apex, 0 to 1.2, as ``film`` shows it."""
    _, _, apex, _ = _begin(plan)
    return {unit: min(peak, _STRONGEST) for unit, peak in apex.items()}


def seconds(plan: Plan) -> float:
    """How long the clip lasts that ``film`` shows."""
    fps, times, _, _ = _begin(plan)
    return len(times) / fps


def write(
    path: Path,
    fps: int,
    frames: Iterable[Picture],
    sound: Floats | None = None,
    *,
    faststart: bool = True,
) -> None:
    """Encode H.264, and AAC, in MP4, on one thread and without dates: the same bytes every time.

    ``sound`` is (n,) at SOUND_RATE; None: there is none.
    """
    options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if faststart else {})
    with replacing(path) as temporary, av.open(str(temporary), "w", options=options) as container:
        stream = container.add_stream("libx264", Fraction(fps))
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {
            "crf": str(_CRF), "preset": "slow", "threads": "1", "flags": "+bitexact",
            # Without it x264's assembly gives different bytes from run to run.
            "x264-params": "cpu-independent=1",
        }  # fmt: skip
        if sound is not None:
            track = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
            track.bit_rate = _BIT_RATE
            track.options = {"threads": "1", "flags": "+bitexact"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
        if sound is not None:
            # In steps of 16 bits, which do not depend on the last digits of a processor's sines.
            steps = np.rint(sound * 32767).astype(np.int16)[None]
            container.mux(track.encode(_of_sound(steps)))
            container.mux(track.encode())


def _of_sound(samples: NDArray[np.int16]) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
    frame.pts = 0  # with times, the encoder's delay is cut away by an edit list
    return frame


def _begin(plan: Plan) -> tuple[int, Floats, dict[str, float], np.random.Generator]:
    """What a clip's own chance settles first: frame rate, times (s), each unit's peak; and it."""
    rng = np.random.default_rng(plan.seed)
    fps = int(rng.choice(FPS))
    times = np.arange(round(rng.uniform(*SECONDS) * fps)) / fps
    apex = dict.fromkeys(ACTION_UNITS, 0.0)
    for emotion, share in plan.blend.items():
        for unit, strength in plan.prototypes[emotion].items():
            if rng.random() >= _DROPPED:
                apex[unit] += share * plan.intensity * strength * rng.uniform(*_STRENGTH)
    known = plan.prototypes
    others = sorted({unit for name in known.keys() - plan.blend for unit in known[name]})
    for unit in rng.choice(others, rng.integers(_FOREIGN_UNITS + 1), replace=False):
        apex[str(unit)] += rng.uniform(*_FOREIGN)
    return fps, times, apex, rng


def _act(apex: dict[str, float], times: Floats, rng: np.random.Generator) -> Floats:
    """Strengths (frames, poses) over time: onset, apex, offset, each unit with its own lag."""
    phase = times / times[-1]
    onset, rise = rng.uniform(-0.1, 0.25), rng.uniform(0.15, 0.4)
    offset, fall = rng.uniform(0.65, 1.1), rng.uniform(0.15, 0.4)
    columns = []
    for peak in apex.values():
        late = phase - rng.normal(0, 0.04)
        course = _ramp((late - onset) / rise) * (1 - _ramp((late - offset) / fall))
        columns.append(min(peak, _STRONGEST) * course + _FIDGET * _wander(times, rng))
    if rng.random() < 0.6:  # a blink of 0.25 s, whatever the emotion
        middle = rng.uniform(0.1, times[-1])
        columns[list(apex).index("AU45")] += np.exp(-(((times - middle) / 0.07) ** 2))
    columns += [0.09 * rng.normal() + 0.06 * _wander(times, rng) for _ in TURNS]
    return np.stack(columns, axis=1).astype(np.float32)


def _shoot(shots: Iterable[Picture], times: Floats, rng: np.random.Generator) -> Iterator[Picture]:
    """Film pictures of the canvas with a moving camera, changing light, blur and noise."""

    def slowly(offset: float, swing: float) -> Floats:
        return rng.normal() * offset + swing * _wander(times, rng)

    angle, zoom = slowly(3.0, 2.5), np.exp(slowly(0.03, 0.02)) * SIZE / _VIEW
    right, down = slowly(4, 3), slowly(4, 3)  # px of the clip
    gain, gamma = np.exp(slowly(0.04, 0.04)), np.exp(slowly(0.12, 0.06))
    blur, noise = rng.uniform(0.3, 1.0), rng.uniform(1, 4)
    for i, shot in enumerate(shots):
        turn = cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), angle[i], zoom[i])
        turn[:, 2] += SIZE / 2 - CANVAS / 2 + np.array([right[i], down[i]])
        frame = cv2.warpAffine(shot, turn, (SIZE, SIZE), flags=cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_REFLECT)  # fmt: skip
        frame = cv2.GaussianBlur(frame, (0, 0), blur).astype(np.float32)
        frame = 255 * gain[i] * (frame / 255) ** gamma[i]
        frame += rng.normal(0, noise, frame.shape[:2])[..., None]
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def _wander(times: Floats, rng: np.random.Generator) -> Floats:
    """A smooth random curve of about unit amplitude, over times in seconds."""
    waves = zip(rng.uniform(0.2, 1.0, 3), rng.uniform(0, 2 * np.pi, 3), strict=True)
    return np.mean([np.sin(2 * np.pi * hertz * times + start) for hertz, start in waves], axis=0)


def _ramp(x: Floats) -> Floats:
    """Smoothstep: 0 below 0, 1 above 1."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
