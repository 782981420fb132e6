"""The two pictures: what stands in them, that they are pictures, and always the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facewave import figures
from facewave.evaluation import explained
from facewave.evaluation.face_map import REGIONS
from facewave.landmarks import schema
from running import ROOT

SHARD = ROOT / "data/trajectories/demo/part-00000.parquet"
SCALES = ("level", "1", "1/3 to 1/2")


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    entry = schema.entries(SHARD)[0]
    clip = schema.read_clip(SHARD, entry.row_group, entry.row_groups)
    return np.nanmean(schema.without_pose(clip, entry.facts).pose_free_TPC, axis=0)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, beside their files."""
    kept: list[Figure] = []
    save = figures.save

    def keep(figure: Figure, path: Path) -> None:
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(figures, "save", keep)
    return kept


def importances(kinds: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """The more to the end of its kind, the more important; the last by 0.2."""
    rows = [
        (kind, name, value, 0.01, value - 0.05, value + 0.06)
        for kind, names in kinds.items()
        for name, value in zip(names, np.linspace(-0.02, 0.2, len(names)), strict=True)
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "importance", "spread", "low", "high"])


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


def ticks(axes: Any, axis: str = "y") -> list[str]:
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    return [label.get_text() for label in labels]


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


def test_the_most_important_blendshapes_come_first(
    face: np.ndarray, saved: list[Figure], tmp_path: Path
) -> None:
    explained.explanation(importances(KINDS), face, 1.7, "mlp on a corpus", tmp_path / "a.png")
    axes = titled(saved[0], "Blendshapes, 12 of 52")
    assert ticks(axes) == [f"mouth{i}" for i in range(51, 39, -1)]
    assert lengths(axes)[0] == 20
    assert lengths(axes) == sorted(lengths(axes), reverse=True)
    found = lines(axes)
    assert found[0] == [15, 26]  # the interval
    assert found[12] == [19, 21]  # the spread
    bottom, top = axes.get_ylim()
    assert bottom > top  # so the first is on top


def test_parts_and_scales_are_in_their_order(
    face: np.ndarray, saved: list[Figure], tmp_path: Path
) -> None:
    explained.explanation(importances(KINDS), face, 1.7, "mlp on a corpus", tmp_path / "a.png")
    scales = titled(saved[0], "Time scales")
    assert ticks(scales) == list(SCALES)
    assert lengths(scales) == [-2, 9, 20]
    parts = titled(saved[0], "Parts of the clip")
    heights = [round(float(bar.get_height()), 3) for bar in parts.containers[0]]
    assert heights == [-2, 5.333, 12.667, 20]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in parts.containers[0]]
    assert middles == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert "1.7 s" in parts.get_xlabel()
    said = titled(saved[0], "Regions of the face").texts[0].get_text()
    assert said.startswith("jaw 20.0,")
    assert "head -2.0" in said


def test_the_mesh_has_the_regions_colours(
    face: np.ndarray, saved: list[Figure], tmp_path: Path
) -> None:
    explained.explanation(importances(KINDS), face, 1.7, "mlp on a corpus", tmp_path / "a.png")
    mesh = titled(saved[0], "Regions of the face").collections[0]
    heights = np.array([path.vertices[:3, 1].mean() for path in mesh.get_paths()])
    darkest = heights[mesh.get_array() > 19.9]
    assert len(darkest) > 20
    assert darkest.max() < face[14, 1]  # the jaw: below the mouth


def test_without_time_and_blendshapes_there_are_places_and_blocks(
    face: np.ndarray, saved: list[Figure], tmp_path: Path
) -> None:
    explained.explanation(importances(PLACES), face, 1.7, "mlp on a corpus", tmp_path / "a.png")
    assert ticks(titled(saved[0], "Inputs")) == ["pose_free", "head"]
    assert len(titled(saved[0], "Numbers of each trajectory").containers[0]) == 64


ROWS = [
    ("all", "", 60, 0.6, 0.5, 0.7),
    ("yaw", "0.5 to 2.5°", 20, 0.8, 0.7, 0.9),
    ("yaw", "2.6 to 9°", 37, 0.4, 0.3, 0.5),
    ("yaw", "not known", 3, 0.2, np.nan, np.nan),
    ("fps", "24 frames/s", 30, 0.6, 0.5, 0.7),
    ("fps", "30 frames/s", 30, 0.6, 0.5, 0.7),
    *(("subject", f"s{i:02}", 6, 0.5, 0.2, 0.9) for i in range(10)),
]


def robustness(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["condition", "range", "n", "uar", "uar_low", "uar_high"])


def test_each_condition_is_a_panel_with_its_ranges(saved: list[Figure], tmp_path: Path) -> None:
    explained.robustness(robustness(ROWS), "mlp on a corpus", tmp_path / "a.png")
    assert [axes.get_title() for axes in saved[0].axes] == ["yaw", "fps", "subject"]
    yaw = titled(saved[0], "yaw")
    assert ticks(yaw, "x") == ["0.5 to\n2.5°\nn = 20", "2.6 to 9°\nn = 37", "not known\nn = 3"]
    assert ticks(titled(saved[0], "fps"), "x")[0] == "24\nframes/s\nn = 30"
    intervals, points = yaw.collections
    heights = [segment[:, 1].round(6).tolist() for segment in intervals.get_segments()[:2]]
    assert heights == [[70, 90], [30, 50]]
    assert points.get_offsets()[:, 1].round(6).tolist() == [80, 40, 20]
    colours = {tuple(colour) for colour in points.get_facecolors()}
    assert len(colours) == 2  # what has no interval looks different
    assert yaw.lines[0].get_ydata() == [60, 60]
    assert "all 60 test clips" in saved[0].get_suptitle()


def test_many_subjects_go_without_names(saved: list[Figure], tmp_path: Path) -> None:
    many = [("subject", f"s{i:03}", 6, 0.5, 0.2, 0.9) for i in range(200)]
    explained.robustness(robustness([ROWS[0], *many]), "mlp on a corpus", tmp_path / "a.png")
    axes = titled(saved[0], "subject")
    assert ticks(axes, "x") == []
    assert len(axes.collections[1].get_offsets()) == 200


def test_nothing_but_the_whole_is_a_picture_too(tmp_path: Path) -> None:
    explained.robustness(robustness(ROWS[:1]), "mlp on a corpus", tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_the_same_picture_is_the_same_bytes(face: np.ndarray, tmp_path: Path) -> None:
    made = importances(KINDS)
    for name in "ab":
        explained.explanation(made, face, 1.7, "mlp", tmp_path / f"{name}.png")
        explained.robustness(robustness(ROWS), "mlp", tmp_path / f"{name}{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "aa.png").read_bytes() == (tmp_path / "bb.png").read_bytes()
    made.loc[made["name"] == "eyes", "importance"] = 0.0
    explained.explanation(made, face, 1.7, "mlp", tmp_path / "c.png")
    one, other = (cv2.imread(str(tmp_path / f"{name}.png")) for name in "ac")
    assert one is not None
    assert other is not None
    assert one.shape == other.shape
    changed = (one != other).any(axis=2)
    assert changed[:, : one.shape[1] // 3].mean() > 0.02  # the face, and nothing to its right
    assert not changed[:, one.shape[1] // 2 :].any()
