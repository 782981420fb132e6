"""What all figures share: points that hide no face, titles that fit, colours that stay."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from facewave import figures


def shown(size: float) -> np.ndarray:
    """A grey picture with a face of this share of its width, drawn; RGB."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3)).astype(np.float32) * size + 0.5
    points[0] = np.nan  # one is not known
    figure = Figure((4, 4))
    axes = figure.add_axes((0, 0, 1, 1))
    figures.frame(axes, 1.5, np.full((90, 90, 3), 99, np.uint8), points, 8)
    assert axes.get_title() == "1.50 s"
    figures.save(figure, Path("a.png"))
    with Image.open("a.png") as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_points_cover_as_little_of_a_small_face_as_of_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for size in (0.8, 0.2, 0.06):
        picture = shown(size)
        middle, half = len(picture) // 2, round(size * len(picture) / 2)
        face = picture[middle - half : middle + half, middle - half : middle + half]
        share = (np.abs(face - 99).max(axis=2) > 60).mean()
        assert share < 0.1
        assert (np.abs(face - 99).max(axis=2) > 5).any()


def test_a_frame_without_a_face_says_so_in_a_colour_that_stays(tmp_path: Path) -> None:
    figure = Figure((3, 3), layout="constrained")
    axes = figure.add_subplot()
    noise = np.random.default_rng(0).integers(120, 255, (90, 90, 3), np.uint8)
    figures.frame(axes, 0.5, noise, None, 8)
    figures.entitle(figure, f"{'word ' * 30}\nsecond")
    assert axes.get_title() == "0.50 s, no face"
    assert len(figure.get_suptitle().splitlines()) == 5
    for name in ("a.png", "b.png"):
        figures.save(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (576, 576)
        assert image.info["dpi"] == pytest.approx((192, 192), abs=0.1)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    title = pixels[40:200]
    alert = [int(figures.ALERT[at : at + 2], 16) for at in (1, 3, 5)]
    assert (np.abs(title - alert).max(axis=2) < 8).any()
