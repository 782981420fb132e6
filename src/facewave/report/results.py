"""The results of the stages, as the page takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Record = Mapping[str, str]
Records = Sequence[Record]


@dataclass(frozen=True, eq=False)
class Results:
    """The contents of the stages' files in metrics/."""

    clean: Json  # clean/<dataset>.json, as are the next three
    extract: Json
    listen: Json
    wavelet: Json
    report: Json  # evaluate/report.json
    study: Json  # study/summary.json
    records: Mapping[str, Records]  # lines of CSVs by the files' names
    # By the files' names, those of clean and extract by the stages'; the page says what is missing.
    pictures: Mapping[str, bytes]
