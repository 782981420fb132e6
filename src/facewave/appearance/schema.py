"""The contract of data/appearance/<dataset>/: an encoder's answers and embeddings over time.

``part-*.parquet`` holds one row per row of data/faces/: time (s from the first frame), valid
(whether there was a face), expression (log probabilities of the encoder's words, then its other
numbers, such as valence and arousal) and appearance (its embedding); float32, NaN where not valid;
no column where the encoder has none. A clip has row groups of its own; ``index.csv``
says which (shards.INDEX). ``config.json`` describes the encoder: ``encoder``, its ``words`` and
``numbers``, the ``width`` of its embedding, ``identity`` and ``about``; ``encoder`` is "none" where
nothing has looked at the faces.

Legend of names: F rows, W words and numbers, E channels of an embedding.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facewave import shards
from facewave.errors import UserError
from facewave.params import Block
from facewave.shards import Kind

NONE = "none"
KIND = Kind(
    name="appearance",
    form="1",  # raise it with every change of the files
    options={"compression": "zstd", "compression_level": 3, "use_dictionary": False},
    remake="dvc repro embed",
)


@dataclass(frozen=True, eq=False)
class Appearance:
    """What an encoder saw of a clip, or of a part of it."""

    times_F: NDArray[np.float64]  # s from the clip's first frame, strictly increasing
    valid_F: NDArray[np.bool_]
    expression_FW: NDArray[np.float32]
    appearance_FE: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.times_F)

    def __getitem__(self, rows: slice) -> "Appearance":
        """Some rows only."""
        return Appearance(
            self.times_F[rows],
            self.valid_F[rows],
            self.expression_FW[rows],
            self.appearance_FE[rows],
        )


def write_clip(path: Path, widths: tuple[int, int], chunks: Iterable[Appearance]) -> None:
    """Write one clip, as the cache does; ``widths`` are W and E."""
    fields = [("time", pa.float64()), ("valid", pa.bool_())]
    fields += [
        (name, pa.list_(pa.float32(), width))
        for name, width in zip(("expression", "appearance"), widths, strict=True)
        if width
    ]
    schema = pa.schema(fields)
    seen = []

    def tables() -> Iterator[pa.Table]:
        for chunk in chunks:
            seen.append(chunk.valid_F)
            arrays = [chunk.times_F, chunk.valid_F, chunk.expression_FW, chunk.appearance_FE]
            columns = [
                shards.column(array) for array in arrays if array.ndim == 1 or array.shape[1]
            ]
            yield pa.table(columns, schema=schema)

    def about() -> dict[str, Any]:
        valid = np.concatenate([*seen, np.empty(0, bool)])
        return {"rows": len(valid), "faces": int(valid.sum())}

    KIND.write(path, schema, tables(), about)


def read_clip(path: Path, first: int, count: int) -> Appearance:
    """What was seen of a whole clip: ``count`` row groups of a shard, from ``first`` on."""
    table = pa.concat_tables(shards.tables(path, first, count))
    times, valid = (table[name].to_numpy() for name in ("time", "valid"))
    blocks = {}
    for name in ("expression", "appearance"):
        width = table.schema.field(name).type.list_size if name in table.column_names else 0
        empty = np.empty((len(times), 0), np.float32)
        blocks[name] = shards.array(table, name, (width,)) if width else empty
    return Appearance(times, valid, blocks["expression"], blocks["appearance"])


@dataclass(frozen=True)
class Config:
    """config.json: what looked at the faces."""

    encoder: str
    words: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    width: int = 0
    identity: dict[str, Any] | None = None
    about: dict[str, Any] | None = None

    @property
    def channels(self) -> dict[Block, list[str]]:
        """The names of the channels of ``expression`` and ``appearance``, if it has them."""
        embedding = [str(channel) for channel in range(self.width)]
        named: dict[Block, list[str]] = {
            "expression": [*self.words, *self.numbers],
            "appearance": embedding,
        }
        return {block: names for block, names in named.items() if names}

    @property
    def described(self) -> dict[str, Any]:
        """What features that are made of its answers tell of it."""
        return {"name": self.encoder, "identity": self.identity, "channels": self.channels}


def read_config(folder: Path) -> Config:
    """What looked at the faces.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        lists = {name: tuple(content.get(name, ())) for name in ("words", "numbers")}
        return Config(**content | lists)
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: {KIND.remake}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Make it again: {KIND.remake}") from None
