"""How another tool's per-frame table is read: the type of every tool's ``TOOL``.

Legend of names: R rows of the table, one for each face of a frame that it lists; C channels.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.landmarks.headpose import POSE, from_openface
from facewave.landmarks.schema import BLENDSHAPES, POINTS
from facewave.params import Block

FACE_POINTS = 68  # of the iBUG markup
# In MediaPipe's order, and the one that Apple's ARKit has instead of the first.
_SIDED = {
    "browDown": 1, "browInnerUp": 0, "browOuterUp": 1, "cheekPuff": 0, "cheekSquint": 1,
    "eyeBlink": 1, "eyeLookDown": 1, "eyeLookIn": 1, "eyeLookOut": 1, "eyeLookUp": 1,
    "eyeSquint": 1, "eyeWide": 1, "jawForward": 0, "jawLeft": 0, "jawOpen": 0, "jawRight": 0,
    "mouthClose": 0, "mouthDimple": 1, "mouthFrown": 1, "mouthFunnel": 0, "mouthLeft": 0,
    "mouthLowerDown": 1, "mouthPress": 1, "mouthPucker": 0, "mouthRight": 0, "mouthRollLower": 0,
    "mouthRollUpper": 0, "mouthShrugLower": 0, "mouthShrugUpper": 0, "mouthSmile": 1,
    "mouthStretch": 1, "mouthUpperUp": 1, "noseSneer": 1,
}  # fmt: skip
NEUTRAL, TONGUE = "_neutral", "tongueOut"
NAMES = (
    NEUTRAL,
    *(name + side for name, n in _SIDED.items() for side in (("Left", "Right") if n else ("",))),
    TONGUE,
)
_SEPARATORS = (",", ";", "\t")
_NOT_NUMBERS = ["-nan(ind)", "nan(ind)", "-nan(snan)"]  # as C++ on Windows writes them


@dataclass(frozen=True, eq=False)
class Sightings:
    """What a tool's file says.

    Attributes:
        rows_R: where each row stands in the file.
        frames_R: the frames' numbers, None if the tool has none.
        times_R: s, None if the tool has none.
        seen_R: whether there is a face.
        faces_R: the number of each face, None if the tool gives none.
        spots_R3: where the face is in pixels: centre and size; NaN if unknown.
        arrays: attributes of a Trajectory -> (R, ...) float32.
        names: of the blendshapes.
        signals: block -> (R, C) float32.
        channels: their names.
    """

    rows_R: NDArray[np.int64]
    frames_R: NDArray[np.int64] | None
    times_R: NDArray[np.float64] | None
    seen_R: NDArray[np.bool_]
    faces_R: NDArray[np.int64] | None
    spots_R3: NDArray[np.float64]
    arrays: Mapping[str, NDArray[np.float32]]
    names: tuple[str, ...]
    signals: Mapping[Block, NDArray[np.float32]]
    channels: Mapping[Block, tuple[str, ...]]


def read_table(path: Path, wanted: Callable[[str], bool]) -> pd.DataFrame:
    """The wanted columns of a .csv, .parquet or .json (a list of rows) file.

    Names are without spaces around them. A CSV's separator is a comma, or a semicolon or tab if its
    header has more of these; then numbers may have decimal commas. The index is the row in the
    file: a CSV's header is row 1, and other forms count from 1.

    Raises:
        UserError: it is no table.
    """
    try:
        match path.suffix.lower():
            case ".csv":
                with path.open(encoding="utf-8-sig") as file:
                    header = next((line for line in file if line.strip()), "")
                separator = max(_SEPARATORS, key=header.count)
                with warnings.catch_warnings():
                    warnings.simplefilter("error", pd.errors.ParserWarning)
                    table = pd.read_csv(
                        path,
                        usecols=lambda name: wanted(name.strip()),
                        sep=separator,
                        decimal="." if separator == "," else ",",
                        skipinitialspace=True,
                        na_values=_NOT_NUMBERS,
                        encoding="utf-8-sig",
                        low_memory=False,
                    )
                if not isinstance(table.index, pd.RangeIndex):
                    raise ValueError("its rows are longer than its header")
                table.index = pd.RangeIndex(2, len(table) + 2)
            case ".parquet":
                table = pd.read_parquet(path)
                table.index = pd.RangeIndex(1, len(table) + 1)
            case _:
                table = pd.read_json(path, orient="records")
                table.index = pd.RangeIndex(1, len(table) + 1)
    except (ValueError, AttributeError, OSError, pd.errors.ParserWarning) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: no table can be read ({problem}). Write it again.") from None
    table = table.rename(columns=lambda name: str(name).strip())
    if table.columns.empty:
        raise UserError(
            f"{path} has none of the columns that are looked for. Correct tracks in params.yaml, "
            "or run the tool again with more of its outputs."
        )
    if not len(table):
        raise UserError(f"{path}: no table, or one without rows. Run the tool on this clip again.")
    return table[[name for name in table if wanted(str(name))]]


def same(name: str) -> str:
    """The name itself."""
    return name


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool and the columns of its table.

    Attributes:
        name: the value of ``tracks.tool`` in params.yaml.
        frame: the column with the frame's number.
        first: the number of a clip's first frame; None: whichever the table has first.
        time: the column with the time.
        seconds: its unit.
        face: the column with the face's number or name.
        limits: column -> the least value of a row with a face, by the tool's own rule; those that
            the table lacks count for nothing.
        blocks: block -> patterns (regular expressions) of the columns of its channels.
        box: columns with the face's left, top, width and height, in pixels.
        pixels: whether columns x_0, y_0 ... are points in pixels, 68 or the mesh's 478 with z.
        pose: whether columns ``POSE`` are the head's pose in OpenFace's axes.
        blendshape: from a column's name to that of a blendshape.
        read: the table of a file, the wanted columns alone.
    """

    name: str
    frame: str = ""
    first: int | None = None
    time: str = ""
    seconds: float = 1.0
    face: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    blocks: Mapping[Block, tuple[str, ...]] = field(default_factory=dict)
    box: tuple[str, ...] = ()
    pixels: bool = False
    pose: bool = False
    blendshape: Callable[[str], str] = same
    read: Callable[[Path, Callable[[str], bool]], pd.DataFrame] = read_table

    def wants(self, name: str) -> bool:
        """Whether a column is read."""
        return (
            name in {self.frame, self.time, self.face, *self.limits, *self.box}
            or any(re.fullmatch(some, name) for some in self._patterns)
            or (self.pixels and re.fullmatch(r"[xyz]_\d+", name) is not None)
            or (self.pose and name in POSE)
            or self.blendshape(name) in NAMES
        )

    @property
    def _patterns(self) -> list[str]:
        return [pattern for patterns in self.blocks.values() for pattern in patterns]

    def sightings(self, path: Path) -> Sightings:
        """What a file says.

        Raises:
            UserError: it is no table, lacks columns, or has something else than numbers.
        """
        table = self.read(path, self.wants)
        there = list(table)
        if not {self.frame, self.time} & set(there):
            named = " or ".join(filter(None, (self.frame, self.time)))
            raise UserError(
                f"{path} has no column {named}: it is no table of {self.name}, or was written "
                f"without it. Correct tracks in params.yaml, or run {self.name} again."
            )
        channels = {
            block: tuple(n for pattern in some for n in there if re.fullmatch(pattern, n))
            for block, some in self.blocks.items()
        }
        arrays: dict[str, NDArray[np.float32]] = {}
        if self.pixels:
            points = [[f"{axis}_{i}" for i in range(POINTS)] for axis in "xyz"]
            faces = [f"{axis}_{i}" for axis in "xy" for i in range(FACE_POINTS)]
            if {name for line in points for name in line} <= set(there):
                axes = [numbers(table, line, path) for line in points]
                arrays["landmarks_TPC"] = np.stack(axes, axis=-1)
            elif set(faces) <= set(there):
                channels["points68"] = tuple(faces)
        if self.pose and set(POSE) <= set(there):
            channels["head"] = POSE
            arrays["pose_T44"] = from_openface(numbers(table, POSE, path, np.float64))
        shapes = {self.blendshape(name): name for name in there if self.blendshape(name) in NAMES}
        names = tuple(name for name in NAMES if name in shapes)
        if names:
            arrays["blendshapes_TB"], names = self._blendshapes(table, shapes, path)
        channels = {block: some for block, some in channels.items() if some}
        if not channels and not arrays:
            raise UserError(
                f"{path} has none of the columns that {self.name} has for a face. Correct tracks "
                f"in params.yaml, or run {self.name} again with more of its outputs."
            )
        if "points68" in channels and len(channels["points68"]) != 2 * FACE_POINTS:
            raise UserError(
                f"{path}: points68 has {len(channels['points68'])} columns; 68 x and then 68 y are "
                "needed. Correct tracks.blocks.points68 in params.yaml."
            )
        signals = {block: numbers(table, some, path) for block, some in channels.items()}
        seen_R = np.ones(len(table), bool)
        for values in (*signals.values(), *arrays.values()):
            seen_R &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        for name, least in self.limits.items():
            if name in there:
                seen_R &= numbers(table, [name], path, np.float64)[:, 0] >= least  # NaN: not
        return Sightings(
            table.index.to_numpy(np.int64),
            self._whole(table, path) if self.frame in there else None,
            numbers(table, [self.time], path, np.float64)[:, 0] * self.seconds
            if self.time in there
            else None,
            seen_R,
            pd.factorize(table[self.face])[0] if self.face in there else None,
            self._spots(table, path, arrays, signals),
            arrays,
            names,
            signals,
            channels,
        )

    def _blendshapes(
        self, table: pd.DataFrame, shapes: Mapping[str, str], path: Path
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """The blendshapes (R, 52) and their names; a missing ``_neutral`` is 0."""
        names = tuple(name for name in NAMES if name in shapes)
        if missing := [name for name in NAMES[1:-1] if name not in shapes]:
            raise UserError(
                f"{path} lacks the blendshape {missing[0]} (it has {len(names)} of 52). Run "
                f"{self.name} again, or leave the blendshapes out of the file."
            )
        values = numbers(table, [shapes[name] for name in names], path)
        if len(names) > BLENDSHAPES:  # both of them
            return values[:, :-1], names[:-1]
        if len(names) < BLENDSHAPES:
            return np.pad(values, ((0, 0), (1, 0))), (NEUTRAL, *names)
        return values, names

    def _whole(self, table: pd.DataFrame, path: Path) -> NDArray[np.int64]:
        values = numbers(table, [self.frame], path, np.float64)[:, 0]
        wrong = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 2**40)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise UserError(
                f"{path}, row {table.index[at]}: {self.frame} is {values[at]:g}, no frame's number."
                " Write the file again."
            )
        return values.astype(np.int64)

    def _spots(
        self,
        table: pd.DataFrame,
        path: Path,
        arrays: Mapping[str, NDArray[np.float32]],
        signals: Mapping[Block, NDArray[np.float32]],
    ) -> NDArray[np.float64]:
        if self.box and set(self.box) <= set(table):
            left, top, width, height = numbers(table, self.box, path, np.float64).T
            size = np.sqrt(np.maximum(width * height, 0))
            return np.stack([left + width / 2, top + height / 2, size], axis=1)
        points = np.full((len(table), 1, 2), np.nan)
        if "landmarks_TPC" in arrays:
            points = arrays["landmarks_TPC"][..., :2].astype(np.float64)
        elif "points68" in signals:
            points = signals["points68"].reshape(len(table), 2, -1).swapaxes(1, 2).astype(float)
        low, high = points.min(axis=1), points.max(axis=1)
        return np.column_stack([(low + high) / 2, np.sqrt((high - low).prod(axis=1))])


def numbers(
    table: pd.DataFrame, columns: Sequence[str], path: Path, dtype: type[np.floating] = np.float32
) -> NDArray[Any]:
    """Columns of a table as (R, C); NaN where there is nothing.

    Raises:
        UserError: something is not a number.
    """
    some = table[list(columns)]
    if all(map(pd.api.types.is_numeric_dtype, some.dtypes)):
        return some.to_numpy(dtype)
    values = np.empty((len(table), len(columns)), dtype)
    for at, name in enumerate(columns):
        column = some[name]
        numeric = pd.to_numeric(column, errors="coerce")
        if (wrong := numeric.isna() & column.notna()).any():
            row = wrong.idxmax()
            raise UserError(
                f"{path}, row {row}: {name} is {str(column[row])[:40]!r}, not a number. Correct "
                "the row, or write the file again."
            )
        values[:, at] = numeric
    return values
