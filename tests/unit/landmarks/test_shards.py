"""Many clips in few shards: the same bytes whatever came before, and only changes are written."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from facewave.landmarks import quality, schema, shards
from facewave.landmarks.schema import EMPTY, ClipFacts
from facewave.shards import PER_SHARD
from making import SETTINGS, contents, remember, write_to_shard
from trajectories import NAMES, assert_equal, random_trajectory

FACTS = ClipFacts(fps=10.0, width=64, height=48, declared_frames=20)
BROKEN = replace(FACTS, problem="no frame can be decoded")
NAN = math.nan
LIMITS = replace(SETTINGS, at_least={"face_frames": 2, "face_share": 0.65})
# Keys as the cache has them: spread evenly.
KEYS = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(40)]
AA, BB = KEYS[:2]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for shards; the cache lies in ``tmp_path`` as well."""
    return tmp_path / "out"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forty cached clips; four of them make a shard."""
    assert PER_SHARD == 500
    monkeypatch.setattr("facewave.shards.PER_SHARD", 4)
    for i, key in enumerate(KEYS):
        remember(key, random_trajectory(3, seed=i) if i % 9 else EMPTY, FACTS if i % 9 else BROKEN)
    return KEYS


def gathered(keys: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Gather; return what the folder then holds."""
    shards.gather(keys, folder)
    return contents(folder)


def written(folder: Path, keys: Iterable[str]) -> list[str]:
    """Gather; say which shards were written."""
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    after = {name: (folder / name).stat().st_mtime_ns for name in gathered(keys, folder)}
    return sorted(name for name, time in after.items() if before.get(name) != time)


def rows_of(keys: list[str]) -> pd.DataFrame:
    names = [f"{i:03}" for i in range(len(keys))]
    paths = [f"{name}.mp4" for name in names]
    return pd.DataFrame(
        {"video_idx": names, "file_path": paths, "key": keys, "start": NAN, "end": NAN}
    )


def test_the_index_says_where_each_clip_is(out: Path, keys: list[str]) -> None:
    returned = shards.index(rows_of(keys), out, LIMITS, {})
    index = schema.read_index(out)
    assert tuple(index) == tuple(returned) == schema.INDEX
    assert index["key"].tolist() == keys
    assert index["video_idx"].tolist() == [f"{i:03}" for i in range(40)]  # text
    assert len(list(out.glob("part-*"))) == 16
    entries = shards.gather(keys, out)
    assert set(entries) == set(keys)
    for i, row in enumerate(index.itertuples()):
        assert (row.fps, row.width, row.height, row.declared_frames) == (10, 64, 48, 20)
        shard, entry = entries[keys[i]]
        if i % 9 == 0:
            assert (row.shard, row.frames, row.usable) == ("", 0, False)
            assert pd.isna(row.row_group)
            assert pd.isna(row.row_groups)
            assert row.problem == row.reason == BROKEN.problem
            assert (entry.row_groups, entry.facts, entry.measures) == (0, BROKEN, {})
        else:
            clip = random_trajectory(3, seed=i)
            assert_equal(schema.read_row(out, row), clip)
            assert (row.frames, row.face_frames, row.problem, row.usable) == (3, 2, "", True)
            assert (shard, entry.key, entry.facts) == (row.shard, keys[i], FACTS)
            measures = quality.measure(quality.frames_of(clip, FACTS))
            assert entry.measures == pytest.approx(measures, nan_ok=True)
    (out / ".part-00000.parquet.x1y2z3.parquet").write_bytes(b"half a shard, left by a kill")
    slow = "it took longer than 3 s"
    index = shards.index(rows_of([AA]).assign(end=2.0), out, LIMITS, {AA: slow})
    for column, value in (("shard", ""), ("usable", False), ("problem", slow), ("reason", slow)):
        assert index[column].tolist() == [value]
    assert tuple(shards.index(rows_of([]), out, LIMITS, {})) == schema.INDEX
    assert [path.name for path in out.iterdir()] == ["index.csv"]
    assert len(schema.read_index(out)) == 0


def test_only_shards_of_added_and_removed_clips_are_written(
    tmp_path: Path, keys: list[str]
) -> None:
    folder = tmp_path / "a"
    assert len(written(folder, keys[:38])) == 14
    assert written(folder, keys[:38]) == []
    (name,) = written(folder, keys[:39])
    assert keys[38] in [entry.key for entry in schema.entries(folder / name)]
    others = [*keys[1:39], keys[39]]  # another clip in another's place
    assert 1 <= len(written(folder, others)) <= 2
    left = [key for key in others if key != keys[17]]
    assert len(written(folder, left)) == 1
    mixed = np.random.default_rng(0).permutation(left).tolist()
    assert contents(folder) == gathered(mixed + mixed[:5], tmp_path / "c")


def test_any_number_of_clips_from_any_other(tmp_path: Path, keys: list[str]) -> None:
    """Beyond a power of two times four there are twice as many shards."""
    folder = tmp_path / "changing"
    for count in (0, 40, 1, 33, 4, 5, 32, 8, 9, 0):
        expected = gathered(keys[:count], tmp_path / str(count))
        assert gathered(keys[:count], folder) == expected
        assert len(expected) <= (1 if count <= 4 else 2 ** math.ceil(math.log2(count / 4)))
        held = [entry.key for name in expected for entry in schema.entries(folder / name)]
        assert sorted(held) == sorted(keys[:count])


