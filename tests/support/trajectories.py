"""Random trajectories, how to compare them, and stage extract as a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import making
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks.schema import Trajectory
from making import trajectory
from running import ROOT

NAMES = making.NAMES
ARRAYS = {
    "frames_T": np.int32,
    "times_T": np.float64,
    "valid_T": np.bool_,
    "faces_T": np.int16,
    **dict.fromkeys(("sharpness_T", "landmarks_TPC", "blendshapes_TB", "pose_T44"), np.float32),
}
CLIPS = 10  # of an extraction project


def random_trajectory(n_frames: int, seed: int = 0) -> Trajectory:
    """Random walks, with other faces in some frames, and frames 1, 4, 7 ... without the face."""
    rng = np.random.default_rng(seed)
    clip = trajectory(n_frames, seed, gaps=tuple(range(1, n_frames, 3)))
    return replace(
        clip,
        frames_T=rng.integers(1, 4, n_frames).cumsum(dtype=np.int32),
        faces_T=clip.faces_T + rng.integers(0, 3, n_frames).astype(np.int16),
    )


def assert_equal(a: Trajectory, b: Trajectory) -> None:
    """Assert that two trajectories agree bit by bit, and have the types of the contract."""
    assert {*ARRAYS, "names", "signals", "layout"} == set(vars(a)) == set(vars(b))
    for name, kind in ARRAYS.items():
        assert getattr(a, name).dtype == getattr(b, name).dtype == kind, name
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.names, a.layout) == (b.names, b.layout)
    for block, values in a.signals.items():
        np.testing.assert_array_equal(values, b.signals[block], err_msg=block)


def use_clips(project: Path, count: int) -> None:
    """Copy the first of the demo's clips and write the label table that names them."""
    raw, names = Path("data/raw/demo"), [str(number) for number in range(1, count + 1)]
    paths = [f"clips/{name}.mp4" for name in names]
    (project / raw / "clips").mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copy(ROOT / raw / path, project / raw / path)
    table = pd.DataFrame({"video_idx": names, "file_path": paths, "excluded": ""})
    labels.write(project / "data/labels/demo.csv", table, WORDS)


def write_extraction_project(folder: Path) -> Path:
    """A project with ``CLIPS`` of the demo's clips, and without shipped trajectories."""
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    use_clips(folder, CLIPS)
    return folder


def start(
    project: Path, cache: Path, assets: Path | None, **environment: str
) -> "subprocess.Popen[str]":
    """Start stage extract in a process group of its own: Ctrl-C reaches its workers as well."""
    inherited = {name: value for name, value in os.environ.items() if name != "FACEWAVE_ASSETS"}
    if assets:
        environment["FACEWAVE_ASSETS"] = str(assets)
    return subprocess.Popen(
        [sys.executable, "-m", "facewave.landmarks", "demo"],
        cwd=project,
        env=inherited | {"FACEWAVE_CACHE": str(cache)} | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and so would the children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a process, once it has ended."""
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def extract(project: Path, cache: Path, assets: Path | None, **environment: str) -> str:
    """Run stage extract, which must succeed; return what it printed."""
    code, out, err = finish(start(project, cache, assets, **environment))
    assert code == 0, err
    return out


def wait_for_clips(cache: Path, process: "subprocess.Popen[str]", count: int = 2) -> int:
    """Wait until the cache has some clips; return how many it has."""
    while len(done := list(cache.rglob("[!.]*.parquet"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return len(done)


def outputs(project: Path) -> dict[str, bytes]:
    """What stage extract wrote, by file name."""
    files = [*(project / "data/landmarks/demo").iterdir(), project / "metrics/extract/demo.json"]
    return {file.name: file.read_bytes() for file in files}
