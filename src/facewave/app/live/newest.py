"""Between what reads pictures and what looks at them: the newest one, and no queue.

A picture that nobody has taken when the next one comes is dropped and counted.
"""

from collections.abc import Iterator
from threading import Condition, Event, Thread
from typing import Literal, Protocol, Self

from facewave.app.live.clock import Clock
from facewave.app.live.sources import Frame, Source

_PATIENCE_S = 1.0  # that a read may take to end, when it is time to stop


class Feed(Protocol):
    """Where pictures are taken from.

    Attributes:
        dropped: how many nobody has looked at.
    """

    dropped: int

    @property
    def is_over(self) -> bool:
        """Whether there will be no more."""
        ...

    def take(self, patience: float) -> Frame | None:
        """The newest picture, once; None if there is none within ``patience`` seconds.

        Raises:
            UserError: the source cannot be opened, or broke off.
        """
        ...


class Newest:
    """Reads a source in a thread of its own; use it in a ``with`` block. See ``Feed``."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._stop, self._changed = Event(), Condition()
        self._frames = source.frames(clock, self._stop)
        self._frame: Frame | None = None
        self._ending = _Ending()
        self.dropped, self._is_read = 0, False
        self._thread = Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_S)

    @property
    def is_over(self) -> bool:
        """See ``Feed``."""
        with self._changed:
            return self._is_read and self._frame is None and self._ending.error is None

    def take(self, patience: float) -> Frame | None:
        """See ``Feed``."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._is_read, patience)
            frame, self._frame = self._frame, None
            if frame is None and self._is_read and self._ending.error:
                error, self._ending.error = self._ending.error, None
                raise error
            return frame

    def _read(self) -> None:
        with self._ending:
            for frame in self._frames:
                with self._changed:
                    self.dropped += self._frame is not None
                    self._frame = frame
                    self._changed.notify()
        with self._changed:
            self._is_read = True
            self._changed.notify()


class _Ending:
    """Keeps whatever ends a block for another thread to raise."""

    error: BaseException | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> Literal[True]:
        self.error = error
        return True


class Each:
    """Every picture in turn, as soon as it is asked for: nothing is dropped. See ``Feed``."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames, self.dropped, self._is_over = frames, 0, False

    @property
    def is_over(self) -> bool:
        """See ``Feed``."""
        return self._is_over

    def take(self, patience: float) -> Frame | None:
        """See ``Feed``."""
        frame = next(self._frames, None)
        self._is_over = frame is None
        return frame
