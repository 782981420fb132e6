"""Shards: what goes in comes out, bit for bit, and the same bytes each time."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from facewave.errors import UserError
from facewave.landmarks import schema
from facewave.landmarks.schema import ClipFacts, Trajectory

NAMES = tuple(f"shape{i}" for i in range(schema.BLENDSHAPES))


def random_trajectory(n_frames: int, seed: int = 0) -> Trajectory:
    """Random numbers, with frames 1, 4, 7 ... without a face."""
    rng = np.random.default_rng(seed)
    valid = np.arange(n_frames) % 3 != 1

    def block(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        values = rng.normal(size=(n_frames, *shape)).astype(np.float32)
        values[~valid] = np.nan
        return values

    return Trajectory(
        times_T=np.cumsum(rng.uniform(0.02, 0.05, n_frames)),
        valid_T=valid,
        landmarks_TPC=block(schema.POINTS, schema.COORDINATES),
        blendshapes_TB=block(schema.BLENDSHAPES),
        pose_T44=block(4, 4),
        names=NAMES,
    )


def assert_equal(a: Trajectory, b: Trajectory) -> None:
    for name in ("times_T", "valid_T", "landmarks_TPC", "blendshapes_TB", "pose_T44"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.names == b.names


def test_every_clip_comes_back_from_its_row_group(tmp_path: Path) -> None:
    clips = [random_trajectory(n, seed=n) for n in (5, 1, 90)]
    with schema.shard(tmp_path / "part.parquet", NAMES) as writer:
        places = [writer.add(clip) for clip in clips]
    for clip, place in zip(clips, places, strict=True):
        assert_equal(schema.read_clip(tmp_path / "part.parquet", place), clip)


def test_one_row_per_frame_for_other_tools(tmp_path: Path) -> None:
    clip = random_trajectory(9)
    with schema.shard(tmp_path / "part.parquet", NAMES) as writer:
        writer.add(clip)
    table = pq.read_table(tmp_path / "part.parquet").to_pandas()
    assert list(table["frame"]) == list(range(9))
    assert list(table["valid"]) == clip.valid_T.tolist()
    np.testing.assert_array_equal(table["blendshapes"][3], clip.blendshapes_TB[3])


def test_same_trajectories_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with schema.shard(tmp_path / name, NAMES) as writer:
            writer.add(random_trajectory(30))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_facts_of_a_clip_without_frames(tmp_path: Path) -> None:
    facts = ClipFacts(25.0, 640, 360, 72, problem="no frame can be decoded")
    with schema.shard(tmp_path / "clip.parquet", (), facts):
        pass
    assert schema.read_facts(tmp_path / "clip.parquet") == facts
    assert_equal(schema.read_clip(tmp_path / "clip.parquet"), schema.EMPTY)


def test_an_interrupted_shard_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with schema.shard(tmp_path / "part.parquet", NAMES) as writer:
            writer.add(random_trajectory(3))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_short_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"index\.csv is not here.*dvc repro"):
        schema.read_index(tmp_path)
    (tmp_path / "index.csv").write_text("video_idx,file_path\n1,a.mp4\n")
    with pytest.raises(UserError, match=r"index\.csv: column 'key' is missing"):
        schema.read_index(tmp_path)
