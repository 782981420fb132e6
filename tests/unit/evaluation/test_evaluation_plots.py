"""The pictures of answers against labels: what is drawn in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facewave import figures
from facewave.evaluation import measures, plots

ROWS = [
    ("all", "", 60, 0.6, 0.5, 0.7),
    ("yaw", "0.5 to 2.5°", 20, 0.8, 0.7, 0.9),
    ("yaw", "2.6 to 9°", 37, 0.4, 0.3, 0.5),
    ("yaw", "not known", 3, 0.2, np.nan, np.nan),
    ("fps", "24 fps", 30, 0.6, 0.5, 0.7),
    ("fps", "30 fps", 30, 0.6, 0.5, 0.7),
    *(("subject", f"s{i:02}", 6, 0.5, 0.2, 0.9) for i in range(10)),
]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are saved, beside their files."""
    kept: list[Any] = []
    save = figures.save

    def keep(figure: Figure, path: Path) -> None:
        kept.append(figure)
        save(figure, path)
        assert path.stat().st_size > 1000

    monkeypatch.setattr(figures, "save", keep)
    return kept


def ticks(axes: Any, axis: str) -> list[str]:
    labels = axes.get_yticklabels() if axis == "y" else axes.get_xticklabels()
    return [label.get_text() for label in labels]


def test_the_confusion_has_actual_words_in_rows_and_a_column_for_what_is_unreadable(
    saved: list[Any], tmp_path: Path
) -> None:
    for counts, names in (
        ([[3, 2], [0, 2]], ["happy", "sad"]),
        ([[3, 0, 1], [0, 0, 2]], ["happy", "sad", "unreadable"]),
        ([[1, 3], [0, 0]], ["happy", "sad"]),
    ):
        array = np.array(counts, float)
        plots.confusion(array, ("happy", "sad"), "a test", tmp_path / "a.png")
        axes = saved[-1].axes[0]
        assert saved[-1].get_suptitle() == f"a test\nn = {array.sum():.0f} test clips"
        assert (ticks(axes, "x"), ticks(axes, "y")) == (names, ["happy", "sad"])
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
        shares = array / np.maximum(array.sum(1), 1)[:, None]  # a class may have no clips
        np.testing.assert_allclose(axes.images[0].get_array(), shares)
        texts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
        assert texts == {
            (j, i): (str(counts[i][j]), "white" if shares[i, j] > 0.5 else "black")
            for i, j in np.argwhere(array)
        }


def test_each_condition_is_a_panel_with_its_ranges(saved: list[Any], tmp_path: Path) -> None:
    columns = ["condition", "range", "n", "uar", "uar_low", "uar_high"]
    plots.robustness(
        pd.DataFrame(ROWS, columns=columns), "uar", 0.25, "mlp on a corpus", tmp_path / "a.png"
    )
    yaw, fps, subject = saved[0].axes
    assert [axes.get_title() for axes in saved[0].axes] == [
        "head turned to a side",
        "frame rate",
        "subject",
    ]
    assert [axes.get_ylabel() for axes in saved[0].axes] == ["UAR (%)", "", "UAR (%)"]
    names = ["0.5 to\n2.5°\nn = 20", "2.6 to\n9°\nn = 37", "not\nknown\nn = 3"]
    assert ticks(yaw, "x") == names
    assert ticks(fps, "x")[0] == "24\u00a0fps\nn = 30"
    intervals, points = yaw.collections
    heights = [segment[:, 1].round(6).tolist() for segment in intervals.get_segments()[:2]]
    assert heights == [[70, 90], [30, 50]]
    assert points.get_offsets()[:, 1].round(6).tolist() == [80, 40, 20]
    assert len({tuple(colour) for colour in points.get_facecolors()}) == 2  # without an interval
    assert [list(line.get_ydata()) for line in yaw.lines] == [[60, 60], [25, 25]]
    assert "all 60 test clips; dotted: chance, 25.0 %" in saved[0].get_suptitle()
    many = [ROWS[0], *(("subject", f"s{i:03}", 6, 0.5, 0.2, 0.9) for i in range(200))]
    plots.robustness(
        pd.DataFrame(many, columns=columns), "uar", 0.25, "mlp on a corpus", tmp_path / "a.png"
    )
    (subject,) = saved[1].axes
    assert ticks(subject, "x") == []  # no room for 200 names
    assert len(subject.collections[1].get_offsets()) == 200
    only = pd.DataFrame(ROWS[:1], columns=columns)
    plots.robustness(only, "uar", 0.25, "a test", tmp_path / "a.png")
    assert saved[2].axes == []
    numbers = pd.DataFrame(ROWS, columns=columns)
    numbers = numbers.rename(columns=lambda name: name.replace("uar", "ccc"))
    numbers.loc[1, ["ccc", "ccc_low"]] = [-0.1, -0.4]
    plots.robustness(numbers, "ccc", None, "a test", tmp_path / "a.png")
    yaw = saved[3].axes[0]
    assert yaw.get_ylabel() == "CCC"
    assert yaw.collections[1].get_offsets()[0, 1] == -0.1
    assert yaw.get_ylim()[0] < -0.4
    assert [list(line.get_ydata()) for line in yaw.lines] == [[0.6, 0.6], [0, 0]]
    assert "dashed: all 60 test clips; dotted: 0. Without" in saved[3].get_suptitle()


