"""How long an unchanged corpus holds up ``dvc repro``: ``python benchmarks/listing.py``.

Stage list over 40,000 clips and over 1,000,000 frames in 10,000 folders, all of them empty files in
a temporary folder; then a whole ``dvc repro`` of a small project that has these corpora and nothing
to do but look at them. Seconds of the clock and of the processor: on a busy machine they differ.
"""

import resource
import subprocess
import tempfile
import time
from pathlib import Path

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


def run(folder: Path, *command: str) -> str:
    """Seconds of a command: of the clock, and of the processor."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.perf_counter() - start:6.1f} s {used:6.1f} s"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "project")
        project.mkdir()
        corpora = make(Path(temporary, "corpora"))
        entries = "".join(f"  {n}: {{reader: mead, root: {root}}}\n" for n, root in corpora.items())
        (project / "params.yaml").write_text(f"datasets:\n{entries}", "utf-8")
        (project / "dvc.yaml").write_text(DVC.format(source=SOURCE), "utf-8")
        run(project, "git", "init", "-q")
        run(project, "dvc", "init", "-q")
        run(project, "dvc", "repro", "-q")
        for name in corpora:
            listing = ("-m", "facewave.labels.listing", name)
            print(
                f"listing   {name:12}",
                run(project, "env", f"PYTHONPATH={SOURCE}", "python", *listing),
            )
            print(f"dvc repro {name:12}", run(project, "dvc", "repro", f"list@{name}"))


if __name__ == "__main__":
    main()
