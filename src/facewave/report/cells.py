"""How the page writes numbers. Pure.

A record is figures by name: JSON, or a line of a CSV, whose numbers are text and empty where there
are none.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

UNKNOWN = "-"


class Figure(NamedTuple):
    """A figure as a cell shows it."""

    text: str
    interval: str  # both ends, or nothing
    bar: tuple[float, float, float] | None  # lower end, figure, upper end


def value_of(value: float | str | None) -> float:
    """A number of a record, NaN where there is none."""
    return math.nan if value is None or value == "" else float(value)


def number(value: float | str | None, digits: int = 1) -> str:
    """A number with fixed decimals, no minus before zero; a dash where there is none."""
    known = value_of(value)
    return UNKNOWN if math.isnan(known) else f"{round(known, digits) + 0:,.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Both ends of an interval, or nothing where it is not known."""
    if math.isnan(value_of(low)) or math.isnan(value_of(high)):
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def figure(record: Mapping[str, Any], name: str, times: float = 1, digits: int = 1) -> Figure:
    """A figure of a record with its interval, ``name_low`` and ``name_high``, if it has one."""
    value, low, high = (
        times * value_of(record.get(name + suffix)) for suffix in ("", "_low", "_high")
    )
    between = interval(low, high, digits)
    bar = (low, value, high) if between and not math.isnan(value) else None
    return Figure(number(value, digits), between, bar)


def best(values: Iterable[float | str | None], lowest: bool = False) -> float:
    """The highest (or lowest) of the known numbers; NaN, which equals nothing, if none is known."""
    known = [value for value in map(value_of, values) if not math.isnan(value)]
    return (min if lowest else max)(known, default=math.nan)


def counted(n: int, noun: str) -> str:
    """A count with its noun: "1 clip", "3 clips"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
