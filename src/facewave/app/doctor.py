"""``facewave doctor``: what is right and wrong with this machine, and what to do about it.

Heavy packages are tried in processes of their own, so that one that crashes is a finding.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from facewave.errors import UserError
from facewave.files import CACHE

_PACKAGES = (
    "dvc",
    "dvclive",
    "mediapipe",
    "opencv-contrib-python",
    "PyWavelets",
    "numpy",
    "pandas",
    "torch",
    "torchvision",
    "transformers",
    "peft",
    "accelerate",
    "scikit-learn",
    "pyarrow",
)
_CV2_OWNERS = (
    "opencv-contrib-python",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)
# What the wheels of OpenCV and MediaPipe expect of the system, by Debian's and Ubuntu's names.
_LIBRARIES = "libgl1 libegl1 libgles2 libglib2.0-0"
_FREE_GB = 8


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: its name.
        state: what was found.
        advice: what to do, or "" if all is well.
        blocking: whether ``make repro`` cannot work like this.
    """

    what: str
    state: str
    advice: str = ""
    blocking: bool = False


def examine() -> list[Finding]:
    """Look at everything, in the order in which it is needed; without packages, at nothing more."""
    checks: list[Callable[[], Finding]] = [
        _python,
        _git,
        _versions,
        _cv2_owner,
        _opencv,
        _mediapipe,
        _landmarker,
        _gpu,
        _cache,
        _disk,
    ]
    findings = []
    for check in checks:
        findings.append(check())
        if check is _versions and findings[-1].blocking:
            break
    return findings


def show(findings: list[Finding]) -> None:
    """One line each, advice below it."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        warning = "[yellow]![/]" if finding.advice else "[green]✓[/]"
        mark = "[red]✗[/]" if finding.blocking else warning
        console.print(f"{mark} {escape(finding.what)}: {escape(finding.state)}")
        if finding.advice:
            console.print(f"    → {escape(finding.advice)}")


def _python() -> Finding:
    state = f"{sys.version.split()[0]} ({sys.executable})"
    if sys.prefix == sys.base_prefix:
        return Finding("Python", state, "no virtual environment: source .venv/bin/activate")
    return Finding("Python", state)


def _git() -> Finding:
    if shutil.which("git") is None:
        return Finding("git", "not found", "install git: DVC needs it", blocking=True)
    return Finding("git", "found")


def _versions() -> Finding:
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "run make setup (or pip install -r requirements.txt)"
        return Finding("packages", f"missing: {', '.join(missing)}", advice, blocking=True)
    return Finding("packages", ", ".join(found))


def _cv2_owner() -> Finding:
    owners = []
    for name in _CV2_OWNERS:
        try:
            owners.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    if len(owners) == 1:
        return Finding("owner of cv2", owners[0])
    if not owners:
        return Finding("owner of cv2", "none", "pip install -r requirements.txt", blocking=True)
    names = " ".join(owner.split()[0] for owner in owners)
    return Finding(
        "owner of cv2",
        f"several packages share the folder cv2: {', '.join(owners)}",
        f"pip uninstall -y {names} && pip install -r requirements.txt",
        blocking=True,
    )


def _opencv() -> Finding:
    return _loads("OpenCV", "import cv2; cv2.VideoCapture", blocking=True)


def _mediapipe() -> Finding:
    # Its native library is loaded only when a landmarker is made: load it here. Only new clips
    # need it; the demo's trajectories are shipped.
    return _loads(
        "MediaPipe",
        "import ctypes, pathlib, mediapipe\n"
        "for library in pathlib.Path(mediapipe.__file__).parent.rglob('libmediapipe*'):\n"
        "    ctypes.CDLL(str(library))",
        blocking=False,
    )


def _loads(what: str, code: str, *, blocking: bool) -> Finding:
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if process.returncode == 0:
        return Finding(what, "loads")
    last = (process.stderr.strip().splitlines() or [f"exit {process.returncode}"])[-1]
    advice = f"a system library is missing: apt-get install {_LIBRARIES}"
    if "cannot open shared object" not in last:
        advice = "run make setup; if it stays, reinstall the package"
    return Finding(what, f"does not load: {last}", advice, blocking)


def _landmarker() -> Finding:
    from facewave.files import sha256
    from facewave.landmarks import model_file

    path = model_file.find()
    if path is None:
        return Finding(
            "landmarker file",
            "not here yet",
            "nothing to do: it is downloaded when a clip must be detected. Without internet, put "
            f"{model_file.URL} into models/, or set {model_file.ASSETS} to its folder",
        )
    if sha256(path) != model_file.SHA256:
        advice = f"delete it; the next run downloads the right one from {model_file.URL}"
        return Finding("landmarker file", f"{path}: wrong SHA-256", advice)
    return Finding("landmarker file", f"{path}, SHA-256 as expected")


def _gpu() -> Finding:
    code = (
        "import torch\n"
        "if torch.cuda.is_available():\n"
        "    print(torch.cuda.get_device_name(), '(CUDA', torch.version.cuda + ')')"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or [f"exit {process.returncode}"])[-1]
        return Finding("torch", f"does not load: {last}", "run make setup", blocking=True)
    return Finding("GPU", process.stdout.strip() or "none; the demo and the classifiers need none")


def _cache() -> Finding:
    from facewave.landmarks import cache

    try:
        folder = cache.folder()
    except UserError as error:
        return Finding("cache of detections", "none", str(error), blocking=True)
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        advice = f"set {CACHE} to a folder you may write to"
        return Finding("cache of detections", f"{folder} cannot be written", advice, blocking=True)
    return Finding("cache of detections", str(folder))


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < _FREE_GB:
        return Finding("free disk", f"{free:.1f} GB", "free some: the packages alone take 6.5 GB")
    return Finding("free disk", f"{free:.0f} GB")
