"""Works on many clips, one process per core, so that no clip can take the others down with it.

A process that crashes in native code, is killed or takes too long costs its own clip alone; a new
one replaces it. Such a clip is tried once more when the others are done, alone on the machine. If
it crashes again, that is its own fault; if it is killed or takes too long again, it is the
machine's, and nothing is known of the clip.
"""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, TimeoutError, wait
from contextlib import ExitStack
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Lock
from types import ModuleType

import joblib
from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

from facewave.errors import UnfinishedError

Task = tuple[str, tuple[object, ...]]  # a name and arguments


# What every worker checks first: on a cluster it may have been started from another installation.
OTHER_VERSION = (
    "a worker runs another version of facewave than this machine. Restart the workers from the "
    "same installation."
)


_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
_STARTING_S = 60.0  # a process may take, at most
_PATIENCE = 3  # faults in a row of tasks that have the machine to themselves


class Fault(str):
    """What went wrong with a task through no fault of its own: the next run may do it."""


CHANGED = Fault("it changed while it was looked at")


class ChangedError(Exception):
    """What a task works on is no longer what it was when the task was made."""


def require_finished(problems: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Refuse to go on while the machine has kept some tasks from being done.

    Args:
        problems: what went wrong with each task.
        names: what people call it.

    Raises:
        UnfinishedError: there are such tasks.
    """
    faults = {names[task]: why for task, why in problems.items() if isinstance(why, Fault)}
    if faults:
        told = "".join(f"\n  {name}: {why}" for name, why in list(faults.items())[:10])
        more = f"\n  and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise UnfinishedError(
            f"{len(faults)} clips are not done, also when tried again alone. All others are kept: "
            f"run the same command again.{told}{more}"
        )


class _Process(SpawnProcess):
    """A fresh process, not a fork, which would inherit locks that some thread holds.

    Of the program that starts it, it knows nothing: ``spawn`` would run a script again that calls
    us outside of ``if __name__ == "__main__"``.
    """

    _lock = Lock()

    def start(self) -> None:
        with self._lock:
            program = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                super().start()
            finally:
                sys.modules["__main__"] = program


class _Context(SpawnContext):
    Process = _Process


def run(
    work: Callable[..., object],
    tasks: Sequence[Task],
    limit: float,
    scheduler: str,
    title: str,
    processes: int | None = None,
) -> dict[str, str]:
    """Work through tasks on all cores, or on the Dask cluster at ``scheduler``, with progress.

    ``processes`` limits how many there are on this machine.

    Returns:
        What went wrong with each task ("" for nothing), by its name.

    Raises:
        UserError: the cluster cannot be used.
        OSError: a task could not write or read a file.
    """
    from facewave import cluster

    if not tasks:
        return {}
    if scheduler == "local":
        done = each(work, tasks, limit, processes)
    else:
        done = cluster.each(work, tasks, limit, scheduler)
    return dict(tqdm(done, total=len(tasks), desc=title, unit="clip"))


def each(
    work: Callable[..., object], tasks: Iterable[Task], limit: float, processes: int | None = None
) -> Iterator[tuple[str, str]]:
    """Call ``work``, which processes can import, with the arguments of every task, in any order.

    Yields each task's name as it ends, and what went wrong with it ("" for nothing), such as taking
    longer than ``limit`` seconds: a ``Fault`` where the machine is to blame, after a second try.
    There is one process per core, or ``processes``.

    Raises:
        OSError: a task could not write or read a file: a full disk is no fault of a clip.
    """
    given = dict(tasks)
    faults: dict[str, Fault] = {}
    for name, problem in _once(work, given, limit, processes or joblib.cpu_count()):
        if isinstance(problem, Fault):
            faults[name] = problem
        else:
            yield name, problem
    in_a_row = 0
    for name, problem in faults.items():
        again: str = problem
        if in_a_row < _PATIENCE:
            ((_, again),) = _once(work, {name: given[name]}, limit, 1)
        crashed = isinstance(again, _Crash)
        in_a_row = in_a_row + 1 if isinstance(again, Fault) and not crashed else 0
        yield name, str(again) if crashed else again


class _Crash(Fault):
    """The end of a process in native code."""


def _once(
    work: Callable[..., object],
    tasks: Mapping[str, tuple[object, ...]],
    limit: float,
    processes: int,
) -> Iterator[tuple[str, str]]:
    with ProcessPool(processes, context=_Context()) as pool, ExitStack() as on_error:
        on_error.callback(pool.stop)  # Ctrl-C or a full disk: drop the tasks that have not begun
        futures: dict[Future[object], str] = {}
        for name, args in tasks.items():
            try:
                futures[pool.schedule(work, args, timeout=limit)] = name
            except RuntimeError as error:  # the pool has broken
                yield name, Fault(f"its process could not be started ({error})")
        waiting = set(futures)
        while waiting:
            ended, waiting = wait(waiting, limit + _STARTING_S, FIRST_COMPLETED)
            for future in ended:
                yield futures[future], _problem(future, limit)
            if not ended:  # a process was killed while it held the pool's lock
                pool.stop()
                yield from ((futures[f], Fault("its process was lost")) for f in waiting)
                break
        on_error.pop_all()


def _problem(future: "Future[object]", limit: float) -> str:
    try:
        future.result()
    except TimeoutError:
        return Fault(f"it took longer than {limit:g} s")
    except ProcessExpired as error:
        died = f"the process that looked at it died (exit code {error.exitcode})"
        return _Crash(died) if -(error.exitcode or 0) in _CRASHES else Fault(died)
    except ChangedError:
        return CHANGED
    except (BrokenExecutor, MemoryError) as error:
        return Fault(f"its process was lost ({error or 'out of memory'})")
    except (RuntimeError, ValueError) as error:  # raised by MediaPipe
        return f"it cannot be looked at: {error}"
    return ""
