"""Pictures of faces without labels, of folders and of datasets, read when they are asked for.

Pictures are in blocks of some hundred that lie together on the disk. An epoch takes the blocks in
random order and mixes the pictures of a few of them at a time, so what is held in memory does not
grow with the number of pictures.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler
from torchvision.transforms import v2

from facewave.errors import UserError
from facewave.faces import schema as faces
from facewave.prompts.frames import draw_seed

_BLOCK = 256  # pictures of a block, at least, where there are so many
_MIXED = 8  # blocks
# The share of a picture's area that a random crop has. He et al. (2022) take 0.2 to 1, of pictures
# of everything; a fifth of a face is an eye and a half.
_SCALE = (0.5, 1.0)


class Source(ABC):
    """Where pictures come from.

    Attributes:
        blocks_n: the block of each picture, ascending.
        groups_n: what each picture belongs to, as numbers below 2**64: a clip, or itself. Pictures
            of one group are held out together.
    """

    blocks_n: NDArray[np.int64]
    groups_n: NDArray[np.uint64]

    @abstractmethod
    def name(self, at: int) -> str:
        """What messages call a picture."""

    @abstractmethod
    def encoded(self, at: int) -> bytes:
        """A picture as its file has it."""

    def __len__(self) -> int:
        return len(self.blocks_n)


class Folder(Source):
    """Picture files below a folder; a folder's pictures are one block after the other."""

    def __init__(self, root: Path, paths: Sequence[str]) -> None:
        self._root, self._paths = root, paths
        self.blocks_n = np.arange(len(paths)) // _BLOCK
        self.groups_n = np.array([_number(path) for path in paths], np.uint64)

    def name(self, at: int) -> str:
        """What messages call a picture."""
        return str(self._root / self._paths[at])

    def encoded(self, at: int) -> bytes:
        """A picture as its file has it; nothing if the file cannot be read."""
        try:
            return Path(self.name(at)).read_bytes()
        except OSError:
            return b""


class CutOut(Source):
    """The faces of a dataset that stage crop has cut out (faces/schema.py).

    Raises:
        DamagedError: a shard is not as it was written.
    """

    def __init__(self, folder: Path) -> None:
        self._places: list[tuple[Path, int, int]] = []  # of each block: shard, first, row groups
        self._held: dict[int, list[bytes]] = {}  # pictures of the latest blocks
        places: list[int] = []
        blocks, groups = [], []
        for shard in sorted(folder.glob("part-*.parquet")):
            clip_of = {
                entry.row_group + k: entry.key
                for entry in faces.KIND.entries(shard)
                for k in range(entry.row_groups)
            }
            first, size = 0, 0
            for row_group, seen_F in enumerate(faces.seen(shard)):
                if size >= _BLOCK or not row_group:
                    first, size = row_group, 0
                    self._places.append((shard, first, 0))
                self._places[-1] = (shard, first, row_group + 1 - first)
                n_seen = int(seen_F.sum())
                blocks += [len(self._places) - 1] * n_seen
                places += range(size, size + n_seen)
                groups += [_number(clip_of[row_group])] * n_seen
                size += n_seen
        self.blocks_n = np.array(blocks, np.int64)
        self._places_n = np.array(places, np.int64)  # in the block
        self.groups_n = np.array(groups, np.uint64)

    def name(self, at: int) -> str:
        """What messages call a picture."""
        shard, first, count = self._places[self.blocks_n[at]]
        return f"{shard}, picture {self._places_n[at]} of row groups {first} to {first + count - 1}"

    def encoded(self, at: int) -> bytes:
        """A picture as its shard has it."""
        block = int(self.blocks_n[at])
        if block not in self._held:
            if len(self._held) >= 2 * _MIXED:
                self._held.pop(next(iter(self._held)))
            chunks = faces.chunks(*self._places[block])
            self._held[block] = [face for chunk in chunks for face in chunk.pictures_F if face]
        return self._held[block][self._places_n[at]]


