"""How fast extraction is, and what it could be: ``python benchmarks/extract.py CLIP [CLIP ...]``.

In one run, since machines differ: decoding alone, decoding and the landmarker's
bare native call with its answer thrown away, ``detect`` on one core, the naive loop (one process, a
Python object of every point, results kept), and stage extract's pool on all cores, over copies of
the clips. The limit is cores / (decoding + bare call). Then what ours of a frame goes to.
FACEWAVE_ASSETS: the landmarker's folder.
"""

import argparse
import ctypes
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import joblib
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

from facewave import assets, files, params
from facewave.landmarks import extract
from facewave.landmarks.detect import _LOOK_OUT_S, _Sightings, detect
from facewave.landmarks.engines.mediapipe import Landmarker, Lookout
from facewave.landmarks.schema import write_clip
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


def pieces(clips: list[Path], place: Path, settings: params.Landmarks) -> dict[str, float]:
    """Seconds of what is ours, over all clips."""
    lookout = Lookout(place.read_bytes())
    spent = dict.fromkeys(("a second face", "whose, where, how sharp", "chunks and parquet"), 0.0)
    for clip in clips:
        sightings, next_look = _Sightings(settings.whose), 0.0
        with Landmarker(place.read_bytes(), 1) as landmarker:
            for number, at, picture in Clip(clip, FPS).frames():
                assert picture is not None
                start = time.perf_counter()
                if at >= next_look:
                    next_look = at + _LOOK_OUT_S
                    lookout.several(picture)
                middle = time.perf_counter()
                faces = landmarker.look(picture, round(1000 * at))
                end = time.perf_counter()
                sightings.add(number, at, picture, faces)
                spent["a second face"] += middle - start
                spent["whose, where, how sharp"] += time.perf_counter() - end
        seen = detect(clip, place, FPS, settings)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            write_clip(Path(folder) / "a.parquet", seen.facts, seen.chunks(), seen.names)
        spent["chunks and parquet"] += time.perf_counter() - start
    return spent


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
    settings = params.load().landmarks
    frames = sum(decode(clip) for clip in clips)
    works: dict[str, Callable[[], float]] = {
        "decoding alone, one core": lambda: timed(clips, decode),
        "decoding and bare call, one core": lambda: timed(clips, lambda clip: bare(clip, model)),
        "detect, one core": lambda: timed(clips, lambda clip: detect(clip, place, FPS, settings)),
        "naive loop, one core": lambda: timed(clips, lambda clip: naive(clip, model)),
        "stage extract, all cores": lambda: pool(clips, given.copies, settings) / given.copies,
    }
    rounds = [{name: work() for name, work in works.items()} for _ in range(given.rounds)]
    ours = [pieces(clips, place, settings) for _ in range(given.rounds)]
    # Ratios are taken within a round: a machine that others share is slow for minutes on end.
    print(f"{len(clips)} clips, {frames} frames, {cores} cores, medians of {given.rounds} rounds")
    print(f"{'':34} {'ms/frame':>8} {'frames/s':>8} {'of limit':>8}")
    for name in works:
        spent = median(one[name] for one in rounds)
        limit = median(
            one["decoding and bare call, one core"] / cores / one[name] for one in rounds
        )
        print(f"{name:34} {1e3 * spent / frames:8.2f} {frames / spent:8.1f} {limit:8.2f}")
    for name in ours[0]:
        spent = median(one[name] for one in ours)
        print(f"  of detect: {name:22} {1e3 * spent / frames:8.2f}")
    times = median(one["naive loop, one core"] / one["stage extract, all cores"] for one in rounds)
    print(f"stage extract is {times:.2f} times the naive loop")


if __name__ == "__main__":
    main()
