"""How well several people are followed: ``PYTHONPATH=tests/support python benchmarks/people.py``.

In the built videos of ``crowds.SCENES``, whose truth is known. Boxes of faces' points, matched at
an overlap of a half: missed and invented faces, identity switches (CLEAR MOT) and identity F1.

FACEWAVE_ASSETS: the landmarker's folder. FACEWAVE_TEST_CLIPS: real clips of six people; without
them, the demo's faces in six colours.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

import crowds
from facewave import assets, params
from facewave.landmarks.detect import detect

TITLES = ("scene", "people", "frames", "faces", "people seen", "missed", "invented", "switches",
          "IDF1")  # fmt: skip


def main() -> None:
    """Print the table."""
    model, settings = assets.get(assets.LANDMARKER), params.load().landmarks
    folder = os.environ.get("FACEWAVE_TEST_CLIPS")
    faces = crowds.people(Path(folder) if folder else None, model)
    print("|".join(["", *TITLES, ""]), "|".join(["", *["---"] * len(TITLES), ""]), sep="\n")
    with tempfile.TemporaryDirectory() as scratch:
        for name, shots in crowds.SCENES.items():
            crowd = crowds.film(Path(scratch) / "a.mp4", faces, shots)
            there = np.isfinite(crowd.boxes_TN4[..., 0])
            score = crowds.score(crowd, detect(crowd.clip, model, crowds.FPS, settings))
            row = [name, there.any(axis=0).sum(), len(there), there.sum(), score.people,
                   score.missed, score.invented, score.switches, f"{score.idf1:.3f}"]  # fmt: skip
            print("|".join(["", *map(str, row), ""]), flush=True)


if __name__ == "__main__":
    main()
