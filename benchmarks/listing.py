"""How long an unchanged corpus holds up ``dvc repro``: ``python benchmarks/listing.py``.

Stage list over 40,000 clips and over 1,000,000 frames in 10,000 folders, all of them empty files in
a temporary folder; then a whole ``dvc repro`` of a small project that has these corpora and nothing
to do but look at them.
"""

import subprocess
import tempfile
import time
from pathlib import Path

from facewave.labels.listing import listing

DVC = """stages:
  list:
    foreach: [clips, frames]
    do:
      cmd: PYTHONPATH={source} python -m facewave.labels.listing ${{item}}
      always_changed: true
      outs: [{{"data/listing/${{item}}.csv": {{cache: false, persist: true}}}}]
"""
SOURCE = Path(__file__).parents[1].resolve() / "src"


def make(root: Path) -> dict[str, Path]:
    """The two corpora."""
    corpora = {name: root / name for name in ("clips", "frames")}
    for folder in (corpora["clips"], *(corpora["frames"] / f"{i:05d}" for i in range(10_000))):
        folder.mkdir(parents=True)
    for i in range(40_000):
        (corpora["clips"] / f"{i:05d}.mp4").touch()
    for i in range(1_000_000):
        (corpora["frames"] / f"{i // 100:05d}" / f"{i % 100:03d}.jpg").touch()
    return corpora


def run(folder: Path, *command: str) -> float:
    """Seconds of a command."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "project")
        project.mkdir()
        corpora = make(Path(temporary, "corpora"))
        for name, root in corpora.items():
            start = time.perf_counter()
            files = listing(root, ()).splitlines()[2].split(",")[1]
            print(f"listing {name:7} {int(files):>9,} files {time.perf_counter() - start:6.1f} s")
        entries = "".join(f"  {n}: {{reader: mead, root: {root}}}\n" for n, root in corpora.items())
        (project / "params.yaml").write_text(f"datasets:\n{entries}", "utf-8")
        (project / "dvc.yaml").write_text(DVC.format(source=SOURCE), "utf-8")
        run(project, "git", "init", "-q")
        run(project, "dvc", "init", "-q")
        run(project, "dvc", "repro", "-q")
        for stage in (*(f"list@{name}" for name in corpora), ""):
            seconds = run(project, "dvc", "repro", *filter(None, [stage]))
            print(f"dvc repro {stage or 'of both':12} {seconds:6.1f} s")


if __name__ == "__main__":
    main()
