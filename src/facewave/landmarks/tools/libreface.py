"""LibreFace (Chang et al., WACV 2024): the CSV of a video; it drops frames without a face.

Its points (lm_mp_*) are shares of a picture whose size the file does not tell, and are not read.
The expression, a word, becomes a channel of block ``other`` for each word that it can be.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from facewave.errors import UserError
from facewave.landmarks.tools.tool import Tool, read_table

EXPRESSION = "facial_expression"
WORDS = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")


def read(path: Path, wanted: Callable[[str], bool]) -> pd.DataFrame:
    """The table, with a column of 1 and 0 for each word of the expression."""
    table = read_table(path, lambda name: wanted(name) or name == EXPRESSION)
    if EXPRESSION not in table:
        return table
    words = table.pop(EXPRESSION)
    if (strange := words.notna() & ~words.isin(WORDS)).any():
        row = strange.idxmax()
        raise UserError(
            f"{path}, row {row}: {EXPRESSION} is {str(words[row])[:40]!r}, not one of "
            f"{', '.join(WORDS)}. Correct the row, or write the file again."
        )
    ones = {f"{EXPRESSION}_{word}": (words == word).where(words.notna()) for word in WORDS}
    return table.assign(**{name: column.astype(float) for name, column in ones.items()})


TOOL = Tool(
    name="libreface",
    frame="frame_idx",
    first=0,
    time="frame_time_in_ms",
    seconds=1e-3,
    blocks={
        "action_units": (r"au_\d+_intensity", r"au_\d+"),
        "gaze": (r"gaze_(yaw|pitch)",),
        "head": ("pitch", "yaw", "roll"),
        "other": (rf"{EXPRESSION}_\w+",),
    },
    read=read,
)
