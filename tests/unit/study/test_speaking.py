"""What the mouth is worth: made clips in which it tells the emotion only where nobody speaks."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params, shards
from facewave.files import write_csv
from facewave.params import Block, Evaluate, Traces
from facewave.study import mouth, speaking
from facewave.study.runs import run
from facewave.study.scores import score_of
from facewave.targets import number
from facewave.training.schema import settings_of
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset
from making import NAMES, Toy, toy, trajectory, write_features, write_params
from moving import PARTITIONS, write_clips

BROW, LIPS = NAMES.index("browInnerUp"), NAMES.index("mouthPucker")
SETTINGS: dict[str, Any] = {
    "inputs": ["blendshapes"],
    "partitions": PARTITIONS,
    "model": "logistic",
    "baselines": ["trees"],
}
KINDS: dict[str, Any] = {"majority": "majority", "trees": "trees", "model": "logistic"}


def written(project: Path, *, listened: bool = True) -> Toy:
    """Clips of people of whom every second speaks.

    One of three steps tells the emotion: of the lips without speech, of a brow with it. The
    other is noise then, and all else stands still. Every tenth clip has no sound.
    """
    made = toy(n_subjects=30, seed=1)
    n = len(made.table)
    speaks = np.arange(n) // 3 % 2 == 1
    label = made.table["label"].to_numpy()
    shapes = np.zeros((n, 3, len(NAMES)), np.float32)
    shapes[..., [BROW, LIPS]] = np.random.default_rng(2).normal(0, 0.3, (n, 3, 2))
    for inside, channel in ((~speaks, LIPS), (speaks, BROW)):
        shapes[inside, label[inside], channel] += 3
    write_params(project, train=SETTINGS, evaluate={"resamples": 100})
    write_features(project, made.table, made.usable, shapes)
    if listened:
        shares = np.where(speaks, 0.6, 0.02)
        shares[::10] = np.nan
        index = pd.DataFrame("", made.table.index, list(shards.INDEX)).assign(
            video_idx=made.table["video_idx"],
            row_group=pd.NA,
            row_groups=pd.NA,
            speech_share=shares,
        )
        write_csv(project / "data/voice/demo/index.csv", index)
    return replace(made, blendshapes=shapes)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the clips' trajectories are, which nothing here reads."""
    monkeypatch.chdir(tmp_path)
    made = toy(n_subjects=30, seed=1)
    write_clips(tmp_path, made.table, [trajectory(2)] * len(made.table))
    return tmp_path


def found(kinds: dict[str, Any] = KINDS, folds: list[int] = PARTITIONS) -> pd.DataFrame:
    loaded = params.load()
    dataset = Dataset("demo", loaded)
    score = score_of(dataset.targets)
    return speaking.of_dataset(dataset, kinds, score, folds, loaded).set_index("clips")


def test_the_mouth_is_worth_something_where_nobody_speaks(project: Path) -> None:
    written(project)
    rows = found()
    assert list(rows.reset_index()[list(speaking.COLUMNS)]) == list(speaking.COLUMNS)
    n_mouth = sum(name.startswith(("mouth", "jaw")) for name in NAMES)
    named = rows[["role", "model", "channels", "of_mouth", "measure"]].drop_duplicates()
    assert named.to_numpy().tolist() == [["model", "logistic", 52, n_mouth, "uar"]]
    assert rows["n"].to_dict() == {"all": 90, "without speech": 39, "with speech": 42}
    silent, spoken = rows.loc["without speech"], rows.loc["with speech"]
    assert silent["whole"] > 0.9
    assert silent["without"] < 0.55
    assert silent["difference_low"] > 0.2
    assert silent["p"] < 0.05
    assert spoken["without"] > 0.9
    assert abs(spoken["difference"]) < 0.05
    assert spoken["difference"] < rows.loc["all", "difference"] < silent["difference"]
    for _, row in rows.iterrows():
        assert row["difference"] == pytest.approx(row["whole"] - row["without"], abs=2e-4)
        assert row["whole_low"] <= row["whole"] <= row["whole_high"]
        assert row["chance"] == pytest.approx(1 / 3, abs=1e-4)
    (first, *_) = speaking.summary(rows.reset_index())["speaking"]
    assert first == rows.reset_index().loc[0, list(first)].to_dict()


