"""Answers by numbers of the past alone: which numbers, against what, and where there are none."""

from collections.abc import Callable
from contextlib import chdir
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.files import read_csv
from facewave.landmarks.schema import Trajectory
from facewave.params import FeatureTable, Params
from facewave.study import causal, kept
from facewave.study.clips import Trajectories
from facewave.study.scores import Score, score_of
from facewave.targets import number
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.training.schema import Trained
from facewave.wavelets.causal import CausalEnergy
from facewave.wavelets.features import features
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset
from making import TOY_TRAIN, toy, trajectory, write_features, write_params
from moving import PICTURE, write_clips

ENERGY = Transform("energy", "haar", k=7)
PARTITIONS = [1, 2]
KINDS: dict[str, Any] = {"majority": "majority", "model": "logistic"}


def load(train: dict[str, Any] | None = None, **wavelets: Any) -> Params:
    chosen: dict[str, Any] = {"model": "logistic", "baselines": [], "partitions": PARTITIONS}
    numbers = {"transform": "energy", "wavelet": "haar", "k": 7, "sides": "apart"} | wavelets
    write_params(
        Path(), train=TOY_TRAIN | chosen | (train or {}), wavelets=numbers,
        evaluate={"resamples": 40},
    )  # fmt: skip
    return params.load()


def moving(code: int, seed: int) -> Trajectory:
    """A face whose blendshape of this number rises over a clip of 12, 18 or 24 frames."""
    seen = trajectory(12 + 6 * (seed % 3), seed=seed, gaps=(3,))
    seen.blendshapes_TB[:, code] += 0.06 * np.arange(len(seen.times_T), dtype=np.float32)
    return seen


