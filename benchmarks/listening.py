"""Seconds of the processor for a second of sound: ``python benchmarks/listening.py CLIPS``.

Each way takes turns, and the least of three rounds counts. CLIPS is a folder; those without sound
are left out.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from facewave.sound import RATE, Sound, read
from facewave.voice import activity, signals
from facewave.voice.listen import hear
from facewave.voice.pitch import WINDOW, pitch

ROUNDS = 3
Floats = NDArray[np.float32]


def main(folder: Path) -> None:
    """Print a line for each way."""
    clips = sorted(path for path in folder.iterdir() if path.is_file())
    sounds = {clip: read(clip, RATE) for clip in clips if not Sound(clip).problem}
    seconds = sum(map(len, sounds.values())) / RATE
    ways: dict[str, Callable[[Path, Floats], object]] = {
        "decoding": lambda clip, sound: read(clip, RATE),
        "signals without the pitch": lambda clip, sound: _without_pitch(sound),
        "pYIN": lambda clip, sound: pitch(signals.windows(sound, WINDOW)),
        "speaking": lambda clip, sound: activity.speaking(sound),
        "all that stage listen does": lambda clip, sound: list(
            hear(Sound(clip).pieces(), [signals.signals])
        ),
    }
    least = dict.fromkeys(ways, float("inf"))
    for _ in tqdm(range(ROUNDS), file=sys.stderr):
        for name, way in ways.items():
            before = time.process_time()
            for clip, sound in sounds.items():
                way(clip, sound)
            least[name] = min(least[name], time.process_time() - before)
    print(f"{len(sounds)} clips with sound, {seconds:.0f} s")
    for name, taken in least.items():
        print(f"{name:32}{1000 * taken / seconds:8.1f} ms a second of sound")


def _without_pitch(sound: Floats) -> None:
    silent = np.full(-(-len(sound) // signals.HOP), np.nan, np.float32)
    with mock.patch.object(signals, "pitch", return_value=(silent, silent)):
        signals.signals(sound)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    main(parser.parse_args().clips)
