"""What is a cut between two pictures, and what is none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks.engines.cuts import Cuts

Picture = NDArray[np.uint8]
RNG = np.random.default_rng(0)


def shot(seed: int, height: int = 360, width: int = 640) -> Picture:
    """A picture of large patches of colour."""
    patches = np.random.default_rng(seed).integers(0, 256, (5, 8, 3), np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def cuts(pictures: list[Picture]) -> list[int]:
    """The numbers of the pictures before which there is a cut."""
    seen = Cuts()
    return [number for number, picture in enumerate(pictures) if seen.between(picture)]


def test_a_cut_is_where_another_shot_begins() -> None:
    assert cuts([shot(1)] * 3 + [shot(2)] * 3 + [shot(1)] * 2) == [3, 6]
    for size in ((720, 1280), (48, 64), (1000, 10)):
        assert cuts([shot(1, *size), shot(1, *size), shot(2, *size)]) == [2], size
    # Of one shot in two sizes, such as pictures may have, the content is the same.
    assert cuts([shot(1), shot(1, 720, 1280), shot(1, 90, 160)]) == []


def test_noise_motion_and_changes_of_light_are_no_cuts() -> None:
    still = shot(3)
    noisy = [
        np.clip(still + RNG.normal(0, 25, still.shape), 0, 255).astype(np.uint8) for _ in "abcd"
    ]
    assert cuts(noisy) == []
    assert cuts([np.roll(still, 16 * t, axis=1) for t in range(20)]) == []  # 1/40 of the width
    assert cuts([(still * share).astype(np.uint8) for share in np.linspace(1, 0.1, 25)]) == []
    face = [still.copy() for _ in range(10)]
    for t, picture in enumerate(face):  # a sixteenth of the picture moves fast
        picture[100:190, 60 * t : 60 * t + 160] = (210, 150, 120)
    assert cuts(face) == []


@pytest.mark.parametrize(("levels", "is_cut"), [(78, False), (84, True)])
def test_the_threshold_is_a_mean_of_27_over_hue_saturation_and_brightness(
    levels: int, is_cut: bool
) -> None:
    grey = np.full((90, 160, 3), 100, np.uint8)  # of which only the brightness changes
    for pair in ([grey, grey + np.uint8(levels)], [grey + np.uint8(levels), grey]):
        assert cuts(pair) == [1] * is_cut
    half = grey.copy()
    half[:, :80] += np.uint8(levels)
    assert cuts([grey, half]) == []