def test_left_out_is_what_fewer_channels_give(project: Path) -> None:
    """Numbers at 0 teach the same as numbers that are not there."""
    made = written(project)
    loaded = params.load()
    dataset = Dataset("demo", loaded)
    features, clips = dataset.read_features(), dataset.clips()
    masks = mouth.channels(features, ["blendshapes", "timing"], np.array([1]))
    assert list(masks) == ["blendshapes"]
    zeroed = speaking.without(clips.blocks, masks)
    mask = masks["blendshapes"]
    assert not zeroed["blendshapes"][..., mask].any()
    selected = clips.blocks["blendshapes"][..., ~mask]
    np.testing.assert_array_equal(zeroed["blendshapes"][..., ~mask], selected)
    parts = [clips.parts(1)]
    settings = settings_of("model", loaded.train)
    both: list[dict[Block, Any]] = [zeroed, {"blendshapes": selected}]
    tables = [
        run(replace(clips, blocks=blocks), Transform.of(loaded.wavelets), dataset.targets,
            "logistic", settings, parts).tested
        for blocks in both
    ]  # fmt: skip
    assert len(tables[0]) == (made.table["fold"] == 1).sum()
    pd.testing.assert_frame_equal(*tables, rtol=1e-4, atol=1e-4)


def test_without_sound_all_clips_are_compared_and_without_a_mouth_none(project: Path) -> None:
    written(project, listened=False)
    rows = found(folds=[1])
    assert rows.index.tolist() == ["all"]
    assert rows.loc["all", "difference_low"] > 0
    # A language model is none that is studied: the first that learns stands for those beside it.
    write_params(project, train=SETTINGS | {"model": "smolvlm", "baselines": ["logistic"]})
    assert found({"majority": "majority", "logistic": "logistic"}, [1])["role"].tolist() == [
        "logistic"
    ]
    assert found({"majority": "majority"}).empty
    write_params(project, train=SETTINGS | {"inputs": ["head", "timing"]})
    rows = found()
    assert rows.empty
    assert list(rows.reset_index()) == ["clips", *(n for n in speaking.COLUMNS if n != "clips")]
    assert speaking.summary(rows) == {}


def test_numbers_are_counted_by_ccc_and_clips_that_all_speak_are_no_kind() -> None:
    rng, n = np.random.default_rng(0), 60
    truth = rng.uniform(-1, 1, n)
    rows = pd.DataFrame({
        "partition": (np.arange(n) % 3).astype(str), "video_idx": np.arange(n).astype(str),
        "file_path": "", "subject": (np.arange(n) % 20).astype(str), "source": "",
        "actual_valence": truth, "predicted_valence": truth,
    }).sort_values("partition", kind="stable")  # fmt: skip
    guessed = rows.assign(predicted_valence=rng.permutation(rows["predicted_valence"]))
    of = partial(speaking.speaking, rows, guessed, score=score_of([number("valence")]),
                 evaluate=Evaluate(resamples=50, seed=0, traces=Traces(0, 0)))  # fmt: skip
    speaks = np.arange(n) < n // 2
    for shares, kinds in (
        (np.where(speaks, 0.9, np.nan), ["all"]),
        (np.where(speaks, 0.9, 0.0), ["all", "without speech", "with speech"]),
    ):
        table = of(shares)
        assert table["clips"].tolist() == kinds
        assert set(table["measure"]) == {"ccc"}
        assert set(table["whole"]) == {1.0}
        assert (table["without"] < 0.5).all()
        assert (table["p"] < 0.05).all()
