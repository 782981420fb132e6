"""The one-euro filter, against its formula written out for a single number."""

import math

import numpy as np

from facewave.landmarks.engines.smoothing import OneEuro


def by_hand(values: list[float], times: list[int], size: float) -> list[float]:
    """One coordinate, smoothed as the paper's algorithm 1 says."""
    speed, smooth, rate = 0.0, values[0], 30.0
    answers = [smooth]
    for i in range(1, len(values)):
        if times[i - 1]:
            rate = 1000 / (times[i] - times[i - 1])
        alpha = 1 / (1 + rate / (2 * math.pi * 1.0))
        speed += alpha * ((values[i] - values[i - 1]) * rate / size - speed)
        alpha = 1 / (1 + rate / (2 * math.pi * (0.05 + 80 * abs(speed))))
        smooth += alpha * (values[i] - smooth)
        answers.append(smooth)
    return answers


def test_it_follows_its_formula_in_sizes_of_the_face() -> None:
    rng = np.random.default_rng(0)
    frame = np.array([[0, 0, 0], [100, 60, 0]], np.float32)  # of a mean of 80 pixels
    values = list(50 + rng.normal(0, 0.3, 12).cumsum())
    for times in (list(range(0, 480, 40)), [7, 40, 90, 91, 200, 300, 301, 400, 500, 600, 700, 900]):
        smooth = OneEuro()
        answers = []
        for value, time in zip(values, times, strict=True):
            points = np.vstack([frame, [50, 30, value]]).astype(np.float32)
            answers.append(smooth(points, time)[2, 2])
        np.testing.assert_allclose(answers, by_hand(values, times, 80), rtol=1e-5)
        assert np.abs(np.diff(answers)).sum() < np.abs(np.diff(values)).sum()


def test_a_face_without_a_size_is_left_as_it_is() -> None:
    smooth, point = OneEuro(), np.ones((3, 3), np.float32)
    assert smooth(point, 0) is point
    assert (smooth(2 * point, 40) == 2).all()
