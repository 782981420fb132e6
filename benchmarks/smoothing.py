"""How late smoothed points are: ``python benchmarks/smoothing.py CLIP [CLIP ...]``.

Synthetic onsets: of each clip, the picture of the frame with the least and of that with the most of
a facial action, each shown for a second, so that the action sets in from one frame to the next.
Per action, over all clips in which it differs by ``LEAST`` or more: the share of the change that is
there in the first frame after the onset, and the milliseconds until 90 % of it are, of the action's
blendshape and of the points that move most; smoothed as by default, and as the points come. What
remains without smoothing is due to the models, which see the face where it was a frame before.
FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewave import assets
from facewave.landmarks import engines
from facewave.video import Clip

ACTIONS = ("eyeBlinkLeft", "browInnerUp", "browDownLeft", "jawOpen", "mouthSmileLeft")
LEAST = 0.2  # of a blendshape's range [0, 1]
FPS, HOLD = 25, 25  # frames a second; frames that each picture is shown
MOVING = 20  # points that stand for the change: those that move most


def follow(
    pictures: list[NDArray[np.uint8]], model: bytes, smooth: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[str, ...]]:
    """Points (T, 478, 2) and blendshapes (T, 52) of the first face, and their names."""
    with engines.landmarker("litert", model, smooth) as landmarker:
        faces = [
            landmarker.look(picture, round(1000 * t / FPS))[0].face
            for t, picture in enumerate(pictures)
        ]
        points = np.array([face.landmarks_PC[:, :2] for face in faces])
        return points, np.array([face.blendshapes_B for face in faces]), landmarker.names


def lag(values_TC: NDArray[np.float32]) -> tuple[float, float]:
    """Share of the change in the first frame after the onset, and milliseconds until 90 % of it."""
    start, end = values_TC[HOLD - 1], values_TC[-1]
    share_T = (values_TC[HOLD:] - start) @ (end - start) / ((end - start) ** 2).sum()
    return float(share_T[0]), 1000 * float(np.argmax(share_T >= 0.9)) / FPS


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How late smoothed points are.")
    parser.add_argument("clips", nargs="+", type=Path)
    model = assets.get(assets.LANDMARKER).read_bytes()
    lags: dict[tuple[str, bool], list[tuple[float, ...]]] = {}
    for clip in parser.parse_args().clips:
        frames = [picture for _, _, picture in Clip(clip, FPS).frames() if picture is not None]
        _, shapes_TB, names = follow(frames, model, smooth=False)
        for action in ACTIONS:
            values_T = shapes_TB[:, names.index(action)]
            if np.ptp(values_T) < LEAST:
                continue
            shown = [frames[int(values_T.argmin())]] * HOLD + [
                frames[int(values_T.argmax())]
            ] * HOLD
            for smooth in (True, False):
                points_TPC, shown_TB, _ = follow(shown, model, smooth)
                moves_P = np.linalg.norm(points_TPC[-1] - points_TPC[HOLD - 1], axis=1)
                most = points_TPC[:, np.argsort(-moves_P)[:MOVING]].reshape(len(shown), -1)
                blendshape = shown_TB[:, [names.index(action)]]
                lags.setdefault((action, smooth), []).append((*lag(most), *lag(blendshape)))
    print("| action | clips | points | at once | 90 % after, ms | blendshape: at once | 90 %, ms |")
    print("|---|---|---|---|---|---|---|")
    for (action, smooth), of_clips in lags.items():
        first, late, shape_first, shape_late = np.median(of_clips, axis=0)
        print(
            f"| {action} | {len(of_clips)} | {'smoothed' if smooth else 'raw'} | {first:.0%} | "
            f"{late:.0f} | {shape_first:.0%} | {shape_late:.0f} |"
        )


if __name__ == "__main__":
    main()
