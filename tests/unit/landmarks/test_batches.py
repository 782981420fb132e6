"""Clips side by side: who is asked with whom, what fails, and what comes out."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facewave import assets, pool
from facewave.errors import UserError
from facewave.landmarks import batches, cache, extract, schema
from facewave.landmarks.engines.tracker import ModelName
from facewave.landmarks.schema import ClipFacts
from making import SETTINGS, remember, write_video
from running import ROOT
from trajectories import random_trajectory

CUDA = replace(SETTINGS, engine="litert", device="cuda")


class Doubling:
    """Models whose first output is twice the input, and whose second is thrice."""

    canonical: Any = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[float]]] = []

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.asked.append((name, inputs[:, 0].tolist()))
        if name == "detector":
            raise RuntimeError("out of memory")
        return [2 * inputs, 3 * inputs]


def column(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)[:, None]


def test_a_batch_is_what_all_clips_ask_in_the_order_of_the_clips() -> None:
    models = Doubling()
    together = batches.Batches(models, 3)
    asking = [batches.Asking(together, clip) for clip in range(3)]
    names: list[ModelName] = ["landmarks", "blendshapes", "landmarks"]
    inputs = [column(1, 2), column(3), column(4)]
    with ThreadPoolExecutor(3) as threads:
        for order in ((0, 1, 2), (2, 1, 0)):  # of arrival
            futures = {}
            for clip in order:
                before = len(together._waiting)
                futures[clip] = threads.submit(asking[clip], names[clip], inputs[clip])
                while len(together._waiting) == before and clip != order[-1]:
                    assert not futures[clip].done()
            for clip, future in futures.items():
                double, triple = future.result(timeout=5)
                np.testing.assert_array_equal(double, 2 * inputs[clip])
                np.testing.assert_array_equal(triple, 3 * inputs[clip])
        assert models.asked == 2 * [("landmarks", [1, 2, 4]), ("blendshapes", [3])]
        left = threads.submit(asking[0], "landmarks", column(5))
        together.leave()
        assert not left.done()
        together.leave()
        assert left.result(timeout=5)[0] == 10


def test_nobody_waits_for_an_answer_that_failed() -> None:
    together = batches.Batches(Doubling(), 2)
    with ThreadPoolExecutor(2) as threads:
        futures = [
            threads.submit(batches.Asking(together, clip), "detector", column(clip))
            for clip in (0, 1)
        ]
        errors = {type(future.exception(timeout=5)) for future in futures}
    assert errors == {RuntimeError, CancelledError}


def test_a_clip_that_fails_takes_no_other_with_it() -> None:
    doubling, done, ended = Doubling(), [], threading.Event()

    def work(clip: int, models: batches.Asking) -> None:
        for _ in range(3):
            if clip == 3:
                raise ValueError("damaged")
            if clip == 5:
                raise pool.ChangedError
            models("landmarks", column(clip))
        if clip == 9 and ended.is_set():
            raise OSError("the disk is full")
        done.append(clip)

    tasks = [(clip,) for clip in range(20)]
    batches.side_by_side(work, tasks, doubling, clips=10)
    assert sorted(done) == [clip for (clip,) in tasks if clip not in {3, 5}]
    first: list[float] = [clip for clip in range(12) if clip not in {3, 5}]
    assert doubling.asked[0] == ("landmarks", first)
    ended.set()
    with pytest.raises(OSError, match="full"):
        batches.side_by_side(work, tasks, doubling, clips=10)


def test_groups_have_long_and_short_clips_each(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Any]] = {}

    def each(
        work: Any, tasks: list[Any], limit: float, processes: int
    ) -> Iterator[tuple[str, str]]:
        assert (work, limit) == (batches._in_process, 3.0 * batches._ROUNDS)
        assert processes >= 1
        for name, (_, group, model, device) in tasks:
            assert (model, device) == (Path("model"), "cuda")
            seen[name] = [number for (number,) in group]
            yield name, "its process was lost"

    monkeypatch.setattr(pool, "each", each)
    tasks = [(f"{i}", (i,)) for i in range(300)]
    batches.run(print, tasks, Path("model"), 3.0, "detect")
    assert sorted(chain(*seen.values())) == list(range(300))
    assert seen["1"][:2] == [1, 4]
    assert batches.grouped([]) == {}


def test_what_a_gpu_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for settings, message in (
        (replace(CUDA, engine="mediapipe"), "needs landmarks.engine: litert"),
        (replace(CUDA, scheduler="tcp://a:1"), "set landmarks.scheduler: local"),
        (CUDA, "torch finds no GPU on this machine. Set it to cpu"),
    ):
        with pytest.raises(UserError, match=message):
            batches.require(settings)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    batches.require(CUDA)


def test_what_the_gpu_leaves_undone_is_tried_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [tmp_path / f"{n}.mp4" for n in (1, 2, 3)]
    for n, clip in enumerate(clips):
        write_video(clip, 4 + n)
    facts = ClipFacts(25.0, 64, 48, 12)
    alone: list[str] = []

    def run(work: Callable[..., None], tasks: list[Any], *_: object) -> None:
        assert work is extract._detect
        for key, (_, clip, *_) in tasks:
            if clip.stem != "2":
                remember(key, random_trajectory(4), facts)

    def each(_: object, tasks: list[Any], *__: object) -> Iterator[tuple[str, str]]:
        for key, (_, clip, *_) in tasks:
            alone.append(clip.stem)
            yield key, "damaged"

    monkeypatch.setattr(assets, "get", lambda asset: tmp_path / asset.name)
    monkeypatch.setattr(batches, "require", lambda settings: None)
    monkeypatch.setattr(batches, "run", run)
    monkeypatch.setattr(pool, "each", each)
    ensured = extract.ensure(clips, "clips", 25.0, CUDA)
    assert alone == ["2"]
    assert ensured.problems == {ensured.keys[1]: "damaged"}
    assert ensured.detected == set(ensured.keys)


def test_side_by_side_clips_come_out_as_one_by_one(landmarker: Path, tmp_path: Path) -> None:
    """Rounding differs, and what follows a face goes on from it: so by 0.1 % of its width."""
    from facewave.landmarks.engines.on_torch import Models

    settings = replace(SETTINGS, engine="litert", fps=4.0)
    clips = [ROOT / f"data/raw/demo/clips/{n}.mp4" for n in (3, 7)]
    rest = (landmarker, 25.0, settings, cache.VERSION)
    keys = [cache.key(clip, 25.0, settings) for clip in clips]
    for key, clip in zip(keys, clips, strict=True):
        extract._detect(tmp_path / f"one/{key}.parquet", clip, *rest)
    tasks = [
        (tmp_path / f"batch/{key}.parquet", clip, *rest)
        for key, clip in zip(keys, clips, strict=True)
    ]
    models = Models(landmarker.read_bytes(), "cpu")
    batches.side_by_side(extract._detect, tasks, models, clips=32)
    for key in keys:
        one, other = (
            schema.read_clip(tmp_path / folder / f"{key}.parquet") for folder in ("one", "batch")
        )
        np.testing.assert_array_equal(one.valid_T, other.valid_T)
        assert one.valid_T.sum() >= 4
        assert one.names == other.names
        points, others = (t.landmarks_TPC[t.valid_T][..., :2] for t in (one, other))
        apart_T = np.sqrt(((points - others) ** 2).sum(axis=2).mean(axis=1))
        assert (apart_T <= 1e-3 * np.ptp(points[..., 0], axis=1)).all()
        shapes, others = (t.blendshapes_TB[t.valid_T] for t in (one, other))
        np.testing.assert_allclose(shapes, others, atol=0.03)
