"""What pool.py does, on a Dask cluster: ``landmarks.scheduler: tcp://host:port``, or ``tls://``.

The workers see the same files under the same paths, on a cluster's shared file system. A worker
takes a batch of clips and gives them to a process of its own, as the local pool does, so that a
crash, a hang or the time limit costs one clip there as well. If a worker is lost, others take its
batch; the clips that it had finished are in the cache.
"""

import gc
import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from facewave import pool
from facewave.errors import UserError
from facewave.pool import Task

_LARGEST = 32  # clips of a batch: starting a process costs little beside them
_ROUNDS = 4  # batches per worker, at least, so that all workers end at about the same time
_PATIENCE_S = 30  # until the scheduler answers and has a worker
_KEPT = "Finished clips are kept: start it again and run the same command."


def each(
    work: Callable[..., object], tasks: Sequence[Task], limit: float, address: str
) -> Iterator[tuple[str, str]]:
    """Do what ``pool.each`` does on the cluster whose scheduler is at ``address``.

    ``work`` may be called twice with the same arguments, when a worker is lost.

    Raises:
        UserError: no Dask, no scheduler, no workers, or they may not start processes.
        OSError: a task could not write or read a file.
    """
    try:
        from distributed import Client, wait
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise UserError(
            "landmarks.scheduler names a cluster, and Dask is not installed. "
            "pip install 'facewave[cluster]', or set landmarks.scheduler: local."
        ) from None
    # A client that could not be made closes when it is collected, under a lock that the start of
    # the next one takes, too: collected just then, both would wait for ever.
    gc.collect()
    try:
        client = Client(address, timeout=_PATIENCE_S)
        client.wait_for_workers(1, timeout=_PATIENCE_S)
    except TypeError:  # of an address tls:// without certificates
        raise UserError(
            f"landmarks.scheduler is {address}, and Dask has no certificates for it. Name them in "
            "its configuration, distributed.comm.tls: ca-file, client.cert and client.key."
        ) from None
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(
            f"landmarks.scheduler: no Dask cluster with workers answers at {address} ({error}). "
            "Start `dask scheduler` and `dask worker --no-nanny`, or set it to local."
        ) from None
    with client:
        workers = sum(client.nthreads().values())
        size = max(1, min(_LARGEST, len(tasks) // (_ROUNDS * workers)))
        count = math.ceil(len(tasks) / size)
        names = {}
        for batch in (tasks[start::count] for start in range(count)):  # mixes long and short clips
            future = client.submit(_batch, work, batch, limit, pure=False)
            names[future] = [name for name, _ in batch]
        waiting = set(names)
        try:
            while waiting:
                try:
                    done = wait(waiting, _PATIENCE_S, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    if client.nthreads():
                        continue
                    problem = f"the Dask cluster at {address} has no workers left. {_KEPT}"
                    raise UserError(problem) from None
                waiting -= done
                for future in done:
                    try:
                        yield from future.result()
                    except KilledWorker:
                        problem = pool.Fault(
                            "every worker that looked at it was lost; see their logs"
                        )
                        yield from ((name, problem) for name in names[future])
        except (CancelledError, CommClosedError):
            raise UserError(f"the Dask scheduler at {address} was lost. {_KEPT}") from None


def _batch(
    work: Callable[..., object], tasks: Sequence[Task], limit: float
) -> list[tuple[str, str]]:
    """Run on a worker."""
    if multiprocessing.current_process().daemon:
        raise UserError(
            "Dask's workers may not start processes under a nanny. Start them with "
            "`dask worker --no-nanny`."
        )
    return list(pool.each(work, tasks, limit, processes=1))
