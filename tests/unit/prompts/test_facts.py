"""Facts in words: which movements are told, how strong and when, and that noise changes nothing."""

import re
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
NOTHING = "Face: no action stands out."


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
    assert told(face({}), SETTINGS) == NOTHING
    others = replace(face({}), names=tuple(name.upper() for name in face({}).names))
    assert told(others, SETTINGS) == ""  # of another tool's channels no action is known


def test_noise_the_number_of_frames_and_when_a_part_begins_change_nothing() -> None:
    levels = {12: course(0, 0, 0, 2.5, 0, 0), 1: course(1.5, 1.5, 0, 0, 0, 0)}
    plain = face(levels)
    assert told(face(levels, noise=0.2), SETTINGS) == told(plain, SETTINGS)
    assert told(plain[np.arange(FRAMES) % 3 == 0], SETTINGS) == told(plain, SETTINGS)
    later = replace(plain, times_T=plain.times_T + 60)
    assert told(later, SETTINGS) == told(plain, SETTINGS)


def test_what_lasts_rises_or_falls() -> None:
    for levels, word in (
        ((2.3, 2.3, 2.5), ""),
        ((1.6, 1.9, 2.3), ", rising"),
        ((2.3, 1.4, 1.6), ", falling"),
    ):
        shown = face({12: course(*levels)})
        assert told(shown, SETTINGS) == f"Face: lip corners pulled up strongly, throughout{word}."


def test_the_head_and_what_is_wrong_with_the_pictures_are_told() -> None:
    turned = face({})
    angles = np.zeros((FRAMES, 3))
    angles[FRAMES // 2 :, 0] = 27
    turned.pose_T44[:, :3, :3] = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    side = "Head: turned 25 degrees to the picture's right"
    assert told(turned, SETTINGS) == f"{NOTHING} {side} from 1.5 s to the end, most at 1.8 s."
    angles[:, 0], angles[: FRAMES // 3, 1] = 27, -14  # roll, which is not told, in the last column
    angles[:, 2] = 40
    turned.pose_T44[:, :3, :3] = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    assert told(turned, SETTINGS) == (
        f"{NOTHING} {side} throughout; 15 degrees up from the start to 1.0 s, most at 0.3 s."
    )
    turned.valid_T[: FRAMES // 3] = False
    assert told(turned, SETTINGS).endswith(" The face is seen in 65 % of the frames.")
    turned.sharpness_T[:] = 2
    turned.sharpness_T[1:] = np.nan  # it is measured five times a second
    assert told(turned, SETTINGS, 41.0).endswith(" % of the frames, small (40 pixels), blurred.")
    still = face({})
    assert told(still, SETTINGS, 64.0) == NOTHING
    assert told(still, SETTINGS, 44.0) == f"{NOTHING} The face is small (45 pixels)."
    still.valid_T[2:] = False
    fewer = f"{NOTHING} The face is seen in fewer than 5 % of the frames."
    assert told(still, SETTINGS) == fewer
    turned.valid_T[:] = False
    assert told(turned, SETTINGS) == told(None, SETTINGS) == ""


def test_what_decides_is_what_is_written() -> None:
    for yaws, sentence in (
        ((9.9, 10.2, 10.5, 10.1, 9.8, 11), "Head: turned 10 degrees {} throughout."),
        ((0, 0, 0, 0, 0, 12.4), "Head: turned 10 degrees {} from 2.5 s to the end, most at 2.8 s."),
        ((0, 0, 0, 0, 0, 7.4), ""),
    ):
        turned = face({})
        rotation = Rotation.from_euler("Y", course(*yaws)[:, None], degrees=True)
        turned.pose_T44[:, :3, :3] = rotation.as_matrix()
        sentence = sentence.format("to the picture's right")
        assert told(turned, SETTINGS) == f"{NOTHING} {sentence}".strip()
    for pixels in range(55, 70):  # what is small has fewer pixels than 65 in the text, too
        sizes = [int(word) for word in re.findall(r"\d+", told(face({}), SETTINGS, pixels))]
        assert sizes == [5 * round(pixels / 5)] * (5 * round(pixels / 5) < 65), pixels
    near = face({12: course(0.48, 0.48, 1.97)})
    assert "up strongly, throughout, rising" not in told(near, SETTINGS)
    assert "up strongly, from 2.0 s" in told(near, SETTINGS)


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
