"""Works on many clips, one process per core, so that no clip can take the others down with it.

A process that crashes in native code, is killed or takes too long costs its own clip alone; a new
one replaces it.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, TimeoutError, as_completed
from contextlib import ExitStack

import joblib
from pebble import ProcessExpired, ProcessPool

Task = tuple[str, tuple[object, ...]]  # a name and arguments


def each(
    work: Callable[..., object], tasks: Iterable[Task], limit: float, processes: int | None = None
) -> Iterator[tuple[str, str]]:
    """Call ``work``, which processes can import, with the arguments of every task, in any order.

    Yields each task's name as it ends, and what went wrong with it ("" for nothing), such as taking
    longer than ``limit`` seconds. There is one process per core, or ``processes``.

    Raises:
        OSError: a task could not write or read a file: a full disk is no fault of a clip.
    """
    # Fresh processes, not forks, which would inherit locks that some thread holds.
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPool(processes or joblib.cpu_count(), context=context) as pool,
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