def test_each_partition_is_named_once_with_or_without_validation(
    saved: list[Any], tmp_path: Path
) -> None:
    for name, losses in (("split", ["train_loss", "val_loss"]), ("1", ["train_loss"])):
        folder = tmp_path / name / "plots/metrics"
        folder.mkdir(parents=True)
        for loss in losses:
            (folder / f"{loss}.tsv").write_text(f"step\t{loss}\n0\t1.5\n1\t1.0\n", "utf-8")
    folders = {name: tmp_path / name for name in ("split", "1")}
    for chance, lines, top in ((None, 3, None), (1.25, 4, 2.5)):
        plots.curves(folders, ("epoch", "nats"), chance, "a test", tmp_path / "a.png")
        (axes,) = saved[-1].axes
        assert axes.get_legend_handles_labels()[1] == ["split", "fold 1"]
        assert len(axes.lines) == lines
        assert axes.get_ylim()[0] == 0
        assert top in (None, axes.get_ylim()[1])  # the same whatever the losses


def test_the_reliability_of_each_bin_that_has_clips(saved: list[Any], tmp_path: Path) -> None:
    columns = ["partition", "video_idx", "file_path", "subject", "source"]
    rows = pd.DataFrame([["1", f"{i}", f"{i}.mp4", "", ""] for i in range(5)], columns=columns)
    rows["actual"] = ["happy", "happy", "sad", "sad", "sad"]
    rows["predicted"] = ["happy", "happy", "happy", "sad", "happy"]
    rows["p_happy"] = [0.93, 0.91, 0.92, 0.45, 0.95]
    rows["p_sad"] = 1 - rows["p_happy"]
    answers = measures.from_table(rows, ("happy", "sad"))
    bins = measures.reliability(answers)
    assert bins.clips.tolist() == [0] * 8 + [1] + [0] * 4 + [3, 1]
    np.testing.assert_allclose(bins.confidence[[8, 13, 14]], [0.55, 0.92, 0.95])
    np.testing.assert_allclose(bins.accuracy[[8, 13, 14]], [1, 2 / 3, 0])
    assert np.isnan(bins.accuracy).sum() == np.isnan(bins.confidence).sum() == 12
    gaps = bins.clips * np.abs(bins.accuracy - bins.confidence) / 5
    assert np.nansum(gaps) == pytest.approx(measures.calibration_error(answers)[0])
    plots.reliability(bins, "a test", tmp_path / "a.png")
    upper, lower = saved[0].axes
    np.testing.assert_allclose(upper.lines[1].get_ydata(), 100 * bins.accuracy)
    assert [bar.get_height() for bar in lower.patches] == bins.clips.tolist()
    assert saved[0].get_suptitle() == "a test\nn = 5 test clips"