def rewrite(path: Path, version: str) -> None:
    """Write the same clips as if they were of another version."""
    with pytest.MonkeyPatch.context() as patch:
        keys = [entry.key for entry in schema.entries(path)]
        patch.setattr(schema, version, "0")
        with schema.shard(path, NAMES) as writer:
            for key in keys:
                write_to_shard(writer, key, random_trajectory(3), FACTS)


def test_a_spoilt_shard_alone_is_written_again(out: Path, keys: list[str]) -> None:
    whole = gathered(keys, out)
    name = sorted(whole)[5]
    spoil: Callable[[Path], object]
    for spoil in (
        lambda path: path.write_bytes(path.read_bytes()[:-50]),
        lambda path: path.write_bytes(b""),
        lambda path: schema.write_clip(path, FACTS, [random_trajectory(3)], NAMES),
        lambda path: rewrite(path, "FORMAT"),
        lambda path: rewrite(path, "MEASURED"),
        Path.unlink,
    ):
        spoil(out / name)
        assert written(out, keys) == [name]
        assert contents(out) == whole


def test_an_interrupted_run_ends_with_the_same_bytes(
    tmp_path: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole shards are new or old; the next run makes the others."""
    shards.index(rows_of(keys), tmp_path / "calm", LIMITS, {})
    measure = quality.measure
    for done in (0, 2, 15):
        folder = tmp_path / str(done)
        shards.index(rows_of(keys[:30]), folder, LIMITS, {})
        before = contents(folder)
        left = iter(range(done))

        def stops(*frames: Any, left: Iterator[int] = left) -> dict[str, float]:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return measure(*frames)

        with monkeypatch.context() as patch:
            patch.setattr(quality, "measure", stops)
            with pytest.raises(KeyboardInterrupt):
                shards.index(rows_of(keys), folder, LIMITS, {})
        assert (contents(folder) == before) == (done == 0)
        assert set(contents(folder)) <= set(before) | set(contents(tmp_path / "calm"))
        shards.index(rows_of(keys), folder, LIMITS, {})
        assert contents(folder) == contents(tmp_path / "calm")


def test_rows_that_share_a_clip_keep_it_once_and_are_judged_apart(out: Path) -> None:
    whole = replace(random_trajectory(20), times_T=np.arange(20) / 10, valid_T=np.arange(20) >= 8)
    remember(AA, whole, FACTS)
    remember(BB, random_trajectory(12, seed=1), FACTS)
    rows = pd.DataFrame(
        [
            ("blind", "long.mp4", AA, 0.0, 0.5),
            ("other", "short.mp4", BB, NAN, NAN),
            ("seen", "long.mp4", AA, 1.0, 1.7),
            ("nothing", "long.mp4", AA, 7.0, 9.0),
            ("mixed", "long.mp4", AA, NAN, NAN),
        ],
        columns=["video_idx", "file_path", "key", "start", "end"],
        index=[31, 4, 15, 9, 26],
    )
    shards.index(rows, out, LIMITS, {})
    index = schema.read_index(out)
    pd.testing.assert_frame_equal(index[list(rows)], rows.reset_index(drop=True), check_dtype=False)
    measures = index[["frames", "face_frames", "face_share", "duration", "longest_gap", "usable"]]
    assert measures.to_numpy().tolist() == [
        [5, 0, 0.0, 0.5, 0.5, False],
        [12, 8, 0.6667, index["duration"][1], index["longest_gap"][1], True],
        [7, 7, 1.0, 0.7, 0.0, True],
        [0, 0, 0.0, 0.0, 0.0, False],
        [20, 12, 0.6, 2.0, 0.8, False],
    ]
    share = "face_share is 0.6, less than 0.65 (share of the frames with the followed face)"
    nobody = "no face in any frame"
    assert index["reason"].tolist() == [nobody, "", "", nobody, share]
    (shard,) = out.glob("*.parquet")
    with pq.ParquetFile(shard) as file:
        assert (file.num_row_groups, file.metadata.num_rows) == (2, 32)


def test_a_long_clip_comes_back_whole_and_its_parts_are_measured_alone(out: Path) -> None:
    clips = {BB: random_trajectory(2500), AA: replace(schema.blank(5), times_T=np.arange(5) / 10)}
    for key, clip in clips.items():
        remember(key, clip, FACTS)
    places: list[Any] = [(BB, NAN, 40), (BB, 10.0, 12.5), (AA, NAN, NAN), (BB, 30.0, NAN)]
    rows = pd.DataFrame(places, columns=["key", "start", "end"])
    shards.index(rows.assign(video_idx=list("abcd"), file_path=list("aaba")), out, LIMITS, {})
    index = schema.read_index(out)
    (shard,) = set(index["shard"])
    assert schema.read_names(out / shard) == NAMES  # the first clip, without a face, has none
    with pq.ParquetFile(out / shard) as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sorted(sizes) == [5, 2500 - 2048, 1024, 1024]
    assert index["row_groups"].tolist() == [3, 3, 1, 3]
    for row, (key, start, end) in zip(index.itertuples(), places, strict=True):
        part = replace(schema.between(clips[key], start, end), names=NAMES)
        assert_equal(schema.read_row(out, row), part)
        measures = {name: getattr(row, name) for name in schema.MEASURES}
        expected = quality.measure(quality.frames_of(part, FACTS))
        assert measures == pytest.approx(expected, nan_ok=True)
