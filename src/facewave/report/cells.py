"""Tables of the page, and how their numbers are written. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

UNKNOWN = "-"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what stands in it.
        note: smaller, below it.
        bar: lower end, figure, upper end, in percent of the cell's width; none: no bar is drawn.
        best: the best of its column.
        tags: labels beside the text.
    """

    text: str
    note: str = ""
    bar: tuple[float, float, float] | None = None
    best: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it.

    Attributes:
        head: of the columns.
        rows: as many cells each.
        words: so many columns, from the left, are text; the others are numbers.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    words: int = 1


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many decimals, without a minus before zero; a dash where there is none."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{round(value, digits) + 0:,.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Both ends of an interval, or nothing where it is not known."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    """A figure in percent with its interval, which is drawn too."""
    between = interval(low, high)
    if value is None or math.isnan(value) or not between or low is None or high is None:
        return Cell(number(value), between)
    return Cell(number(value), between, (low, value, high))


def counted(n: int, one: str, several: str = "") -> str:
    """A count with its noun: "1 clip", "3 clips"."""
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def emphasised(
    rows: Sequence[Sequence[Cell]], column: int, values: Sequence[float]
) -> list[list[Cell]]:
    """The rows, with the cells of the highest of ``values`` in a column marked as the best.

    Args:
        rows: of a table.
        column: which cell of each row.
        values: one a row; NaN is never the best.
    """
    top = max((value for value in values if not math.isnan(value)), default=math.nan)
    return [
        [
            replace(cell, best=(at == column and value == top) or cell.best)
            for at, cell in enumerate(row)
        ]
        for row, value in zip(rows, values, strict=True)
    ]


def value_of(text: str) -> float:
    """The number in a field of a CSV, NaN where it is empty."""
    return float(text) if text else math.nan
