"""What a person sees of a mistake, in real processes: one sentence and an exit code."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

PROGRAM = """
import signal, sys, time
from pathlib import Path
from facewave.errors import UserError, explain

def call():
{body}

explain(call)
"""


def program(body: str) -> list[str]:
    """The command of a process that runs ``body`` as a stage would."""
    return [sys.executable, "-c", PROGRAM.format(body=indent(body, "    "))]


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(body), capture_output=True, text=True, timeout=60, check=False)


def test_a_good_end_is_silent() -> None:
    done = run("print('done')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("raise UserError('row 3: no label. Add one.')", 2, "row 3: no label. Add one."),
        ("Path('nowhere/at/all').read_text()", 1, "nowhere/at/all: No such file or directory"),
        ("Path('/').write_text('')", 1, "/: Is a directory"),
        ("raise KeyboardInterrupt", 130, "interrupted. Run the same command again to resume; "),
    ],
)
def test_a_mistake_is_one_sentence(body: str, code: int, sentence: str) -> None:
    done = run(body)
    assert done.returncode == code
    assert done.stderr.startswith(f"facewave: {sentence}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "body",
    ["raise ValueError('of ours')", "raise OSError('of ours')", "raise OSError(5, 'of ours')"],
)
def test_a_bug_keeps_its_traceback(body: str) -> None:
    done = run(body)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "of ours" in done.stderr.splitlines()[-1]


def test_ctrl_c_ends_with_130() -> None:
    # A job in a shell's background ignores Ctrl-C, and its children with it: so set the handler.
    body = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen(
        program(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.startswith("facewave: interrupted. ")
    assert said.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
def test_a_full_device_is_told() -> None:
    done = run("with open('/dev/full', 'w') as file:\n    file.write('x')")
    assert done.returncode == 1
    assert done.stderr.startswith("facewave: the disk is full. Free some space")
    assert done.stderr.count("\n") == 1


# In a mount namespace of its own, so that nothing stays mounted and no root is needed.
FULL_DISK = """
import sys
from pathlib import Path
from facewave.errors import explain
from facewave.files import write_json

folder = Path(sys.argv[1])
write_json(folder / "metrics.json", {"a": 1})
try:
    explain(lambda: write_json(folder / "metrics.json", {"a": "x" * 1_000_000}))
except SystemExit as stop:
    print(stop.code, [path.name for path in folder.iterdir()], end=" ")
    print((folder / "metrics.json").read_text("utf-8").split())
"""
MOUNT = 'mount -t tmpfs -o size=64k tmpfs "$1" && '


def in_own_mounts(folder: Path, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            "unshare",
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            MOUNT + command,
            "sh",
            folder,
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path) -> None:
    if not shutil.which("unshare") or in_own_mounts(tmp_path, "true").returncode:
        pytest.skip("no small file system can be mounted here")
    done = in_own_mounts(tmp_path, '"$2" -c "$3" "$1"', sys.executable, FULL_DISK)
    assert done.stderr.startswith("facewave: the disk is full")
    assert done.stderr.count("\n") == 1
    assert done.stdout == """1 ['metrics.json'] ['{', '"a":', '1', '}']\n"""
