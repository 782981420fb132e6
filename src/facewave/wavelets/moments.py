"""One clip's trajectories at the moments of one clock, whatever is seen and heard. Pure.

Legend of names: T frames, M moments, C channels of a block, D of several side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from facewave.appearance.schema import Appearance
from facewave.landmarks.schema import Trajectory
from facewave.params import Block, Sides
from facewave.voice.schema import Voice
from facewave.wavelets.features import heard_channels, moving_channels, seen_channels
from facewave.wavelets.transform import Floats

MOST = 600  # moments of a clip; attention between them takes their square in memory
STILL: tuple[Block, ...] = ("timing", "functionals")  # blocks that are no trajectories


@dataclass(frozen=True)
class Clock:
    """Equal parts of a clip's time: M from ``start`` on (s), each ``step`` long (s)."""

    start: float
    step: float
    count: int

    @classmethod
    def of(cls, start: float, end: float, rate: float) -> "Clock":
        """About ``rate`` moments a second; of a long clip fewer, ``MOST`` in all."""
        seconds = max(end - start, 1 / rate)
        count = min(round(seconds * rate), MOST)
        return cls(start, seconds / count, count)

    def means(self, values_TC: NDArray[np.floating], times_T: Floats) -> NDArray[np.float32]:
        """The mean of each moment, (M, C), linear between frames and constant beyond them.

        Args:
            values_TC: finite.
            times_T: of the frames, on the same clock (s), strictly increasing.
        """
        values_TC = values_TC.astype(np.float64)
        edges = self.start + self.step * np.arange(self.count + 1)
        before, after = np.minimum(edges - times_T[0], 0), np.maximum(edges - times_T[-1], 0)
        areas = before[:, None] * values_TC[0] + after[:, None] * values_TC[-1]
        if len(times_T) > 1:
            area = make_interp_spline(times_T, values_TC, k=1).antiderivative()
            areas += area(np.clip(edges, times_T[0], times_T[-1]))
        return (np.diff(areas, axis=0) / self.step).astype(np.float32)

    def within(
        self, tokens_MD: NDArray[np.float32], times_T: Floats, valid_T: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Means of moments, (M, D), NaN in those before the first valid frame or after the last."""
        first, last = times_T[valid_T][[0, -1]]
        starts_M = self.start + self.step * np.arange(self.count)
        is_there_M = (starts_M <= last) & (starts_M + self.step >= first)
        return np.where(is_there_M[:, None], tokens_MD, np.float32(np.nan))


def seen(
    names: Sequence[Block],
    trajectory: Trajectory,
    appearance: Appearance | None,
    picture: Any,
    sides: Sides,
    clock: Clock,
) -> NDArray[np.float32]:
    """Blocks of what is seen, side by side, (M, D), with gaps interpolated (features.py).

    They are NaN in moments before the face is first seen and after it is last seen.

    Args:
        names: of blocks that are trajectories.
        trajectory: with a face in at least two frames.
        appearance: what an encoder saw of the clip; None where no block is of that.
        picture: has ``width`` and ``height``: a row of the index, or a clip's facts.
        sides: as in the features.
        clock: whose moments.
    """
    moving = moving_channels(trajectory, picture, sides, names)
    blocks = {name: clock.means(moving[name], trajectory.times_T) for name in moving}
    if appearance:
        looked = seen_channels(appearance, names)
        blocks |= {name: clock.means(looked[name], appearance.times_F) for name in looked}
    tokens_MD = np.concatenate([blocks[name] for name in names], axis=1)
    return clock.within(tokens_MD, trajectory.times_T, trajectory.valid_T)


def heard(names: Sequence[Block], voice: Voice, clock: Clock) -> NDArray[np.float32]:
    """Blocks of what is heard, side by side, (M, D), with gaps interpolated (features.py).

    They are NaN in moments before the first sound and after the last.

    Args:
        names: of blocks.
        voice: with sound in at least two rows.
        clock: whose moments.
    """
    filled = heard_channels(voice, names)
    blocks = [clock.means(filled[name], voice.times_T) for name in names]
    return clock.within(np.concatenate(blocks, axis=1), voice.times_T, voice.valid_T)
