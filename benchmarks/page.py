"""How long people wait for the page: ``PYTHONPATH=tests/support python benchmarks/page.py``.

A film of 3 s with one face is given to the page in a real browser: at once after the server has
answered for the first time (cold: its first process is still starting), and again with nothing
kept in between (warm: a process waits with all it needs). The time is from the file's choice until
the answer stands on the page; beside it ``facewave predict`` of the same film with an empty cache.
FACEWAVE_ASSETS: the landmarker's folder.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

import splicing
from browser import launch, serving, visiting
from facewave import assets

SECONDS = 3.0
ROUNDS = 5


def measure(project: Path, home: Path, film: Path) -> tuple[list[float], list[float]]:
    """Seconds to the answer on the page, the first one cold, and in turn those of the command."""
    waited, commanded = [], []
    with (
        sync_playwright() as playwright,
        launch(playwright, splicing.camera(home / "camera.mjpeg")) as browser,
        serving(project, home) as server,
        visiting(browser, server.origin) as visitor,
    ):
        page = visitor.open(server.address)
        for number in range(1 + ROUNDS):
            page.wait_for_selector("#use-camera")
            start = time.perf_counter()
            page.set_input_files("#clip-file", film)
            page.wait_for_selector(".result")
            waited.append(time.perf_counter() - start)
            page.get_by_role("button", name="another clip").click()
            time.sleep(3)  # the process for the next clip is started
            commanded.append(predict(project, home / f"cache-{number}", film))
    return waited, commanded


def predict(project: Path, cache: Path, film: Path) -> float:
    """Seconds of the command."""
    command = [str(Path(sys.executable).parent / "facewave"), "predict", str(film)]
    own = os.environ | {"FACEWAVE_CACHE": str(cache)}
    start = time.perf_counter()
    subprocess.run(command, cwd=project, env=own, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    if assets.find(assets.LANDMARKER) is None:
        raise SystemExit(f"set {assets.ASSETS} to the folder of {assets.LANDMARKER.name}")
    # The server's folder is another one.
    os.environ[assets.ASSETS] = str(Path(os.environ.get(assets.ASSETS) or assets.HOME).resolve())
    with tempfile.TemporaryDirectory() as folder:
        project, home = Path(folder) / "project", Path(folder) / "home"
        project.mkdir()
        home.mkdir()
        film = splicing.write(home / "film.mp4", splicing.pictures("21", SECONDS))
        waited, commanded = measure(project, home, film)
    by_command = median(commanded)
    table = Table("what", "seconds", "times the command")
    for what, spent in (
        ("facewave predict", by_command),
        ("page, cold", waited[0]),
        ("page, warm", median(waited[1:])),
    ):
        table.add_row(what, f"{spent:.1f}", f"{spent / by_command:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
