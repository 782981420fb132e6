"""What is in memory does not grow with a clip's length: peaks of processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from running import ROOT

MORE_MB = 60  # that a clip of 20,000 frames (120 MB) may take above one of 2,000

PRELUDE = """
import resource, sys
from pathlib import Path
import numpy as np
from facewave.landmarks import cache, detect, schema, shards
from facewave.landmarks.landmarker import Face
from facewave.landmarks.schema import ClipFacts

n_frames, folder = int(sys.argv[1]), Path(sys.argv[2])
rng = np.random.default_rng(0)
names = tuple(map(str, range(schema.BLENDSHAPES)))
"""

SHARDS = """
def chunks():
    for start in range(0, n_frames, schema.CHUNK):
        count = min(schema.CHUNK, n_frames - start)
        chunk = schema.blank(count, names)
        chunk.times_T[:] = np.arange(start, start + count) / 25
        chunk.valid_T[:] = True
        chunk.landmarks_TPC[:] = rng.normal(size=chunk.landmarks_TPC.shape)
        chunk.blendshapes_TB[:] = rng.uniform(size=chunk.blendshapes_TB.shape)
        chunk.pose_T44[:] = np.eye(4)
        yield chunk

key = "ab" * 32
schema.write_clip(cache.place(key), ClipFacts(25.0, 64, 48, n_frames), chunks(), names)
found = shards.gather([key], folder)
assert found[key][1].measures["frames"] == n_frames
"""

SIGHTINGS = """
sightings = detect._Sightings("center")
picture = np.zeros((48, 64, 3), np.uint8)
frames = []
points = rng.uniform(0.3, 0.6, (schema.POINTS, 3)).astype(np.float32)
for t in range(n_frames):
    shapes = np.full(schema.BLENDSHAPES, t, np.float32)
    face = Face(points, shapes, np.eye(4, dtype=np.float32))
    frames.append((t, t / 25, sightings.add(t, t / 25, picture, [face])))
table = np.array(frames, [("number", "i4"), ("time", "f8"), ("faces", "i2")])
found = detect.Detection(ClipFacts(25.0, 64, 48, n_frames), names, table, sightings)
seen = 0
for chunk in found.chunks():
    expected = np.arange(seen, seen + len(chunk.times_T))
    assert (chunk.blendshapes_TB[:, 0] == expected).all() and chunk.valid_T.all()
    assert (chunk.landmarks_TPC == points).all()
    seen += len(chunk.times_T)
assert seen == n_frames
"""

CLIP = """
import cv2
from dataclasses import replace
from facewave import params
from facewave.landmarks.extract import _detect
from facewave.video import Clip

repository, model = Path(sys.argv[3]), Path(sys.argv[4])
source = Clip(repository / "data/raw/demo/clips/1.mp4", 25.0)
_, _, face = next(source.frames())
face = cv2.copyMakeBorder(cv2.resize(face, (1080, 1080)), 0, 0, 420, 420, cv2.BORDER_CONSTANT)
folder.mkdir(parents=True)
writer = cv2.VideoWriter(str(folder / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (1920, 1080))
for _ in range(n_frames // 100):
    writer.write(face[..., ::-1])
writer.release()
settings = replace(params.load(repository / "params.yaml").landmarks, fps=12.5)
_detect(folder / "a.parquet", folder / "a.mp4", model, 25.0, settings, cache.VERSION)
trajectory = schema.read_clip(folder / "a.parquet")
assert len(trajectory.times_T) == n_frames // 200 and trajectory.valid_T.mean() > 0.9
"""

TELL = """
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.fixture(scope="module", autouse=True)
def _needs_linux() -> None:
    if sys.platform != "linux":
        pytest.skip("ru_maxrss is in other units elsewhere")


def peak(work: str, n_frames: int, folder: Path, model: Path) -> float:
    """Most memory of a process that does some work with so many frames, in MB."""
    words = map(str, (n_frames, folder / "out", ROOT, model))
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + work + TELL, *words],
        env=os.environ | {"FACEWAVE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.parametrize("work", ["shards", "sightings", "full HD"])
def test_a_long_clip_takes_hardly_more_memory_than_a_short_one(
    tmp_path: Path, landmarker: Path, work: str
) -> None:
    """Of the 180 further frames in full HD, each is 6 MB."""
    program = {"shards": SHARDS, "sightings": SIGHTINGS, "full HD": CLIP}[work]
    short, long = (peak(program, n, tmp_path / str(n), landmarker) for n in (2_000, 20_000))
    assert long - short < MORE_MB
