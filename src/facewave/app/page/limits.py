"""What the page takes, and what a job may use: so that no clip can stop the server."""

from dataclasses import dataclass

from facewave.labels.listing import VIDEOS

TYPES = VIDEOS


@dataclass(frozen=True)
class Limits:
    """Limits of the page; the defaults hold, and tests have smaller ones.

    Attributes:
        bytes: of a clip,
        together: and of all that are there.
        seconds: a clip's length.
        work_s: seconds that a job's process may take.
        memory: bytes that it may use.
        queue: jobs that are received, wait or run at a time.
        upload_s: seconds that an upload may take,
        silence_s: and may pause.
        idle_s: seconds after which a result is deleted that nobody asks about.
        kept: results at a time, beyond which the oldest is deleted.
    """

    bytes: int = 256_000_000
    together: int = 2_000_000_000
    seconds: float = 1800.0
    work_s: float = 1800.0
    memory: int = 3 << 30
    queue: int = 32
    upload_s: float = 900.0
    silence_s: float = 30.0
    idle_s: float = 1800.0
    kept: int = 64


class Refused(Exception):  # noqa: N818 - an answer rather than an error
    """A request that is answered with a sentence, under an HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
