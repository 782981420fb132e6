"""How fast extraction is, and what it could be: ``python benchmarks/extract.py CLIP [CLIP ...]``.

In one run, since machines differ: decoding alone; decoding and the two models that a frame needs,
called with nothing around them; ``detect`` on one core with either engine; the naive loop with
MediaPipe (one process, a Python object of every point, results kept); and stage extract on all
cores with either engine, over copies of the clips. The limit is cores / (decoding and models).
FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import joblib
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from facewave import assets, files, params
from facewave.landmarks import extract
from facewave.landmarks.detect import detect
from facewave.landmarks.engines import litert
from facewave.landmarks.engines.litert import Models
from facewave.video import Clip

FPS = 25.0


def decode(clip: Path) -> int:
    """Frames of a clip, decoded and dropped."""
    return sum(1 for _ in Clip(clip, FPS).frames())


def needed(clip: Path, models: Models) -> int:
    """Decoded, and the two models called that a frame needs whose face was seen before."""
    picture, points = np.zeros((1, 256, 256, 3), np.float32), np.zeros((1, 146, 2), np.float32)
    frames = 0
    for _ in Clip(clip, FPS).frames():
        models("landmarks", picture)
        models("blendshapes", points)
        frames += 1
    return frames


def naive(clip: Path, model: bytes) -> int:
    """What most projects do: the public call, and all its objects kept."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    kept = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for t, (_, _, picture) in enumerate(Clip(clip, FPS).frames()):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
            answer = landmarker.detect_for_video(image, 40 * t)
            kept.append([[(p.x, p.y, p.z) for p in face] for face in answer.face_landmarks])
            kept.append([[s.score for s in face] for face in answer.face_blendshapes])
    return len(kept) // 2


def copies(clips: list[Path], folder: Path, times: int) -> list[Path]:
    """The clips under other hashes: a byte behind a file's end is of no video's concern."""
    made = []
    for k in range(times):
        for clip in clips:
            made.append(folder / f"{k}-{clip.name}")
            made[-1].write_bytes(clip.read_bytes() + bytes([k]))
    return made


def pool(clips: list[Path], times: int, settings: params.Landmarks) -> float:
    """Seconds of a whole run over copies, a cold cache, processes started."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[files.CACHE] = str(Path(folder) / "cache")
        waiting = copies(clips, Path(folder), times)
        start = time.perf_counter()
        extract.ensure(waiting, "benchmark", FPS, settings)
        return time.perf_counter() - start


def timed(clips: list[Path], work: Callable[[Path], object]) -> float:
    """Seconds for all clips, one after the other."""
    start = time.perf_counter()
    for clip in clips:
        work(clip)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How fast extraction is.")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--copies", type=int, default=6, help="of each clip, for the pool")
    parser.add_argument("--rounds", type=int, default=5, help="of everything; medians are printed")
    given = parser.parse_args()
    clips, place = given.clips, assets.get(assets.LANDMARKER)
    model, cores = place.read_bytes(), joblib.cpu_count()
    ours = params.load().landmarks
    theirs = replace(ours, engine="mediapipe")
    models = litert.load(model)
    frames = sum(decode(clip) for clip in clips)
    floor, stage, rival = (
        "decoding and models, one core",
        "stage extract",
        "stage extract, mediapipe",
    )
    works: dict[str, Callable[[], float]] = {
        "decoding alone, one core": lambda: timed(clips, decode),
        floor: lambda: timed(clips, lambda clip: needed(clip, models)),
        "detect, one core": lambda: timed(clips, lambda clip: detect(clip, place, FPS, ours)),
        "detect, mediapipe": lambda: timed(clips, lambda clip: detect(clip, place, FPS, theirs)),
        "naive loop of mediapipe's": lambda: timed(clips, lambda clip: naive(clip, model)),
        stage: lambda: pool(clips, given.copies, ours) / given.copies,
        rival: lambda: pool(clips, given.copies, theirs) / given.copies,
    }
    rounds = [{name: work() for name, work in works.items()} for _ in range(given.rounds)]
    # Ratios are taken within a round: a machine that others share is slow for minutes on end.
    print(f"{len(clips)} clips, {frames} frames, {cores} cores, medians of {given.rounds} rounds")
    print(f"{'':34} {'ms/frame':>8} {'frames/s':>8} {'of limit':>8}")
    for name in works:
        spent = median(one[name] for one in rounds)
        limit = median(one[floor] / cores / one[name] for one in rounds)
        print(f"{name:34} {1e3 * spent / frames:8.2f} {frames / spent:8.1f} {limit:8.2f}")
    for name in (rival, "naive loop of mediapipe's"):
        times = median(one[name] / one[stage] for one in rounds)
        print(f"stage extract is {times:.2f} times as fast as {name}")


if __name__ == "__main__":
    main()
