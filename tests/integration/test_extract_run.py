"""Extraction as a real process: killed, interrupted, out of space; nothing finished is lost."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facewave.landmarks import cache, schema
from facewave.landmarks.extract import ensure
from facewave.workspace import pack
from making import SETTINGS
from running import ROOT
from trajectories import (
    CLIPS,
    extract,
    finish,
    outputs,
    start,
    use_clips,
    wait_for_clips,
    write_extraction_project,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_extraction_project(tmp_path / "project")


def test_stopped_in_the_middle_it_resumes_and_ends_with_the_same_bytes(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    """By Ctrl-C and kills, in the middle and wherever; and with one worker as with two."""
    assets, disturbed = landmarker.parent, tmp_path / "disturbed"
    assert f"{CLIPS} detected now" in extract(project, tmp_path / "one", assets)
    undisturbed = outputs(project)
    shutil.rmtree(project / "data/landmarks")
    for sign in (signal.SIGINT, signal.SIGKILL):
        process = start(project, disturbed, assets)
        done = wait_for_clips(disturbed, process, 2 if sign == signal.SIGINT else 5)
        os.killpg(process.pid, sign)
        code, _, err = finish(process)
        assert done < CLIPS, "the run was over before it was stopped"
        assert code == (130 if sign == signal.SIGINT else -sign)
        assert ("interrupted. Run the same command again" in err) == (sign == signal.SIGINT)
        assert "Traceback" not in err
    rng = np.random.default_rng(0)
    for _ in range(2):
        process = start(project, disturbed, assets)
        try:
            process.wait(timeout=float(rng.uniform(0.1, 4)))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        finish(process)
    out = extract(project, disturbed, assets, LOKY_MAX_CPU_COUNT="1")
    assert int(out.split(" detected now")[0].split()[-1]) <= CLIPS - 5
    assert outputs(project) == undisturbed


def test_runs_at_the_same_time_do_no_harm(project: Path, landmarker: Path, tmp_path: Path) -> None:
    """Two in one project, of which one waits, and one in another that shares their cache."""
    other = shutil.copytree(project, tmp_path / "other")
    folders = (project, project, other)
    runs = [start(folder, tmp_path / "cache", landmarker.parent) for folder in folders]
    ends = [finish(run) for run in runs]
    assert [code for code, _, _ in ends] == [0, 0, 0], ends
    assert sum("another run is at work" in out for _, out, _ in ends) == 1
    assert outputs(project) == outputs(other)
    assert schema.read_index(other / "data/landmarks/demo")["usable"].all()
    assert not list((tmp_path / "cache").rglob(".*.parquet"))  # nothing half-written is left
    # Of a clip that is added it alone is detected.
    use_clips(project, CLIPS + 1)
    out = extract(project, tmp_path / "cache", landmarker.parent)
    assert f"{CLIPS} from the cache" in out
    assert " 1 detected now" in out


def test_without_the_landmarker_it_says_what_to_do(project: Path, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"  # a port where nobody listens
    code, _, err = finish(start(project, tmp_path / "cache", None, https_proxy=nobody))
    assert code == 2
    assert "the landmarker cannot be downloaded" in err
    assert "Traceback" not in err


def test_a_full_disk_is_reported_and_finished_clips_stay(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be made by root")
    try:
        code, _, err = finish(start(project, small, landmarker.parent))
        assert code == 1
        assert "the disk is full" in err
        assert "Traceback" not in err
        kept = list(small.rglob("[!.]*.parquet"))
        assert kept
        assert all(schema.read_clip(file).valid_T.any() for file in kept)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_shipped_trajectories_come_out_again_when_detected_again(landmarker: Path) -> None:
    """The committed trajectories are what this machine's landmarker sees."""
    folder = ROOT / pack("demo")
    shipped = schema.read_index(folder)[::8]
    clips = [ROOT / "data/raw/demo" / path for path in shipped["file_path"]]
    ensured = ensure(clips, "afresh", 25.0, SETTINGS)
    assert ensured.keys == list(shipped["key"])
    assert ensured.detected == set(ensured.keys)
    assert ensured.problems == {}
    for row in shipped.itertuples():
        fresh, kept = schema.read_clip(cache.place(row.key)), schema.read_row(folder, row)
        assert schema.read_facts(cache.place(row.key)).problem == row.problem
        for name in ("frames_T", "times_T", "valid_T", "faces_T"):
            np.testing.assert_array_equal(getattr(fresh, name), getattr(kept, name))
        # Equal bytes on one kind of processor; others may round otherwise.
        np.testing.assert_allclose(fresh.landmarks_TPC, kept.landmarks_TPC, atol=5e-4)
        np.testing.assert_allclose(fresh.blendshapes_TB, kept.blendshapes_TB, atol=5e-3)
