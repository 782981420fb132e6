"""Finding, detecting and gathering clips: who does what, without the landmarker."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import assets, params, pool
from facewave.errors import UserError
from facewave.landmarks import cache, extract, schema, shards
from facewave.landmarks.__main__ import main
from facewave.landmarks.schema import ClipFacts, Trajectory
from making import (
    SETTINGS,
    chunked,
    contents,
    in_turn,
    remember,
    write_params,
    write_to_shard,
    write_video,
)
from trajectories import NAMES, assert_equal, random_trajectory, use_clips

FPS = 25.0
FACTS = ClipFacts(25.0, 64, 48, 12)
LANDMARKER = assets.LANDMARKER.name
PLACE = ["shard", "row_group", "row_groups"]
RULES: tuple[params.Whose, ...] = ("center", "all", "longest", "largest")
Work = Callable[..., None]


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Three clips of rising length."""
    for n in (1, 2, 3):
        write_video(tmp_path / f"{n}.mp4", 8 * n)
    return [tmp_path / f"{n}.mp4" for n in (1, 2, 3)]


@pytest.fixture
def detected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the clips that a pool detects, in its order; clip 2 fails, clip 9 is lost."""
    names: list[str] = []

    def each(
        _: Work, tasks: Iterable[Any], limit: float, processes: int | None = None
    ) -> Iterator[tuple[str, str]]:
        assert limit == SETTINGS.time_limit_s
        for key, (target, clip, *_) in tasks:
            assert target == cache.place(key)
            names.append(clip.stem)
            if clip.stem not in "29":
                remember(key, random_trajectory(12, seed=int(clip.stem)), FACTS)
            yield key, "it took longer than 3 s" if clip.stem == "2" else ""

    monkeypatch.setattr("facewave.pool.each", each)
    monkeypatch.setattr(assets, "get", lambda asset: tmp_path / asset.name)
    return names


def test_the_cache_then_shards_then_the_pool_with_the_longest_first(
    clips: list[Path], detected: list[str], tmp_path: Path
) -> None:
    write_video(tmp_path / "9.mp4", 40)
    write_video(tmp_path / "4.mp4", 4)
    keys = [cache.key(clip, FPS, SETTINGS) for clip in (*clips, tmp_path / "4.mp4")]
    remember(keys[0], random_trajectory(5), FACTS)
    with schema.shard(tmp_path / "out/part-00000.parquet", ("a",)) as writer:
        write_to_shard(writer, keys[3], random_trajectory(6), FACTS)
    everything = [*clips, clips[0], tmp_path / "4.mp4", tmp_path / "9.mp4"]
    ensured = extract.ensure(everything, "clips", FPS, SETTINGS, folder=tmp_path / "out")
    assert detected == ["9", "3", "2"]
    lost = cache.key(tmp_path / "9.mp4", FPS, SETTINGS)
    assert ensured.keys == [*keys[:3], keys[0], keys[3], lost]
    assert ensured.detected == {lost, keys[1], keys[2]}
    assert ensured.problems.pop(lost).startswith("its worker uses another cache folder than")
    assert ensured.problems == {keys[1]: "it took longer than 3 s"}
    assert len(schema.read_clip(cache.place(keys[3])).times_T) == 6
    extract.ensure(everything[:5], "clips", FPS, SETTINGS)
    assert detected == ["9", "3", "2", "2"]  # what failed is tried again


def test_a_cluster_gets_the_same_tasks(
    clips: list[Path], detected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def each(work: Work, tasks: Iterable[Any], limit: float, address: str) -> Iterator[Any]:
        assert address == "tcp://a:1"
        return pool.each(work, tasks, limit)

    monkeypatch.setattr("facewave.cluster.each", each)
    settings = replace(SETTINGS, scheduler="tcp://a:1")
    assert len(extract.ensure(clips, "clips", FPS, settings).detected) == 3
    assert detected == ["3", "2", "1"]


def test_what_comes_with_a_pack_is_found_by_nobody_else(
    clips: list[Path], detected: list[str], tmp_path: Path
) -> None:
    names = [cache.key(clip, FPS, SETTINGS) for clip in clips]
    keys, packs = [], [tmp_path / "a", tmp_path / "b"]
    for seed, pack in enumerate(packs):
        with schema.shard(pack / "part-00000.parquet", ("a",)) as writer:
            write_to_shard(writer, names[0], random_trajectory(6, seed=seed), FACTS)
        ensured = extract.ensure(clips[:1], "clips", FPS, SETTINGS, [pack])
        assert ensured.packed == set(ensured.keys)
        keys += ensured.keys
        kept = schema.read_clip(cache.place(ensured.keys[0])).landmarks_TPC
        np.testing.assert_array_equal(kept, random_trajectory(6, seed=seed).landmarks_TPC)
    assert detected == []
    assert len({*keys, names[0]}) == 3
    assert not cache.has(names[0])  # others, who have no pack, detect it themselves
    with schema.shard(tmp_path / "c/part-00000.parquet", ("a",)) as writer:  # a copy of the result
        write_to_shard(writer, keys[0], random_trajectory(6), FACTS)
    assert extract.ensure(clips[:1], "clips", FPS, SETTINGS, [tmp_path / "c"]).packed
    assert detected == []
    assert not extract.ensure(clips[:1], "clips", FPS, SETTINGS).packed
    assert detected == ["1"]
    with schema.shard(tmp_path / "d/part-00000.parquet", ("a",)) as writer:  # of the second person
        people = [{"center": 1.0}, {"center": 2.0}]
        write_to_shard(writer, f"{names[1]}-1", random_trajectory(6), FACTS, people)
    ensured = extract.ensure(clips[:2], "clips", FPS, SETTINGS, [tmp_path / "d"])
    assert ensured.keys[0] == names[0]
    assert ensured.packed == {ensured.keys[1]}
    assert len(schema.read_clip(cache.place(ensured.keys[1])).times_T) == 6
    assert detected == ["1"]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the clips that were detected, of which number n shows n people."""
    names: list[str] = []

    @dataclass
    class Person:
        number: int
        seed: int

        @property
        def prominence(self) -> dict[str, float]:
            return {"center": self.number, "largest": -self.number, "longest": 1.0}

        def chunks(self) -> Iterator[Trajectory]:
            yield from chunked(random_trajectory(12, self.seed + self.number), 5)

    def detect(clip: Path, model: Path, fps: float, settings: params.Landmarks, _: None) -> Any:
        assert (model, fps, settings.engine) == (tmp_path / LANDMARKER, FPS, SETTINGS.engine)
        names.append(clip.stem)
        count = int(clip.stem)
        people = [Person(number, 100 * count) for number in range(count)]
        return SimpleNamespace(facts=FACTS, names=NAMES, people=people)

    monkeypatch.setattr("facewave.pool.each", in_turn)
    monkeypatch.setattr("facewave.landmarks.detect.detect", detect)
    monkeypatch.setattr(assets, "get", lambda asset: tmp_path / asset.name)
    return names


