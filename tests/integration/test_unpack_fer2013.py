"""``facewave datasets unpack-fer2013`` as a process."""

import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "facewave.app.cli", "datasets", "unpack-fer2013"]


def unpack(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_unpacking_is_a_command(tmp_path: Path) -> None:
    rows = [f"{i},{' '.join(['7'] * 2304)},Training" for i in range(7)]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]), "utf-8")
    done = unpack(str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "7 pictures written\n"), done.stderr
    assert (tmp_path / "FER2013Train/fer0000000.png").exists()
    done = unpack(str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert done.stderr.startswith("facewave: ")
    assert "fer2013.csv is not here" in done.stderr
    done = unpack()
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
