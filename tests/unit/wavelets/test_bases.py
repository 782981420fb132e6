"""The functions that trajectories are fitted with, against independent ways to draw them."""

import math
from itertools import product
from typing import get_args

import numpy as np
import pytest
import pywt
from scipy.interpolate import BSpline

from facewave.errors import UserError
from facewave.params import Boundary
from facewave.wavelets import bases
from facewave.wavelets.transform import Floats

WAVELETS = ["haar", "db2", "db4", "sym5", "coif1", "bior2.2", "bior3.1", "rbio3.3"]
# PyWavelets' signal extension modes, except the one that repeats the clip.
EXTENSIONS = [name for name in pywt.Modes.modes if name != "periodization"]


@pytest.mark.parametrize("wavelet", WAVELETS)
def test_all_extensions_of_pywavelets_have_the_functions_of_open_ends(wavelet: str) -> None:
    ours = bases.scaling_functions(wavelet, "open", 12)
    for extension in EXTENSIONS:
        functions = np.eye(12)
        while len(functions) < 1024:
            functions = math.sqrt(2) * pywt.idwt(functions, None, wavelet, extension, axis=0)
        np.testing.assert_allclose(ours, functions, atol=1e-9)


def test_scaling_functions_add_up_to_1() -> None:
    for wavelet, boundary, k in product(WAVELETS, get_args(Boundary), (7, 10, 33)):
        if boundary == "periodic" or k >= pywt.Wavelet(wavelet).rec_len - 1:
            functions = bases.scaling_functions(wavelet, boundary, k)
            assert len(functions) >= 1024
            np.testing.assert_allclose(functions.sum(axis=1), 1, atol=1e-9)


def test_of_bior3_1_they_are_quadratic_splines() -> None:
    """Cardinal B-splines of K - 2 pieces, the outer ones cut off at the clip's ends."""
    for k in (4, 10, 20):
        functions = bases.scaling_functions("bior3.1", "open", k)
        at = (np.arange(len(functions)) + 0.5) / len(functions) * (k - 2)
        for number in range(k):
            spline = BSpline.basis_element(np.arange(number - 2, number + 2), extrapolate=False)
            expected = np.nan_to_num(spline(at))
            np.testing.assert_allclose(functions[:, number], expected, atol=0.02)


def test_periodic_ones_are_shifts_of_each_other() -> None:
    functions = bases.scaling_functions("db3", "periodic", 8)
    for number in range(8):
        shifted = np.roll(functions[:, 0], number * len(functions) // 8)
        np.testing.assert_allclose(functions[:, number], shifted, atol=1e-9)


def test_a_periodic_pyramid_of_an_orthogonal_wavelet_is_orthonormal() -> None:
    for wavelet in ("haar", "db2", "sym4", "coif2"):
        functions = bases.pyramid(wavelet, "periodic")
        np.testing.assert_allclose(functions.T @ functions / len(functions), np.eye(64), atol=1e-6)


def test_a_pyramid_s_functions_have_one_size() -> None:
    for wavelet, boundary, k in product(WAVELETS, get_args(Boundary), (12, 40, 64)):
        functions = bases.pyramid(wavelet, boundary, k)
        assert functions.shape[1] == k
        sizes = np.sqrt((functions**2).mean(axis=0))
        assert (sizes < 1 + 1e-9).all()
        assert boundary == "open" or (sizes > 1 - 1e-9).all()  # those that lie outside are smaller


def test_of_a_level_that_does_not_fit_functions_lie_at_even_distances() -> None:
    functions = bases.pyramid("haar", "periodic", 12)
    whole = bases.pyramid("haar", "periodic", 16)
    np.testing.assert_allclose(functions[:, :8], whole[:, :8])
    np.testing.assert_allclose(functions[:, 8:], whole[:, 9:16:2])
    # The coarsest first: ever shorter boxes.
    lengths = (functions != 0).mean(axis=0)
    np.testing.assert_allclose(lengths, [1, 1, 0.5, 0.5, *[0.25] * 4, *[0.125] * 4])


def test_the_constant_in_a_pyramid() -> None:
    for wavelet, boundary in product(WAVELETS, get_args(Boundary)):
        one = bases.pyramid_of_one(wavelet, boundary)
        np.testing.assert_allclose(bases.pyramid(wavelet, boundary) @ one, 1, atol=1e-8)
        coarsest = len(bases.decompose(np.zeros(64), wavelet, boundary)[0])
        assert not one[coarsest:].any()


def test_lines_are_1_in_the_middle_of_their_part() -> None:
    lines = bases.lines(4)
    at = (np.arange(1024) + 0.5) / 1024
    np.testing.assert_allclose(lines.sum(axis=1), 1)
    for number in range(4):
        tent = np.clip(1 - 4 * np.abs(at - (number + 0.5) / 4), 0, 1)
        inner: Floats = lines[128:-128, number]
        np.testing.assert_allclose(inner, tent[128:-128], atol=1e-12)
    np.testing.assert_array_equal(lines[:128, 0], 1)


def test_a_frame_has_the_functions_means_over_it() -> None:
    functions = np.random.default_rng(0).normal(size=(12, 3))
    edges = np.array([2.0, 3.0, 3.5, 6.0, 8.0])  # 1/6, 1/12, 5/12, 1/3 of the clip
    expected = [functions[:2], functions[2:3], functions[3:8], functions[8:]]
    found = bases.in_frames(functions, edges)
    np.testing.assert_allclose(found, [part.mean(axis=0) for part in expected])
    part = bases.in_frames(functions, np.array([0.0, 1.5, 2.0, 12.0]))[1]
    np.testing.assert_allclose(part, functions[1])  # less than one point of time


@pytest.mark.parametrize(("wavelet", "least"), [("bior3.1", 3), ("db4", 7), ("db8", 15)])
def test_the_least_number_of_functions_is_told(wavelet: str, least: int) -> None:
    for k in range(1, least):
        with pytest.raises(UserError, match=rf"k {k} is too few for {wavelet}.* at least {least}"):
            bases.scaling_functions(wavelet, "open", k)
        with pytest.raises(UserError, match=rf"k {k} is too few for the pyramid of {wavelet}"):
            bases.pyramid(wavelet, "open", k)
    for boundary in ("open", "periodic"):
        assert bases.scaling_functions(wavelet, boundary, least).shape[1] == least
    assert bases.scaling_functions(wavelet, "periodic", 1).shape[1] == 1