def test_whose_face_is_wanted_is_no_matter_of_detection(
    clips: list[Path], watched: list[str]
) -> None:
    keys = [cache.key(clip, FPS, SETTINGS) for clip in clips]
    ends = {"center": ["", "-1", "-2"], "largest": ["", "", ""], "longest": ["", "", ""]}
    for whose in RULES:
        settings = replace(SETTINGS, whose=whose)
        ensured = extract.ensure(clips, "clips", FPS, settings)
        mine = ends.get(whose, ends["center"])
        assert ensured.keys == [key + end for key, end in zip(keys, mine, strict=True)]
        assert ensured.detected == (set(ensured.keys) if whose == "center" else set())
        assert not ensured.problems
        others = {tuple(names) for names in ensured.others.values()}
        _, second, third = keys
        everybody = {(), (second,), (f"{third}-1", third)}
        assert others == (everybody if whose == "all" else {()})
    assert watched == ["3", "2", "1"]
    held = {file.stem for file in cache.folder().rglob("*.parquet")}
    assert held == {*keys, f"{second}-1", f"{third}-1", f"{third}-2"}
    for number, key in enumerate((third, f"{third}-1", f"{third}-2")):
        kept = schema.read_clip(cache.place(key))
        assert_equal(kept, random_trajectory(12, 300 + number))
    # A person's file that is gone has the clip detected again, if that person is wanted.
    cache.place(f"{third}-1").unlink()
    wanted: tuple[params.Whose, ...] = ("center", "largest", "all", "all")
    for whose, count in zip(wanted, (3, 3, 4, 4), strict=True):
        extract.ensure(clips, "clips", FPS, replace(SETTINGS, whose=whose))
        assert len(watched) == count


