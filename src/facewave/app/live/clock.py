"""The clock that everything here goes by; tests hand in another, which never waits."""

import time
from threading import Event


class Clock:
    """The computer's own, which never goes back."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, seconds: float, stop: Event) -> None:
        """Wait, unless and until it is time to stop."""
        if seconds > 0:
            stop.wait(seconds)
