"""What moving the picture changes: ``python benchmarks/headpose.py CLIP [...] [--figure PNG]``.

Each clip is looked at as it is and with all its pictures turned, shifted and shrunk, as if the
camera had been held otherwise; the face does the same. The change of a trajectory m of T frames
against the unmoved one u is

    sqrt(mean_t (m_t - u_t)^2) / std_t(u_t),

in parts of what the trajectory itself does over time: 0 is best. "Motion only" is the same after
the difference's own mean was taken off. Below: how much of a trajectory's variance is a linear
function of the head's yaw, pitch and roll (R^2 of least squares with an intercept, in the unmoved
clip); faces also turn when they express something, so it need not be 0. Quartiles are over all
channels of all clips: 1,434 coordinates or 52 blendshapes each, without those that never change.

FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facewave import assets, figures, params
from facewave.landmarks import headpose
from facewave.landmarks.detect import detect
from facewave.params import Landmarks
from facewave.video import Clip

FPS = 25.0  # of clips that are pictures
CHIN, UP = 152, 1  # a point and a coordinate, for the figure
COLOURS = ("#222222", "#d1495b", "#edae49", "#00798c", "#7a5195")

Floats = NDArray[np.float64]
Move = tuple[Floats, tuple[int, int]]  # the affine matrix (2, 3), and the new width and height


def _turned(degrees: float) -> Callable[[int, int], Move]:
    """Counter-clockwise about the middle, in a picture large enough for all of it."""

    def move(width: int, height: int) -> Move:
        c, s = (abs(f(math.radians(degrees))) for f in (math.cos, math.sin))
        new = (math.ceil(width * c + height * s), math.ceil(width * s + height * c))
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        matrix[:, 2] += ((new[0] - width) / 2, (new[1] - height) / 2)
        return matrix, new

    return move


def _framed(left: float, right: float, above: float, below: float) -> Callable[[int, int], Move]:
    """With black borders, in parts of the picture's width and height."""

    def move(width: int, height: int) -> Move:
        matrix = np.array([[1.0, 0.0, round(left * width)], [0.0, 1.0, round(above * height)]])
        new = (round((1 + left + right) * width), round((1 + above + below) * height))
        return matrix, new

    return move


_BORDER = (1 / 0.7 - 1) / 2
MOVES = {
    "as it is": _framed(0, 0, 0, 0),
    "turned by 10 degrees": _turned(10),
    "turned by 20 degrees": _turned(20),
    "shifted by a tenth": _framed(0.2, 0, 0.2, 0),  # of width and height, from the middle
    "shrunk to 0.7": _framed(_BORDER, _BORDER, _BORDER, _BORDER),
}
KINDS = ("landmarks", "pose-free", "blendshapes")


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of a clip; NaN in frames without a face.

    Attributes:
        times_T: seconds.
        angles_T3: yaw, pitch and roll in degrees.
        channels: of each kind, (T, channels).
    """

    times_T: Floats
    angles_T3: Floats
    channels: dict[str, Floats]


def moved(clip: Path, move: Callable[[int, int], Move], folder: Path) -> float:
    """Write a clip's pictures, moved, as PNGs, which lose nothing; return its frames per second."""
    source = Clip(clip, FPS)
    for number, _, picture in source.frames():
        if picture is not None:
            matrix, size = move(picture.shape[1], picture.shape[0])
            found = cv2.warpAffine(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), matrix, size)
            quick = (cv2.IMWRITE_PNG_COMPRESSION, 1)
            assert cv2.imwrite(str(folder / f"{number:06}.png"), found, quick)
    return source.fps


def look(clip: Path, move: Callable[[int, int], Move], model: Path, settings: Landmarks) -> Seen:
    """Detect the face in a moved clip and take its pose out."""
    with tempfile.TemporaryDirectory() as folder:
        fps = moved(clip, move, Path(folder))
        found = detect(Path(folder), model, fps, settings)
        seen = found.person("center").trajectory()
    aspect = found.facts.width / found.facts.height
    head = headpose.separate(seen.landmarks_TPC, seen.pose_T44, aspect)
    count = len(seen.times_T)
    channels = {
        "landmarks": seen.landmarks_TPC.astype(float).reshape(count, -1),
        "pose-free": head.pose_free_TPC.reshape(count, -1),
        "blendshapes": seen.blendshapes_TB.astype(float),
    }
    return Seen(seen.times_T, headpose.angles(seen.pose_T44), channels)


