"""What numbers of the past alone cost per frame: ``python benchmarks/causal.py``.

Random walks at 30 frames a second, as many channels as blendshapes and points have with merged
sides (32 + 253 * 3). In each round, so that ratios hold on a machine that others share: a frame is
counted, the numbers are asked for (wavelets/causal.py), and the offline transform of the same
window is recomputed, as it would be for every frame. Each by the processor's time on one thread:
mean over rounds, and the slowest frame, as every 64 cells some sums are begun anew.
"""

import time

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facewave.wavelets.causal import CausalEnergy
from facewave.wavelets.transform import Floats, Transform

CHANNELS, FPS, ROUNDS = 32 + 253 * 3, 30, 600
WINDOWS = (1, 3, 10)  # s


def measure(window_s: int, values_TC: Floats, times_T: Floats) -> NDArray[np.float64]:
    """Microseconds of each round (R, 3): counting, asking for the numbers, and offline."""
    causal, energy = CausalEnergy(window_s, 7, CHANNELS), Transform("energy", "haar", k=7)
    frames, rounds = window_s * FPS, []
    for t in range(frames + ROUNDS):
        clocks = [time.process_time()]
        causal.add(values_TC[t], float(times_T[t]))
        clocks.append(time.process_time())
        _ = causal.numbers
        clocks.append(time.process_time())
        if t >= frames:
            energy(values_TC[t - frames : t], times_T[t - frames : t])
            rounds.append(np.diff([*clocks, time.process_time()]))
    return 1e6 * np.array(rounds)


def main() -> None:
    """Print a line for each window."""
    n_frames = max(WINDOWS) * FPS + ROUNDS
    values_TC = np.random.default_rng(0).normal(size=(n_frames, CHANNELS)).cumsum(axis=0)
    times_T = np.arange(n_frames) / FPS
    with threadpool_limits(1):
        for window_s in WINDOWS:
            rounds = measure(window_s, values_TC, times_T)
            adding, asking, offline = rounds.mean(axis=0)
            slowest = rounds[:, :2].sum(axis=1).max()
            print(
                f"{window_s} s: counting {adding:.0f} us, asking {asking:.0f} us, slowest frame "
                f"{slowest:.0f} us; offline {offline:.0f} us, "
                f"{offline / (adding + asking):.1f} times as much"
            )


if __name__ == "__main__":
    main()