def test_shards_that_were_pulled_serve_whom_they_hold(
    clips: list[Path], watched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stage(whose: params.Whose) -> dict[str, bytes]:
        settings = replace(SETTINGS, whose=whose)
        ensured = extract.ensure(clips, "clips", FPS, settings, folder=tmp_path / "out")
        rows = pd.DataFrame({"video_idx": list("abc"), "file_path": list("abc")})
        rows = rows.assign(key=ensured.keys, start=np.nan, end=np.nan)
        shards.index(rows, tmp_path / "out", settings, ensured.problems, ensured.others)
        return contents(tmp_path / "out")

    def elsewhere() -> int:
        """Another machine, whose cache is empty; how many clips were detected so far."""
        shutil.rmtree(cache.folder(), ignore_errors=True)
        return len(watched)

    center = stage("center")
    before = elsewhere()
    assert stage("center") == center
    assert len(watched) == before  # the chosen people's are there
    assert stage("largest") != center
    assert watched[before:] == ["3", "2"]  # of clip 1, who is alone, they are there as well
    everybody = stage("all")
    before = elsewhere()
    assert stage("all") == everybody
    assert stage("center") == center
    assert len(watched) == before
    elsewhere()
    stage("all")
    before = elsewhere()
    stage("longest")
    assert len(watched) == before


def test_the_other_people_s_trajectories_are_in_people_csv(
    watched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_clips(tmp_path, 3)
    monkeypatch.setattr("facewave.landmarks.plots.worst", lambda *_: None)
    limits: dict[str, Any] = {"at_least": {"face_frames": 2, "face_px": 0}}

    def run(whose: str) -> pd.DataFrame:
        write_params(tmp_path, landmarks=limits | {"whose": whose})
        with chdir(tmp_path):
            main("demo")
        return schema.read_index(tmp_path / "data/landmarks/demo")

    center = run("center")
    folder = tmp_path / "data/landmarks/demo"
    assert not (folder / "people.csv").exists()
    pd.testing.assert_frame_equal(run("all").drop(columns=PLACE), center.drop(columns=PLACE))
    table = pd.read_csv(folder / "people.csv", dtype={"video_idx": str, "key": str})
    assert tuple(table) == schema.INDEX
    assert table["video_idx"].tolist() == ["2", "3", "3"]
    assert table["file_path"].tolist() == [f"clips/{i}.mp4" for i in (2, 3, 3)]
    for row, seed in zip(table.itertuples(), (200, 301, 300), strict=True):
        expected = random_trajectory(12, seed)
        assert_equal(schema.read_row(folder, row), expected)
        assert (row.frames, row.face_frames, row.usable) == (12, expected.valid_T.sum(), True)
    assert len(watched) == 3
    pd.testing.assert_frame_equal(run("longest")[["video_idx"]], center[["video_idx"]])
    assert {file.name for file in folder.iterdir()} == {"index.csv", "part-00000.parquet"}


def test_a_worker_refuses_what_is_no_fault_of_the_clip(clips: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "kept.parquet"
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        extract._detect(target, tmp_path / "gone.mp4", clips[0], FPS, SETTINGS, cache.VERSION)
    with pytest.raises(UserError, match="another version of facewave"):
        extract._detect(target, clips[0], clips[0], FPS, SETTINGS, 1)
    assert not target.exists()


def test_the_stage_counts_names_and_judges(
    tmp_path: Path, detected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> tuple[str, dict[str, Any]]:
        """What the stage prints and counts."""
        with chdir(tmp_path):
            main("demo")
        counts = json.loads((tmp_path / "metrics/extract/demo.json").read_text("utf-8"))
        return capsys.readouterr().out, counts

    use_clips(tmp_path, 4)
    limits: dict[str, Any] = {"at_least": {"face_frames": 2, "face_share": 0, "face_px": 0}}
    write_params(tmp_path, landmarks=limits)
    key = cache.key(tmp_path / "data/raw/demo/clips/4.mp4", FPS, SETTINGS)
    pack = tmp_path / "data/trajectories/demo/part-00000.parquet"
    with schema.shard(pack, ("a",)) as writer:
        write_to_shard(writer, key, random_trajectory(3), FACTS)
    printed, counts = run()
    assert sorted(detected) == ["1", "2", "3"]
    assert "demo: 4 clips: 1 came with the dataset (data/trajectories/demo), 0 from" in printed
    assert "3 detected now\n  detected now: clips/1.mp4, clips/2.mp4, clips/3.mp4\n" in printed
    assert "  left out: clips/2.mp4: it took longer than 3 s\n" in printed
    assert printed.endswith("\ndemo: 3 of 4 usable\n")
    assert counts == counts | {"clips": 4, "usable": 3, "frames": 27, "face_share": 0.6667}
    assert counts["left_out"] == {"2": "it took longer than 3 s"}
    assert counts["measures"]["frames"] == {"p5": 0.45, "median": 7.5, "p95": 12.0}
    table = pd.read_csv(tmp_path / "metrics/extract/demo.csv")
    assert table["video_idx"].tolist() == [1, 2, 3, 4]
    assert (tmp_path / "metrics/extract/demo.png").exists()

    # A stricter limit of the dataset's own leaves out one more.
    entry: dict[str, Any] = {"reader": "dfew", "root": "data/raw/demo", "about": "synthetic"}
    entry |= {"at_least": {"face_frames": 5}}
    write_params(tmp_path, datasets={"demo": entry}, landmarks=limits)
    printed, counts = run()
    assert "2 from the cache" in printed
    assert counts["left_out"]["4"].startswith("face_frames is 2, less than 5")
    assert counts["usable"] == 2


def test_limits_of_a_dataset_replace_and_add_to_the_section_s() -> None:
    settings = replace(SETTINGS, at_least={"face_frames": 10, "face_px": 32.0}, at_most={"yaw": 45})
    entry = params.Dataset("dfew", "data", "faces", at_least={"face_px": 8.0}, at_most={"roll": 20})
    assert settings.for_dataset(entry) == replace(
        settings, at_least={"face_frames": 10, "face_px": 8.0}, at_most={"yaw": 45, "roll": 20}
    )
    assert settings.for_dataset(params.Dataset("dfew", "data", "faces")) == settings


def test_hashes_are_remembered_between_runs(
    clips: list[Path], detected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extract.ensure(clips, "clips", FPS, SETTINGS)
    monkeypatch.setattr("facewave.hashes._SETTLED_S", -1.0)
    extract.ensure(clips, "clips", FPS, SETTINGS)
    read: list[Path] = []
    monkeypatch.setattr("facewave.hashes.sha256", read.append)
    extract.ensure(clips, "clips", FPS, SETTINGS)
    assert read == []
