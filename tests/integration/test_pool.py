"""The pool with processes that really crash, hang, are killed, and fill a disk."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from facewave.errors import UnfinishedError
from facewave.pool import ChangedError, Fault, each, require_finished


def act(path: Path, kind: str) -> None:
    """Behave as the clip's name says."""
    match kind:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)
        case "refuse":
            raise RuntimeError("no picture of this kind")
        case "killed once" if not (seen := path.with_suffix(".seen")).exists():
            seen.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "changed":
            raise ChangedError
        case "kill all":
            if not (seen := path.with_suffix(".seen")).exists():
                seen.touch()
                children = Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text()
                for pid in sorted(map(int, children.split()), key=lambda pid: pid == os.getpid()):
                    if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(pid, signal.SIGKILL)
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


def test_what_the_machine_does_is_no_property_of_a_clip(tmp_path: Path) -> None:
    kinds = ["good", "killed once", "killed", "changed", "crash", "refuse"]
    problems = dict(each(act, [(kind, (tmp_path / kind, kind)) for kind in kinds], limit=60))
    faults = {name for name, problem in problems.items() if isinstance(problem, Fault)}
    assert faults == {"killed", "changed"}  # tried again alone; a crash twice is the clip's own
    assert problems["killed once"] == ""
    with pytest.raises(UnfinishedError, match=r"^2 clips .*\n  (a/killed|a/changed): ") as caught:
        require_finished(problems, {name: f"a/{name}" for name in kinds})
    assert caught.value.exit_code == 1
    require_finished({"crash": problems["crash"]}, {"crash": "a"})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the pool's
def test_all_workers_are_killed_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facewave.pool._STARTING_S", 5.0)
    tasks = [(str(n), (tmp_path / str(n), "kill all" if n == 3 else "good")) for n in range(8)]
    assert dict(each(act, tasks, limit=5, processes=2)) == {str(n): "" for n in range(8)}
    assert len([path for path in tmp_path.iterdir() if not path.suffix]) == 8
