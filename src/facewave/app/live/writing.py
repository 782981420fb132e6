"""What is written of a running camera, where somebody asks: answers, marks and, asked again, video.

Each line is written whole and at once, so a file is whole however the command ends. The video is
Matroska, which is readable up to where it breaks off.
"""

import csv
import json
from datetime import UTC, datetime
from fractions import Fraction
from io import StringIO
from itertools import chain, count
from pathlib import Path
from typing import Any, Self

import av
import pandas as pd

from facewave.app.live.sources import Frame
from facewave.errors import UserError
from facewave.files import for_spreadsheets
from facewave.training.schema import Trained

SUFFIXES = (".jsonl", ".csv")
_TIME_BASE = Fraction(1, 1000)
_CODECS = {"libx264": {"preset": "ultrafast", "crf": "23"}, "mpeg4": {"qscale": "4"}}


def default_name() -> Path:
    """Where answers go if nobody names a file: a new one here, named after the time."""
    name = f"live-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(path for one in names if not (path := Path(f"{one}.jsonl")).exists())


def columns(model: Trained) -> list[str]:
    """The columns of a .csv file."""
    answered = [name for target in model.targets for name in target.answered]
    return ["time", "clock", "person", "reason", *answered, "latency_ms", "dropped", "mark"]


def line(record: dict[str, Any]) -> str:
    """A line of JSON."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


class Writing:
    """A file of answers, and a video beside it if it is wanted; use it in a ``with`` block.

    Args:
        path: a new .jsonl or .csv file.
        model: whose answers they are.
        header: what a .jsonl file begins with.
        with_video: whether frames are kept, too, beside it.

    Raises:
        UserError: the file is there already, or has another suffix.
    """

    def __init__(
        self, path: Path, model: Trained, header: dict[str, Any], with_video: bool
    ) -> None:
        self.path, self._model, self._marks = path, model, 0
        self.video = path.with_suffix(".mkv") if with_video else None
        for file in filter(None, (path, self.video)):
            if file.exists():
                raise UserError(f"{file} is there already. Name another with --out, or move it.")
        self._file = path.open("x", encoding="utf-8", newline="")
        self._container: Any = None
        self._stream: Any = None
        if path.suffix == ".csv":
            self._write(_csv(columns(model)))
        else:
            self._write(line(header))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._container is not None:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()

    def add(self, record: dict[str, Any], answer: "pd.Series[Any] | None") -> None:
        """Write an answer, or why there is none."""
        if self.path.suffix == ".csv":
            row = {name: record.get(name) for name in ("time", "clock", "person", "reason")}
            row |= {name: record.get(name) for name in ("latency_ms", "dropped", "mark")}
            if answer is not None:
                row |= _cells(answer)
            self._write(_row(row, columns(self._model)))
        else:
            self._write(line(record))

    def mark(self, time: float, clock: str) -> int:
        """Write a mark of a moment; its number, from 1."""
        self._marks += 1
        self.add({"mark": self._marks, "time": time, "clock": clock}, None)
        return self._marks

    def show(self, frame: Frame) -> None:
        """Keep a frame that was looked at, if a video is wanted."""
        if self.video is None:
            return
        height, width = (side - side % 2 for side in frame.picture.shape[:2])
        if self._container is None:
            self._open(self.video, width, height)
        if (self._stream.width, self._stream.height) != (width, height):
            return  # the camera has changed its size: there is no way to go on in this file
        shown = av.VideoFrame.from_ndarray(frame.picture[:height, :width].copy(), format="rgb24")
        shown.pts, shown.time_base = round(frame.time / _TIME_BASE), _TIME_BASE
        for packet in self._stream.encode(shown.reformat(format="yuv420p", threads=1)):
            self._container.mux(packet)

    def _open(self, path: Path, width: int, height: int) -> None:
        codec = next(name for name in _CODECS if name in av.codecs_available)
        self._container = av.open(str(path), "w", format="matroska")
        self._stream = self._container.add_stream(codec, options=_CODECS[codec])
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TIME_BASE

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def _cells(answer: "pd.Series[Any]") -> dict[str, Any]:
    """An answer's cells, numbers with four decimals."""
    return {
        str(name): round(value, 4) if isinstance(value, float) else value
        for name, value in answer.items()
    }


def _row(row: dict[str, Any], names: list[str]) -> str:
    """A row of CSV, whose texts no spreadsheet program takes for formulas."""
    safe = for_spreadsheets(pd.DataFrame([row]).reindex(columns=names).astype(object))
    return _csv(["" if pd.isna(value) else value for value in safe.iloc[0]])


def _csv(cells: list[Any]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
