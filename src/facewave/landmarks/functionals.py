"""The index of a dataset whose clips are the rows of a table of features, and its numbers."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from facewave.files import write_csv
from facewave.functionals import Functionals
from facewave.landmarks import schema, shards
from facewave.workspace import Dataset


def index(rows: pd.DataFrame, table: Functionals, dataset: Dataset) -> pd.DataFrame:
    """Write data/landmarks/<dataset>/ of label rows: no shards, but the index and the numbers.

    Nothing is measured of such clips: they are usable if their numbers are finite.

    Args:
        rows: video_idx, file_path (the clip's name in the table), start and end.
        table: of the features.
        dataset: whose folder is written.

    Returns:
        The index (schema.INDEX).
    """
    place = {clip: at for at, clip in enumerate(table.rows)}
    numbers_nD = np.full((len(rows), len(table.columns)), np.nan, np.float32)
    records: list[dict[str, Any]] = []
    for number, row in enumerate(rows.itertuples()):
        reason = table.problems.get(row.file_path, "")
        if row.file_path not in place:
            reason = f"{table.path.name} has no row {row.file_path}"
        elif not reason:
            numbers_nD[number] = table.numbers_nD[place[row.file_path]]
        content = "\0".join(table.columns).encode() + numbers_nD[number].tobytes()
        known = {name: getattr(row, name) for name in ("video_idx", "file_path", "start", "end")}
        records.append(
            known
            | {"key": hashlib.sha256(content).hexdigest(), "shard": "", "problem": ""}
            | {"face_share": np.nan if reason else 1.0, "usable": not reason, "reason": reason}
        )
    found = pd.DataFrame(records, columns=list(schema.INDEX))
    whole = ["row_group", "row_groups", "frames", "face_frames", "jumps", "still"]
    found = found.astype(dict.fromkeys(whole, "Int64"))
    shards.gather((), dataset.landmarks)  # there may be some of videos
    schema.write_functionals(dataset.landmarks, numbers_nD, table.columns)
    write_csv(dataset.landmarks / "index.csv", found)
    return found
