"""Running commands as a person would, and small clones of the project to run them in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
AS_SOMEBODY = ("-c", "user.name=t", "-c", "user.email=t@example.org")

# A pipeline that runs through every stage in little time: one partition, a study of one run.
QUICK = {
    "train.partitions": ["split"],
    "train.model": "mlp",  # it has learning curves
    "train.baselines": ["logistic"],
    "train.network.epochs": 5,
    "evaluate.resamples": 50,
    "study.transforms": ["dct"],
    "study.k": [5],
    "study.inputs": [["blendshapes"]],
    "study.targets": [],
    "study.removed": [],
    "study.every": [],
}


def run(folder: Path, *command: str, ok: bool = True, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed (or, with ``ok=False``, fail); return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"} | (env or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200,
    )
    assert (process.returncode == 0) == ok, process.stdout
    return process.stdout


def offline(attempts: Path) -> dict[str, str]:
    """The environment of Python processes without a network, which note their attempts in a file.

    support/offline/sitecustomize.py has it.
    """
    folder = ROOT / "tests/support/offline"
    return {"PYTHONPATH": str(folder), "ATTEMPTS": str(attempts)}


def facewave(*words: str) -> int:
    """Run the ``facewave`` command in this process; return its exit code."""
    from facewave.app.cli import app
    from facewave.errors import explain

    with pytest.raises(SystemExit) as stop:
        explain(lambda: app(list(words)))
    return int(stop.value.code or 0)


def stages_run(output: str) -> list[str]:
    """The stages that DVC ran, by its output, but for those that it always runs."""
    names = re.findall(r"Running stage '([^']+)'", output)
    return [name for name in names if "list@" not in name and name != "pseudo"]


def clone(folder: Path, **changes: Any) -> None:
    """A git repository with the files of the working tree, and other values in params.yaml."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    if changes:
        change_params(folder, **changes)
    run(folder, "git", "init", "-q")
    commit(folder, "start")


def commit(folder: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    run(folder, "git", "add", "-A")
    run(folder, "git", *AS_SOMEBODY, "commit", "-qm", message)


def change_params(folder: Path, **changes: Any) -> None:
    """Set options of params.yaml by their dotted keys; comments stay."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for key, value in changes.items():
        *sections, option = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        assert option in section, key
        section[option] = value
    yaml.dump(content, folder / "params.yaml")
