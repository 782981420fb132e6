"""What an encoder sees of many clips: from the cache where it has them, else asked now."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from facewave import pool
from facewave.appearance import encoders
from facewave.appearance.encoders.encoder import Encoder
from facewave.appearance.schema import KIND, Appearance, Config, write_clip
from facewave.assets import MissingAssetError
from facewave.errors import UserError
from facewave.faces import schema as faces
from facewave.faces.align import middle
from facewave.params import Params

VERSION = 1  # of what this module does with a face: raise it with every change


@dataclass(frozen=True)
class Source:
    """Where a clip's faces lie, and how much of their surroundings they have."""

    shard: Path
    row_group: int
    row_groups: int
    margin: float  # on each side, as a share of the face


def key(face_key: str, encoder: Encoder) -> str:
    """The name under which a clip's appearance is kept, by that of its faces."""
    identity = {"faces": face_key, "version": VERSION, "encoder": encoder.identity}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def ensure(
    sources: Mapping[str, Source],
    folder: Path,
    what: str,
    margin: float,
    encoder: Encoder,
    settings: Params,
) -> dict[str, str]:
    """Make sure that the cache has the appearance of every clip; the key of each is its name here.

    Each clip is cached as soon as it is done, so an interrupted run resumes where it stopped. What
    ``folder``'s shards have is not asked again. ``margin`` is that of the faces.

    Returns:
        Why some are not, by key; the next run tries again.

    Raises:
        MissingAssetError: its weights cannot be had.
        UserError: it looks farther around the face than the stored pictures show.
    """
    if encoder.margin > margin:
        raise UserError(
            f"params.yaml: faces.margin was {margin:g} when the faces were cut out, but encoder "
            f"{encoder.name} looks at {encoder.margin:g} around the face. Raise faces.margin."
        )
    missing = KIND.missing(sources, folder)
    tasks = [
        (name, (KIND.place(name), sources[name], _absolute(encoder.name), VERSION))
        for name in missing
    ]
    if tasks:  # whether its weights can be had is better told here than by every process
        encoder(np.zeros((1, encoder.side, encoder.side, 3), np.uint8))
    work = settings.landmarks
    if encoder.device == "cpu":
        problems = pool.run(_embed, tasks, work.time_limit_s, work.scheduler, f"embed {what}")
    else:  # one process, since there is one GPU
        problems = pool.run(_embed, tasks, work.time_limit_s, "local", f"embed {what}", 1)
    return {name: why for name, why in problems.items() if not KIND.has(name)}


def _embed(target: Path, source: Source, encoder: str, version: int) -> None:
    if version != VERSION:
        raise UserError(pool.OTHER_VERSION)
    try:
        one(target, source, _loaded(encoder))
    except MissingAssetError as error:  # this machine's main process had it
        raise UserError(f"a worker lacks what the encoder {encoder} needs: {error}") from None


def _absolute(name: str) -> str:
    """An encoder's name for a worker that may have been started in another folder."""
    kind, colon, weights = name.partition(":")
    is_folder = bool(weights) and Path(weights).is_dir()
    return f"{kind}{colon}{Path(weights).absolute()}" if is_folder else name


def one(target: Path, source: Source, encoder: Encoder) -> Path:
    """Look at the faces of one clip, unless its file in the cache is there; return that."""
    if not KIND.has(target.stem):  # another worker may have done it before it was lost
        chunks = faces.chunks(source.shard, source.row_group, source.row_groups)
        widths = len(encoder.words) + len(encoder.numbers), encoder.width
        write_clip(target, widths, (look(chunk, encoder, source.margin) for chunk in chunks))
    return target


@cache
def _loaded(name: str) -> Encoder:
    """The encoder, once a process."""
    return encoders.load(name)


def describe(encoder: Encoder) -> Config:
    """What config.json says of an encoder."""
    return Config(
        *(encoder.name, encoder.words, encoder.numbers, encoder.width),
        *(encoder.identity, encoder.about),
    )


def look(chunk: faces.Faces, encoder: Encoder, margin: float) -> Appearance:
    """What an encoder sees of some faces, which have a ``margin`` around them."""
    valid_F = chunk.valid
    n_answers = len(encoder.words) + len(encoder.numbers)
    blocks = [
        np.full((len(chunk), width), np.nan, np.float32) for width in (n_answers, encoder.width)
    ]
    if valid_F.any():
        pictures = middle(
            chunk.decode(np.flatnonzero(valid_F)), margin, encoder.margin, encoder.side
        )
        for block, values in zip(blocks, encoder(pictures), strict=True):
            block[valid_F] = values
    return Appearance(chunk.times_F, valid_F, *blocks)
