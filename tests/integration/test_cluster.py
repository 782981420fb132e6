"""Extraction by a real Dask cluster: a scheduler and two workers, as processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from facewave.cluster import each
from facewave.errors import UserError
from trajectories import (
    CLIPS,
    extract,
    finish,
    outputs,
    start,
    wait_for_clips,
    write_extraction_project,
)

dask = pytest.importorskip("dask", reason="the extra `cluster` is not installed")
Client = pytest.importorskip("distributed", reason="the extra `cluster` is not installed").Client


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

    def scheduler(self, host: str = "127.0.0.1") -> str:
        place = self.folder / "scheduler.json"
        self.run(
            *("scheduler", "--host", host, "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(place)),
        )
        while not place.exists():
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


def test_a_lost_worker_changes_no_byte_and_a_lost_scheduler_loses_no_clip(
    cluster: Cluster, landmarker: Path, tmp_path: Path
) -> None:
    project = write_extraction_project(tmp_path / "project")
    extract(project, tmp_path / "local", landmarker.parent)
    here = outputs(project)
    shutil.rmtree(project / "data/landmarks")

    address = cluster.scheduler()
    doomed, _ = [cluster.worker(address, "--no-nanny") for _ in range(2)]
    params = project / "params.yaml"
    text = params.read_text("utf-8")
    params.write_text(text.replace("scheduler: local", f"scheduler: {address}"), "utf-8")
    process = start(project, tmp_path / "cache", landmarker.parent)
    assert wait_for_clips(tmp_path / "cache", process) < CLIPS
    os.kill(doomed.pid, signal.SIGKILL)
    code, out, err = finish(process)
    assert code == 0, err
    assert f"{CLIPS} detected now" in out
    assert outputs(project) == here

    shutil.rmtree(project / "data/landmarks")
    process = start(project, tmp_path / "another-cache", landmarker.parent)
    wait_for_clips(tmp_path / "another-cache", process)
    cluster.stack.close()  # the scheduler and its worker
    code, _, err = finish(process)  # Dask itself logs a traceback
    assert code == 2, err
    assert "was lost" in err
    assert len(list((tmp_path / "another-cache").rglob("[!.]*.parquet"))) >= 2


def test_there_must_be_a_scheduler_and_workers_without_a_nanny_that_stay(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facewave.cluster._PATIENCE_S", 5)
    nowhere = "tcp://127.0.0.1:9"
    with pytest.raises(UserError, match=f"no Dask cluster with workers answers at {nowhere}"):
        list(each(time.sleep, [("a", (0,))], 600, nowhere))
    address = cluster.scheduler()
    nanny = cluster.worker(address)
    with pytest.raises(UserError, match="dask worker --no-nanny"):
        list(each(time.sleep, [("a", (0,))], 600, address))
    nanny.terminate()
    nanny.wait()

    worker = cluster.worker(address, "--no-nanny")
    with Client(address) as client:
        client.wait_for_workers(1)
    command = f"touch {tmp_path}/begun; sleep 30"
    tasks = [(name, (command,)) for name in ("first", "second")]
    with ThreadPoolExecutor(1) as executor:
        ended = executor.submit(lambda: list(each(os.system, tasks, 600, address)))
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        worker.kill()
        with pytest.raises(UserError, match="has no workers left"):
            ended.result(timeout=120)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates")
def test_a_scheduler_is_reached_over_tls_by_dask_s_own_configuration(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="Dask has no certificates for it"):
        list(each(time.sleep, [("a", (0,))], 600, "tls://127.0.0.1:9"))
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=test"]
    subprocess.run(command, check=True, capture_output=True)
    settings = {"ca-file": certificate}
    settings |= {f"{of}.{kind}": path for of in ("scheduler", "worker", "client")
                 for kind, path in (("cert", certificate), ("key", key))}  # fmt: skip
    for name, path in settings.items():
        variable = name.upper().replace("-", "_").replace(".", "__")
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{variable}", str(path))
    tls = {f"distributed.comm.tls.{name}": str(path) for name, path in settings.items()}
    with dask.config.set(tls):
        address = cluster.scheduler("tls://127.0.0.1")
        assert address.startswith("tls://")
        cluster.worker(address, "--no-nanny")
        assert list(each(time.sleep, [("a", (0,))], 600, address)) == [("a", "")]
