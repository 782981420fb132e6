"""What is heard in many clips: from the cache where it has them, else listened to on all cores."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facewave import assets, hashes, pool
from facewave.assets import MissingAssetError
from facewave.errors import UserError
from facewave.files import sha256
from facewave.params import Block, Params
from facewave.params import Voice as Settings
from facewave.sound import RATE, Sound
from facewave.voice import activity, signals
from facewave.voice.schema import CHANNELS, HOP_S, KIND, NONE, Config, Voice, write_clip

if TYPE_CHECKING:
    from facewave.voice.encoder import Encoder

Floats = NDArray[np.float32]
Way = Callable[[Floats], Mapping[Block, Floats]]  # from a piece of sound to blocks of its rows

VERSION = 1  # of what this module does with a clip: raise it with every change
# A clip is heard in parts, with what lies around them, so that an hour takes no more memory than
# half a minute; Whisper's encoder takes no more than 30 s at a time.
_PART_S, _AROUND_S = 24, 2


class Listener:
    """What section ``voice`` of params.yaml listens for.

    Raises:
        UserError: the speech encoder that it names cannot be had.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.encoder: Encoder | None = None
        if settings.encoder != NONE:
            from facewave.voice import encoder

            self.encoder = encoder.load(settings)
        # JSON: all that what is heard in a clip depends on, beside the clip.
        self.identity: dict[str, object] = {
            "version": VERSION,
            "signals": signals.VERSION,
            "activity": activity.ASSET.sha256,
            "encoder": self.encoder.identity if self.encoder else None,
        }

    def key(self, digest: str) -> str:
        """The name under which the sound of a clip is kept, by the SHA-256 of its file."""
        content = json.dumps(self.identity | {"clip": digest}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def describe(self) -> Config:
        """What config.json says of it."""
        channels = {name: list(names) for name, names in CHANNELS.items()}
        if self.encoder:
            channels["speech"] = list(map(str, range(self.encoder.width)))
        return Config(channels, self.settings.encoder, self.identity)

    def require(self) -> None:
        """Refuse to listen where something is missing that every clip needs.

        Raises:
            MissingAssetError: the voice activity detector's file cannot be had.
            UserError: the encoder's weights cannot be read.
        """
        assets.get(activity.ASSET)
        if self.encoder:
            self.encoder(np.zeros(RATE, np.float32))

    def one(self, target: Path, clip: Path) -> Path:
        """Listen to one clip, unless its file in the cache is there; return that."""
        if not KIND.has(target.stem):  # another worker may have done it before it was lost
            sound = Sound(clip)
            ways: list[Way] = [signals.signals, *([self.encoder] if self.encoder else [])]
            width = self.encoder.width if self.encoder else 0
            write_clip(target, width, hear(sound.pieces(), ways), sound.problem)
        return target


def ensure(
    clips: Mapping[str, Path], folder: Path, what: str, listener: Listener, settings: Params
) -> dict[str, str]:
    """Make sure that the cache has the sound of every clip; the key of each is its name here.

    Each clip is cached as soon as it is done, so an interrupted run resumes where it stopped. What
    ``folder``'s shards have is not listened to again.

    Returns:
        Why some are not, by key; the next run tries again.

    Raises:
        MissingAssetError, UserError: something is missing that every clip needs.
    """
    missing = KIND.missing(clips, folder)
    if missing:  # better told here than by every process
        listener.require()
    asked = _absolute(listener.settings)
    tasks = [
        (name, (KIND.place(name), clips[name].absolute(), asked, VERSION))
        for name in sorted(missing, key=lambda name: -clips[name].stat().st_size)
    ]
    work, title = settings.landmarks, f"listen {what}"
    if listener.encoder and listener.encoder.device != "cpu":  # one process: there is one GPU
        problems = pool.run(_listen, tasks, work.time_limit_s, "local", title, 1)
    else:
        problems = pool.run(_listen, tasks, work.time_limit_s, work.scheduler, title)
    failed = {name: why for name, why in problems.items() if not KIND.has(name)}
    if pool.CHANGED in failed.values():
        hashes.forget(hashes.of_clips())  # one may have kept its size and time
    return failed


def _listen(target: Path, clip: Path, settings: Settings, version: int) -> None:
    if version != VERSION:
        raise UserError(pool.OTHER_VERSION)
    clip.open("rb").close()  # a share that is not mounted is no fault of the clip
    listener = _listener(settings)
    try:
        listener.one(target, clip)
    except MissingAssetError as error:  # this machine's main process had it
        raise UserError(f"a worker cannot listen: {error}") from None
    if listener.key(sha256(clip)) != target.stem:
        target.unlink()
        raise pool.ChangedError


@cache
def _listener(settings: Settings) -> Listener:
    """It, once a process."""
    return Listener(settings)


def _absolute(settings: Settings) -> Settings:
    """The settings for a worker that may have been started in another folder."""
    folder = Path(settings.encoder)
    return replace(settings, encoder=str(folder.absolute())) if folder.is_dir() else settings


def hear(pieces: Iterable[Floats], ways: Sequence[Way]) -> Iterator[Voice]:
    """What is heard in consecutive samples at 16 kHz, NaN in gaps; a part of 24 s at a time.

    Args:
        pieces: the samples.
        ways: functions from a piece of sound to blocks, with a row every ``signals.HOP`` samples.
    """
    for part in _parts(pieces):
        rows = slice(part.before, part.before + part.rows)
        valid_T = np.isfinite(part.sound_S[:: signals.HOP])
        sound_S = np.nan_to_num(part.sound_S, nan=0.0)
        blocks = {name: values for way in ways for name, values in way(sound_S).items()}
        speaking_T = activity.speaking(sound_S)
        for values in (speaking_T, *blocks.values()):
            values[~valid_T] = np.nan
        first = part.first_row - part.before
        times_T = np.arange(first, first + len(valid_T), dtype=np.float64) * HOP_S
        yield Voice(times_T, valid_T, speaking_T, blocks)[rows]


class _Part(NamedTuple):
    """A part of a clip's sound, and what lies around it."""

    first_row: int  # of the part
    before: int  # rows that lie before it
    rows: int  # of the part
    sound_S: Floats


def _parts(pieces: Iterable[Floats]) -> Iterator[_Part]:
    size, around = _PART_S * RATE, _AROUND_S * RATE
    buffer, before, first = np.zeros(0, np.float32), 0, 0
    source = iter(pieces)
    is_over = False
    while not is_over:
        fresh = [buffer]
        while not is_over and sum(map(len, fresh)) < before + size + around:
            piece = next(source, None)
            is_over = piece is None
            fresh += [] if piece is None else [piece]
        buffer = np.concatenate(fresh)
        while len(buffer) - before > (0 if is_over else size + around - 1):
            sound = buffer[: before + size + around]
            rows = -(-min(size, len(sound) - before) // signals.HOP)
            yield _Part(first // signals.HOP, before // signals.HOP, rows, sound)
            first += size
            buffer, before = buffer[before + size - around :], around
