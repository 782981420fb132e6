"""Answers about the windows of a clip as one curve, measured over all labelled frames. Pure.

- The answer about a window stands at its centre, plus the model's delay: raters are late, so what
  a face shows at t is in the labels at t + delay (Mariooryad and Busso, IEEE T-AC 2015).
- A median filter takes out what is alone, then a moving average smooths. Both are over the windows
  whose centres are at most half the filter's width away; near the ends there are fewer.
- Between centres the curve is linear; before the first and after the last it is constant.
- The figures are those of continuous.py over all frames that have an actual number, as the
  Aff-Wild2 challenges count them (Kollias et al., ABAW): the frames of all test videos as if they
  were one. Beside them stands the plain mean over videos. Frames that are marked to be ignored are
  NaN in the labels and do not count.
- Intervals are bootstraps of whole videos, by subject or source (intervals.py). A video is added up
  once (continuous.Sums), so they cost the same for any number of frames.

Legend of names: w windows, f frames, V videos, F folds, T targets, K sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from facewave import filters
from facewave.evaluation import continuous
from facewave.evaluation.continuous import Sums
from facewave.evaluation.intervals import (
    Codes,
    Floats,
    Measured,
    divide,
    enough_groups,
    grouped_by,
    groups,
)
from facewave.targets import PLANE

AXES = PLANE[:2]  # what frames may have
MEASURES = ("ccc", "pcc", "rmse", "mae", "sagr")


@dataclass(frozen=True, eq=False)
class Trace:
    """A video's truth and answers on the clock of its labelled frames."""

    file_path: str
    partition: str
    time_f: Floats  # s
    actual_fT: Floats  # NaN where a frame is to be ignored
    predicted_fT: Floats
    low_fT: Floats  # the ends of prediction intervals, NaN where there are none
    high_fT: Floats


def filtered(time_w: Floats, value_w: Floats, median_s: float, smooth_s: float) -> Floats:
    """A median filter, then a moving average; widths in seconds, 0 for none.

    Args:
        time_w: of the windows' centres (s), rising.
        value_w: the answers.
        median_s: how wide the median filter is.
        smooth_s: how wide the moving average is.
    """
    for width, average in ((median_s, np.nanmedian), (smooth_s, np.nanmean)):
        if not np.isnan(value_w).any():
            value_w = filters.filtered(time_w, value_w, width, average)
    return value_w


def traces(
    rows: pd.DataFrame,
    windows: pd.DataFrame,
    frames: pd.DataFrame,
    targets: Sequence[str],
    delays: Mapping[str, float],
    *,
    median_s: float,
    smooth_s: float,
) -> list[Trace]:
    """The traces of all videos that have answers and labelled frames, by partition and file.

    Args:
        rows: one model's of the table of answers.
        windows: by video_idx start and end (s) of what a row is about, NaN for the whole file.
        frames: file_path, time (s) and a column for each target.
        targets: T names.
        delays: of the model by partition (s); 0 where none stands.
        median_s: of the median filter.
        smooth_s: of the moving average.
    """
    ends = windows.reindex(rows["video_idx"])[["start", "end"]].to_numpy(float)
    centre = np.nan_to_num(ends.mean(axis=1))
    by_file = dict(tuple(frames.groupby("file_path", sort=False)))
    found = []
    for (partition, file), own in rows.assign(centre=centre).groupby(
        ["partition", "file_path"], sort=False
    ):
        if file not in by_file:
            continue
        truth = by_file[file].sort_values("time")
        own = own.sort_values("centre", kind="stable")
        clock_w, time_f = own["centre"].to_numpy(float), truth["time"].to_numpy(float)
        curves = {
            prefix: np.stack(
                [
                    np.interp(
                        time_f,
                        clock_w + delays.get(partition, 0.0),
                        filtered(clock_w, column.to_numpy(float), median_s, smooth_s),
                    )
                    for _, column in own.reindex(
                        columns=[f"{prefix}_{target}" for target in targets]
                    ).items()
                ],
                axis=1,
            )
            for prefix in ("predicted", "low", "high")
        }
        actual_fT = truth[list(targets)].to_numpy(float)
        found.append(Trace(str(file), str(partition), time_f, actual_fT, *curves.values()))
    return found


def by_video(found: Sequence[Trace]) -> dict[str, Floats]:
    """Each measure of every target, and of their mean, in each of V videos; (V, T + 1)."""
    alone = Sums(_summed(found)[None], np.zeros(1, np.int64), _is_whole(found), is_sparse=False)
    return continuous.by_fold(alone)  # as if each were a fold


def measured(found: Sequence[Trace], rows: pd.DataFrame) -> Measured:
    """The measures of every target and of their mean, (T + 1).

    Args:
        found: traces of V videos.
        rows: the answers that they are of: who is seen in each file.

    Returns:
        ``MEASURES`` over frames, mean over folds, and as ``videos_<name>`` their mean over videos.
    """
    total_VTK, of_videos = _summed(found), by_video(found)
    unit_V = _units(found, rows)
    fold_V, folds = pd.factorize(pd.Series([trace.partition for trace in found]))
    total = np.zeros((unit_V.max() + 1, len(folds), *total_VTK.shape[1:]))
    np.add.at(total, (unit_V, fold_V), total_VTK)
    pooled = Sums(total, np.arange(len(total)), _is_whole(found), is_sparse=False)

    def measure(weights: Floats | None) -> dict[str, Floats]:
        figures = continuous.overall(pooled, weights)
        times_V = np.ones(len(found)) if weights is None else weights[..., unit_V]
        both = {name: figures[name] for name in MEASURES}
        for name in MEASURES:
            value, known = np.nan_to_num(of_videos[name]), ~np.isnan(of_videos[name])
            both[f"videos_{name}"] = divide(times_V @ value, times_V @ known)
        return both

    return Measured(measure, pooled.group)


def interval_over(found: Sequence[Trace], rows: pd.DataFrame) -> str:
    """What the intervals are drawn over: subjects, sources or videos."""
    return grouped_by(rows) if enough_groups(_groups(found, rows)) else "videos"


def _summed(found: Sequence[Trace]) -> Floats:
    """The sums over the frames of each video that count, (V, T, K)."""
    totals = []
    for trace in found:
        added = continuous.added(trace.actual_fT, trace.predicted_fT)
        counts = ~np.isnan(trace.actual_fT) & ~np.isnan(trace.predicted_fT)
        totals.append(np.where(counts[..., None], added, 0).sum(axis=0))
    return np.stack(totals)


def _is_whole(found: Sequence[Trace]) -> bool:
    """Whether the model answers all targets."""
    return not any(np.isnan(trace.predicted_fT).any() for trace in found)


def _groups(found: Sequence[Trace], rows: pd.DataFrame) -> Codes:
    files = rows.drop_duplicates("file_path").set_index("file_path", drop=False)
    return groups(files.loc[[trace.file_path for trace in found]])


def _units(found: Sequence[Trace], rows: pd.DataFrame) -> Codes:
    """What the bootstrap draws each video with, (V): its group, or itself."""
    group_V = _groups(found, rows)
    return group_V if enough_groups(group_V) else np.arange(len(found))
