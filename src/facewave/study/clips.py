"""A dataset's labelled clips with recomputed features: other transforms, fewer frames."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.landmarks.schema import Trajectory
from facewave.params import Block
from facewave.wavelets.features import features, unusable
from facewave.wavelets.schema import BLOCKS
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips, Dataset

_FRAMES = 20_000  # kept in memory (120 MB), so that a small dataset is read once

# (trajectory, position in the index) -> trajectory
Change = Callable[[Trajectory, int], Trajectory]


def unchanged(trajectory: Trajectory, at: int) -> Trajectory:
    """The change that changes nothing."""
    return trajectory


class Trajectories:
    """A dataset's trajectories.

    Attributes:
        dataset: the dataset.
        index: of the landmarks (landmarks/schema.py), with ``usable`` as stage wavelet has it.
    """

    def __init__(self, dataset: Dataset, max_gap_s: float) -> None:
        self.dataset = dataset
        self.index = dataset.read_index()
        rows = self.index.to_dict("records")
        self.index["usable"] = [not unusable(row, max_gap_s) for row in rows]
        self._kept: dict[int, Trajectory] = {}
        self._room = _FRAMES

    def __iter__(self) -> Iterator[tuple[int, Any, Trajectory]]:
        """Position, row of the index, and trajectory of each usable clip."""
        for at, row in enumerate(self.index.itertuples()):
            if row.usable:
                trajectory = self._kept.get(at)
                if trajectory is None:
                    trajectory = landmarks.read_row(self.dataset.landmarks, row)
                    self._room -= len(trajectory.times_T)
                    if self._room >= 0:
                        self._kept[at] = trajectory
                yield at, row, trajectory

    def clips(
        self, transform: Transform, names: Sequence[Block], change: Change = unchanged
    ) -> Clips:
        """The clips with one trustworthy label, and their features as stage wavelet makes them.

        ``change`` is applied to every trajectory first.
        """
        shape = (len(self.index), transform.numbers)
        blocks: dict[Block, NDArray[np.float32]] = {
            name: np.full((*shape, *BLOCKS[name]), np.nan, np.float32) for name in names
        }
        for at, row, trajectory in self:
            for name, numbers in features(change(trajectory, at), row, transform, names).items():
                blocks[name][at] = numbers
        dataset, index = self.dataset, self.index.set_index("video_idx")
        table, root = self.table(), dataset.root
        return Clips(table, blocks, root, dataset.entry.fps, dataset.landmarks, index)

    def table(self) -> pd.DataFrame:
        """The labels of these clips, with ``at``, their position in the index, and ``usable``."""
        positions = self.index[["video_idx", "usable"]].assign(at=range(len(self.index)))
        return labels.single_label(self.dataset.read_labels()).merge(positions, on="video_idx")
