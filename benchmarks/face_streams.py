"""What it takes to read faces while a network trains: ``python benchmarks/face_streams.py``.

Makes shards of 40,000 faces of 224 pixels in a temporary folder, one of each clip, as corpora of
pictures have them (or with ``--faces 8`` eight of each of 5,000 clips), and reads an epoch of them
in a random order for a tiny network, on one thread. Prints the peak of the memory after an eighth
of the faces and after all, and faces a second of a core's time: read and trained on, read alone,
and read and augmented.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch.utils.data import DataLoader

from facewave import shards
from facewave.faces import schema
from facewave.models.vision import build
from facewave.models.vision.network import FaceNetworkConfig
from facewave.targets import CLASSES, Target
from facewave.training.face_network import Faces, ShownConfig
from facewave.training.streamed import collate
from facewave.workspace import Clips, Stored

SIDE = 224
BATCH = 32


def picture(rng: np.random.Generator) -> bytes:
    """A JPEG of some 10 kB, as those of faces are."""
    coarse = rng.integers(0, 256, (28, 28, 3), np.uint8)
    smooth = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def make(folder: Path, n_clips: int, n_faces: int) -> Clips:
    """Clips with faces, in shards of 500."""
    rng = np.random.default_rng(0)
    some = [picture(rng) for _ in range(64)]
    rows = []
    for first in range(0, n_clips, 500):
        shard = f"part-{first:05d}.parquet"
        with shards.shard(folder / shard, _writer) as writer:
            for clip in range(first, min(first + 500, n_clips)):
                faces = [some[(clip + at) % len(some)] for at in range(n_faces)]
                squares = np.tile(np.array([50, 50, 80, 0, 0.5], np.float32), (n_faces, 1))
                numbers = np.arange(n_faces, dtype=np.int32)
                columns = [numbers, numbers / 5, faces, *squares.T]
                arrays = [pa.array(column) for column in columns]
                writer.add_rows(pa.table(arrays, schema=schema._SCHEMA))
                writer.end(f"{clip:064x}", {"rows": n_faces, "faces": n_faces, "brightness": 0.5})
                place = {"shard": shard, "row_group": clip - first, "row_groups": 1}
                part = {"start": np.nan, "end": np.nan, "faces": n_faces}
                rows.append({"video_idx": str(clip)} | place | part)
    index = pd.DataFrame(rows).set_index("video_idx", drop=False)
    table = index[["video_idx"]].reset_index(drop=True).assign(usable=True, face_share=1.0)
    stored = Stored(folder, "faces", index, {"align": "box", "margin": 0.3})
    return Clips(table, {}, folder, 25.0, folder, pd.DataFrame(), {}, stored)


def _writer(path: Path) -> shards.Writer:
    named = schema._SCHEMA.with_metadata({"format": schema.KIND.form})
    return shards.Writer(path, named, schema.KIND.options)


def peak() -> float:
    """The most memory that this process has had so far, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    """Make the shards, and read them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=1, help="of each clip")
    parser.add_argument("--total", type=int, default=40_000, help="faces")
    options = parser.parse_args()
    torch.set_num_threads(1)
    targets = (Target(CLASSES, "words", ("happy", "sad")),)
    network = FaceNetworkConfig("resnet18", targets, width=0.0625, side=112)
    shown = ShownConfig(network, options.faces, "box", 0.1)
    with tempfile.TemporaryDirectory() as folder:
        clips = make(Path(folder), options.total // options.faces, options.faces)
        size = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
        print(f"{options.total:,} faces of {len(clips):,} clips, {size:,.0f} MB: {peak():,.0f} MB")
        order = np.random.default_rng(0).permutation(len(clips))
        for augments, trains in ((False, True), (False, False), (True, False)):
            rows = order if trains else order[: len(order) // 8]
            examples = Faces(clips, shown, seed=0, augments=augments)
            loader = DataLoader(examples, BATCH, sampler=rows.tolist(), collate_fn=collate)
            module = build(network).train()
            optimizer = torch.optim.AdamW(module.parameters(), 1e-3)
            seen, eighth, start = 0, 0.0, time.process_time()
            for batch in loader:
                if trains:
                    optimizer.zero_grad()
                    module(**batch).square().mean().backward()
                    optimizer.step()
                seen += int(batch["faces_there"].sum())
                if not eighth and seen >= options.total // 8:
                    eighth = peak()
            rate = seen / (time.process_time() - start)
            what = f"{'augmented' if augments else 'read'}{' and trained on' * trains}"
            print(f"{what}: {rate:,.0f} faces a second of a core; "
                  f"{eighth:,.0f} MB after an eighth, {peak():,.0f} MB in the end")  # fmt: skip


if __name__ == "__main__":
    main()
