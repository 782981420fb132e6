"""The pool with processes that really crash, hang, are killed, and fill a disk."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from facewave.landmarks.pool import each


def write(path: Path) -> None:
    path.write_text("done", "utf-8")


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(path: Path) -> None:
    time.sleep(600)


def act(path: Path, what: str) -> None:
    """Behave as the clip's name says."""
    {"crash": crash, "hang": hang}.get(what, write)(path)


def refuse(path: Path) -> None:
    raise RuntimeError("no picture of this kind")


def fill(path: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_a_crash_and_a_hang_cost_their_own_clip_alone(tmp_path: Path) -> None:
    kinds = ["good", "crash", "good", "hang", "crash", "good", "good"]
    tasks = [(f"{i} {kind}", (tmp_path / str(i), kind)) for i, kind in enumerate(kinds)]
    found = dict(each(act, tasks, limit=3))
    assert found == {
        "0 good": "",
        "1 crash": "the process that looked at it died (exit code -11)",
        "2 good": "",
        "3 hang": "it took longer than 3 s",
        "4 crash": "the process that looked at it died (exit code -11)",
        "5 good": "",
        "6 good": "",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "2", "5", "6"]


def test_what_the_landmarker_refuses_is_told(tmp_path: Path) -> None:
    assert dict(each(refuse, [("a", (tmp_path / "a",))], limit=60)) == {
        "a": "it cannot be looked at: no picture of this kind"
    }


def test_a_full_disk_stops_all(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        dict(each(fill, [("a", (tmp_path / "a",))], limit=60))
    assert caught.value.errno == errno.ENOSPC