class Pictures:
    """The pictures of all sources, one after the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._ends = np.cumsum([len(source) for source in sources])
        n_blocks = [int(source.blocks_n[-1]) + 1 if len(source) else 0 for source in sources]
        starts = np.cumsum([0, *n_blocks[:-1]])
        shifted = [source.blocks_n + at for source, at in zip(sources, starts, strict=True)]
        self.blocks_n = np.concatenate(shifted)
        self.groups_n = np.concatenate([source.groups_n for source in sources])

    def __len__(self) -> int:
        return len(self.blocks_n)

    def name(self, at: int) -> str:
        """What messages call a picture."""
        return self._source(at)[0].name(self._source(at)[1])

    def decoded(self, at: int) -> NDArray[np.uint8] | None:
        """A picture, (H, W, 3) RGB; None if it cannot be read."""
        source, place = self._source(at)
        content = np.frombuffer(source.encoded(place), np.uint8)
        try:
            bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
        except cv2.error:
            bgr = None
        return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)

    def _source(self, at: int) -> tuple[Source, int]:
        which = int(np.searchsorted(self._ends, at, side="right"))
        return self._sources[which], int(at - self._ends[which] + len(self._sources[which]))

    def divided(self, held_out: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pictures to learn from, and those that are held out: whole groups, some share of all.

        Which groups are held out depends on their names alone.

        Raises:
            UserError: there are fewer than two groups.
        """
        groups = np.unique(self.groups_n)
        if len(groups) < 2:
            what = "no picture" if not len(groups) else "one clip or one picture"
            raise UserError(
                f"there is {what} to learn from: at least two are needed, since one is held out. "
                "Name folders or datasets with more faces."
            )
        aside = groups[: max(1, round(held_out * len(groups)))]
        is_aside_n = np.isin(self.groups_n, aside)
        return np.flatnonzero(~is_aside_n), np.flatnonzero(is_aside_n)


class Shown(TorchDataset[tuple[Tensor, int]]):
    """Pictures as a network is shown them: (3, side, side) uint8 RGB.

    With each comes -1, or, where a picture cannot be read and the next one stands for it, its
    number.

    Args:
        pictures: all of them.
        chosen_n: which are shown.
        side: pixels.
        seed: of the crops and flips of each epoch; None: pictures are shown whole.
    """

    def __init__(
        self, pictures: Pictures, chosen_n: NDArray[np.int64], side: int, seed: int | None
    ) -> None:
        self.pictures, self.chosen_n, self._seed, self.epoch = pictures, chosen_n, seed, 0
        resized = v2.InterpolationMode.BICUBIC
        crop: Any = v2.RandomResizedCrop(side, _SCALE, interpolation=resized)
        whole: Any = v2.Resize((side, side), interpolation=resized)
        self._change = whole if seed is None else v2.Compose([crop, v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.chosen_n)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        for step in range(len(self)):
            at = int(self.chosen_n[(row + step) % len(self)])
            if (picture := self.pictures.decoded(at)) is None:
                continue
            picture_CHW = torch.from_numpy(picture).permute(2, 0, 1)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(draw_seed(self._seed or 0, self.epoch, str(at)))
                changed_CHW = self._change(picture_CHW)
            return changed_CHW, -1 if not step else int(self.chosen_n[row])
        raise UserError(
            f"none of the {len(self)} pictures can be read, such as "
            f"{self.pictures.name(int(self.chosen_n[0]))}. Name folders with pictures that open."
        )


class Mixed(Sampler[int]):
    """An epoch's order: blocks at random, the pictures of a few of them mixed."""

    def __init__(self, blocks_n: NDArray[np.int64], seed: int) -> None:
        self._blocks_n, self._seed, self.epoch = blocks_n, seed, 0

    def __len__(self) -> int:
        return len(self._blocks_n)

    def __iter__(self) -> Iterator[int]:
        draw = np.random.default_rng(draw_seed(self._seed, self.epoch, "order"))
        blocks, starts = np.unique(self._blocks_n, return_index=True)
        rows = np.split(np.arange(len(self)), starts[1:])
        order = enumerate(draw.permutation(len(blocks)))
        for _, some in groupby(order, key=lambda item: item[0] // _MIXED):
            mixed = np.concatenate([rows[block] for _, block in some])
            yield from draw.permutation(mixed).tolist()


def _number(name: str) -> int:
    """A number below 2**64 that a name fixes."""
    content = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
