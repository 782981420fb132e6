"""Running commands as a person would, in this virtual environment."""

import os
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