def change(moved_TN: Floats, unmoved_TN: Floats, motion_only: bool) -> Floats:
    """How much each channel that changes over time was changed (N,), as said above."""
    both = np.isfinite(moved_TN).all(axis=1) & np.isfinite(unmoved_TN).all(axis=1)
    difference = moved_TN[both] - unmoved_TN[both]
    if motion_only:
        difference -= difference.mean(axis=0)
    own = unmoved_TN[both].std(axis=0)
    return np.sqrt((difference**2).mean(axis=0))[own > 0] / own[own > 0]


def explained(angles_T3: Floats, channels_TN: Floats) -> Floats:
    """The share of each channel's variance that is linear in the angles (N,)."""
    there = np.isfinite(channels_TN).all(axis=1)
    inputs = np.column_stack([np.ones(there.sum()), angles_T3[there]])
    found = inputs @ np.linalg.lstsq(inputs, channels_TN[there], rcond=None)[0]
    own = channels_TN[there].var(axis=0)
    return found.var(axis=0)[own > 0] / own[own > 0]


def draw(clip: dict[str, Seen], path: Path) -> None:
    """How high the chin is over time, in all versions of a clip, before and after."""
    panels = {
        "landmarks": ("As the landmarker gives it", "picture heights"),
        "pose-free": ("Without the head's pose", "sizes of the face"),
    }
    with mpl.rc_context(figures.STYLE):
        figure = Figure((8.0, 5.0), layout="constrained")
        for axes, (kind, (title, unit)) in zip(
            figure.subplots(2, 1, sharex=True), panels.items(), strict=True
        ):
            for number, (name, seen) in enumerate(clip.items()):
                height = seen.channels[kind][:, 3 * CHIN + UP]
                height = 1 - height if kind == "landmarks" else height
                width, colour = (2.2 if number == 0 else 0.9), COLOURS[number]
                axes.plot(seen.times_T, height, color=colour, lw=width, label=name)
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_ylabel(f"height of the chin\n({unit})")
            axes.margins(x=0)
        axes.set_xlabel("seconds")
        lines, names = axes.get_legend_handles_labels()
        figure.legend(lines, names, loc="outside lower center", ncols=len(names), frameon=False)
        figures.save(figure, path)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What moving the picture changes.")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--figure", type=Path, help="a PNG of the first clip's chin")
    given = parser.parse_args()
    model, settings = assets.get(assets.LANDMARKER), params.load().landmarks
    clips = [
        {name: look(clip, move, model, settings) for name, move in MOVES.items()}
        for clip in given.clips
    ]
    if given.figure:
        draw(clips[0], given.figure)

    def line(name: str, kind: str, values: list[Floats]) -> None:
        low, middle, high = np.percentile(np.concatenate(values), (25, 50, 75))
        print(f"{name:22} {kind:12} {low:8.2f} {middle:8.2f} {high:8.2f}")

    first, *others = MOVES
    print(f"{len(clips)} clips, {sum(len(clip[first].times_T) for clip in clips)} frames")
    for title, motion_only in (("change", False), ("change, motion only", True)):
        print(f"\n{title:35} {'quarter':>8} {'median':>8} {'3/4':>8}")
        for name in others:
            for kind in KINDS:
                pairs = [(clip[name].channels[kind], clip[first].channels[kind]) for clip in clips]
                line(name, kind, [change(*pair, motion_only) for pair in pairs])
    print(f"\n{'explained by the angles':35} {'quarter':>8} {'median':>8} {'3/4':>8}")
    for kind in KINDS:
        each = [explained(clip[first].angles_T3, clip[first].channels[kind]) for clip in clips]
        line("", kind, each)


if __name__ == "__main__":
    main()
