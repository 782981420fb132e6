"""Stage wavelet: ``python -m facewave.wavelets DATASET``.

Reads   data/landmarks/<dataset>/        trajectories (T, 478, 3) and (T, 52), any T
        data/appearance/<dataset>/       what an encoder saw: (F, W) and (F, E), any F
        data/voice/<dataset>/            what was heard: (T, C), any T
Writes  data/features/<dataset>/         blocks (n, N, ...), mask and quality
        metrics/wavelet/<dataset>.json   how much was condensed into how little
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.appearance import schema as appearance
from facewave.errors import explain
from facewave.files import replacing, sealed, write_csv, write_json
from facewave.landmarks import schema as landmarks
from facewave.voice import schema as voice
from facewave.wavelets.features import features, heard_features, seen_features, unusable
from facewave.wavelets.schema import CLIP_COLUMNS, channels_of, shapes
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset, Stored

METRICS = Path("metrics/wavelet")
_POINTS = 256  # of a clip's time, in functions.npy


def main(name: str) -> None:
    """Transform one dataset."""
    loaded = params.load()
    dataset = Dataset(name, loaded)
    transform = Transform.of(loaded.wavelets)
    if dataset.entry.features:
        _take_over(dataset, transform)
        return
    encoder = appearance.read_config(dataset.appearance)
    sound = voice.read_config(dataset.voice)
    seen_blocks, heard_blocks = (
        {name: (len(names),) for name, names in config.channels.items()}
        for config in (encoder, sound)
    )
    index = dataset.read_index()
    shards = [dataset.landmarks / shard for shard in index["shard"].unique() if shard]
    layout = next(map(landmarks.read_layout, shards), landmarks.LANDMARKER)
    face_blocks = shapes(transform.sides, layout)
    blocks = face_blocks | seen_blocks | heard_blocks
    stored, stored_voice = (
        Stored(dataset.appearance, "appearance"),
        Stored(dataset.voice, "voice"),
    )
    rows = index.to_dict("records")
    index["reason"] = [unusable(row, loaded.wavelets.max_gap_s) for row in rows]
    index["usable"], index["heard"] = index["reason"] == "", False
    with ExitStack() as files:
        write = {
            block: files.enter_context(
                _array(dataset.features / f"{block}.npy", len(index), transform.numbers, *shape)
            )
            for block, shape in blocks.items()
        }
        for row in tqdm(index.itertuples(), f"wavelet {name}", len(index), unit="clip"):
            numbers = {
                block: np.full((transform.numbers, *shape), np.nan, np.float32)
                for block, shape in blocks.items()
            }
            looked = stored.read(row.video_idx) if row.usable and seen_blocks else None
            if row.usable and seen_blocks and not (looked and looked.valid_F.any()):
                index.loc[row.Index, ["usable", "reason"]] = [False, _unseen(row, stored)]
            elif row.usable:
                numbers |= features(landmarks.read_row(dataset.landmarks, row), row, transform)
                numbers |= seen_features(looked, transform) if looked else {}
            heard = stored_voice.read(row.video_idx) if heard_blocks else None
            if heard and heard.is_heard:
                index.loc[row.Index, "heard"] = True
                numbers |= heard_features(heard, transform)
            for block, write_clip in write.items():
                write_clip(numbers[block])

    index["filled"] = (1 - index["face_share"]).where(index["usable"]).round(4)
    with replacing(dataset.features / "functions.npy") as temporary, temporary.open("wb") as file:
        np.save(file, transform.over_time(_POINTS))
    write_csv(dataset.features / "clips.csv", index[list(CLIP_COLUMNS)])
    names = channels_of(next(filter(None, map(landmarks.read_names, shards)), ()), transform.sides)
    config = asdict(transform) | {"blendshapes": names, "encoder": encoder.described}
    config |= {"voice": sound.described}
    if layout != landmarks.LANDMARKER:
        config |= {"blocks": list(face_blocks)} | layout.described
    _seal(dataset.features, config, list(blocks))
    usable = index[index["usable"]]
    frames, fps = usable[["frames", "fps"]].mean() if len(usable) else (0.0, 0.0)
    k = min(transform.k, transform.numbers)  # of mean and mean_std, whatever wavelets.k is
    condensed = {
        "clips": len(usable),
        "channels": sum(math.prod(shape) for shape in blocks.values()),
        "numbers_per_channel": k,
        "mean_frames_per_clip": round(frames, 2),
        "compression_ratio": round(frames / k, 2),
        "compression_of_60_s": round(60 * fps / k, 2),
        "filled_share": round(float(usable["filled"].mean()), 4) if len(usable) else 0.0,
    }
    write_json(METRICS / f"{name}.json", condensed)
    sounding = f", {index['heard'].sum()} heard" if heard_blocks else ""
    print(f"{name}: {len(usable)} of {len(index)} clips usable{sounding}")


def _take_over(dataset: Dataset, transform: Transform) -> None:
    """Write the numbers of a table of features as block ``functionals``: nothing is transformed."""
    numbers_nD, columns = landmarks.read_functionals(dataset.landmarks)
    index = dataset.read_index()
    index["filled"] = index["face_share"].map(lambda share: 1 - share)
    index["heard"] = False
    for file, array in (("functionals", numbers_nD[:, None]), ("functions", np.empty((0, 1)))):
        path = dataset.features / f"{file}.npy"
        with replacing(path) as temporary, temporary.open("wb") as opened:
            np.save(opened, array.astype(np.float32))
    write_csv(dataset.features / "clips.csv", index[list(CLIP_COLUMNS)])
    nothing = {"blendshapes": [], "encoder": appearance.Config(appearance.NONE).described}
    nothing |= {"voice": voice.Config().described}
    config = asdict(transform) | nothing | {"blocks": ["functionals"], "functionals": columns}
    _seal(dataset.features, config, ["functionals"])
    n_usable = int(index["usable"].sum())
    metrics = {"clips": n_usable, "channels": len(columns), "numbers_per_channel": 1}
    write_json(METRICS / f"{dataset.name}.json", metrics)
    print(f"{dataset.name}: {n_usable} of {len(index)} clips usable, {len(columns)} numbers each")


def _seal(folder: Path, config: dict[str, Any], blocks: Sequence[str]) -> None:
    """Write config.json, the last file, with checksums of the others."""
    arrays = [folder / f"{name}.npy" for name in (*blocks, "functions")]
    write_json(folder / "config.json", sealed(config, [*arrays, folder / "clips.csv"]))


def _unseen(row: Any, stored: Stored) -> str:
    """Why no encoder has seen a clip whose landmarks are usable."""
    (problem,) = stored.column("problem", pd.Series([row.video_idx]))
    return f"not looked at: {problem or 'no face was cut out of it'}"


@contextmanager
def _array(path: Path, *shape: int) -> Iterator[Callable[[NDArray[np.float32]], object]]:
    """A float32 .npy file, written clip by clip so that the dataset need not fit into memory.

    Not a memory map: on a full disk, writing to one kills the process without a message.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda clip: file.write(clip.astype("<f4").tobytes())


if __name__ == "__main__":
    with threadpool_limits(1):  # the products are small: threads cost more than they save
        explain(lambda: main(params.dataset_argument()))
