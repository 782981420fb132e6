"""Running commands as a person would, in this virtual environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
        timeout=400,
    )
    assert (process.returncode == 0) == ok, process.stdout
    return process.stdout


def clone(folder: Path) -> None:
    """Make ``folder`` a fresh clone of what is in the working tree."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    commit = ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "start"]
    for arguments in (["init", "-q"], ["add", "-A"], commit):
        run(folder, "git", *arguments)
