"""The pictures of people: one clip from face to numbers, and a sheet of clips."""

import math
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
        for column, (t, picture) in enumerate(zip(shown, video.stills(times[shown]), strict=False)):
            axes = figure.add_subplot(grid[0, column])
            axes.imshow(picture)
            height, width = picture.shape[:2]
            points = trajectory.landmarks_TPC[t]
            axes.scatter(
                points[:, 0] * width, points[:, 1] * height, s=0.25, c="#7fffd4", alpha=0.8
            )
            axes.set_title(f"{times[t]:.2f} s", fontsize=8)
            axes.set_axis_off()
        kept_PB = functions_PN @ numbers_NB
        _trajectories(figure.add_subplot(grid[1, :]), trajectory, kept_PB, len(numbers_NB), moving)
        _scalogram(figure, figure.add_subplot(grid[2, :]), trajectory, int(moving[0]))
        figure.suptitle(title, fontsize=10)
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
            axes.set_title(text, fontsize=7)
            axes.set_axis_off()
        figure.suptitle(title, fontsize=10)
        figures.save(figure, path, dpi=75)  # photographs make large PNGs


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
    for color, channel in zip(mpl.color_sequences["tab10"][: len(moving)], moving, strict=True):
        name = trajectory.names[channel]
        axes.plot(times, trajectory.blendshapes_TB[:, channel], color=color, lw=1, label=name)
        axes.plot(at, kept_PB[:, channel], color=color, alpha=0.35, lw=3)
    axes.set(ylabel="blendshape", xlim=(first, first + lasts))
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
        bbox_to_anchor=(0.5, -0.1),
    )


def _scalogram(figure: Figure, axes: Axes, trajectory: Trajectory, channel: int) -> None:
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
        cmap="magma",
        interpolation="nearest",
        extent=(times[0], times[-1], levels, 0),
    )
    cells = [(times[-1] - times[0]) / len(row) for row in details]
    axes.set_yticks(np.arange(levels) + 0.5, [f"{cell:.2f} s" for cell in cells], fontsize=7)
    axes.set(xlabel="time (s)", ylabel="scale")
    axes.set_title(f"Wavelet scalogram of {trajectory.names[channel]} (Haar)", fontsize=9)
    figure.colorbar(image, ax=axes, label="|coefficient|", pad=0.01)
