"""Where a model holds: its scores by what is measured of clips and what is known of them.

- The test clips are divided into thirds by one measure (``figures.MEASURES``), rounded as it is
  shown. Equal values stay together, so thirds differ in size; few distinct values are a bin each. A
  measure that does not vary is left out, and clips without a value are a row of their own.
- Speech is there or not, from the share ``SPEAKS`` of a clip's time on: below it are stray frames
  that sound like a voice. Where nobody has listened, or to a clip without sound, it is not known.
- What the corpus knows (scene, sex, age, statement and the like) is a row for each of its values,
  or thirds where all are numbers. With more than ``MOST`` values it names clips, not kinds of them,
  and is left out.
- Clips are pooled over folds, since a third may have none in some fold; so these are not the means
  over folds of the other figures. UAR is over the classes that occur in the row, F1 over the units;
  CCC, RMSE and ICC are means over the targets. Rows also differ in their mix of classes, numbers
  and subjects: a low figure does not prove that its condition is the cause.
- Intervals are drawn within the row (intervals.py). A single subject's is over this subject's
  clips, and so about nobody else. Rows of fewer than ``FEWEST`` clips have none.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.evaluation.intervals import (
    Estimate,
    Floats,
    Measured,
    interval_over,
    n_subjects,
)
from facewave.figures import MEASURES

Mask = NDArray[np.bool_]

FEWEST = 5
_BINS = 3
ALL, UNKNOWN = "all", "not known"
MOST = 30  # FERV39k has 22 scenes
SUBJECT = "subject"
SPEECH, SPEAKS = "speech_share", 0.05
COLUMNS = (
    *("task", "condition", "range", "n", "subjects"),
    *(
        f"{name}{suffix}"
        for name in ("war", "uar", "ccc", "rmse", "f1", "icc")
        for suffix in ("", "_low", "_high")
    ),
    "interval_over",
)


def robustness(
    rows: pd.DataFrame,
    index: pd.DataFrame,
    measured: Callable[[Mask], Measured],
    known: pd.DataFrame | None = None,
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """A model's scores under each condition.

    Args:
        rows: of the table of answers, each clip once: video_idx, file_path, subject, source.
        index: of the landmarks: video_idx and the columns that ``MEASURES`` names; some are of
            faces and sound.
        measured: what is measured of some of the rows, by mask, pooled over folds.
        known: what the corpus knows, by video_idx: text, "" for nothing.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        ``COLUMNS`` but the task: condition (``ALL``, then names of ``MEASURES``, columns of
        ``known``, ``SUBJECT``), range ("64 to 120 px", a name, or ``UNKNOWN``), n, subjects
        (missing where not all are known), figures with their 95 % intervals, NaN where they are
        not measured, and what the intervals are drawn over ("" without).

    Raises:
        ValueError: a clip is there twice.
    """
    quality = rows[["video_idx"]].merge(index, how="left", on="video_idx", validate="1:1")
    conditions = {
        condition: thirds(
            (quality[condition].to_numpy(float) * shown.times).round(shown.decimals), shown.unit
        )
        for condition, shown in MEASURES.items()
    } | {SPEECH: by_speech(quality[SPEECH].to_numpy(float))}
    for name, texts in () if known is None else known.loc[rows["video_idx"]].items():
        kinds = _kinds(texts)
        conditions |= {str(name): kinds} if len(kinds) <= MOST else {}
    conditions[SUBJECT] = _names(rows[SUBJECT])
    parts = [(ALL, "", np.ones(len(rows), bool))]
    parts += [
        (condition, text, inside)
        for condition, bins in conditions.items()
        for text, inside in bins.items()
        if len(bins.keys() - {UNKNOWN}) > 1
    ]
    records = [
        {"condition": condition, "range": text}
        | _scores(rows[inside], measured(inside), resamples, seed)
        for condition, text, inside in parts
    ]
    return pd.DataFrame(records, columns=COLUMNS[1:]).astype({"subjects": "Int64"})


def thirds(values: Floats, unit: str) -> dict[str, Mask]:
    """Range with its unit -> which values are in it; every value is in one."""
    # Rounded as they are written, so that no two ranges share an end.
    values = np.array([float(f"{value:.3g}") for value in values])
    known = np.isfinite(values)
    distinct, counts = np.unique(values[known], return_counts=True)
    if len(distinct) > _BINS:
        # After each value there may be a cut: take those nearest to a third and two thirds.
        up_to = counts.cumsum()[:-1]
        cuts = {int(np.abs(up_to - known.sum() * i / _BINS).argmin()) for i in range(1, _BINS)}
        parts = np.split(distinct, [cut + 1 for cut in sorted(cuts)])
    else:
        parts = np.split(distinct, range(1, len(distinct)))
    bins = {_range(part[0], part[-1], unit): np.isin(values, part) for part in parts if len(part)}
    return bins | ({} if known.all() else {UNKNOWN: ~known})


def by_speech(shares: Floats) -> dict[str, Mask]:
    """Whether somebody speaks -> in which clips, by the share of their time; kinds that occur."""
    kinds = {
        "without speech": shares < SPEAKS,
        "with speech": shares >= SPEAKS,
        UNKNOWN: np.isnan(shares),
    }
    return {name: inside for name, inside in kinds.items() if inside.any()}


def _range(low: float, high: float, unit: str) -> str:
    return f"{low:g}{unit}" if low == high else f"{low:g} to {high:g}{unit}"


def _kinds(texts: pd.Series) -> dict[str, Mask]:
    """What the corpus says -> which rows it says so of; numbers in thirds."""
    numbers = pd.to_numeric(texts, errors="coerce")
    is_number = numbers.notna() | (texts == "")
    return thirds(numbers.to_numpy(float), "") if is_number.all() else _names(texts)


def _names(names: pd.Series) -> dict[str, Mask]:
    """Name -> which rows have it."""
    return {name or UNKNOWN: (names == name).to_numpy(bool) for name in sorted(set(names))}


def _scores(rows: pd.DataFrame, measured: Measured, resamples: int, seed: int) -> dict[str, object]:
    """The scores of some clips by their names in ``COLUMNS``."""
    over = ""
    if len(rows) >= FEWEST:
        found = measured.estimates(resamples, seed)
        over = interval_over(rows, measured.group)
    else:
        found = {name: Estimate(value) for name, value in measured.measure(None).items()}
    scores: dict[str, object] = {"n": len(rows), "subjects": n_subjects(rows)}
    for name, estimate in found.items():
        scores |= estimate.named(name)
    return scores | {"interval_over": over}
