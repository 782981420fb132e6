"""The picture of importance: what it shows, and that it is always the same bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facewave import figures
from facewave.study.explanation import explanation
from facewave.study.face_map import REGIONS

SCALES = ("level", "1", "1/3 to 1/2")


@pytest.fixture
def draw(
    face: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[dict[str, tuple[str, ...]]], Figure]:
    """Draws a table of these kinds and returns the figure that was saved."""
    saved: list[Figure] = []
    monkeypatch.setattr(figures, "save", lambda figure, path: saved.append(figure))

    def drawn(kinds: dict[str, tuple[str, ...]]) -> Figure:
        explanation(importances(kinds), face, 1.7, "mlp on a corpus", tmp_path / "a.png")
        return saved[-1]

    return drawn


def importances(kinds: dict[str, tuple[str, ...]], measure: str = "uar") -> pd.DataFrame:
    """The more to the end of its kind, the more important; the last by 0.2."""
    rows = [
        (kind, name, measure, value, 0.01, value - 0.05, value + 0.06)
        for kind, names in kinds.items()
        for name, value in zip(names, np.linspace(-0.02, 0.2, len(names)), strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["kind", "name", "measure", "importance", "spread", "low", "high"]
    )


KINDS = {
    "block": ("blendshapes",),
    "blendshape": tuple(f"mouth{i:02}" for i in range(52)),
    "region": ("head", *REGIONS),
    "part": tuple(f"{i} of 4" for i in range(1, 5)),
    "scale": SCALES,
}
PLACES = {"block": ("head", "pose_free"), "place": tuple(f"{i} of 64" for i in range(64))}


def titled(figure: Figure, title: str) -> Any:
    (found,) = (axes for axes in figure.axes if axes.get_title() == title)
    return found


def ticks(axes: Any) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def lengths(axes: Any) -> list[float]:
    """Of horizontal bars."""
    return [round(float(bar.get_width()), 6) for bar in axes.containers[0]]


def lines(axes: Any) -> list[list[float]]:
    """From where to where each of the lines goes over a horizontal bar, thin ones first."""
    return [
        [round(float(x), 6) for x in segment[:, 0]]
        for collection in axes.collections
        for segment in collection.get_segments()
    ]


def test_the_most_important_come_first_but_parts_and_scales_in_their_order(
    draw: Callable[..., Figure],
) -> None:
    figure = draw(KINDS)
    axes = titled(figure, "Blendshapes, 12 of 52")
    assert ticks(axes) == [f"mouth{i}" for i in range(51, 39, -1)]
    assert lengths(axes)[0] == 20
    assert lengths(axes) == sorted(lengths(axes), reverse=True)
    found = lines(axes)
    assert found[0] == [15, 26]  # the interval
    assert found[12] == [19, 21]  # the spread
    bottom, top = axes.get_ylim()
    assert bottom > top  # so the first is on top
    scales = titled(figure, "Time scales")
    assert ticks(scales) == list(SCALES)
    assert lengths(scales) == [-2, 9, 20]
    parts = titled(figure, "Parts of the clip")
    heights = [round(float(bar.get_height()), 3) for bar in parts.containers[0]]
    assert heights == [-2, 5.333, 12.667, 20]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in parts.containers[0]]
    assert middles == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert "1.7 s" in parts.get_xlabel()
    said = titled(figure, "Regions of the face").texts[0].get_text()
    assert said.startswith("jaw 20.0,")
    assert "head -2.0" in said


def test_the_mesh_has_the_regions_colours(draw: Callable[..., Figure], face: np.ndarray) -> None:
    figure = draw(KINDS)
    mesh = titled(figure, "Regions of the face").collections[0]
    heights = np.array([path.vertices[:3, 1].mean() for path in mesh.get_paths()])
    darkest = heights[mesh.get_array() > 19.9]
    assert len(darkest) > 20
    assert np.median(darkest) < face[14, 1]  # the jaw: below the mouth


def test_without_time_and_blendshapes_there_are_places_and_blocks(
    draw: Callable[..., Figure],
) -> None:
    figure = draw(PLACES)
    assert ticks(titled(figure, "Inputs")) == ["pose_free", "head"]
    assert len(titled(figure, "Numbers of each trajectory").containers[0]) == 64
