"""The detector's answer: where its anchors are, what its numbers mean, and which boxes are one."""

import numpy as np

from facewave.landmarks.engines import detector


def test_anchors_are_the_middles_of_two_grids() -> None:
    anchors = detector.anchors()
    assert anchors.shape == (896, 2)
    fine, coarse = 16 * anchors[[0, 1, 2, 511]], 8 * anchors[[512, 517, 518, 895]]
    np.testing.assert_allclose(fine, [[0.5, 0.5], [0.5, 0.5], [1.5, 0.5], [15.5, 15.5]])
    np.testing.assert_allclose(coarse, [[0.5, 0.5], [0.5, 0.5], [1.5, 0.5], [7.5, 7.5]])


def test_boxes_of_one_face_become_their_weighted_mean() -> None:
    answers, logits = np.zeros((896, 16), np.float32), np.full(896, -100, np.float32)
    score = np.array([0.9, 0.6, 0.7, 0.95, 0.49])
    rows = np.array([600, 601, 20, 700, 300])
    logits[rows] = np.log(score / (1 - score))
    anchors = detector.anchors()
    # Two boxes a little apart, one elsewhere, one of a negative width, and one that is unlikely.
    corners = np.array([[0.2, 0.2], [0.24, 0.2], [0.7, 0.7], [0.5, 0.5], [0.0, 0.0]])
    answers[rows, :2] = 128 * (corners + 0.1 - anchors[rows])
    answers[rows, 2:4] = 128 * 0.2
    answers[700, 2] = -1
    answers[rows, 4::2] = 128 * (corners[:, :1] + 0.05 - anchors[rows, :1])
    answers[rows, 5::2] = 128 * (corners[:, 1:] + 0.06 - anchors[rows, 1:])
    scores, boxes, points = detector.decode(answers, logits)
    np.testing.assert_allclose(scores, [0.9, 0.7], atol=1e-6)  # the best box's of each
    left = (0.9 * 0.2 + 0.6 * 0.24) / 1.5
    expected = [[left, 0.2, left + 0.2, 0.4], [0.7, 0.7, 0.9, 0.9]]
    np.testing.assert_allclose(boxes, expected, atol=1e-5)
    assert points.shape == (2, 6, 2)
    np.testing.assert_allclose(points[:, 3], [[left + 0.05, 0.26], [0.75, 0.76]], atol=1e-5)
    answers[601, 2] = 128 * 0.05  # 0.03 x 0.2 of 0.22 x 0.2: another face
    assert len(detector.decode(answers, logits).scores_N) == 3
    none = detector.decode(answers, np.full(896, -200, np.float32))
    assert [values.shape for values in none] == [(0,), (0, 4), (0, 6, 2)]


def test_what_it_sees_is_in_minus_one_to_one() -> None:
    picture = np.array([[[0, 255, 51]]], np.uint8)
    np.testing.assert_allclose(detector.values(picture), [[[-1, 1, -0.6]]], atol=1e-6)
    assert detector.values(picture).dtype == np.float32
