"""The pictures of people: one clip from face to numbers, and a sheet of clips."""

import math
import textwrap
from itertools import product
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pywt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facewave import figures
from facewave.faces.schema import Faces
from facewave.landmarks.schema import Trajectory, duration
from facewave.video import Clip

SHEET = 8  # clips
_FRAMES = 6
_CHANNELS = 5
_LETTERS = 30  # of a line above a face
_SHORTEST_GAP = 0.9  # of a frame


def clip(
    trajectory: Trajectory,
    numbers_NB: NDArray[np.float32],
    functions_PN: NDArray[np.float32],
    video: Clip,
    title: str,
    path: Path,
) -> None:
    """From face to numbers: frames with points, blendshapes and what N numbers keep, a scalogram.

    ``functions_PN`` is what the numbers are coefficients of, over the clip's time; P may be 0.
    """
    times = trajectory.times_T
    spread = np.nan_to_num(np.nanstd(trajectory.blendshapes_TB, axis=0))
    moving = np.argsort(-spread, kind="stable")[:_CHANNELS]
    shown = np.unique(np.linspace(0, len(times) - 1, _FRAMES).round().astype(int))
    with mpl.rc_context(figures.STYLE):
        figure = Figure((9, 7.6), layout="constrained")
        grid = figure.add_gridspec(3, _FRAMES, height_ratios=(1, 1.6, 1.3))
        curves = figure.add_subplot(grid[1, :])
        scales = figure.add_subplot(grid[2, :], sharex=curves)
        for column, (t, picture) in enumerate(zip(shown, video.stills(times[shown]), strict=False)):
            points = trajectory.landmarks_TPC[t] if trajectory.valid_T[t] else None
            axes = figure.add_subplot(grid[0, column])
            figures.frame(axes, times[t], picture, points, fontsize=8)
        kept_PB = functions_PN @ numbers_NB
        _trajectories(curves, trajectory, kept_PB, len(numbers_NB), moving)
        _scalogram(scales, trajectory, int(moving[0]))
        for axes, (start, end) in product((curves, scales), gaps(trajectory)):
            axes.axvspan(start, end, **figures.GAP)
        figures.entitle(figure, title, 10)
        figures.save(figure, path)


def sheet(clips: list[tuple[Faces | None, float, str]], title: str, path: Path) -> None:
    """A face of each clip, the one nearest to a time (s from the first frame), below a text."""
    columns = min(4, max(1, len(clips)))
    rows = max(1, math.ceil(len(clips) / columns))
    with mpl.rc_context(figures.STYLE):
        figure = Figure((max(6.0, 2.4 * columns), 2.9 * rows + 0.5), layout="constrained")
        for number, (faces, time, text) in enumerate(clips, start=1):
            axes = figure.add_subplot(rows, columns, number)
            seen = np.flatnonzero(faces.valid) if faces else np.empty(0, int)
            if faces and len(seen):
                nearest = seen[np.abs(faces.times_F[seen] - time).argmin()]
                axes.imshow(faces.decode(nearest[None])[0])
            else:
                axes.text(0.5, 0.5, "no face was cut out", ha="center", va="center")
            lines = [textwrap.fill(line, _LETTERS) for line in text.splitlines()]
            axes.set_title("\n".join(lines), fontsize=7)
            axes.set_axis_off()
        figures.entitle(figure, title, 10)
        figures.save(figure, path)


def gaps(trajectory: Trajectory) -> list[tuple[float, float]]:
    """From when to when (s) there is no face: it is not seen, or there is no frame at all.

    A frame lasts from half-way before it to half-way after it, by the median distance of frames.
    """
    times = trajectory.times_T
    seen, length = times[trajectory.valid_T], duration(times)
    half = (length - (times[-1] - times[0])) / 2
    starts = np.append(times[0], seen + 2 * half) - half
    ends = np.append(seen, times[-1] + 2 * half) - half
    away = ends - starts > _SHORTEST_GAP * 2 * half
    return list(zip(starts[away].tolist(), ends[away].tolist(), strict=True))


def _trajectories(
    axes: Axes,
    trajectory: Trajectory,
    kept_PB: NDArray[np.float32],
    n_numbers: int,
    moving: NDArray[np.intp],
) -> None:
    times = trajectory.times_T
    lasts = duration(times)
    # A frame lasts from half-way before it to half-way after it, and so does the clip.
    first = times[0] - lasts / len(times) / 2
    at = first + (np.arange(len(kept_PB)) + 0.5) / max(len(kept_PB), 1) * lasts
    for color, channel in zip(figures.SERIES, moving, strict=False):
        name = trajectory.names[channel]
        axes.plot(times, trajectory.blendshapes_TB[:, channel], color=color, lw=1, label=name)
        axes.plot(at, kept_PB[:, channel], color=color, alpha=0.35, lw=3)
    axes.set(ylabel="blendshape", xlim=(first, first + lasts), ylim=(0, 1))
    axes.tick_params(labelbottom=False)  # they are below the scalogram
    kept_title = f" (thin), and what {n_numbers} numbers keep of them (broad)"
    axes.set_title(
        f"The blendshapes that move most{kept_title if len(kept_PB) else ''}", fontsize=9
    )
    axes.legend(
        frameon=False,
        ncols=len(moving),
        fontsize=7,
        columnspacing=1.2,
        handlelength=1.2,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
    )


def _scalogram(axes: Axes, trajectory: Trajectory, channel: int) -> None:
    """Magnitudes of Haar's detail coefficients, a row per level, the coarsest on top.

    Haar, whatever the wavelet in use: its coefficients see nothing beyond the clip's ends.
    """
    valid = trajectory.valid_T
    times = trajectory.times_T
    line = np.interp(times, times[valid], trajectory.blendshapes_TB[valid, channel])
    size = 2 ** math.ceil(math.log2(len(line)))
    grid = np.interp(np.linspace(times[0], times[-1], size), times, line)
    levels = int(math.log2(size))
    details = pywt.wavedec(grid, "haar", "periodization", level=levels)[1:]
    rows = np.vstack([np.repeat(np.abs(row), size // len(row)) for row in details])
    image = axes.imshow(
        rows,
        norm=PowerNorm(0.5),
        aspect="auto",
        interpolation="nearest",
        extent=(times[0], times[-1], levels, 0),
    )
    cells = [(times[-1] - times[0]) / len(row) for row in details]
    axes.set_yticks(np.arange(levels) + 0.5, [f"{cell:.2f} s" for cell in cells], fontsize=7)
    axes.set(xlabel="time (s)", ylabel="scale")
    axes.set_title(f"Wavelet scalogram of {trajectory.names[channel]} (Haar)", fontsize=9)
    # Beside the axes, which remain as wide as those above.
    scale = axes.inset_axes((1.01, 0, 0.015, 1))
    axes.figure.colorbar(image, cax=scale, label="|coefficient|")
