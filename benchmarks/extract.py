"""How fast extraction is, and what it could be: ``python benchmarks/extract.py CLIP [CLIP ...]``.

In one run, since machines differ: decoding alone, decoding and the landmarker's
bare native call with its answer thrown away, ``detect`` on one core, the naive loop (one process, a
Python object of every point, results kept), and stage extract's pool on all cores, over copies of
the clips. The limit is cores / (decoding + bare call). FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import ctypes
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

from facewave.landmarks import cache, extract, model_file
from facewave.landmarks.detect import detect
from facewave.landmarks.landmarker import Landmarker
from facewave.video import Clip

FPS = 25.0


def decode(clip: Path) -> int:
    """Frames of a clip, decoded and dropped."""
    return sum(1 for _ in Clip(clip, FPS).frames())


def bare(clip: Path, model: bytes) -> int:
    """Decoded, and looked at without reading the answer."""
    frames = 0
    with Landmarker(model, 1) as landmarker:
        inner = landmarker._inner
        for t, (_, _, picture) in enumerate(Clip(clip, FPS).frames()):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
            answer = FaceLandmarkerResultC()
            pointer = ctypes.byref(answer)
            inner._lib.MpFaceLandmarkerDetectForVideo(
                inner._handle, image._image_ptr, None, 40 * t, pointer
            )
            inner._lib.MpFaceLandmarkerCloseResult(pointer)
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


def pool(clips: list[Path], times: int) -> float:
    """Seconds of a whole run over copies, a cold cache, processes started."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[cache.FOLDER] = str(Path(folder) / "cache")
        waiting = copies(clips, Path(folder), times)
        start = time.perf_counter()
        extract.ensure(waiting, "benchmark", FPS, limit=600)
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
    given = parser.parse_args()
    clips, place = given.clips, model_file.get()
    model, cores = place.read_bytes(), joblib.cpu_count()
    frames = sum(decode(clip) for clip in clips)
    decoding = timed(clips, decode)
    bare_time = timed(clips, lambda clip: bare(clip, model))
    alone = timed(clips, lambda clip: detect(clip, place, FPS))
    naive_time = timed(clips, lambda clip: naive(clip, model))
    whole = pool(clips, given.copies)

    def line(name: str, seconds: float, times: int = 1) -> None:
        rate = times * frames / seconds
        limit = cores * frames / bare_time
        print(f"{name:34} {1e3 * seconds / frames / times:8.2f} {rate:8.1f} {rate / limit:8.2f}")

    print(f"{len(clips)} clips, {frames} frames, {cores} cores")
    print(f"{'':34} {'ms/frame':>8} {'frames/s':>8} {'of limit':>8}")
    line("decoding alone, one core", decoding)
    line("decoding and bare call, one core", bare_time)
    line("detect, one core", alone)
    line("naive loop, one core", naive_time)
    line("stage extract, all cores", whole, given.copies)
    print(f"stage extract is {given.copies * naive_time / whole:.2f} times the naive loop")


if __name__ == "__main__":
    main()
