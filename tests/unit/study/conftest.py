"""The study's tests run in one process: starting others takes longer than what they would do."""

from collections.abc import Iterator

import pytest

from facewave.study import workers


@pytest.fixture(scope="package", autouse=True)
def one_process() -> Iterator[None]:
    """Call functions where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "cpu_count", lambda: 1)
        yield
