"""What decoding costs: ``python benchmarks/decoding.py CLIP [CLIP ...] [--rounds 5]``.

Milliseconds a frame of the processor, all threads together, since stage extract runs a process on
every core: the least of some rounds, in which all ways take turns. First decoding alone by PyAV,
with each of FFmpeg's ways of threading and one thread; then with colours, decoding included. In
brackets the most that a pixel differs from ``video.Clip``'s, levels, where any does.

MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456 keeps glibc from returning every
picture's memory to the system, which costs up to a millisecond in a loop that does nothing else.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from facewave.video import Clip

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
FPS = 25.0  # of clips that are pictures


def frames(clip: Path, threading: str = "SLICE") -> Iterator[av.VideoFrame]:
    """Decoded, not converted."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = threading
        stream.codec_context.thread_count = 1
        yield from container.decode(stream)


def converted(clip: Path, *, reused: bool, threads: int) -> Iterator[Picture]:
    """By FFmpeg's own conversion; 0 threads are as many as there are cores."""
    converter = VideoReformatter()
    for frame in frames(clip):
        converter = converter if reused else VideoReformatter()
        rgb = converter.reformat(frame, format="rgb24", interpolation="BICUBIC", threads=threads)
        yield np.asarray(rgb.to_ndarray(), np.uint8)


def planes(clip: Path) -> Iterator[Picture]:
    """By OpenCV's conversion, which knows one colour space and yuv420p."""
    for frame in frames(clip):
        yuv = frame.to_ndarray(format="yuv420p")
        yield cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420).astype(np.uint8, copy=False)


def capture(clip: Path) -> Iterator[Picture]:
    """By OpenCV alone."""
    source = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    while True:
        is_there, picture = source.read()
        if not is_there:
            return
        yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def pictures(clip: Path) -> Iterator[Picture]:
    """As all of facewave reads clips."""
    for _, _, picture in Clip(clip, FPS).frames():
        assert picture is not None
        yield picture


DECODING: dict[str, Callable[[Path], Iterator[av.VideoFrame]]] = {
    threading: lambda clip, threading=threading: frames(clip, threading)  # type: ignore[misc]
    for threading in ("NONE", "SLICE", "FRAME", "AUTO")
}
COLOURS: dict[str, Callable[[Path], Iterator[Picture]]] = {
    "`to_ndarray`": lambda clip: converted(clip, reused=False, threads=0),
    "one thread": lambda clip: converted(clip, reused=False, threads=1),
    "reused": lambda clip: converted(clip, reused=True, threads=0),
    "reused, one thread": lambda clip: converted(clip, reused=True, threads=1),
    "`Clip.frames`": pictures,
    "planes by OpenCV": planes,
    "`VideoCapture`": capture,
}


def cost(items: Iterator[object]) -> float:
    """Milliseconds a frame of the processor."""
    start = time.process_time()
    number = sum(1 for _ in items)
    return 1000 * (time.process_time() - start) / number


def difference(one: Iterator[Picture], other: Iterator[Picture]) -> int:
    """The most that a pixel differs by, levels; frames that one way lacks are left out."""
    pairs = zip(one, other, strict=False)
    return max(int(cv2.absdiff(a, b).max()) if a.shape == b.shape else 255 for a, b in pairs)


def row(cells: list[str]) -> str:
    """A line of the table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    titles = ["clip", "codec", *DECODING, *COLOURS]
    print(row(titles), row(["---"] * len(titles)), sep="\n")
    for clip in arguments.clips:
        with av.open(str(clip)) as container:
            source = container.streams.video[0].codec_context
            cells = [f"{source.width} x {source.height} {clip.name}", source.name]
        ways = (*DECODING.values(), *COLOURS.values())
        rounds = [[cost(way(clip)) for way in ways] for _ in range(arguments.rounds)]
        levels = [difference(pictures(clip), way(clip)) for way in COLOURS.values()]
        for ms, level in zip(np.min(rounds, axis=0), [0] * len(DECODING) + levels, strict=True):
            cells.append(f"{ms:.2f} ({level})" if level else f"{ms:.2f}")
        print(row(cells), flush=True)


if __name__ == "__main__":
    main()
