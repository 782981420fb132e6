"""What a clip's faces may look like as well: frames alike, by the seed alone, grey stays grey."""

import numpy as np
import torch

from facewave.targets import Target, number
from facewave.training.augment import augmented, is_flipped, mirrored_names, mirrored_truth
from making import words

SIDE = 32
SEEDS = range(60)


def picture(*shape: int) -> np.ndarray:
    """Smooth and coloured, brighter on the left; values away from the ends."""
    rng = np.random.default_rng(0)
    across = np.linspace(160, 60, SIDE)[None, None] + 20 * rng.random((3, 1, 1))
    return np.broadcast_to(
        across + 10 * rng.random((3, SIDE, SIDE)), (*shape, 3, SIDE, SIDE)
    ).astype(np.uint8)


def test_all_frames_change_alike_and_by_the_seed_alone() -> None:
    faces = picture(4)
    seeds = SEEDS[:20]
    first = [augmented(faces, seed) for seed in seeds]
    for seed, changed in zip(seeds, first, strict=True):
        assert changed.shape == faces.shape
        assert changed.dtype == np.uint8
        assert (changed == changed[:1]).all(), seed
    torch.manual_seed(9)
    before = torch.get_rng_state()
    for seed, changed in reversed(list(zip(seeds, first, strict=True))):
        assert (augmented(faces, seed) == changed).all()
        assert (augmented(faces[:1], seed) == changed[:1]).all()  # however many frames there are
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers
    assert len({changed.tobytes() for changed in first}) == len(seeds)
    assert (faces == picture(4)).all()
    assert augmented(faces[:0], 0).shape == (0, 3, SIDE, SIDE)


def test_what_is_changed() -> None:
    faces = picture(1)
    changed = np.stack([augmented(faces, seed)[0].astype(float) for seed in SEEDS])
    flips = np.array([is_flipped(seed) for seed in SEEDS])
    assert 15 < flips.sum() < 45
    middle = changed[:, :, 8:24, 8:24].mean(1)  # no edge of the picture comes so far
    black = (changed[:, :, 8:24, 8:24] == 0).all((1,)).any((1, 2))
    assert 2 < black.sum() < 30  # erased
    middle, flips = middle[~black], flips[~black]
    rows, columns = middle.mean(2), middle.mean(1)
    place = np.arange(16) - 7.5
    down, across = rows @ place, columns @ place
    assert ((across < 0) == ~flips).all()
    tilts = down / across
    for tilts_n in (tilts[flips], tilts[~flips]):  # turned either way, whether flipped or not
        assert tilts_n.min() < -0.05
        assert tilts_n.max() > 0.05
    brightness = middle.mean((1, 2)) / faces[:, :, 8:24, 8:24].mean()
    assert 0.1 < brightness.std() < 0.3
    assert abs(brightness.mean() - 1) < 0.1
    grey = (changed.max(1) == changed.min(1)).all((1, 2))
    assert 1 <= grey.sum() < 20


def test_grey_pictures_stay_grey() -> None:
    grey = picture(2)
    grey[:] = grey[:, :1]
    for seed in SEEDS:
        changed = augmented(grey, seed)
        assert (changed == changed[:, :1]).all(), seed


def test_units_of_a_side_change_places_and_others_stay() -> None:
    for names, expected in (
        (["AU1", "AU12L", "AU12R"], [0, 2, 1]),
        (["AU14 right", "AU4", "AU14 left"], [2, 1, 0]),
        (["L12", "R12", "L AU14", "R AU14", "AUR6", "AUL6"], [1, 0, 3, 2, 5, 4]),
        (["AU12_L", "AU12_R", "AU10_left", "AU10_right"], [1, 0, 3, 2]),
        (["mouthSmileLeft", "mouthSmileRight", "jawOpen"], [1, 0, 2]),
        (["Left Lid Raise", "Right Lid Raise"], [1, 0]),
        (["AU12_r", "AU12_c", "bright", "LAU", "AU17", "RELAX3"], [0, 1, 2, 3, 4, 5]),
        (["AU12L", "AU6"], [-1, 1]),
    ):
        assert mirrored_names(names) == expected, names


def test_the_truth_of_a_mirror_image() -> None:
    targets = (
        words("left", "right"),  # words are no units
        number("valence"),
        Target("aus", "presence", ("AU4", "AU12L", "AU12R", "AU14R")),
    )
    truth = np.array([[1.0, 0, 0.5, 1, 0, np.nan, 1], [0, 1, -0.5, 0, 1, 0, 0]])
    expected = [[1, 0, 0.5, 1, np.nan, 0, np.nan], [0, 1, -0.5, 0, 0, 1, np.nan]]
    np.testing.assert_array_equal(mirrored_truth(targets, truth), expected)
    np.testing.assert_array_equal(mirrored_truth(targets, truth[1]), expected[1])
