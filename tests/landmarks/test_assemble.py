"""Gathering cached clips into shards, more clips than one shard holds."""

from pathlib import Path

import pandas as pd
import pytest
from test_landmarks_schema import assert_equal, random_trajectory

from facewave.landmarks import __main__ as stage
from facewave.landmarks import cache, schema
from facewave.params import Landmarks


def test_each_clip_is_where_the_index_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_CLIPS_PER_SHARD", 2)
    facts = schema.ClipFacts(fps=25.0, width=64, height=48, declared_frames=12)
    keys = [f"{i:064x}" for i in range(5)]
    for i, key in enumerate(keys):
        cache.put(key, facts, random_trajectory(12, seed=i))
    rows = pd.DataFrame({"video_idx": list("abcde"), "key": keys, "start": np.nan, "end": np.nan})
    rows["file_path"] = rows["video_idx"] + ".mp4"
    index = stage.assemble(rows, tmp_path / "out", Landmarks(2, 0.5))
    assert index["shard"].nunique() == 3
    assert index["video_idx"].tolist() == list("abcde")
    for i, row in enumerate(schema.read_index(tmp_path / "out").itertuples()):
        assert row.key == keys[i]
        clip = schema.read_clip(tmp_path / "out" / row.shard, row.row_group)
        assert_equal(clip, random_trajectory(12, seed=i))
