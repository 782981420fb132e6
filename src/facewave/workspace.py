"""One handle for a dataset: where its files are, and its clips as models learn from them.

Nothing else builds paths below data/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.params import Block, Params

if TYPE_CHECKING:
    from facewave.landmarks.schema import Trajectory
    from facewave.video import Clip
    from facewave.wavelets.schema import Features

DATA = Path("data")


class Dataset:
    """A dataset of params.yaml.

    Args:
        name: its key in ``datasets``.
        loaded: params.yaml.

    Raises:
        UserError: there is no such dataset.
    """

    def __init__(self, name: str, loaded: Params) -> None:
        self.name = name
        self.entry = params.dataset(loaded, name)
        self.root = Path(self.entry.root)
        self.labels = DATA / "labels" / f"{name}.csv"
        self.folds = DATA / "labels" / f"{name}.folds.json"
        self.landmarks = DATA / "landmarks" / name
        self.features = DATA / "features" / name
        self.tracks = DATA / "tracks" / name
        self.pack = pack(name)

    @property
    def title(self) -> str:
        """The name and what the entry says of the dataset, for titles of figures."""
        return f"{self.name} ({self.entry.about})"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the codes, () where there are only numbers to learn."""
        from facewave.labels import schema

        return schema.read_words(self.labels)

    def read_labels(self) -> pd.DataFrame:
        """The label table with all its rows (labels/schema.py)."""
        from facewave.labels import schema

        return schema.read(self.labels)

    def read_index(self) -> pd.DataFrame:
        """Where each clip's trajectory is, and its quality (landmarks/schema.py)."""
        from facewave.landmarks import schema

        return schema.read_index(self.landmarks)

    def read_features(self) -> "Features":
        """The wavelet numbers (wavelets/schema.py)."""
        from facewave.wavelets import schema

        return schema.read(self.features)

    def clips(
        self, rows: pd.DataFrame | None = None, features: "Features | None" = None
    ) -> "Clips":
        """Rows of the label table with their features.

        Args:
            rows: of the label table; None: all that have one trustworthy label.
            features: None: they are read.
        """
        from facewave.labels import schema as labels
        from facewave.wavelets import schema as wavelets

        features = features or self.read_features()
        rows = labels.single_label(self.read_labels()) if rows is None else rows
        return Clips(
            wavelets.join(rows, features),
            features.blocks,
            self.root,
            self.entry.fps,
            self.landmarks,
            self.read_index().set_index("video_idx"),
        )


def pack(name: str) -> Path:
    """Where a dataset's shipped trajectories are, if it has any.

    A pack is a copy of a folder that stage extract wrote. It serves machines that cannot detect,
    and saves time on the others; being a cache, it is no dependency of the stage.
    """
    return DATA / "trajectories" / name


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips as models learn from them and answer them.

    Attributes:
        table: rows of a label table, with ``usable`` and ``at``, their position in ``blocks``.
        blocks: features of the whole dataset, name -> (n, N, ...) float32.
        root: the folder that ``file_path`` is relative to.
        fps: of clips that are folders of pictures.
        trajectories: the folder of their landmarks.
        index: where in it each clip lies, by video_idx (landmarks/schema.py).
    """

    table: pd.DataFrame
    blocks: Mapping[Block, NDArray[np.float32]]
    root: Path
    fps: float
    trajectories: Path
    index: pd.DataFrame

    def __len__(self) -> int:
        return len(self.table)

    def select(self, rows: Sequence[int] | NDArray[Any] | pd.Series) -> "Clips":
        """Some of the clips, by a mask or by their positions."""
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        return replace(self, table=self.table.iloc[chosen.astype(int)])

    def inputs(self, names: Sequence[Block]) -> NDArray[np.float32]:
        """The chosen blocks side by side, (n, N, D); NaN for clips that are not usable."""
        at = self.table["at"].to_numpy()
        return side_by_side([self.blocks[name][at] for name in names])

    def widths(self, names: Sequence[Block]) -> tuple[int, ...]:
        """The channels of each chosen block; their sum is D."""
        return tuple(prod(self.blocks[name].shape[2:]) for name in names)

    def trajectory(self, video_idx: str) -> "Trajectory | None":
        """A clip's trajectory, None where nothing was detected."""
        from facewave.landmarks import schema

        row: Any = self.index.loc[video_idx]
        return None if pd.isna(row["row_group"]) else schema.read_row(self.trajectories, row)

    def video(self, file_path: str) -> "Clip":
        """A clip's pictures."""
        from facewave.video import Clip

        return Clip(self.root / file_path, self.fps)


def side_by_side(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Blocks of features, each (n, N, ...), as one array (n, N, D)."""
    flat = [block.reshape(*block.shape[:2], prod(block.shape[2:])) for block in blocks]
    return np.concatenate(flat, axis=2)
