"""Cuts as videos of their own: which frames, and what of the picture, are in each."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facewave.app.timeline import cut_out
from facewave.app.timeline.cut_out import Cut
from facewave.video import Clip
from making_timeline import PLACES, recording

FPS, WIDTH, HEIGHT = 5.0, 640, 480


def write_film(path: Path) -> None:
    """24 s; frame n is 2 n bright, with a brighter spot where each person is."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (WIDTH, HEIGHT))
    for t in range(120):
        picture = np.full((HEIGHT, WIDTH, 3), 2 * t, np.uint8)
        for x, y in PLACES.values():
            cv2.circle(picture, (round(x * WIDTH), round(y * HEIGHT)), 12, (255, 255, 255), -1)
        writer.write(picture)
    writer.release()


@pytest.mark.slow
def test_a_cut_has_its_own_frames_around_its_person(tmp_path: Path) -> None:
    write_film(tmp_path / "talk.mp4")
    spans = [(0, 9.0, 11.0), (1, 8.0, 10.0), (0, 8.0, 9.0), (0, 15.0, 24.0)]
    cuts = [Cut(*span, tmp_path / f"cuts/{at}.mp4") for at, span in enumerate(spans)]
    squares = cut_out.write(recording(tmp_path / "talk.mp4", fps=FPS), cuts, 25.0)
    assert [square.first for square in squares] == [45, 40, 40, 75]
    for cut, square in zip(cuts, squares, strict=True):
        frames = list(Clip(cut.file, 25).frames())
        assert len(frames) == round((cut.end - cut.start) * FPS)
        np.testing.assert_allclose(
            [f.time for f in frames], np.arange(len(frames)) / FPS, atol=1e-3
        )
        pictures = np.stack([frame.picture for frame in frames if frame.picture is not None])
        assert pictures.shape[1:3] == (square.side, square.side)
        assert square.side % 2 == 0
        levels = pictures[:, 2:8, 2:8].mean(axis=(1, 2, 3))
        np.testing.assert_allclose(levels, 2 * (square.first + np.arange(len(frames))), atol=6)
        # The spot of the person is in the middle.
        y, x = np.nonzero(pictures[0].mean(axis=2) > 240)
        middle = np.array(PLACES[cut.person]) * (WIDTH, HEIGHT) - (square.left, square.top)
        near = np.hypot(x - middle[0], y - middle[1]) < 20
        assert near.sum() > 300
        np.testing.assert_allclose(middle, square.side / 2, atol=12)
        assert square.side >= 0.2 * WIDTH * 1.5
