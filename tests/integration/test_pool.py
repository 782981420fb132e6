"""The pool with processes that really crash, hang, are killed, and fill a disk."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from facewave.pool import each


def act(path: Path, kind: str) -> None:
    """Behave as the clip's name says."""
    match kind:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)
        case "refuse":
            raise RuntimeError("no picture of this kind")
        case "full":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
    path.write_text("done", "utf-8")


def test_a_crash_a_hang_and_a_refusal_cost_their_own_clip_alone(tmp_path: Path) -> None:
    kinds = ["good", "crash", "refuse", "hang", "crash", "good", "good"]
    tasks = [(f"{i} {kind}", (tmp_path / str(i), kind)) for i, kind in enumerate(kinds)]
    problems = {
        "good": "",
        "crash": "the process that looked at it died (exit code -11)",
        "refuse": "it cannot be looked at: no picture of this kind",
        "hang": "it took longer than 3 s",
    }
    expected = {name: problems[name.split()[1]] for name, _ in tasks}
    assert dict(each(act, tasks, limit=3)) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "5", "6"]


def test_a_full_disk_stops_all(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        dict(each(act, [("a", (tmp_path / "a", "full"))], limit=60))
    assert caught.value.errno == errno.ENOSPC
