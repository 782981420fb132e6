"""The results of the stages, as the page takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Record = Mapping[str, str]
Records = Sequence[Record]


@dataclass(frozen=True, eq=False)
class Results:
    """The contents of the stages' files.

    Attributes:
        clean: metrics/clean/<dataset>.json.
        extract: metrics/extract/<dataset>.json.
        wavelet: metrics/wavelet/<dataset>.json.
        report: metrics/evaluate/report.json.
        study: metrics/study/summary.json.
        records: lines of CSVs, column -> text, by the files' names.
        pictures: PNGs: those of clean and extract by the stages' names, the others by the files'.
            The page says which are missing.
    """

    clean: Json
    extract: Json
    wavelet: Json
    report: Json
    study: Json
    records: Mapping[str, Records]
    pictures: Mapping[str, bytes]
