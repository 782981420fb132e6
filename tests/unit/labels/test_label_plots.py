"""The picture of a label table: it shows what there is, and is the same each time."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facewave import figures
from facewave.labels import plots
from facewave.labels.readers.mafw import COMPOUND
from facewave.labels.schema import SEVEN

# Of bars: the parts or folds in their order.
FIRST, SECOND, THIRD, FOURTH, FIFTH = (
    tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in figures.SERIES[:5]
)
FEW_AND_MANY = ((255, 255, 229), (102, 37, 6))  # rows, in the plane
PARTS = ("train", "train", "val", "test")


def clips(words: tuple[str, ...], each: int = 8) -> Any:
    """Kept rows: ``each`` clips of every word, in parts of an official split."""
    n = len(words) * each
    content = {
        "actual": np.repeat(words, each) if words else [],
        "split": [PARTS[i % 4] for i in range(n)],
        "fold": pd.array([pd.NA] * n, dtype="Int64"),
        "valence": [np.nan] * n,
        "arousal": [np.nan] * n,
    }
    return pd.DataFrame(content)


def test_rows_without_a_word_have_no_bars(tmp_path: Path) -> None:
    kept = clips(("",)).assign(valence=0.5, arousal=0.5)
    for words in ((), SEVEN):
        plots.overview(kept, words, "numbers", tmp_path / f"{len(words)}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "7.png").read_bytes()


def in_folds(words: tuple[str, ...]) -> Any:
    table = clips(words, each=10)
    return table.assign(fold=pd.array([i % 5 + 1 for i in range(len(table))], dtype="Int64"))


def on_the_plane(n: int, words: tuple[str, ...] = ("",)) -> Any:
    table = clips(words, each=n)
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.3, (2, len(table))).clip(-1, 1)
    return table.assign(valence=values[0], arousal=values[1])


def draw(path: Path, kept: Any, words: tuple[str, ...], title: str = "demo: a test") -> Any:
    """The picture as (height, width, 3), RGB, at 110 dots an inch."""
    plots.overview(kept, words, title, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    picture = cv2.imread(str(path))
    assert picture is not None
    size = [round(110 / 192 * length) for length in picture.shape[1::-1]]
    smaller = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(smaller, cv2.COLOR_BGR2RGB)


def area(picture: NDArray[np.uint8], colour: tuple[int, ...]) -> int:
    """How many pixels have a colour, nearly."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) <= 8).sum())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics/demo.png"


def test_of_an_official_split_there_is_a_bar_for_every_word_in_each_part(path: Path) -> None:
    picture = draw(path, clips(SEVEN), SEVEN)
    assert picture.shape == (462, 792, 3)
    train, val, test = (area(picture, colour) for colour in (FIRST, SECOND, THIRD))
    assert train > 7000
    # Four clips of each word train, two validate, two test; the legend adds to each.
    assert val / train == pytest.approx(0.5, abs=0.03)
    assert test / train == pytest.approx(0.5, abs=0.03)
    assert area(picture, FOURTH) == 0


def test_a_word_that_no_clip_has_keeps_its_place_and_has_no_bar(path: Path) -> None:
    whole = draw(path, clips(SEVEN), SEVEN)
    without_fear = draw(path, clips(SEVEN[:6]), SEVEN)
    assert whole.shape == without_fear.shape
    assert area(without_fear, FIRST) / area(whole, FIRST) == pytest.approx(6 / 7, abs=0.03)
    last_bar = (slice(60, 380), slice(690, 780))
    assert area(whole[last_bar], FIRST) > 500
    assert area(without_fear[last_bar], FIRST) < 200  # what is left is the legend's


def test_43_words_have_a_line_each(path: Path) -> None:
    assert len(COMPOUND) == 43
    picture = draw(path, in_folds(COMPOUND), COMPOUND)
    assert picture.shape == (898, 792, 3)
    areas = [area(picture, colour) for colour in (FIRST, SECOND, THIRD, FOURTH, FIFTH)]
    assert min(areas) > 10000
    assert max(areas) < 1.1 * min(areas)
    middle_of_a_bar = picture[:, 260]  # each word's bar starts with fold 1
    blue = np.abs(middle_of_a_bar.astype(int) - FIRST).max(axis=1) <= 8
    assert (np.diff(blue.astype(int)) == 1).sum() == 43


def test_without_words_there_is_the_plane_alone(path: Path) -> None:
    for n in [1, 300]:
        picture = draw(path, on_the_plane(n), ())
        assert picture.shape == (462, 792, 3)
        assert sum(area(picture, colour) for colour in FEW_AND_MANY) > 20
        assert area(picture, FIRST) < 20


def test_where_clips_lie_on_the_plane_there_is_colour(path: Path) -> None:
    corner = on_the_plane(40).assign(valence=0.95, arousal=0.95)
    other = corner.assign(valence=-0.95, arousal=-0.95)
    pictures = [draw(path, table, ()).astype(int) for table in (corner, other)]
    rows, columns = np.nonzero(np.abs(pictures[0] - pictures[1]).max(axis=2) > 60)
    assert rows.min() < 150
    assert rows.max() > 330
    assert columns.max() - columns.min() > 150


def test_words_and_plane_stand_side_by_side(path: Path) -> None:
    picture = draw(path, on_the_plane(30, SEVEN), SEVEN)
    assert picture.shape == (462, 1254, 3)
    half = draw(path, on_the_plane(30, SEVEN).assign(arousal=np.nan), SEVEN)
    assert half.shape == (462, 792, 3)  # rows without both numbers are not on the plane
    assert area(picture[:, :700], FIRST) > 3000
    assert area(picture[:, 750:], FIRST) == 0
    assert sum(area(picture[:, 750:], colour) for colour in FEW_AND_MANY) > 20


def test_the_same_table_makes_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    cases: list[tuple[Any, tuple[str, ...]]] = [(clips(SEVEN), SEVEN), (on_the_plane(300), ())]
    for kept, words in cases:
        pictures = []
        for table in (kept, kept, kept[:-40]):
            plots.overview(table, words, "demo: a test", tmp_path / "plot.png")
            pictures.append((tmp_path / "plot.png").read_bytes())
        assert pictures[0] == pictures[1] != pictures[2]
        assert len(list(tmp_path.iterdir())) == 1


def test_a_title_is_no_formula(path: Path) -> None:
    title = "demo: 100 % of 1 $_$ clips a_b^c \\frac"
    assert draw(path, clips(SEVEN), SEVEN, title).shape == (462, 792, 3)


def test_ten_folds_stand_in_the_order_of_their_numbers(path: Path) -> None:
    table = in_folds(SEVEN)[:60]
    table["fold"] = pd.array([[1, 2, 10][i % 3] for i in range(60)], dtype="Int64")
    table = table[(table["fold"] != 10) | (table["actual"] == "happy")]  # few bars of fold 10
    picture = draw(path, table, SEVEN)
    assert area(picture, FIRST) > 3 * area(picture, THIRD)
    assert area(picture, SECOND) > 3 * area(picture, THIRD)
