"""The pictures of numbers and action units: what is drawn in them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from facewave.evaluation import continuous, number_plots
from facewave.evaluation.continuous import Values, sums
from facewave.evaluation.traces import Trace
from making_results import drawn_figures

Drawn = dict[str, Figure]


@pytest.fixture
def drawn() -> Iterator[Drawn]:
    """The figures that are saved, by their files' names."""
    with drawn_figures() as figures:
        yield figures


def values(actual: Any, predicted: Any) -> Values:
    n = len(actual)
    one, other = (np.array(numbers, float).reshape(n, -1) for numbers in (actual, predicted))
    return Values(one, other, np.zeros(n, np.int64), np.arange(n))


def figures_of(made: Values, targets: list[str]) -> dict[str, Any]:
    """The CCC by target, as report.json has it."""
    ccc_T = continuous.overall(sums(made))["ccc"]
    return {
        name: {"ccc": None if np.isnan(ccc) else float(ccc)}
        for name, ccc in zip(targets, ccc_T, strict=False)
    }


@pytest.mark.parametrize("n_targets", [1, 2, 4])
def test_each_target_has_a_panel_with_the_clips_that_have_it(
    drawn: Drawn, tmp_path: Path, n_targets: int
) -> None:
    actual = np.tile([[0.0], [2], [4], [6]], n_targets)
    predicted = np.tile([[5.0], [7], [0], [1]], n_targets)
    actual[1, 0] = np.nan
    made = values(actual, predicted)
    targets = [f"score.{t}" for t in range(n_targets)]
    known = figures_of(made, targets)
    number_plots.scatter(made, known, targets, "a test", tmp_path / "a.png")
    panels = drawn["a"].axes
    assert drawn["a"].get_suptitle() == "a test"
    for t, axes in enumerate(panels):
        n = 4 - (t == 0)
        title = f"score.{t}: CCC {known[targets[t]]['ccc']:.2f}, n = {n} test clips"
        assert axes.get_title() == title
        inside = ~np.isnan(actual[:, t])
        expected = np.column_stack([actual[inside, t], predicted[inside, t]])
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), expected)
        assert axes.get_aspect() == 1
        assert np.asarray(axes.lines[0].get_xydata()).tolist() == [[0, 0], [expected.max()] * 2]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("actual", "predicted")
    assert len(panels) == n_targets


def test_a_target_without_clips_or_variance_has_no_ccc(drawn: Drawn, tmp_path: Path) -> None:
    for actual in (np.nan, 1.0):
        made = values([actual], [1.0])
        known = figures_of(made, ["valence"])
        number_plots.scatter(made, known, ["valence"], "a test", tmp_path / "a.png")
        assert drawn["a"].axes[0].get_title().startswith("valence: no CCC, n = ")


def test_of_many_clips_the_density_is_drawn(drawn: Drawn, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(-1, 1, (2500, 2))
    made = values(actual, 0.5 * actual)
    number_plots.scatter(
        made, figures_of(made, ["a", "b"]), ["a", "b"], "a test", tmp_path / "scatter.png"
    )
    number_plots.plane(made, "a test", tmp_path / "plane.png")
    for axes in drawn["scatter"].axes:
        counts = axes.collections[0].get_array()
        assert counts is not None
        assert counts.sum() == 2500
    left, right, _ = drawn["plane"].axes
    for axes, area in ((left, 1.0), (right, 0.25)):
        counts = np.ma.filled(np.ma.asarray(axes.collections[0].get_array()), np.nan)
        assert np.nansum(counts) == 2500
        filled = np.isfinite(counts).mean()
        assert filled == pytest.approx(area, abs=0.02)


def test_truth_and_answers_lie_in_one_plane_and_errors_in_its_regions(
    drawn: Drawn, tmp_path: Path
) -> None:
    actual = [[0.9, 0.9], [0.6, 0.7], [-0.9, -0.1], [np.nan, 0.2]]
    made = values(actual, [[0.9, 0.5], [0.6, 0.7], [-0.1, 0.5], [0, 0]])
    number_plots.plane(made, "a test", tmp_path / "plane.png")
    left, right = drawn["plane"].axes
    assert left.get_title() == "actual, n = 3 test clips"  # with both numbers
    np.testing.assert_array_equal(left.collections[0].get_offsets(), made.actual_nT[:3])
    np.testing.assert_array_equal(right.collections[0].get_offsets(), made.predicted_nT[:3])
    assert left.get_xlim() == right.get_xlim()
    assert [np.asarray(line.get_xydata())[0].tolist() for line in left.lines] == [[0, 0], [0, 0]]
    number_plots.regions(made, "a test", tmp_path / "regions.png")
    axes = drawn["regions"].axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0.75, 0.75): "0.20\nn = 2", (-0.75, -0.25): "1.00\nn = 1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("actual valence", "actual arousal")


