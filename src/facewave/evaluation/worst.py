"""The clips whose numbers a model misses most: where to look first. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

COLUMNS = (
    *("video_idx", "file_path", "target", "actual", "predicted", "low", "high"),
    *("table", "row", "start", "end"),  # as in the label table
)
MOST = 50


def worst(answers: pd.DataFrame, table: pd.DataFrame, targets: Sequence[str]) -> pd.DataFrame:
    """The clips with the largest errors, the largest first.

    Args:
        answers: one row per test clip: video_idx, file_path, and for each target
            ``actual_<target>``, ``predicted_<target>``, ``low_<target>`` and ``high_<target>``.
        table: of labels, a row a clip.
        targets: their names. Errors are compared in units of each target's spread, the standard
            deviation of its actual numbers.

    Returns:
        ``COLUMNS`` of at most ``MOST`` clips, each with the target that is missed most.
    """
    long = pd.concat(
        answers[["video_idx", "file_path"]].assign(
            target=target,
            **{
                name: answers[f"{name}_{target}"] for name in ("actual", "predicted", "low", "high")
            },
        )
        for target in targets
    )
    spread = long.groupby("target")["actual"].transform("std", ddof=0)
    long["error"] = (long["predicted"] - long["actual"]).abs() / spread
    known = long[np.isfinite(long["error"])]
    listed = known.sort_values(["error", "video_idx"], ascending=[False, True], kind="stable")
    listed = listed.drop_duplicates("video_idx").head(MOST)
    listed = listed.merge(table[["video_idx", *COLUMNS[-4:]]], how="left", on="video_idx")
    return listed[list(COLUMNS)]
