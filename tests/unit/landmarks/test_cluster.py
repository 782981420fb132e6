"""Extraction by a real Dask cluster: a scheduler and two workers, as processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_extract_run import CLIPS, finish, make_project, outputs, start

from facewave.errors import UserError
from facewave.landmarks.cluster import each

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@dataclass
class Cluster:
    """Processes that are stopped with the test."""

    folder: Path
    stack: ExitStack

    def run(self, *words: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{words[0]}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=self.folder, stdout=log, stderr=log
            )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def scheduler(self) -> str:
        place = self.folder / "scheduler.json"
        self.run(
            *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(place)),
        )
        deadline = time.monotonic() + 60
        while not place.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        return str(json.loads(place.read_text())["address"])

    def worker(self, address: str, *more: str) -> "subprocess.Popen[bytes]":
        return self.run("worker", address, "--nthreads", "1", "--no-dashboard", *more)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with ExitStack() as stack:
        yield Cluster(folder, stack)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def use_scheduler(project: Path, address: str) -> None:
    params = project / "params.yaml"
    text = params.read_text("utf-8")
    assert "scheduler: local" in text
    params.write_text(text.replace("scheduler: local", f"scheduler: {address}"), "utf-8")


def test_a_cluster_that_loses_a_worker_ends_with_the_bytes_of_a_local_run(
    project: Path, cluster: Cluster, landmarker: Path, tmp_path: Path
) -> None:
    assert finish(start(project, tmp_path / "local", landmarker.parent))[0] == 0
    here = outputs(project)
    shutil.rmtree(project / "data/landmarks")

    address = cluster.scheduler()
    doomed, _ = [cluster.worker(address, "--no-nanny") for _ in range(2)]
    use_scheduler(project, address)
    cache = tmp_path / "cluster-cache"
    process = start(project, cache, landmarker.parent)
    deadline = time.monotonic() + 90
    while len(done := list(cache.rglob("[!.]*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(doomed.pid, signal.SIGKILL)
    code, out, err = finish(process)
    assert code == 0, err
    assert len(done) < CLIPS, "all was over before the worker was killed"
    assert f"{CLIPS} detected now" in out
    assert outputs(project) == here


def test_a_scheduler_that_is_not_there_is_said(
    project: Path, landmarker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    use_scheduler(project, "tcp://127.0.0.1:9")
    code, _, err = finish(start(project, tmp_path / "cache", landmarker.parent))
    assert code == 2
    assert "no Dask cluster with workers answers at tcp://127.0.0.1:9" in err
    assert "Traceback" not in err


def test_workers_under_a_nanny_are_told_how_to_start(
    project: Path, cluster: Cluster, landmarker: Path, tmp_path: Path
) -> None:
    address = cluster.scheduler()
    cluster.worker(address)
    use_scheduler(project, address)
    code, _, err = finish(start(project, tmp_path / "cache", landmarker.parent))
    assert code == 2
    assert "dask worker --no-nanny" in err
    assert "Traceback" not in err


def test_a_scheduler_that_dies_is_said_and_nothing_finished_is_lost(
    project: Path, cluster: Cluster, landmarker: Path, tmp_path: Path
) -> None:
    address = cluster.scheduler()
    cluster.worker(address, "--no-nanny")
    use_scheduler(project, address)
    cache = tmp_path / "cache"
    process = start(project, cache, landmarker.parent)
    deadline = time.monotonic() + 90
    while len(list(cache.rglob("[!.]*.parquet"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    cluster.stack.close()  # the scheduler and its worker
    code, _, err = finish(process)
    assert code == 2, err
    assert "was lost" in err
    assert len(list(cache.rglob("[!.]*.parquet"))) >= 2


def test_a_cluster_without_workers_is_not_waited_for(
    project: Path,
    cluster: Cluster,
    landmarker: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facewave.landmarks.cluster._PATIENCE_S", 5)
    address = cluster.scheduler()
    worker = cluster.worker(address, "--no-nanny")
    threading.Timer(8, worker.kill).start()
    with pytest.raises(UserError, match="has no workers left"):
        list(each(time.sleep, [("a", (60,)), ("b", (60,))], 600, address))
