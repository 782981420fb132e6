"""The work of pool.py on a Dask cluster: ``landmarks.scheduler: tcp://host:port``.

The workers see the same files under the same paths, on a cluster's shared file system. A worker
takes some clips at a time and gives them to a process of its own, as the local pool does, so that a
crash, a hang or the time limit costs one clip there as well. If a worker is lost, others take its
clips; those that it had finished are in the cache.
"""

import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from facewave.errors import UserError
from facewave.landmarks import pool
from facewave.landmarks.pool import Task

_MOST = 32  # clips at a time: beside them, starting a process costs little
_ROUNDS = 4  # times that each worker comes for clips, at least, so that all end at about one time
_NO_WORKERS = (
    "has no workers left. Finished clips are kept: start some and run the same command again."
)
_PATIENCE_S = 30  # until the scheduler answers, and has a worker


def each(
    work: Callable[..., None], tasks: Sequence[Task], limit: float, address: str
) -> Iterator[tuple[str, str]]:
    """Do the same with every task, in no certain order.

    Args:
        work: what is done; it can be found by its name in a module, and does no harm done twice.
        tasks: pairs of a name and the arguments.
        limit: seconds that one task may take.
        address: of Dask's scheduler.

    Yields:
        The name of each task as it ends, and what went wrong with it, "" for nothing.

    Raises:
        UserError: Dask is not installed; the scheduler cannot be reached, or is lost; there are no
            workers, or they may not start processes.
        OSError: a task could not write or read a file.
    """
    try:
        from distributed import Client, wait
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise UserError(
            "landmarks.scheduler names a cluster, and Dask is not installed. "
            "pip install 'facewave[cluster]', or say landmarks.scheduler: local."
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE_S)
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(
            f"landmarks.scheduler: no Dask cluster with workers answers at {address} ({error}). "
            "Start `dask scheduler` and `dask worker --no-nanny`, or say local."
        ) from None
    with client:
        slots = sum(client.nthreads().values())
        size = max(1, min(_MOST, len(tasks) // (_ROUNDS * slots)))
        count = math.ceil(len(tasks) / size)
        parts = [tasks[at::count] for at in range(count)]  # the longest clips go to several
        names = {
            client.submit(_some, work, part, limit, pure=False): [name for name, _ in part]
            for part in parts
        }
        waiting = set(names)
        try:
            while waiting:
                try:
                    done = wait(waiting, _PATIENCE_S, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    if not client.nthreads():
                        raise UserError(f"the Dask cluster at {address} {_NO_WORKERS}") from None
                    continue
                waiting -= done
                for future in done:
                    try:
                        yield from future.result()
                    except KilledWorker:
                        said = "every worker that looked at it was lost; see their logs"
                        yield from ((name, said) for name in names[future])
        except (CancelledError, CommClosedError):
            raise UserError(
                f"the Dask scheduler at {address} was lost. Finished clips are kept: start it "
                "again and run the same command."
            ) from None


def _some(work: Callable[..., None], tasks: Sequence[Task], limit: float) -> list[tuple[str, str]]:
    """What a worker does."""
    if multiprocessing.current_process().daemon:
        raise UserError(
            "Dask's workers may not start processes under a nanny. Start them with "
            "`dask worker --no-nanny`."
        )
    return list(pool.each(work, tasks, limit, processes=1))
