"""The demo's generator makes the committed clips again."""

from pathlib import Path

import numpy as np

from facewave import sound
from facewave.demo import clips, faces, table, voices
from facewave.demo.__main__ import SEED
from facewave.video import Clip
from running import ROOT

CLIPS = ROOT / "data/raw/demo/clips"
REMADE = (8, 60)


def read(path: Path) -> tuple[float, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Frame rate and frames."""
    clip = Clip(path, 25.0)
    return clip.fps, np.array([picture for _, _, picture in clip.frames()])


def test_the_generator_makes_the_committed_clips(landmarker: Path, tmp_path: Path) -> None:
    plans = table.plans(SEED)
    cast = faces.people(landmarker, SEED, {plans[order].subject for order in REMADE})
    paths = [tmp_path / name for name in ("one.mp4", "two.mp4")]
    for order in REMADE:
        for path in paths[: 1 if order == 60 else 2]:
            film = clips.film(plans[order], cast[plans[order].subject])
            clips.write(path, *film, voices.voice(plans[order], clips.seconds(plans[order])))
        fps, frames = read(paths[0])
        committed_fps, committed = read(CLIPS / f"{order}.mp4")
        assert fps == committed_fps
        assert frames.shape == committed.shape
        # Another build of the codec keeps the noise differently, so compare means of 4 x 4 px.
        coarse, expected = (
            np.float64(video).reshape(-1, 56, 4, 56, 4, 3).mean((2, 4))
            for video in (frames, committed)
        )
        assert np.abs(coarse - expected).mean() < 1
        if order == 8:
            assert paths[0].read_bytes() == paths[1].read_bytes()
        heard, kept = (sound.read(path, sound.RATE) for path in (paths[0], CLIPS / f"{order}.mp4"))
        np.testing.assert_allclose(heard, kept, atol=0.02)
