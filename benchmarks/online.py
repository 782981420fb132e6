"""Is a video answered as fast as it runs? ``python benchmarks/online.py CLIP [CLIP ...]``.

Each frame in turn, as it would come from a camera: it is decoded, its face is found (engine
``litert``), cut out (112 pixels) and given to a network of real size with random weights, on one
thread. Latency is from the frame to the answer, as a share of the frame's duration; half of the
frames and 95 of 100 are below it. The real-time factor is the time of all frames over the video's:
above 1 answers fall behind. Each is given by the processor's time, which others' work does not
lengthen, and by the wall's, which somebody waits. Frames without a face need no network and are
left out of the latency, not of the factor.

Legend of names: f frames, P parts, N networks, C the clocks: the processor's, the wall's.

FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from facewave import assets
from facewave.faces import align
from facewave.labels.schema import COMPOUND
from facewave.landmarks import engines
from facewave.models import vision
from facewave.models.vision.network import FaceNetwork, FaceNetworkConfig
from facewave.params import FaceNetworkKind, load
from facewave.targets import CLASSES, Target
from facewave.video import Clip

FIVE: tuple[FaceNetworkKind, ...] = (
    "mobilenet_v2", "resnet18", "resnet152", "densenet121", "densenet201",
)  # fmt: skip
PARTS = ("decoding", "face", "cutting")
_WARMING = 3  # frames in which buffers are made
_FPS = 25.0  # of clips that are pictures


class Spent(NamedTuple):
    """Milliseconds of each frame of a clip."""

    before_fPC: NDArray[np.float64]  # of each of PARTS
    networks_fNC: NDArray[np.float64]  # NaN where there is no face
    duration: float  # ms of a frame


def clocks() -> NDArray[np.float64]:
    """What they say, in milliseconds, (C,)."""
    return 1000 * np.array([time.process_time(), time.perf_counter()])


def watch(clip: Path, model: bytes, networks: Sequence[FaceNetwork], most: int) -> Spent:
    """Look at the frames of a clip as they come."""
    faces, side = load().faces, load().train.vision.side
    source, of_networks = Clip(clip, _FPS), []
    before: list[NDArray[np.float64]] = []
    with engines.landmarker("litert", model, True) as landmarker, torch.inference_mode():
        frames, milliseconds = iter(source.frames()), -1
        while len(before) < most + _WARMING:
            times = [clocks()]
            _, at, picture = next(frames, (0, 0.0, None))
            if picture is None:
                break
            times.append(clocks())
            milliseconds = max(milliseconds + 1, round(1000 * at))
            seen = landmarker.look(picture, milliseconds)
            times.append(clocks())
            spent_NC = np.full((len(networks), 2), np.nan)
            if seen:
                points_P2 = seen[0].face.landmarks_PC[:, :2] * picture.shape[1::-1]
                square_4 = align.squares(points_P2[None], faces.align)[0]
                face = align.cut(picture, square_4, faces.margin, side)
                faces_1CHW = torch.from_numpy(face.transpose(2, 0, 1).copy())[None]
            times.append(clocks())
            for at_network, network in enumerate(networks if seen else ()):
                start = clocks()
                network.look(faces_1CHW)
                spent_NC[at_network] = clocks() - start
            before.append(np.diff(times, axis=0))
            of_networks.append(spent_NC)
    rows = slice(_WARMING, None)
    return Spent(np.array(before)[rows], np.array(of_networks)[rows], 1000 / source.fps)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=200, help="of each clip, at most")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    target, side = Target(CLASSES, "words", COMPOUND), load().train.vision.side
    networks = [vision.build(FaceNetworkConfig(kind, (target,), side=side)).eval() for kind in FIVE]
    model = assets.get(assets.LANDMARKER).read_bytes()
    for clip in given.clips:
        before_fPC, networks_fNC, duration = watch(clip, model, networks, given.frames)
        parts = ", ".join(
            f"{name} {ms:.1f} ms"
            for name, ms in zip(PARTS, np.median(before_fPC[..., 0], axis=0), strict=True)
        )
        has_face = np.isfinite(networks_fNC).all(axis=(1, 2))
        seen = f"{len(before_fPC)} frames of {duration:.1f} ms, {has_face.sum()} with a face"
        print(f"\n{clip.name}: {seen}; medians: {parts}")
        figures = ("network, ms", "p50 / frame", "p95 / frame", "real-time factor")
        titles = ("network", *figures, *(f"{title} (wall)" for title in figures))
        print("|".join(["", *titles, ""]), "|".join(["", *["---"] * len(titles), ""]), sep="\n")
        total_fC = before_fPC.sum(axis=1)
        columns = [*networks_fNC.transpose(1, 0, 2), networks_fNC.sum(axis=1)]
        for name, network_fC in zip((*FIVE, "all five"), columns, strict=True):
            latency_fC = (total_fC + network_fC)[has_face] / duration
            row_4C = np.stack([
                np.median(network_fC[has_face], axis=0),
                *np.quantile(latency_fC, [0.5, 0.95], axis=0),
                (total_fC + np.nan_to_num(network_fC)).mean(axis=0) / duration,
            ])  # fmt: skip
            print("|".join(["", name, *(f"{figure:.2f}" for figure in row_4C.T.ravel()), ""]))


if __name__ == "__main__":
    main()
