"""Files stay whole when their writer is killed or the disk is full."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WRITE = """
import os, signal, sys
from pathlib import Path
from facewave.errors import explain
from facewave.files import replacing, write_json

path = Path(sys.argv[1]) / "metrics.json"
"""


def command(program: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", WRITE + program, str(folder)]


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("old", "utf-8")
    program = (
        "with replacing(path) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run(command(program, tmp_path), timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "metrics.json").read_text("utf-8") == "old"


FULL_DISK = """
write_json(path, {"a": 1})
try:
    explain(lambda: write_json(path, {"a": "x" * 1_000_000}))
except SystemExit as stop:
    print(stop.code, [path.name for path in path.parent.iterdir()], path.read_text().split())
"""


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    # In a mount namespace of its own, so that nothing stays mounted and no root is needed.
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    mount += ['mount -t tmpfs -o size=64k tmpfs "$0" && "$@"', str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    done = subprocess.run(
        [*mount, *command(FULL_DISK, tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("facewave: the disk is full")
    assert done.stderr.count("\n") == 1
    assert done.stdout == """1 ['metrics.json'] ['{', '"a":', '1', '}']\n"""


STOPPED = """
import os, signal, sys
sys.orig_argv[1:3] = ["-m", "facewave.landmarks"]
import facewave
if sys.argv[2] == "loading":
    os.kill(os.getpid(), int(sys.argv[1]))
from facewave.errors import explain
from facewave.files import replacing
from pathlib import Path

def work():
    with replacing(Path(sys.argv[3]) / "a.txt"):
        os.kill(os.getpid(), int(sys.argv[1]))

explain(work)
"""


def test_ctrl_c_and_sigterm_end_in_one_sentence_and_leave_nothing_half(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        for moment in ("loading", "working"):
            command = [sys.executable, "-c", STOPPED, str(number.value), moment, str(tmp_path)]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                # Ctrl-C is ignored by what a script has started in the background.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            assert done.stderr.startswith("facewave: interrupted. Run the same command"), moment
            assert done.stderr.count("\n") == 1
            assert done.returncode == 128 + number
            assert list(tmp_path.iterdir()) == []
