"""The pictures of answers against labels: what stands in them, by their pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facewave import figures
from facewave.evaluation import continuous, plots
from facewave.evaluation.continuous import Values

WORDS = ("happy", "sad")
ALL, NONE = (8, 48, 107), (247, 251, 255)  # of a row's clips, in the colours of the confusion
POINT = (143, 187, 218)  # matplotlib's first colour, half transparent on white

Box = tuple[int, int, int, int]


def boxes(path: Path, color: tuple[int, int, int], least: int) -> list[Box]:
    """Left, top, width and height of the connected patches of a colour, from left to right."""
    picture = cv2.imread(str(path))
    assert picture is not None
    distance = np.abs(picture[:, :, ::-1].astype(int) - color).max(axis=2)
    mask = (distance < 4).astype(np.uint8)
    found = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
    return sorted(tuple(box[:4].tolist()) for box in found if box[4] >= least)


def confusion(path: Path, predicted: list[str]) -> Path:
    """Of two clips, one happy and one sad."""
    counts = np.zeros((2, 3 if "" in predicted else 2))
    for code, word in enumerate(predicted):
        counts[code, [*WORDS, ""].index(word)] += 1
    plots.confusion(counts, WORDS, "a test", path)
    return path


def test_right_answers_lie_on_the_diagonal_and_there_is_no_other_column(tmp_path: Path) -> None:
    path = confusion(tmp_path / "a.png", ["happy", "sad"])
    happy, sad = boxes(path, ALL, least=2000)
    empty = boxes(path, NONE, least=2000)
    assert [box[2:] for box in empty] == [pytest.approx(happy[2:], abs=2)] * 2
    assert sad[0] == pytest.approx(happy[0] + happy[2], abs=2)
    assert sad[1] == pytest.approx(happy[1] + happy[3], abs=2)


def test_unreadable_answers_are_a_column_after_the_classes(tmp_path: Path) -> None:
    path = confusion(tmp_path / "a.png", ["", ""])
    ((left, top, width, height),) = boxes(path, ALL, least=2000)
    assert height == pytest.approx(2 * width, abs=3)
    ((empty_left, empty_top, empty_width, _),) = boxes(path, NONE, least=2000)
    assert empty_width == pytest.approx(2 * width, abs=3)
    assert (empty_left + empty_width, empty_top) == pytest.approx((left, top), abs=3)


def test_an_unreadable_answer_counts_for_its_class(tmp_path: Path) -> None:
    happy, sad = boxes(confusion(tmp_path / "a.png", ["happy", ""]), ALL, least=2000)
    assert sad[0] == pytest.approx(happy[0] + 2 * happy[2], abs=3)
    assert sad[1] == pytest.approx(happy[1] + happy[3], abs=2)


def scatter(path: Path, actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> Path:
    n, n_targets = actual.shape
    made = Values(actual, predicted, np.zeros(n, np.int64), np.arange(n))
    ccc_T = continuous.overall(made)["ccc"]
    plots.scatter(made, ccc_T, [f"score.{t}" for t in range(n_targets)], "a test", path)
    return path


def points(path: Path) -> list[Box]:
    return boxes(path, POINT, least=5)


def test_a_point_lies_across_from_its_actual_and_above_its_predicted_number(
    tmp_path: Path,
) -> None:
    actual, predicted = np.array([[0.0], [1], [9]]), np.array([[4.0], [8], [1]])
    (x, first, *_), (_, second, *_), (far, third, *_) = points(
        scatter(tmp_path / "a.png", actual, predicted)
    )
    assert (first - second) / (third - first) == pytest.approx(4 / 3, rel=0.1)
    # Both axes have the same scale.
    assert far - x == pytest.approx((third - second) * 9 / 7, abs=2)


@pytest.mark.parametrize(("n_targets", "panels"), [(1, (1, 1)), (2, (2, 1)), (4, (3, 2))])
def test_each_target_has_a_panel_with_the_clips_that_have_it(
    tmp_path: Path, n_targets: int, panels: tuple[int, int]
) -> None:
    actual = np.tile([[0.0], [2], [4], [6]], n_targets)
    actual[1, 0] = np.nan
    path = scatter(tmp_path / "a.png", actual, np.tile([[5.0], [7], [0], [1]], n_targets))
    assert len(points(path)) == 4 * n_targets - 1
    picture = cv2.imread(str(path))
    assert picture is not None
    height, width = picture.shape[:2]
    assert (width / 440, (height - 44) / 462) == pytest.approx(panels, abs=0.01)


def test_a_target_that_no_clip_has_is_an_empty_panel(tmp_path: Path) -> None:
    path = scatter(tmp_path / "a.png", np.full((3, 1), np.nan), np.zeros((3, 1)))
    assert points(path) == []


def test_the_same_answers_are_the_same_bytes(tmp_path: Path) -> None:
    actual, predicted = np.random.default_rng(0).normal(size=(2, 30, 2))
    one, other = (scatter(tmp_path / name, actual, predicted) for name in ("a.png", "b.png"))
    assert one.read_bytes() == other.read_bytes()
    one, other = (confusion(tmp_path / name, ["sad", ""]) for name in ("a.png", "b.png"))
    assert one.read_bytes() == other.read_bytes()
    for name in "ab":
        plots.robustness(robustness(ROWS), "mlp", tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


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


def titled(figure: Figure, title: str) -> Any:
    (found,) = (axes for axes in figure.axes if axes.get_title() == title)
    return found


def ticks(axes: Any, axis: str = "y") -> list[str]:
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    return [label.get_text() for label in labels]


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
    plots.robustness(robustness(ROWS), "mlp on a corpus", tmp_path / "a.png")
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
    plots.robustness(robustness([ROWS[0], *many]), "mlp on a corpus", tmp_path / "a.png")
    axes = titled(saved[0], "subject")
    assert ticks(axes, "x") == []
    assert len(axes.collections[1].get_offsets()) == 200


def test_nothing_but_the_whole_is_a_picture_too(tmp_path: Path) -> None:
    plots.robustness(robustness(ROWS[:1]), "mlp on a corpus", tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png")) is not None
