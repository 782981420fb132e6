"""Works on many clips, one process per core, so that no clip can take the others down with it.

A process that crashes in native code, is killed or takes too long costs its own clip alone; a new
one replaces it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, TimeoutError, as_completed
from contextlib import ExitStack
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Lock
from types import ModuleType

import joblib
from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

Task = tuple[str, tuple[object, ...]]  # a name and arguments


# What every worker checks first: on a cluster it may have been started from another installation.
OTHER_VERSION = (
    "a worker runs another version of facewave than this machine. Restart the workers from the "
    "same installation."
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
    longer than ``limit`` seconds. There is one process per core, or ``processes``.

    Raises:
        OSError: a task could not write or read a file: a full disk is no fault of a clip.
    """
    with (
        ProcessPool(processes or joblib.cpu_count(), context=_Context()) as pool,
        ExitStack() as on_error,
    ):
        on_error.callback(pool.stop)  # Ctrl-C or a full disk: drop the tasks that have not begun
        futures = {pool.schedule(work, args, timeout=limit): name for name, args in tasks}
        for future in as_completed(futures):
            yield futures[future], _problem(future, limit)
        on_error.pop_all()


def _problem(future: "Future[object]", limit: float) -> str:
    try:
        future.result()
    except TimeoutError:
        return f"it took longer than {limit:g} s"
    except ProcessExpired as error:
        return f"the process that looked at it died (exit code {error.exitcode})"
    except (RuntimeError, ValueError) as error:  # raised by MediaPipe
        return f"it cannot be looked at: {error}"
    return ""