@pytest.fixture(scope="module", autouse=True)
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project that is not trained, the current directory of all tests."""
    folder = tmp_path_factory.mktemp("causal") / "project"
    folder.mkdir()
    made = toy()
    seen = [moving(code, seed) for seed, code in enumerate(made.table["label"])]
    write_clips(folder, made.table, seen)
    numbers = [features(one, PICTURE, ENERGY, ["blendshapes"])["blendshapes"] for one in seen]
    write_features(folder, made.table, made.usable, np.stack(numbers))
    return folder


@pytest.fixture(scope="module")
def trained(project: Path) -> None:
    """The same, trained."""
    with chdir(project):
        load()
        train()


@pytest.fixture(autouse=True)
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def study(
    loaded: Params, kinds: dict[str, Any] = KINDS, is_trained: bool = True
) -> dict[str, pd.DataFrame]:
    dataset = Dataset("demo", loaded)
    models: dict[str, dict[str | int, Trained]] = {
        role: {name: schema.load(schema.folder(name, role)) for name in PARTITIONS}
        for role in kinds
        if is_trained
    }
    score = score_of(dataset.targets)
    causal.of_dataset(Trajectories(dataset), models, kinds, score, loaded, [asdict(loaded.train)])
    return {name: read_csv(kept.OUT / f"{name}.csv") for name in ("causal", "causal_numbers")}


@pytest.mark.slow
@pytest.mark.usefixtures("trained")
def test_each_way_is_compared_with_the_offline_one() -> None:
    loaded = load()
    tables = study(loaded)
    table = tables["causal"]
    assert table.columns.tolist() == list(causal.COLUMNS)
    ways = table[["learnt_from", "numbers", "window"]][::2]
    assert list(ways.itertuples(index=False, name=None)) == list(causal.WAYS)
    assert table["measure"].tolist() == ["war", "uar"] * 6
    assert set(table["role"]) == {"model"}
    offline, others = table[:2], table[2:]
    assert offline[["difference", "agree"]].isna().all(axis=None)
    against = np.tile(offline["figure"], 5)
    np.testing.assert_allclose(others["difference"], others["figure"] - against, atol=2e-4)
    # Rises that stay, which the offline circle takes back (wavelets/causal.py).
    assert others["agree"][2:6].between(0.3, 0.7).all()
    assert others["agree"][[2, 3, 8, 9, 10, 11]].between(0.9, 1).all()
    clips = Dataset("demo", loaded).clips()
    right = []
    for name in PARTITIONS:
        test = clips.select((clips.parts(name) == "test").to_numpy())
        answers = schema.load(schema.folder(name, "model")).answer(test)
        right.append((answers["predicted"] == test.table["actual"]).mean())
    assert offline["figure"].iloc[0] == pytest.approx(np.mean(right), abs=1e-4)
    assert table["n"].eq(42).all()
    (window_s,) = set(table["window_s"])
    lengths = [causal._length(seen.times_T) for _, _, seen in Trajectories(Dataset("demo", loaded))]
    assert window_s == pytest.approx(np.median(lengths), abs=1e-3)
    np.testing.assert_allclose(table["delay_s"], window_s / 2, atol=1e-3)
    slowest = np.repeat([window_s / 2, window_s], [4, 8])
    np.testing.assert_allclose(table["slowest_s"], slowest, atol=1e-3)
    numbers = tables["causal_numbers"]
    assert numbers.columns.tolist() == list(causal.NUMBERS)
    assert numbers["number"].tolist() == ["mean", *(f"octave {n}" for n in range(1, 7))] * 2
    assert numbers["distance"].between(0, 2).all()
    assert numbers["distance"][0] == numbers["distance"].min()  # the mean of the same time
    np.testing.assert_allclose(numbers["delay_s"][1], window_s, atol=1e-3)


def test_numbers_are_those_of_each_frame_as_it_came() -> None:
    clips = Trajectories(Dataset("demo", load()))
    found = causal.numbered(clips, ENERGY, ["blendshapes", "timing"])
    for at, row, seen in clips:
        offline = features(seen, row, ENERGY, ["blendshapes", "timing"])
        end = seen[seen.times_T > seen.times_T[-1] - found.window_s]
        shortened = features(end, row, ENERGY, ["blendshapes"])["blendshapes"]
        assert np.array_equal(
            found.clips["offline", causal.SAME].blocks["blendshapes"][at], shortened
        )
        for name, numbers in offline.items():
            assert np.array_equal(found.clips["offline", causal.CLIP].blocks[name][at], numbers)
        for window in (causal.CLIP, causal.SAME):
            some = found.clips["causal", window]
            same = window == causal.SAME
            slowly = CausalEnergy(found.window_s if same else causal._length(seen.times_T), 7, 52)
            for values, time in zip(seen.blendshapes_TB, seen.times_T, strict=True):
                slowly.add(values.astype(float), float(time))
            np.testing.assert_allclose(some.blocks["blendshapes"][at], slowly.numbers, atol=1e-6)
            assert np.array_equal(some.blocks["timing"][at], offline["timing"])
            assert not np.allclose(slowly.numbers, offline["blendshapes"], atol=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("trained")
def test_it_is_kept_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = study(load())

    def made(*_: object) -> None:
        raise AssertionError("it is made again")

    monkeypatch.setattr(causal, "numbered", made)
    after = study(load())
    assert all(after[name].equals(before[name]) for name in before)
    with pytest.raises(AssertionError, match="made again"):
        study(load({"seed": 1}))


def test_where_nothing_can_be_compared_it_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[tuple[Callable[[], Params], dict[str, Any], str]] = [
        (load, {"majority": "majority"}, "there is no classifier of wavelet numbers"),
        (lambda: load(transform="dct"), KINDS, "dct has no causal counterpart"),
        (lambda: load(wavelet="db2"), KINDS, "energy db2 has no causal counterpart"),
        (lambda: load({"inputs": ["blendshapes", "pose_free"]}), KINDS, "of pose_free it is not"),
        (lambda: load({"inputs": ["timing"]}), KINDS, "nothing that moves is among train.inputs"),
    ]
    for loading, kinds, reason in reasons:
        tables = study(loading(), kinds, is_trained=False)
        assert f"causal.csv is empty: {reason}" in capsys.readouterr().out
        assert all(table.empty for table in tables.values())
        assert (kept.OUT / "causal.csv").read_text() == ",".join(causal.COLUMNS) + "\n"
    clips = Trajectories(Dataset("demo", load()))
    of_features = replace(clips.dataset.entry, features=FeatureTable("numbers.csv", "video_idx"))
    monkeypatch.setattr(clips.dataset, "entry", of_features)
    assert causal.lacking(clips, KINDS, load()) == "a table of features has no trajectories"


def test_numbers_have_no_words_to_agree_in() -> None:
    answers = pd.DataFrame({"answered_from": ["face"], "valence": [0.1]})
    assert causal._agreement(Score((number("valence"),)), answers, answers) == {}
