"""A dataset's clips with recomputed features: other transforms, fewer frames."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.appearance import schema as appearance
from facewave.appearance.schema import Appearance
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.landmarks.schema import Trajectory
from facewave.params import SOUNDS, Block
from facewave.voice import schema as voice
from facewave.wavelets.features import features, heard_features, seen_features
from facewave.wavelets.schema import SEEN, channels_of, shapes
from facewave.wavelets.transform import Transform
from facewave.workspace import Clips, Dataset, Stored, people_in

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
        index: of the landmarks (landmarks/schema.py), with ``usable`` and ``heard`` as stage
            wavelet has them.
        layout: what the trajectories have beside or without the landmarker's columns.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.index = dataset.read_index()
        known = dataset.read_features().clips.set_index("video_idx").loc[self.index["video_idx"]]
        self.index[["usable", "heard"]] = known[["usable", "heard"]].to_numpy(bool)
        shards = (dataset.landmarks / shard for shard in self.index["shard"].unique() if shard)
        self.layout = next(map(landmarks.read_layout, shards), landmarks.LANDMARKER)
        self._kept: dict[int, Trajectory] = {}
        self._room = _FRAMES

    def __iter__(self) -> Iterator[tuple[int, Any, Trajectory]]:
        """Position, row of the index, and trajectory of each usable clip."""
        for at, row in enumerate(self.index.itertuples()):
            if row.usable and row.shard:  # rows of a table of features have none
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
        """The clips that can be learnt from, and their features as stage wavelet makes them.

        ``change`` is applied to every trajectory first. A table of features stays as it is.
        """
        if self.dataset.entry.features:
            return self.dataset.clips()
        encoder = appearance.read_config(self.dataset.appearance)
        sound = voice.read_config(self.dataset.voice)
        encoded = encoder.channels | sound.channels
        of_block = shapes(transform.sides, self.layout) | {
            name: (len(channels),) for name, channels in encoded.items()
        }
        shape = (len(self.index), transform.numbers)
        if lacking := [name for name in names if name not in of_block]:
            raise UserError(
                f"params.yaml: study.inputs names {lacking[0]}, which neither the trajectories nor "
                f"the encoder {encoder.encoder} nor the clips' sound give. Name another block "
                f"({', '.join(of_block)}), or another encoder."
            )
        blocks: dict[Block, NDArray[np.float32]] = {
            name: np.full((*shape, *of_block[name]), np.nan, np.float32) for name in names
        }
        blendshapes: tuple[str, ...] = ()
        stored = Stored(self.dataset.appearance, "appearance")
        stored_voice = Stored(self.dataset.voice, "voice")
        for at, row, trajectory in self:
            blendshapes = trajectory.names
            changed = change(trajectory, at)
            for name, numbers in features(changed, row, transform, names).items():
                blocks[name][at] = numbers
            if set(SEEN) & set(names):
                looked = _kept(stored.read(row.video_idx), changed)
                for name, numbers in seen_features(looked, transform, names).items():
                    blocks[name][at] = numbers
        heard_at = np.flatnonzero(self.index["heard"]).tolist() if set(SOUNDS) & set(names) else []
        for at in heard_at:
            heard = stored_voice.read(self.index["video_idx"].iloc[at])
            for name, numbers in heard_features(heard, transform, names).items():
                blocks[name][at] = numbers
        dataset, index = self.dataset, self.index.set_index("video_idx")
        wavelets = asdict(transform) | {
            "blendshapes": channels_of(blendshapes, transform.sides),
            "encoder": encoder.described,
            "voice": sound.described,
        }
        if self.layout != landmarks.LANDMARKER:
            wavelets |= {"blocks": list(of_block)} | self.layout.described
        root, fps, people = dataset.root, dataset.entry.fps, people_in(self._joined())
        return Clips(
            self.table(),
            *(blocks, root, fps, dataset.landmarks, index, wavelets),
            people=people,
            folds=labels.folds_of(self.dataset.read_labels()),
        )

    def table(self) -> pd.DataFrame:
        """The labels of these clips, with what ``wavelets.schema.join`` adds."""
        return self.dataset.learnable(self._joined()).reset_index(drop=True)

    def _joined(self) -> pd.DataFrame:
        known = self.index[["video_idx", "usable", "heard", "face_share"]]
        positions = known.assign(at=range(len(known)))
        return self.dataset.read_labels().merge(positions, on="video_idx")


def _kept(looked: Appearance, changed: Trajectory) -> Appearance:
    """What an encoder saw in the frames that are left; all of it if none of these is."""
    kept_F = looked.valid_F & np.isin(looked.times_F, changed.times_T[changed.valid_T])
    return replace(looked, valid_F=kept_F) if kept_F.any() else looked
