"""How fast answers come, and what was not looked at. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Counts:
    """What is counted of a running camera.

    Attributes:
        looked: frames that were looked at.
        dropped: frames that came while another was looked at, and were not.
        seconds: from the first frame to the newest,
        paused: and of them those in which no frame was to be looked at.
        latencies_ms: of each answer, from the capture of the newest frame in it.
        reasons: why there was no answer, and how often.
    """

    looked: int = 0
    dropped: int = 0
    seconds: float = 0.0
    paused: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def fps(self) -> float:
        """Frames looked at in a second."""
        watched = self.seconds - self.paused
        return self.looked / watched if watched > 0 else 0.0

    @property
    def dropped_share(self) -> float:
        """Share of the frames that were not looked at."""
        return self.dropped / max(1, self.looked + self.dropped)

    def summary(self) -> dict[str, Any]:
        """The same as JSON, with median, 95th percentile and highest of the latencies."""
        latency = None
        if self.latencies_ms:
            median, p95 = np.percentile(self.latencies_ms, [50, 95])
            latency = {"median": median, "p95": p95, "highest": max(self.latencies_ms)}
            latency = {name: round(float(value), 1) for name, value in latency.items()}
        return {
            "seconds": round(self.seconds, 2),
            "paused": round(self.paused, 2),
            "looked": self.looked,
            "fps": round(self.fps, 1),
            "dropped": self.dropped,
            "dropped_share": round(self.dropped_share, 4),
            "answers": len(self.latencies_ms),
            "latency_ms": latency,
            "unanswered": dict(self.reasons.most_common()),
        }

    def text(self) -> str:
        """The same for people."""
        of = self.summary()
        text = (
            f"{of['looked']} frames looked at in {of['seconds']:.1f} s ({of['fps']:.1f} a second), "
            f"{of['dropped']} dropped ({of['dropped_share']:.1%}), {of['answers']} answers"
        )
        if latency := of["latency_ms"]:
            text += (
                f"; from a frame to the answer with it {latency['median']:.0f} ms (median), "
                f"{latency['p95']:.0f} ms (95th percentile), {latency['highest']:.0f} ms (highest)"
            )
        return text
