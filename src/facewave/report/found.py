"""What the stages left, as the page takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Records = Sequence[Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class Found:
    """The contents of the stages' files.

    Attributes:
        clean: metrics/clean/<dataset>.json.
        extract: metrics/extract/<dataset>.json.
        wavelet: metrics/wavelet/<dataset>.json.
        report: metrics/evaluate/report.json.
        study: metrics/study/summary.json.
        records: lines of CSVs, column -> text, by the files' names: suspects, robustness,
            importance, runs, leakage, removed.
        pictures: PNGs: those of the first three stages by the stages' names, the others by the
            files'. The page tells of those that are not there.
    """

    clean: Json
    extract: Json
    wavelet: Json
    report: Json
    study: Json
    records: Mapping[str, Records]
    pictures: Mapping[str, bytes]
