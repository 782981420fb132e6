"""The pipeline once, in small, as a part of `make test`: its stages fit together."""

import json
import sys
from pathlib import Path

from ruamel.yaml import YAML

from running import offline, run, stages_run


def test_every_stage_runs_once(project: Path) -> None:
    output = (project.parent / "reproduced").read_text()
    stages = YAML(typ="safe", pure=True).load(project / "dvc.yaml")["stages"]
    expected = {
        f"{name}@demo" if "foreach" in stage else name
        for name, stage in stages.items()
        if not stage.get("do", stage).get("always_changed")
    }
    assert sorted(stages_run(output)) == sorted(expected)
    assert " 0 detected now" in output  # the demo's trajectories are shipped
    report = json.loads((project / "metrics/evaluate/report.json").read_text())
    assert "synthetic" in report["dataset"]
    assert "synthetic" in (project / "metrics/report.html").read_text("utf-8")


def test_no_stage_looks_for_a_network(project: Path, tmp_path: Path) -> None:
    attempts = project.parent / "attempts"
    assert not attempts.exists(), attempts.read_text()
    # What is not there would have been noticed.
    for call in ("getaddrinfo('example.org', 80)", "create_connection(('192.0.2.1', 80), 1)"):
        noted = tmp_path / "attempts"
        code = f"import socket; socket.{call}"
        output = run(tmp_path, sys.executable, "-c", code, env=offline(noted), ok=False)
        assert "no network" in output
        assert ("example.org" if "example" in call else "192.0.2.1") in noted.read_text()


def test_a_second_run_does_nothing(workspace: Path) -> None:
    output = run(workspace, "dvc", "repro")
    assert stages_run(output) == []
    assert run(workspace, "git", "status", "--porcelain") == ""
