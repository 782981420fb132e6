"""What the study's tests share: one process, since starting others takes longer, and a face."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave.landmarks import schema
from facewave.study import workers
from making import DEMO


@pytest.fixture(scope="package", autouse=True)
def one_process() -> Iterator[None]:
    """Functions are called where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "cpu_count", lambda: 1)
        yield


@pytest.fixture(scope="package")
def face() -> NDArray[np.float64]:
    """A face of the demo without its head's pose, mean over a clip, (478, 3)."""
    entry = schema.entries(DEMO)[0]
    clip = schema.read_clip(DEMO, entry.row_group, entry.row_groups)
    return np.nanmean(schema.without_pose(clip, entry.facts).pose_free_TPC, axis=0)
