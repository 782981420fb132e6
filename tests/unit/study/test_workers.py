"""Other processes do the work, in order, each on one thread."""

import os

import pytest
from threadpoolctl import threadpool_info

from facewave.study import workers


def test_two_processes_share_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cpu_count", lambda: 2)
    assert workers.each(divmod, [(n, 3) for n in range(20)]) == [divmod(n, 3) for n in range(20)]
    assert os.getpid() not in workers.each(os.getpid, [()] * 4)
    libraries = workers.each(threadpool_info, [()])[0]
    assert {library["num_threads"] for library in libraries} <= {1}
