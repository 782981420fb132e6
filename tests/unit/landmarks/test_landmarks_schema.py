"""Shards: what goes in comes out, bit for bit, and the same bytes each time."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.errors import UserError
from facewave.landmarks import schema
from facewave.landmarks.schema import ClipFacts
from making import write_to_shard
from trajectories import NAMES, assert_equal, random_trajectory


def test_every_clip_comes_back_from_its_row_groups(tmp_path: Path) -> None:
    clips = [random_trajectory(n, seed=n) for n in (3, 2500, 0, 1024, 4)]
    with schema.shard(tmp_path / "part.parquet", NAMES) as writer:
        for i, clip in enumerate(clips):
            write_to_shard(writer, f"key {i}", clip)
    entries = schema.entries(tmp_path / "part.parquet")
    assert [(entry.key, entry.row_group, entry.row_groups) for entry in entries] == [
        ("key 0", 0, 1), ("key 1", 1, 3), ("key 2", 4, 0), ("key 3", 4, 1), ("key 4", 5, 1)
    ]  # fmt: skip
    for clip, entry in zip(clips, entries, strict=True):
        assert entry.facts == ClipFacts(30.0, 64, 48, len(clip.times_T))
        place = tmp_path / "part.parquet", entry.row_group, entry.row_groups
        assert all(len(chunk.times_T) <= 1024 for chunk in schema.chunks(*place))
        assert_equal(schema.read_clip(*place), clip if entry.row_groups else schema.EMPTY)
    assert [len(part.times_T) for part in schema.chunks(tmp_path / "part.parquet", 4)] == [1024, 4]


def test_other_tools_read_one_row_per_frame(tmp_path: Path) -> None:
    clip = random_trajectory(9)
    schema.write_clip(tmp_path / "a", ClipFacts(30.0, 64, 48, 9), [clip], NAMES)
    table = pq.read_table(tmp_path / "a").to_pandas()
    np.testing.assert_array_equal(table["frame"], clip.frames_T)
    np.testing.assert_array_equal(table["faces"], clip.faces_T)
    np.testing.assert_array_equal(table["valid"], clip.valid_T)
    np.testing.assert_array_equal(table["blendshapes"][3], clip.blendshapes_TB[3])


def test_a_missing_or_short_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"index\.csv is not here.*dvc repro"):
        schema.read_index(tmp_path)
    (tmp_path / "index.csv").write_text("video_idx,file_path\n1,a.mp4\n")
    with pytest.raises(UserError, match=r"index\.csv: column 'key' is missing"):
        schema.read_index(tmp_path)


TEN = replace(random_trajectory(10), times_T=np.arange(10) / 10)
WHOLE = float("nan")


def test_a_part_is_the_frames_from_start_to_before_end() -> None:
    for start, end, frames in (
        (WHOLE, WHOLE, slice(0, 10)),
        (0.3, WHOLE, slice(3, 10)),
        (WHOLE, 0.3, slice(0, 3)),  # the end itself is not included
        (0.25, 0.55, slice(3, 6)),
        (-1.0, 99.0, slice(0, 10)),
        (0.31, 0.39, slice(4, 4)),
        (5.0, 6.0, slice(10, 10)),
    ):
        assert_equal(schema.between(TEN, start, end), TEN[frames])
    assert_equal(schema.between(schema.EMPTY, 0.5, WHOLE), schema.EMPTY)


@given(st.lists(st.floats(-1, 12), min_size=1, max_size=5), st.integers(0, 99))
def test_parts_side_by_side_have_every_frame_once(cuts: list[float], seed: int) -> None:
    clip = random_trajectory(9, seed=seed)
    edges = [WHOLE, *sorted(cuts), WHOLE]
    parts = [schema.between(clip, one, other) for one, other in pairwise(edges)]
    assert_equal(schema.joined(parts), clip)


def test_a_missing_or_damaged_shard_has_no_clips(tmp_path: Path) -> None:
    path, facts = tmp_path / "part.parquet", ClipFacts(10.0, 64, 48, 10)
    assert schema.entries(path) == []
    failed = ClipFacts(25.0, 640, 360, 72, problem="no frame can be decoded")
    schema.write_clip(path, failed, [], ())
    assert schema.read_facts(path) == failed
    assert_equal(schema.read_clip(path), schema.EMPTY)
    schema.write_clip(path, facts, [TEN], NAMES)
    assert [entry.key for entry in schema.entries(path)] == ["part"]
    whole = path.read_bytes()
    for kept in (0, 10, 2000):
        path.write_bytes(whole[:kept])
        assert schema.entries(path) == []


def test_a_clip_lasts_until_the_end_of_its_last_frame() -> None:
    assert schema.duration(np.arange(50) / 25) == pytest.approx(2.0)
    assert schema.duration(np.array([0.0, 0.1, 0.2, 5.0])) == pytest.approx(5.1)  # the usual step
    assert schema.duration(np.zeros(1)) == schema.duration(np.zeros(0)) == 0
