"""Apple's Live Link Face: the CSV of a take, ARKit's 52 blendshapes in upper camel case.

Timecode is hours:minutes:seconds:frames, the last with decimals. The head's and the eyes' turns
are blocks ``head`` and ``gaze``. A row whose BlendShapeCount is 0 has no face.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from facewave.errors import UserError
from facewave.landmarks.tools.tool import Tool, read_table

_CODE = re.compile(r"(\d+):(\d\d):(\d\d)[:;](\d+(?:\.\d+)?)")
_RATES, _DEFAULT = (24, 25, 30, 48, 50, 60, 120), 60
_DAY = 24 * 3600  # s
_WHOLE = 2  # of so many seconds the first and the last may be parts


def lower(name: str) -> str:
    """EyeBlinkLeft -> eyeBlinkLeft."""
    return name[:1].lower() + name[1:]


def read(path: Path, wanted: Callable[[str], bool], fps: float | None = None) -> pd.DataFrame:
    """The table, with ``time`` (s) in place of the timecode, which counts ``fps`` frames a second.

    Unless that is known, a take with a whole second in it has the least usual rate that its frames
    fit into, and a shorter one the app's own, 60.
    """
    table = read_table(path, lambda name: wanted(name) or name == "Timecode")
    if "Timecode" not in table:
        return table
    codes = table.pop("Timecode").map(str)
    parts = [_CODE.fullmatch(code) for code in codes]
    if None in parts:
        at = parts.index(None)
        raise UserError(
            f"{path}, row {table.index[at]}: Timecode is {codes.iloc[at][:40]!r}, not "
            "hours:minutes:seconds:frames. Correct the row, or export the take again."
        )
    read_out = np.array([part.groups() for part in parts if part], float)
    last = read_out[:, 3].max()
    usual = next((rate for rate in _RATES if last < rate), float(last) + 1)
    seconds = len(np.unique(read_out[:, :3], axis=0))
    rate = fps or (usual if seconds > _WHOLE else max(usual, _DEFAULT))
    time = read_out[:, :3] @ [3600, 60, 1] + read_out[:, 3] / rate
    midnights = np.cumsum(np.diff(time, prepend=time[:1]) < -_DAY / 2)
    return table.assign(time=time + _DAY * midnights)


def tool(fps: float | None) -> Tool:
    """The tool, of timecodes that count ``fps`` frames a second."""
    return replace(TOOL, read=partial(read, fps=fps))


TOOL = Tool(
    name="live-link",
    time="time",
    limits={"BlendShapeCount": 1, "BlendshapeCount": 1},
    blocks={
        "head": ("HeadYaw", "HeadPitch", "HeadRoll"),
        "gaze": (r"(Left|Right)Eye(Yaw|Pitch|Roll)",),
    },
    blendshape=lower,
    read=read,
)
