"""Gathering cached clips into shards, more clips than one shard holds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from test_landmarks_schema import NAMES, assert_equal, random_trajectory

from facewave.landmarks import __main__ as stage
from facewave.landmarks import cache, schema
from facewave.params import Landmarks

AA, BB = "a" * 64, "b" * 64


def test_each_clip_is_where_the_index_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_CLIPS_PER_SHARD", 2)
    facts = schema.ClipFacts(fps=25.0, width=64, height=48, declared_frames=12)
    keys = [f"{i:064x}" for i in range(5)]
    for i, key in enumerate(keys):
        cache.put(key, facts, random_trajectory(12, seed=i))
    rows = pd.DataFrame({"video_idx": list("abcde"), "key": keys, "start": np.nan, "end": np.nan})
    rows["file_path"] = rows["video_idx"] + ".mp4"
    index = stage.assemble(rows, tmp_path / "out", Landmarks(600.0, 2, 0.5))
    assert index["shard"].nunique() == 3
    assert index["video_idx"].tolist() == list("abcde")
    for i, row in enumerate(schema.read_index(tmp_path / "out").itertuples()):
        assert row.key == keys[i]
        clip = schema.read_clip(tmp_path / "out" / row.shard, row.row_group)
        assert_equal(clip, random_trajectory(12, seed=i))


def test_rows_that_share_a_clip_keep_it_once_and_are_judged_apart(tmp_path: Path) -> None:
    facts = schema.ClipFacts(fps=10.0, width=64, height=48, declared_frames=20)
    whole = replace(
        random_trajectory(20), times_T=np.arange(20) / 10, valid_T=np.arange(20) % 20 >= 8
    )
    cache.put(AA, facts, whole)
    cache.put(BB, facts, random_trajectory(12, seed=1))
    rows = pd.DataFrame(
        [
            ("blind", "long.mp4", AA, 0.0, 0.5),
            ("other", "short.mp4", BB, np.nan, np.nan),
            ("seen", "long.mp4", AA, 1.0, 1.7),
            ("nothing", "long.mp4", AA, 7.0, 9.0),
            ("mixed", "long.mp4", AA, np.nan, np.nan),
        ],
        columns=["video_idx", "file_path", "key", "start", "end"],
        index=[31, 4, 15, 9, 26],
    )
    stage.assemble(rows, tmp_path / "out", Landmarks(600.0, 2, 0.65))

    index = schema.read_index(tmp_path / "out").set_index("video_idx")
    assert list(index.index) == ["blind", "other", "seen", "nothing", "mixed"]
    assert list(index["frames"]) == [5, 12, 7, 0, 20]
    assert list(index["face_frames"]) == [0, 8, 7, 0, 12]
    assert list(index["face_share"]) == [0.0, 0.6667, 1.0, 0.0, 0.6]
    assert list(index["duration"])[2:] == [0.7, 0.0, 2.0]
    assert list(index["usable"]) == [False, True, True, False, False]
    assert index["reason"].tolist() == [
        "no face in any frame",
        "",
        "",
        "no face in any frame",
        "a face in 60% of the frames, less than 65%",
    ]
    assert list(index["start"].fillna(-1)) == [0.0, -1, 1.0, 7.0, -1]
    assert list(index["end"].fillna(-1)) == [0.5, -1, 1.7, 9.0, -1]
    shard = pq.ParquetFile(tmp_path / "out/part-00000.parquet")
    assert (shard.num_row_groups, shard.metadata.num_rows) == (2, 32)
    for row in index.itertuples():
        kept = schema.read_clip(tmp_path / "out" / row.shard, row.row_group)
        assert_equal(kept, random_trajectory(12, seed=1) if row.Index == "other" else whole)


def test_a_clip_without_frames_has_no_place_in_a_shard(tmp_path: Path) -> None:
    facts = schema.ClipFacts(25.0, 0, 0, 0, problem="no frame can be decoded")
    cache.put(AA, facts, schema.EMPTY)
    cache.put(BB, schema.ClipFacts(25.0, 64, 48, 12), random_trajectory(12))
    rows = pd.DataFrame({"video_idx": ["a", "b"], "file_path": ["a.mp4", "b.mp4"]})
    rows = rows.assign(key=[AA, BB], start=np.nan, end=[2.0, np.nan])
    index = stage.assemble(rows, tmp_path / "out", Landmarks(600.0, 2, 0.5))
    assert list(index["shard"]) == ["", "part-00000.parquet"]
    assert list(index["row_group"].fillna(-1)) == [-1, 0]
    assert list(index["usable"]) == [False, True]
    assert index["reason"][0] == "no frame can be decoded"
    assert schema.read_names(tmp_path / "out/part-00000.parquet") == NAMES


def test_a_clip_that_could_not_be_detected_stays_with_its_reason(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"video_idx": ["1"], "file_path": ["1.mp4"], "key": [AA], "start": np.nan, "end": np.nan}
    )
    problems = {AA: "it took longer than 3 s"}
    index = stage.assemble(rows, tmp_path / "out", Landmarks(600.0, 2, 0.5), problems)
    (row,) = index.itertuples()
    assert (row.usable, row.frames, row.shard) == (False, 0, "")
    assert row.problem == row.reason == "it took longer than 3 s"
