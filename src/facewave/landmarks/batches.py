"""Many clips side by side, for a GPU: what their trackers ask in one moment is one batch.

A process looks at some tens of clips, each in a thread of its own: FFmpeg and OpenCV let other
threads run meanwhile. Every thread comes to a point where it needs a model's answer; when all have,
their requests are answered together, by ``engines.on_torch``. So which clips share a batch follows
from the clips alone, never from how fast each is decoded.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave import pool
from facewave.errors import UserError, extras
from facewave.landmarks.engines.tracker import ModelName, Models
from facewave.params import Landmarks

# Chosen by thought: there was no GPU to measure on (benchmarks/batches.py).
_CLIPS = 32  # side by side in a process
_CORES = 4  # for each process; all share one GPU
_CLIPS_OWN = (CancelledError, pool.ChangedError, MemoryError, RuntimeError, ValueError)
_ROUNDS = 4  # clips of a task, one after another in each thread


def require(settings: Landmarks) -> None:
    """Refuse ``landmarks.device: cuda`` where it cannot be followed.

    Raises:
        UserError: there is no GPU, or other settings exclude it.
    """
    asked = "landmarks.device: cuda"
    if settings.engine != "litert":
        raise UserError(f"{asked} needs landmarks.engine: litert; MediaPipe's call runs on the CPU")
    if settings.scheduler != "local":
        raise UserError(f"{asked} uses this machine's GPU: set landmarks.scheduler: local")
    with extras():
        import torch
    if not torch.cuda.is_available():
        raise UserError(
            f"{asked}, and torch finds no GPU on this machine. Set it to cpu, or install a GPU's "
            "driver and a build of torch with CUDA"
        )


def run(
    work: Callable[..., object],
    tasks: Sequence[pool.Task],
    model: Path,
    limit: float,
    title: str,
    device: str = "cuda",
) -> None:
    """Call ``work`` with every task's arguments and ``models`` on a device, with progress.

    It must store its result and do nothing where this is stored already: tasks that fail, or whose
    process dies or takes too long, stay undone and are not reported here. A process may take
    ``limit`` seconds for each clip that a thread is given.

    Raises:
        OSError: a task could not write or read a file.
    """
    groups = grouped(tasks)
    each = [(name, (work, group, model, device)) for name, group in groups.items()]
    processes = math.ceil(joblib.cpu_count() / _CORES)
    with tqdm(total=len(tasks), desc=title, unit="clip") as bar:
        for name, _ in pool.each(_in_process, each, limit * _ROUNDS, processes):
            bar.update(len(groups[name]))


def grouped(tasks: Sequence[pool.Task]) -> dict[str, list[tuple[object, ...]]]:
    """The arguments of tasks in groups, one a task of a process, with clips as long each."""
    n = math.ceil(len(tasks) / (_CLIPS * _ROUNDS))
    return {f"{i}": [arguments for _, arguments in tasks[i::n]] for i in range(n)}


def _in_process(
    work: Callable[..., object], tasks: Sequence[tuple[object, ...]], model: Path, device: str
) -> None:
    side_by_side(work, tasks, _loaded(model.read_bytes(), device), _CLIPS)


@lru_cache(maxsize=1)
def _loaded(model: bytes, device: str) -> Models:
    from facewave.landmarks.engines import on_torch

    return on_torch.Models(model, device)


def side_by_side(
    work: Callable[..., object], tasks: Sequence[tuple[object, ...]], models: Models, clips: int
) -> None:
    """Call ``work`` with the arguments of each task and ``models``, so many at a time, in threads.

    Raises:
        OSError: a task could not write or read a file.
    """
    threads, waiting = min(clips, len(tasks)), iter(list(enumerate(tasks)))
    batches = Batches(models, threads)

    def one_after_another() -> None:
        try:
            for number, arguments in waiting:
                # Tried again alone, it tells why.
                with suppress(*_CLIPS_OWN):
                    work(*arguments, models=Asking(batches, number))
        finally:
            batches.leave()

    with ThreadPoolExecutor(threads) as executor:
        for thread in [executor.submit(one_after_another) for _ in range(threads)]:
            thread.result()


_Answer = Future[list[NDArray[np.float32]]]


class Request(NamedTuple):
    """What a model is asked: n inputs (n, ...) at a time."""

    model: ModelName
    inputs: NDArray[np.float32]


class Batches:
    """Answers the requests of several threads together, once all of them wait.

    Args:
        models: answer a batch.
        threads: how many ask; each calls ``leave`` when it has nothing more to ask.
    """

    def __init__(self, models: Models, threads: int) -> None:
        self.canonical = models.canonical
        self._models, self._threads = models, threads
        self._waiting: list[tuple[int, Request, _Answer]] = []
        self._lock = Lock()

    def ask(self, clip: int, request: Request) -> list[NDArray[np.float32]]:
        """The outputs of the model, as ``Models`` have them; clips are in order in a batch."""
        answer: _Answer = Future()
        with self._lock:
            self._waiting.append((clip, request, answer))
        self._answer()
        return answer.result()

    def leave(self) -> None:
        """One thread less will ask."""
        with self._lock:
            self._threads -= 1
        self._answer()

    def _answer(self) -> None:
        """Answer all requests, model by model, unless there are threads that do not wait yet."""
        with self._lock:
            if len(self._waiting) < self._threads:
                return
            waiting, self._waiting = sorted(self._waiting, key=itemgetter(0)), []
        try:
            for model in dict.fromkeys(request.model for _, request, _ in waiting):
                asked = [(req.inputs, answer) for _, req, answer in waiting if req.model == model]
                ends = np.cumsum([len(inputs) for inputs, _ in asked])[:-1]
                outputs = self._models(model, np.concatenate([inputs for inputs, _ in asked]))
                parts = zip(*(np.split(output, ends) for output in outputs), strict=True)
                for (_, answer), part in zip(asked, parts, strict=True):
                    answer.set_result(list(part))
        finally:  # nobody waits for what never comes
            for _, _, answer in waiting:
                answer.cancel()


class Asking:
    """What answers one clip's requests."""

    def __init__(self, batches: Batches, clip: int) -> None:
        self._batches, self._clip = batches, clip
        self.canonical = batches.canonical

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a model, in its file's order, for n inputs (n, ...): each (n, values)."""
        return self._batches.ask(self._clip, Request(name, inputs))
