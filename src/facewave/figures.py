"""What all figures share: style, colours, names of measures, photographs, and a writer.

The writer gives the same bytes each time. Light is low and dark is high in every picture.
"""

import io
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from facewave.files import replacing

DARK, BAR, PALE, ALERT = "#7a3b12", "#f0a868", "#8c8c8c", "#b3261e"
POINTS = "#7fffd4"  # on faces, whatever the skin
SERIES = (
    *("#b3541e", "#1f6f8b", "#e0a030", "#5b8c5a", "#7b5ea7"),
    *("#c2678d", "#31475e", "#9a8f3a", "#6fb1c9", "#4a2c1a"),
)
CHANCE: Any = {"color": PALE, "lw": 0.8, "ls": ":"}
GAP: Any = {"facecolor": "#f2f0ec", "edgecolor": "#c9c4ba", "hatch": "////", "lw": 0}
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=SERIES),
    "image.cmap": "YlOrBr",
    "text.parse_math": False,  # file names and transcripts may hold dollar signs
}
_DPI = 192  # two pixels for each of a page's, which has 96 an inch
_POINT = 0.012  # of the face's width
_LETTERS = 125  # of a title's line: as many fit an inch at 1 pt


class Measure(NamedTuple):
    """How figures show a measure of a clip."""

    name: str
    unit: str = ""
    times: int = 1  # the factor from the column's unit to this one
    decimals: int = 0

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{round(value * self.times, self.decimals):g}{self.unit}"


# Columns of the index of landmarks, the brightness of faces, and speech in the sound. Two of
# landmarks.schema.MEASURES are left out: the numbers of frames follow from duration and frame rate.
MEASURES = {
    "duration": Measure("length of the clip", " s", 1, 1),
    "fps": Measure("frame rate", " fps", 1, 1),
    "face_px": Measure("size of the face", " px"),
    "sharpness": Measure("sharpness of the face", "", 1, 1),
    "brightness": Measure("brightness of the face", " %", 100),
    "face_share": Measure("frames with the face", " %", 100, 1),
    "others_share": Measure("frames with others only", " %", 100, 1),
    "longest_gap": Measure("longest time without the face", " s", 1, 2),
    "yaw": Measure("head turned to a side", "°"),
    "pitch": Measure("head turned up or down", "°"),
    "roll": Measure("head tilted", "°"),
    "jumps": Measure("jumps of the face"),
    "still": Measure("blendshapes that never move"),
    "speech_share": Measure("speech", " %", 100),
}


def frame(
    axes: Axes,
    time: float,
    picture: NDArray[np.uint8],
    points_PC: NDArray[np.float32] | None,
    fontsize: float,
) -> None:
    """Draw a frame below its time (s) with the points of its face.

    Args:
        axes: what is drawn on.
        time: of the frame.
        picture: (height, width, 3), RGB.
        points_PC: (P, 2 or more), as shares of the picture, NaN where unknown; None without a face.
            They are the smaller the smaller the face is, so that they never hide it.
        fontsize: of the time.
    """
    axes.imshow(picture)
    axes.set_axis_off()
    label, color = (f"{time:.2f} s", "black")
    if points_PC is None:
        label, color = f"{label}, no face", ALERT
    elif len(xy := (points_PC[np.isfinite(points_PC).all(axis=1), :2] * picture.shape[1::-1])):
        sizes = np.full(len(xy), _POINT * np.ptp(xy[:, 0]))
        look: Any = {"units": "x", "facecolors": POINTS, "linewidths": 0, "alpha": 0.8}
        look |= {"offsets": xy, "offset_transform": axes.transData}
        axes.add_collection(EllipseCollection(sizes, sizes, np.zeros(len(xy)), **look))
    axes.set_title(label, fontsize=fontsize, color=color)


def entitle(figure: Figure, title: str, fontsize: float = 9) -> None:
    """Give a figure a title that is no wider than the figure."""
    letters = round(_LETTERS * figure.get_figwidth() / fontsize)
    lines = [textwrap.fill(line, letters) for line in title.splitlines()]
    figure.suptitle("\n".join(lines), fontsize=fontsize)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of up to 256 colours: a third of the bytes, and no difference to be seen."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DPI)
    with Image.open(drawn) as image, replacing(path) as temporary:
        # This method keeps colours that few pixels have.
        few = image.convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE)
        few.save(temporary, "png", dpi=(_DPI, _DPI))
