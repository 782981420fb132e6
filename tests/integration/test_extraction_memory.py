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
from facewave.landmarks.engines.engine import Face
from facewave.landmarks.schema import ClipFacts

n_frames, folder = int(sys.argv[1]), Path(sys.argv[2])
rng = np.random.default_rng(0)
names = tuple(map(str, range(schema.BLENDSHAPES)))
facts = ClipFacts(25.0, 64, 48, n_frames)
"""

# Faces are seen, chosen, cached and gathered.
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
detection = detect.Detection(facts, names, table, sightings)
key = "ab" * 32
schema.write_clip(cache.place(key), facts, detection.chunks(), names)
shard, entry = shards.gather([key], folder)[key]
assert entry.measures["frames"] == entry.measures["face_frames"] == n_frames
seen = 0
for chunk in schema.chunks(folder / shard):
    assert (chunk.blendshapes_TB[:, 0] == np.arange(seen, seen + len(chunk.times_T))).all()
    assert (chunk.landmarks_TPC == points).all()
    seen += len(chunk.times_T)
assert seen == n_frames
"""

# Of 10 or 100 pictures in full HD, each of 6 MB.
CLIP = """
import cv2
from dataclasses import replace
from facewave import params
from facewave.video import Clip

repository, model = Path(sys.argv[3]), Path(sys.argv[4])
_, _, face = next(Clip(repository / "data/raw/demo/clips/1.mp4", 25.0).frames())
face = cv2.copyMakeBorder(cv2.resize(face, (1080, 1080)), 0, 0, 420, 420, cv2.BORDER_CONSTANT)
folder.mkdir(parents=True)
writer = cv2.VideoWriter(str(folder / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (1920, 1080))
for _ in range(n_frames // 200):
    writer.write(face[..., ::-1])
writer.release()
settings = params.load(repository / "params.yaml").landmarks
trajectory = detect.detect(folder / "a.mp4", model, 25.0, settings).trajectory()
assert len(trajectory.times_T) == n_frames // 200 and trajectory.valid_T.mean() > 0.9
"""

TELL = """
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("work", [SIGHTINGS, CLIP], ids=["sightings", "full HD"])
def test_a_long_clip_takes_hardly_more_memory_than_a_short_one(
    tmp_path: Path, landmarker: Path, work: str
) -> None:
    peaks = []
    for n_frames in (2_000, 20_000):
        words = map(str, (n_frames, tmp_path / str(n_frames), ROOT, landmarker))
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + work + TELL, *words],
            env=os.environ | {"FACEWAVE_CACHE": str(tmp_path / "cache")},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        peaks.append(float(done.stdout))
    assert peaks[1] - peaks[0] < MORE_MB
