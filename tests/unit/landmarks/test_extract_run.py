"""Extraction as a real process: killed, interrupted, out of space; nothing finished is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks import cache, extract, schema
from making import SETTINGS
from running import ROOT

CLIPS = 10


def use_clips(project: Path, numbers: range) -> None:
    """Copy some of the demo's clips and write the label table that names them."""
    raw = project / "data/raw/demo/clips"
    raw.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        shutil.copy(ROOT / f"data/raw/demo/clips/{number}.mp4", raw)
    names = [str(number) for number in numbers]
    table = pd.DataFrame({"video_idx": names, "excluded": ""})
    table["file_path"] = [f"clips/{name}.mp4" for name in names]
    labels.write(project / "data/labels/demo.csv", table, WORDS)


def make_project(folder: Path) -> Path:
    """A project with ten of the demo's clips, and without shipped trajectories."""
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    use_clips(folder, range(1, CLIPS + 1))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def start(project: Path, cache: Path, assets: Path | None, **more: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"FACEWAVE_CACHE": str(cache)} | more
    environment.pop("FACEWAVE_ASSETS", None)
    if assets:
        environment["FACEWAVE_ASSETS"] = str(assets)
    return subprocess.Popen(
        [sys.executable, "-m", "facewave.landmarks", "demo"],
        cwd=project,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own: Ctrl-C reaches its workers as well
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def outputs(project: Path) -> dict[str, bytes]:
    files = [*(project / "data/landmarks/demo").iterdir(), project / "metrics/extract/demo.json"]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_stopped_in_the_middle_it_goes_on_where_it_was(
    project: Path, landmarker: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    code, out, _ = finish(start(project, tmp_path / "calm", landmarker.parent))
    assert code == 0
    assert f"{CLIPS} detected now" in out
    undisturbed = outputs(project)
    shutil.rmtree(project / "data/landmarks")

    cache = tmp_path / "disturbed"
    process = start(project, cache, landmarker.parent)
    deadline = time.monotonic() + 60
    while len(done := list(cache.rglob("[!.]*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, sign)
    code, _, err = finish(process)
    if sign == signal.SIGINT:
        assert code == 130
        assert "interrupted. Run the same command again" in err
        assert "Traceback" not in err
    assert code != 0
    assert 2 <= len(done) < CLIPS, "the run was over before it was stopped"

    code, out, _ = finish(start(project, cache, landmarker.parent))
    assert code == 0
    again = int(out.split(" detected now")[0].split()[-1])
    assert again <= CLIPS - len(done)
    assert outputs(project) == undisturbed


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    assert finish(start(project, tmp_path / "calm", landmarker.parent))[0] == 0
    undisturbed = outputs(project)
    rng = np.random.default_rng(0)
    kills = 0
    for _ in range(12):
        process = start(project, tmp_path / "disturbed", landmarker.parent)
        try:
            process.wait(timeout=float(rng.uniform(0.1, 6)))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        finish(process)
    assert kills >= 3
    assert finish(start(project, tmp_path / "disturbed", landmarker.parent))[0] == 0
    assert outputs(project) == undisturbed


def test_two_runs_at_the_same_time_on_one_cache_do_no_harm(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(project, tmp_path / "other")
    both = [start(folder, tmp_path / "cache", landmarker.parent) for folder in (project, other)]
    for process in both:
        code, _, err = finish(process)
        assert code == 0, err
    assert outputs(project) == outputs(other)
    assert not list((tmp_path / "cache").rglob(".*.parquet"))  # nothing half-written is left


def test_two_runs_at_the_same_time_in_one_project_do_no_harm(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    both = [start(project, tmp_path / "cache", landmarker.parent) for _ in range(2)]
    ends = [finish(process) for process in both]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert sum("another run is at work" in out for _, out, _ in ends) == 1
    index = schema.read_index(project / "data/landmarks/demo")
    assert index["usable"].all()


def test_a_clip_that_is_gone_when_its_turn_comes_stops_the_run_and_is_not_kept(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    place = tmp_path / "kept.parquet"
    clip = project / "gone.mp4"
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        extract._detect(place, clip, landmarker, 25.0, SETTINGS, cache.VERSION)
    assert not place.exists()


def test_a_worker_of_another_version_is_refused(landmarker: Path, tmp_path: Path) -> None:
    clip = ROOT / "data/raw/demo/clips/1.mp4"
    with pytest.raises(UserError, match="another version of facewave"):
        extract._detect(tmp_path / "a.parquet", clip, landmarker, 25.0, SETTINGS, 1)


def test_a_worker_that_writes_elsewhere_is_told(
    landmarker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path))
    clip = ROOT / "data/raw/demo/clips/1.mp4"
    key = cache.key(clip, 25.0, SETTINGS)
    monkeypatch.setattr("facewave.landmarks.pool.each", lambda *_: iter([(key, "")]))
    found = extract.ensure([clip], "clip", 25.0, SETTINGS)
    assert found.problems[key].startswith("its worker keeps another folder than")


def test_any_number_of_workers_gives_the_same_bytes(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    found = []
    for workers in ("1", "2"):
        process = start(project, tmp_path / workers, landmarker.parent, LOKY_MAX_CPU_COUNT=workers)
        assert finish(process)[0] == 0
        found.append(outputs(project))
    assert found[0] == found[1]


def test_without_the_landmarker_it_says_what_to_do(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a port where nobody listens
    code, _, err = finish(start(project, tmp_path / "cache", None))
    assert code == 2
    assert "the landmarker cannot be downloaded" in err
    assert "Traceback" not in err


def test_an_added_clip_alone_is_detected(project: Path, landmarker: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    finish(start(project, cache, landmarker.parent))
    use_clips(project, range(1, CLIPS + 2))
    code, out, _ = finish(start(project, cache, landmarker.parent))
    assert code == 0
    assert f"{CLIPS} from the cache" in out
    assert " 1 detected now" in out


def test_a_full_disk_is_said_and_leaves_what_was_done(
    project: Path, landmarker: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "small"
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(cache)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be made by root")
    try:
        code, _, err = finish(start(project, cache, landmarker.parent))
        assert code == 1
        assert "the disk is full" in err
        assert "Traceback" not in err
        kept = list(cache.rglob("[!.]*.parquet"))
        assert kept
        for file in kept:
            assert schema.read_clip(file).valid_T.any()
    finally:
        subprocess.run(["umount", str(cache)], check=True)


def test_every_shipped_trajectory_comes_out_again_when_detected_afresh(
    landmarker: Path,
) -> None:
    """The committed trajectories are what this machine's landmarker sees, clip by clip."""
    raw = ROOT / "data/raw/demo"
    pack = ROOT / cache.pack("demo")
    shipped = schema.read_index(pack)
    clips = [raw / path for path in shipped["file_path"]]
    found = extract.ensure(clips, "afresh", 25.0, SETTINGS)
    assert found.keys == list(shipped["key"])
    assert found.detected == set(found.keys)
    assert found.problems == {}
    for row in shipped.itertuples():
        fresh = schema.read_clip(cache.place(row.key))
        assert schema.read_facts(cache.place(row.key)).problem == row.problem
        if not row.shard:
            assert len(fresh.times_T) == 0
            continue
        kept = schema.read_clip(pack / row.shard, row.row_group, row.row_groups)
        for name in ("frames_T", "times_T", "valid_T", "faces_T"):
            np.testing.assert_array_equal(getattr(fresh, name), getattr(kept, name))
        # Equal bytes on one kind of processor; others may round otherwise.
        np.testing.assert_allclose(fresh.landmarks_TPC, kept.landmarks_TPC, atol=5e-4)
        np.testing.assert_allclose(fresh.blendshapes_TB, kept.blendshapes_TB, atol=5e-3)
