"""The same function called with many arguments, in one process per core. Pure."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits

Result = TypeVar("Result")


def each(function: Callable[..., Result], arguments: Iterable[tuple[Any, ...]]) -> list[Result]:
    """Call a function of a module with each of the arguments; results in the same order.

    Every call computes on one thread, so that sums have one order: results are the same whatever
    the number of processes.
    """
    calls = Parallel(cpu_count())(
        delayed(_on_one_thread)(function, *values) for values in arguments
    )
    return list(calls)


def _on_one_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    with threadpool_limits(1):
        return function(*arguments)