def test_coverage_and_units_are_bars_of_what_is_defined(drawn: Drawn, tmp_path: Path) -> None:
    bounded = {"coverage": 0.875, "coverage_low": 0.8, "coverage_high": 0.95, "width": 1.25}
    known = {"valence": bounded, "arousal": dict.fromkeys(bounded)}
    number_plots.coverage(known, ["valence", "arousal"], "a test", tmp_path / "a.png")
    axes = drawn["a"].axes[0]
    assert [bar.get_width() for bar in axes.patches] == [87.5]  # type: ignore[attr-defined]
    assert axes.get_yticklabels()[0].get_text() == "valence, mean width 1.25"
    assert np.asarray(axes.lines[0].get_xdata())[0] == 90
    for measure, times in (("f1", 100), ("icc", 1)):
        of = {measure: 0.5, f"{measure}_low": 0.25, f"{measure}_high": 0.75, "prevalence": 0.1}
        units = {"AU1": of, "AU2": dict.fromkeys(of), "AU4": of, "mean": of}
        number_plots.units(units, measure, ["AU1", "AU2", "AU4"], "a test", tmp_path / "b.png")
        axes = drawn["b"].axes[0]
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == (["AU1 (10%)", "AU4 (10%)"] if times == 100 else ["AU1", "AU4"])
        assert [bar.get_width() for bar in axes.patches] == [0.5 * times] * 2  # type: ignore[attr-defined]
        lines: Any = axes.collections[0]
        segments = lines.get_segments()
        assert segments[0][:, 0].tolist() == [0.25 * times, 0.75 * times]
    del drawn["a"], drawn["b"]
    nothing = {"valence": dict.fromkeys(bounded)}
    number_plots.coverage(nothing, ["valence"], "a test", tmp_path / "a.png")
    number_plots.units({"AU1": {"f1": None}}, "f1", ["AU1"], "a test", tmp_path / "b.png")
    assert not drawn


def test_traces_are_those_of_the_best_the_median_and_the_worst_clip(
    drawn: Drawn, tmp_path: Path
) -> None:
    time = np.linspace(0, 6, 61)
    truth = np.sin(time)[:, None]
    some = [
        Trace(f"clips/{name}.mp4", "1", time, truth, truth * by, truth * by - 1, truth * by + 1)
        for name, by in (("a", 0.5), ("b", 1.0), ("c", -1.0), ("d", 0.8), ("e", 0.1))
    ]
    some.append(replace(some[0], file_path="f", actual_fT=0 * truth, predicted_fT=0 * truth))
    number_plots.traces(some, ["valence"], "a test", tmp_path / "a.png")
    panels = drawn["a"].axes
    assert [axes.get_title() for axes in panels] == [
        "b.mp4, valence: CCC 1.00",
        "a.mp4, valence: CCC 0.80",
        "c.mp4, valence: CCC -1.00",
    ]
    actual, predicted = (line.get_ydata() for line in panels[1].lines[:2])
    np.testing.assert_array_equal(actual, truth[:, 0])
    np.testing.assert_array_equal(predicted, 0.5 * truth[:, 0])
    title = drawn["a"].get_suptitle().replace("\n", " ")
    assert "of 6 test clips those with the best, the median and the worst mean CCC" in title
    number_plots.traces(some[1:3], ["valence"], "a test", tmp_path / "c.png")
    assert "those with the best and the worst mean CCC" in drawn["c"].get_suptitle().replace(
        "\n", " "
    )
    assert [axes.get_title()[:5] for axes in drawn["c"].axes] == ["b.mp4", "c.mp4"]
    number_plots.traces(some[5:], ["valence"], "a test", tmp_path / "b.png")
    assert drawn["b"].axes[0].get_title() == "f, valence: no CCC"
