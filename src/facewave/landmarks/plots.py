"""The worst clips of a dataset in one picture, so that somebody looks at them."""

import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facewave import figures
from facewave.landmarks import schema
from facewave.video import Clip

# Measure -> the sign that makes the worst the greatest. The others say nothing about quality.
_WORST = {"face_share": -1, "others_share": 1, "longest_gap": 1, "face_px": -1, "sharpness": -1}
_WORST |= dict.fromkeys(("yaw", "pitch", "roll", "jumps", "still"), 1)
_FLAWLESS = {"face_share": 1, "others_share": 0, "longest_gap": 0, "jumps": 0, "still": 0}
_FRAMES = 6
_LETTERS = 24  # of a line beside the frames
_SHOWN_S = 30.0  # frames come from the first seconds, since decoding must begin at the start


def worst(index: pd.DataFrame, root: Path | None, folder: Path, fps: float, path: Path) -> None:
    """Draw frames of the worst clip by each measure, with the followed face's points.

    ``index`` is that of the shards in ``folder``, ``root`` has the clips (None: there are no
    pictures of them, and they are named alone), ``fps`` is of pictures.
    """
    clips = worst_by_measure(index)
    with mpl.rc_context(figures.STYLE):
        figure = Figure((9.6, 1.35 * max(1, len(clips)) + 0.7), layout="constrained")
        grid = figure.add_gridspec(max(1, len(clips)), _FRAMES + 1)
        for number, (label, measures) in enumerate(clips.items()):
            row = index.loc[label]
            axes = figure.add_subplot(grid[number, 0])
            lines = [row.file_path, *measures, *([] if row.usable else ["left out"])]
            text = "\n".join(textwrap.fill(line, _LETTERS) for line in lines)
            axes.text(0, 0.5, text, va="center", size=7)
            axes.set_axis_off()
            frames = _frames(row, root, folder, fps) if root else []
            for column, (time, picture, points) in enumerate(frames):
                axes = figure.add_subplot(grid[number, column + 1])
                figures.frame(axes, time, picture, points, fontsize=7)
        figures.entitle(figure, f"The worst of {len(index)} clips, by each measure", 10)
        figures.save(figure, path)


def worst_by_measure(index: pd.DataFrame) -> dict[Any, list[str]]:
    """Label of a row of the index -> the measures by which it is the worst, with values. Pure."""
    clips = index[index["shard"] != ""]
    worst: dict[Any, list[str]] = defaultdict(list)
    for name, sign in _WORST.items():
        values = clips[name].astype(float).dropna() * sign
        if len(values) and values.max() != _FLAWLESS.get(name, np.inf) * sign:
            label = values.idxmax()
            shown = figures.MEASURES[name]
            worst[label].append(f"{shown.name}: {shown.text(clips.loc[label, name])}")
    return dict(worst)


def _frames(
    row: Any, root: Path, folder: Path, fps: float
) -> list[tuple[float, NDArray[np.uint8], NDArray[np.float32] | None]]:
    """Time, picture and points (None without a face) of some frames of a row's clip."""
    start = 0.0 if np.isnan(row.start) else row.start
    wanted = start + np.linspace(0, min(row.duration, _SHOWN_S), _FRAMES, endpoint=False)
    times: list[float] = []
    points: list[NDArray[np.float32] | None] = []
    for chunk in schema.chunks(folder / row.shard, int(row.row_group), int(row.row_groups)):
        while len(times) < _FRAMES and chunk.times_T[-1] >= wanted[len(times)]:
            t = int(np.searchsorted(chunk.times_T, wanted[len(times)]))
            times.append(float(chunk.times_T[t]))
            points.append(chunk.landmarks_TPC[t] if chunk.valid_T[t] else None)
    pictures = Clip(root / row.file_path, fps).stills(times)
    return list(zip(times, pictures, points, strict=False))
