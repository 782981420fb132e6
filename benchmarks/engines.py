"""The engine ``litert`` against ``mediapipe``: ``python benchmarks/engines.py CLIP [CLIP ...]``.

Both look at every frame in turn; of several faces that litert follows, the nearest to mediapipe's
counts. Differences are those of frames
in which both see one: landmarks as the root mean square of the points' distances in the picture, in
percent of the face's width; blendshapes and poses as they are. Times are medians over frames; of
MediaPipe's the processor's, which counts its own threads. "Models" are the two that a frame needs
where the face was seen before, called with nothing around them.

FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facewave import assets
from facewave.landmarks import engines
from facewave.landmarks.engines import litert
from facewave.landmarks.engines.engine import Face
from facewave.video import Clip

FPS = 25.0  # of clips that are pictures
TITLES = ("clip", "size", "frames", "with a face", "seen by one only", "landmarks, %", "99.9 %",
          "most",
          "blendshapes", "99 %", "pose, degrees", "99 %", "most", "mediapipe, ms", "litert, ms",
          "ratio", "models, ms")  # fmt: skip


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and the processor's milliseconds."""
    start = time.process_time()
    answer = call()
    return answer, 1000 * (time.process_time() - start)


def difference(one: Face, other: Face, width: int, height: int) -> list[float]:
    """Landmarks (percent of the face's width), pose (degrees) and each blendshape."""
    size = np.array([width, height])
    points, others = (face.landmarks_PC[:, :2] * size for face in (one, other))
    apart = np.sqrt(((points - others) ** 2).sum(axis=1).mean()) / np.ptp(points[:, 0])
    turns = Rotation.from_matrix(np.stack([one.pose_44[:3, :3], other.pose_44[:3, :3]]))
    degrees = np.degrees((turns[0] * turns[1].inv()).magnitude())
    return [100 * apart, degrees, *np.abs(one.blendshapes_B - other.blendshapes_B)]


def compare(clip: Path, model: bytes) -> tuple[list[str], NDArray[np.float64]]:
    """A row of the table, and the differences of each frame."""
    loaded = litert.load(model)
    nothing: dict[Any, NDArray[np.float32]] = {
        "landmarks": np.zeros((1, 256, 256, 3), np.float32),
        "blendshapes": np.zeros((1, 146, 2), np.float32),
    }
    source, differences, spent = Clip(clip, FPS), [], []
    frames = seen = missed = 0
    milliseconds = -1
    with (
        engines.landmarker("mediapipe", model, True) as theirs,
        engines.landmarker("litert", model, True) as ours,
    ):
        for _, at, picture in source.frames():
            if picture is None:
                continue
            milliseconds = max(milliseconds + 1, round(1000 * at))
            reference, a = timed(lambda: theirs.look(picture, milliseconds))  # noqa: B023
            answer, b = timed(lambda: ours.look(picture, milliseconds))  # noqa: B023
            _, c = timed(lambda: [loaded(name, zeros) for name, zeros in nothing.items()])
            frames, seen = frames + 1, seen + len(reference)
            missed += bool(reference) != bool(answer)
            spent.append((a, b, c))
            if reference and answer:
                size = picture.shape[1], picture.shape[0]
                nearest = [difference(reference[0].face, found.face, *size) for found in answer]
                differences.append(min(nearest))
    table = np.array(differences).reshape(-1, 54)
    a, b, c = np.median(spent, axis=0)
    row = [clip.name, f"{source.width} x {source.height}", f"{frames}", f"{seen}", f"{missed}"]
    row += [*in_words(table), f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", f"{c:.1f}"]
    return row, table


def in_words(table: NDArray[np.float64]) -> list[str]:
    """The differences as the table has them."""
    if not len(table):
        return [""] * 8
    apart, degrees, shapes = table[:, 0], table[:, 1], table[:, 2:]
    landmarks = (np.sqrt((apart**2).mean()), np.quantile(apart, 0.999), apart.max())
    blendshapes = (np.median(shapes), np.quantile(shapes, 0.99))
    pose = (np.median(degrees), np.quantile(degrees, 0.99), degrees.max())
    return [f"{value:.3f}" for value in landmarks + blendshapes + pose]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    model = assets.get(assets.LANDMARKER).read_bytes()
    print("|".join(["", *TITLES, ""]), "|".join(["", *["---"] * len(TITLES), ""]), sep="\n")
    tables = []
    for clip in parser.parse_args().clips:
        row, table = compare(clip, model)
        tables.append(table)
        print("|".join(["", *row, ""]), flush=True)
    whole = np.concatenate(tables)
    print("|".join(["", "all", "", "", f"{len(whole)}", "", *in_words(whole), *[""] * 4, ""]))


if __name__ == "__main__":
    main()
