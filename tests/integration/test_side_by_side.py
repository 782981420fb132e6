"""Clips side by side in processes of their own, as for a GPU; here by torch on the CPU."""

from dataclasses import replace
from pathlib import Path

from facewave.landmarks import batches, cache, extract, schema
from making import SETTINGS, write_video
from running import ROOT


def test_what_is_done_is_stored_and_the_rest_left(landmarker: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, engine="litert", fps=4.0)
    write_video(tmp_path / "changed.mp4")
    clips = [ROOT / f"data/raw/demo/clips/{n}.mp4" for n in (3, 7)]
    places = [cache.place(cache.key(clip, 25.0, settings)) for clip in clips]
    changed = cache.place("0" * 64)  # not the key of its bytes
    tasks = [
        (place.stem, (place, clip, landmarker, 25.0, settings, cache.VERSION))
        for place, clip in zip([*places, changed], [*clips, tmp_path / "changed.mp4"], strict=True)
    ]
    batches.run(extract._detect, tasks, landmarker, 0.01, "detect", device="cpu")
    assert not any(place.exists() for place in places)  # its process took too long, twice
    batches.run(extract._detect, tasks, landmarker, 60.0, "detect", device="cpu")
    assert not changed.exists()
    for place in places:
        stored = place.read_bytes()
        assert schema.read_clip(place).valid_T.sum() >= 4
    batches.run(extract._detect, tasks, landmarker, 60.0, "detect", device="cpu")
    assert place.read_bytes() == stored
