"""However long a clip is, extraction holds no more of it in memory."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest

from facewave.landmarks import schema
from facewave.video import Clip
from running import ROOT

FPS = 10
# In a process of its own, whose peak is told in the end (kB).
PEAK = """
import resource, sys
from pathlib import Path
from facewave import params
from facewave.landmarks import cache
from facewave.landmarks.extract import _detect
clip, model, place, project = map(Path, sys.argv[1:])
settings = params.load(project / "params.yaml").landmarks
_detect(place, clip, model, 25.0, settings, cache.VERSION)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_full_hd(path: Path, seconds: int, repeats: int) -> None:
    """A demo clip's frames at 1920 x 1080, encoded once and repeated."""
    pictures = [
        cv2.copyMakeBorder(cv2.resize(picture, (1080, 1080)), 0, 0, 420, 420, cv2.BORDER_CONSTANT)
        for _, _, picture in Clip(ROOT / "data/raw/demo/clips/1.mp4", 25.0).frames()
        if picture is not None
    ]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.codec_context.max_b_frames = 0
        packets = []
        for t in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(pictures[t % len(pictures)], format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, FPS)
            packets += stream.encode(frame)
        packets += stream.encode()
        for k in range(repeats):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.stream, again.time_base = stream, packet.time_base
                again.pts = packet.pts + k * round(seconds / packet.time_base)
                again.dts, again.is_keyframe = again.pts, packet.is_keyframe
                container.mux(again)


def peak_mb(clip: Path, model: Path) -> float:
    place = clip.with_suffix(".parquet")
    words = [sys.executable, "-c", PEAK, str(clip), str(model), str(place), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.slow
def test_ten_minutes_of_full_hd_need_no_more_memory_than_one(
    tmp_path: Path, landmarker: Path
) -> None:
    write_full_hd(tmp_path / "one.mp4", seconds=60, repeats=1)
    write_full_hd(tmp_path / "ten.mp4", seconds=60, repeats=10)
    one, ten = (peak_mb(tmp_path / f"{name}.mp4", landmarker) for name in ("one", "ten"))
    frames = schema.read_clip(tmp_path / "ten.parquet")
    assert len(frames.times_T) == 600 * FPS
    assert frames.valid_T.mean() > 0.9
    assert frames.times_T[-1] == pytest.approx(600, abs=1)
    # Held in memory, the 5,400 further frames would be 33 MB. One chunk is 6.
    assert ten < one + 16, f"{one:.0f} MB for one minute, {ten:.0f} MB for ten"
    print(f"{one:.0f} MB for one minute, {ten:.0f} MB for ten")
