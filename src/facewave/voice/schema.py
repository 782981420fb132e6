"""The contract of data/voice/<dataset>/: the sound of clips over time.

``part-*.parquet`` holds a row for each hundredth of a second from a clip's first picture on, as
long as its sound lasts: time (s from the first picture; windows are centred there), valid (whether
there is sound at that moment, silence included), speaking (the probability that somebody speaks),
and blocks, one column each, float32, NaN where not valid:

``mel``
    Power in 64 mel bands from 0 to 8 kHz (Slaney's scale and areas), dB, -100 at least, of Hann
    windows of 25 ms.
``prosody``
    ``pitch``, semitones above 27.5 Hz as in eGeMAPS (Eyben et al., 2016, IEEE Transactions on
    Affective Computing 7), also NaN where there is no voice; ``voicing``, the probability of a
    voice, both by pYIN (Mauch and Dixon, ICASSP 2014), from 60 to 600 Hz; ``loudness``, the root
    mean square of 25 ms, dB of full scale, -100 at least; ``centroid``, the mean frequency of the
    magnitude spectrum, kHz, 0 where all samples are 0; ``flux``, by how much the mel bands have
    risen since the row before, dB on average, those that have fallen counting as 0.
``mfcc``
    The first 13 coefficients of the discrete cosine transform (type II, orthonormal) of ``mel``.
``speech``
    A hidden state of a frozen speech encoder, where there is one (voice/encoder.py), interpolated
    linearly from its own frames to the rows.

A clip has row groups of its own; ``index.csv`` says which (shards.INDEX), why a clip has none (no
sound, or a muted track), and what is measured of each row's part: ``speech_share``,
``silence_share`` (below -60 dB) and ``loudness`` (dB of the mean power), empty without sound.
``config.json`` has the blocks and the names of their channels, none where no clip has sound or
nothing has listened, ``encoder`` and ``identity``.

Legend of names: T rows, C channels.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facewave import shards
from facewave.errors import UserError
from facewave.params import SOUNDS, Block
from facewave.shards import Kind

NONE = "none"
HOP_S = 0.01  # between rows
SPEECH_FROM = 0.5  # of ``speaking``
SILENCE_BELOW = -60.0  # dB
MUTED = f"its sound is never louder than {SILENCE_BELOW:g} dB: muted"
PROSODY = ("pitch", "voicing", "loudness", "centroid", "flux")
PITCH = PROSODY.index("pitch")
PITCHES_HZ = 60.0, 600.0  # that are looked for
LOWEST_HZ = 27.5  # 0 semitones
NO_PITCH = 6 * math.log2(PITCHES_HZ[0] * PITCHES_HZ[1] / LOWEST_HZ**2)  # the middle, semitones
CHANNELS: dict[Block, tuple[str, ...]] = {
    "mel": tuple(str(band) for band in range(64)),
    "prosody": PROSODY,
    "mfcc": tuple(str(coefficient) for coefficient in range(13)),
}
MEASURES = ("speech_share", "silence_share", "loudness")
KIND = Kind(
    name="voice",
    form="1",  # raise it with every change of the files
    options={"compression": "zstd", "compression_level": 3, "use_dictionary": False},
    remake="dvc repro listen",
)


@dataclass(frozen=True, eq=False)
class Voice:
    """The sound of a clip, or of a part of it."""

    times_T: NDArray[np.float64]  # s from the clip's first picture, every HOP_S
    valid_T: NDArray[np.bool_]
    speaking_T: NDArray[np.float32]
    blocks: Mapping[Block, NDArray[np.float32]]  # name -> (T, C)

    def __len__(self) -> int:
        return len(self.times_T)

    def __getitem__(self, rows: slice) -> "Voice":
        """Some rows only."""
        blocks = {name: values_TC[rows] for name, values_TC in self.blocks.items()}
        return Voice(self.times_T[rows], self.valid_T[rows], self.speaking_T[rows], blocks)

    @property
    def is_heard(self) -> bool:
        """Whether it has sound in two rows at least: numbers of a trajectory take as many."""
        return bool(self.valid_T.sum() > 1)

    def measures(self) -> dict[str, float | None]:
        """What is measured of it (``MEASURES``), None where there is no sound."""
        valid_T = self.valid_T
        if not valid_T.any():
            return dict.fromkeys(MEASURES)
        loudness_T = self.blocks["prosody"][valid_T, PROSODY.index("loudness")].astype(np.float64)
        values = (
            (self.speaking_T[valid_T] >= SPEECH_FROM).mean(),
            (loudness_T < SILENCE_BELOW).mean(),
            10 * np.log10((10 ** (loudness_T / 10)).mean()),
        )
        return {name: round(float(x), 4) for name, x in zip(MEASURES, values, strict=True)}


def write_clip(path: Path, width: int, chunks: Iterable[Voice], problem: str = "") -> None:
    """Write one clip, as the cache does.

    Args:
        path: the file, named by the clip's key.
        width: channels of ``speech``; 0: there is none.
        chunks: consecutive parts of the clip.
        problem: why there are none, where the clip itself is to blame.
    """
    widths = {name: len(names) for name, names in CHANNELS.items()}
    widths |= {"speech": width} if width else {}
    schema = pa.schema(
        [("time", pa.float64()), ("valid", pa.bool_()), ("speaking", pa.float32())]
        + [(name, pa.list_(pa.float32(), channels)) for name, channels in widths.items()]
    )
    rows, loudest = 0, -math.inf

    def tables() -> Iterator[pa.Table]:
        nonlocal rows, loudest
        for chunk in chunks:
            rows += len(chunk)
            loudness_T = chunk.blocks["prosody"][chunk.valid_T, PROSODY.index("loudness")]
            loudest = max(loudest, float(loudness_T.max(initial=-math.inf)))
            arrays = [chunk.times_T, chunk.valid_T, chunk.speaking_T]
            arrays += [chunk.blocks[name] for name in widths]
            yield pa.table(list(map(shards.column, arrays)), schema=schema)

    def about() -> dict[str, Any]:
        muted = "" if loudest >= SILENCE_BELOW or problem else MUTED
        return {"rows": rows, "unheard": problem or muted}

    KIND.write(path, schema, tables(), about)


def read_clip(path: Path, first: int, count: int) -> Voice:
    """The sound of a whole clip: ``count`` row groups of a shard, from ``first`` on."""
    table = pa.concat_tables(shards.tables(path, first, count))
    times, valid, speaking = (table[name].to_numpy() for name in ("time", "valid", "speaking"))
    blocks = {
        name: shards.array(table, name, (table.schema.field(name).type.list_size,))
        for name in SOUNDS
        if name in table.column_names
    }
    return Voice(times, valid, speaking, blocks)


@dataclass(frozen=True)
class Config:
    """config.json: what was listened for."""

    channels: dict[Block, list[str]] = field(default_factory=dict)
    encoder: str = NONE
    identity: dict[str, Any] | None = None

    @property
    def described(self) -> dict[str, Any]:
        """What features that are made of the sound tell of it."""
        return {"name": self.encoder, "identity": self.identity, "channels": self.channels}


def read_config(folder: Path) -> Config:
    """What was listened for.

    Raises:
        UserError: the file is missing or damaged.
    """
    path = folder / "config.json"
    try:
        return Config(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is not here. Make it with: {KIND.remake}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Make it again: {KIND.remake}") from None
