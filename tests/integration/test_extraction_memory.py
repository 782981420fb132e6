"""What is in memory does not grow with a clip's length: peaks of processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from running import ROOT

MORE_MB = 60  # that a clip of 20,000 frames (175 MB) may take above one of 2,000

PRELUDE = """
import resource, sys
from pathlib import Path
import numpy as np
from facewave.landmarks import cache, detect, schema, shards
from facewave.landmarks.engines.engine import Face, Sighting
from facewave.landmarks.schema import ClipFacts

n_frames, folder = int(sys.argv[1]), Path(sys.argv[2])
rng = np.random.default_rng(0)
names = tuple(map(str, range(schema.BLENDSHAPES)))
facts = ClipFacts(25.0, 64, 48, n_frames)
"""

# The faces of two people, of whom one goes and comes back, are seen, linked, cached and gathered.
SIGHTINGS = """
sightings = detect.Sightings()
picture = np.zeros((48, 64, 3), np.uint8)
picture[:, 32:] = (250, 120, 60)
table = np.zeros(n_frames, [("number", "i4"), ("time", "f8"), ("faces", "i2")])
table["number"], table["time"] = np.arange(n_frames), np.arange(n_frames) / 25
pose = np.eye(4, dtype=np.float32)
points = rng.uniform(0.1, 0.4, (schema.POINTS, 3)).astype(np.float32)
for t in range(n_frames):
    shapes = np.full(schema.BLENDSHAPES, t, np.float32)
    one, other = (Face(points + np.float32(x), shapes + x, pose) for x in (0, 0.5))
    seen = [Sighting(0, one)] + [Sighting(1 + t // 500, other)] * (t % 500 < 250)
    sightings.add(t, t / 25, picture, seen)
people = [detect.Person(prominence, names, table, sightings, which)
          for which, prominence in sightings.people(n_frames)]
assert len(people) == 2
keys = ["ab" * 32, "ab" * 32 + "-1"]
for key, person in zip(keys, people):
    schema.write_clip(cache.place(key), facts, person.chunks(), names)
for number, (key, (shard, entry)) in enumerate(shards.gather(keys, folder).items()):
    there = (np.arange(n_frames) % 500 < 250) if number else np.ones(n_frames, bool)
    assert entry.measures["face_frames"] == there.sum()
    at = 0
    for chunk in schema.chunks(folder / shard, entry.row_group, entry.row_groups):
        here = there[at : at + len(chunk.times_T)]
        assert (chunk.valid_T == here).all()
        told = np.arange(at, at + len(here))[here] + 0.5 * number
        assert (chunk.blendshapes_TB[here, 0] == told.astype(np.float32)).all()
        at += len(here)
    assert at == n_frames
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
(person,) = detect.detect(folder / "a.mp4", model, 25.0, settings).people
trajectory = person.trajectory()
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
