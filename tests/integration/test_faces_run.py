"""Crop and embed as real processes: killed, two at once; nothing finished is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from making import REPOSITORY, contents
from running import ROOT

CLIPS = 90


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo after stage extract."""
    folder = tmp_path_factory.mktemp("faces") / "project"
    for path in ("data/raw/demo", "data/trajectories/demo"):
        shutil.copytree(REPOSITORY / path, folder / path)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    for room in ("labels.listing", "labels", "landmarks"):
        run(room, folder, folder.parent / "cache")
    return folder


def start(room: str, project: Path, cache: Path) -> "subprocess.Popen[str]":
    env = os.environ | {"FACEWAVE_CACHE": str(cache), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", f"facewave.{room}", "demo"]
    return subprocess.Popen(
        command, cwd=project, env=env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has Ctrl-C ignored, and so would the children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def run(room: str, project: Path, cache: Path) -> str:
    process = start(room, project, cache)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


@pytest.mark.usefixtures("encoder")
def test_stopped_runs_resume_and_two_at_once_give_the_same_bytes(
    extracted: Path, tmp_path: Path
) -> None:
    project = extracted
    for room in ("faces", "appearance"):
        data = project / "data" / room
        run(room, project, tmp_path / "undisturbed")
        expected = contents(data)
        shutil.rmtree(data)
        cache = tmp_path / "disturbed"
        for least, sign in ((2, signal.SIGINT), (20, signal.SIGKILL)):
            process = start(room, project, cache)
            while len(list(cache.glob(f"{room}/*/*.parquet"))) < least:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            os.killpg(process.pid, sign)
            _, err = process.communicate()
            assert process.returncode == (130 if sign == signal.SIGINT else -sign)
            assert "Traceback" not in err
        assert least <= len(list(cache.glob(f"{room}/*/*.parquet"))) < CLIPS
        both = [start(room, project, cache) for _ in range(2)]
        for process in both:
            _, err = process.communicate()
            assert process.returncode == 0, err
        assert contents(data) == expected
