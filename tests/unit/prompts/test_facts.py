"""Facts in words: which movements are told, how strong and when, and that noise changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facewave.appearance.schema import Appearance
from facewave.landmarks.schema import Trajectory
from facewave.models import knowledge
from facewave.models.real_faces import FACES
from facewave.params import Facts
from facewave.prompts.facts import NAMES, expressed, told
from making import trajectory

SETTINGS = Facts(5, 6)
SECONDS, FRAMES = 3.0, 90


def face(deviations: dict[int, np.ndarray], noise: float = 0.0) -> Trajectory:
    """A clip of a face whose actions are so many standard deviations above what is usual."""
    made = trajectory(FRAMES)
    draw = np.random.default_rng(0)
    blendshapes = np.zeros_like(made.blendshapes_TB)
    for name, (mean, std) in FACES.items():
        units = [unit for unit, names in knowledge.ACTIONS.items() if name in names]
        level = sum((deviations.get(unit, np.zeros(FRAMES)) for unit in units), np.zeros(FRAMES))
        noisy = level + noise * draw.normal(size=FRAMES)
        if name in made.names:
            blendshapes[:, made.names.index(name)] = mean + max(std, 0.02) * noisy
    straight = np.tile(np.eye(4, dtype=np.float32), (FRAMES, 1, 1))
    times = np.arange(FRAMES) * SECONDS / FRAMES
    valid = np.ones(FRAMES, bool)
    return replace(
        made, times_T=times, valid_T=valid, blendshapes_TB=blendshapes, pose_T44=straight
    )


def course(*levels: float) -> np.ndarray:
    """A level in each of equal parts of the clip."""
    return np.repeat(levels, FRAMES // len(levels)).astype(float)


def test_what_moves_most_is_told_first_with_its_strength_and_its_time() -> None:
    assert set(NAMES) == set(knowledge.LIVE)
    shown = face({12: course(0, 0, 0.8, 2.5, 0.1, 0), 4: course(1.2, 1.2, 1.2, 1.2, 1.2, 1.2),
                  17: course(0, 0, 0, 0, 0, 0.7)})  # fmt: skip
    assert told(shown, SETTINGS) == (
        "Face: lip corners pulled up strongly, from 1.5 s to 2.0 s, most at 1.8 s; brows lowered "
        "clearly, throughout; chin raised slightly, from 2.5 s to the end, most at 2.8 s."
    )
    assert told(shown, Facts(1, 3)) == (
        "Face: lip corners pulled up clearly, from 1.0 s to 2.0 s, most at 1.5 s."
    )
    assert told(face({}), SETTINGS) == "The face hardly moves."


def test_noise_and_the_number_of_frames_change_nothing() -> None:
    levels = {12: course(0, 0, 0, 2.5, 0, 0), 1: course(1.5, 1.5, 0, 0, 0, 0)}
    plain = face(levels)
    assert told(face(levels, noise=0.2), SETTINGS) == told(plain, SETTINGS)
    assert told(plain[np.arange(FRAMES) % 3 == 0], SETTINGS) == told(plain, SETTINGS)


def test_the_head_and_what_is_not_seen_are_told() -> None:
    turned = face({})
    angles = np.zeros((FRAMES, 3))
    angles[FRAMES // 2 :, 0] = 27
    turned.pose_T44[:, :3, :3] = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    assert told(turned, SETTINGS) == "Head: turned 25 degrees to the picture's right at most."
    turned.valid_T[: FRAMES // 3] = False
    assert told(turned, SETTINGS).endswith("The face is seen in 65 % of the frames.")
    turned.valid_T[:] = False
    assert told(turned, SETTINGS) == told(None, SETTINGS) == ""


def test_an_encoder_s_words_are_told_in_their_order_without_repeats() -> None:
    words = ("calm", "glad")
    shares = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.2])
    answers = np.log(np.stack([shares, 1 - shares, np.ones(6)], axis=1)).astype(np.float32)
    seen = Appearance(np.arange(6.0), np.ones(6, bool), answers, np.zeros((6, 0), np.float32))
    sentence = "A network for expressions sees, in this order: calm (90 %), glad (80 %)."
    assert expressed(seen, words, 3) == sentence
    seen.valid_F[4:] = False
    assert expressed(seen, words, 3) == sentence.replace(", glad (80 %)", "")
    assert expressed(None, words, 3) == expressed(seen, (), 3) == ""


@pytest.mark.parametrize("parts", [1, 2, 7, 64])
def test_any_number_of_parts_fits_any_clip(parts: int) -> None:
    shown = face({12: course(0, 2)})
    for frames in (1, 2, 5, FRAMES):
        assert told(shown[:frames], Facts(3, parts))
