"""What an encoder saw, as numbers: made by the stage, learnt from, and studied."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.appearance import schema as appearance
from facewave.appearance.schema import KIND, Appearance, Config
from facewave.errors import UserError
from facewave.files import write_json
from facewave.prediction.__main__ import main as predict
from facewave.study.clips import Trajectories
from facewave.training import schema as training
from facewave.training.__main__ import main as train
from facewave.wavelets.__main__ import main as wavelet
from facewave.wavelets.features import seen_features
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset, Stored
from making import TOY_TRAIN, toy, trajectory, write_landmarks, write_params, write_toy

WORDS = ("happy", "sad", "neutral")
MEAN = Transform("mean")


def looked(n_rows: int, code: int, seed: int, gaps: tuple[int, ...] = ()) -> Appearance:
    """An encoder that is right on average, five times a second; its embedding is two numbers."""
    rng = np.random.default_rng(seed)
    expression = rng.normal(size=(n_rows, 3)).astype(np.float32) + 2 * np.eye(3)[code]
    embedding = rng.normal(size=(n_rows, 2)).astype(np.float32)
    valid = ~np.isin(np.arange(n_rows), gaps)
    expression[~valid], embedding[~valid] = np.nan, np.nan
    return Appearance(np.arange(n_rows) / 5, valid, expression.astype(np.float32), embedding)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips of three classes; an encoder has looked at all but the last."""
    chosen = {"inputs": ["expression"], "partitions": ["split"], "model": "logistic"}
    write_params(tmp_path, train=TOY_TRAIN | chosen)
    made = toy()
    write_toy(tmp_path, made)
    names = made.table["video_idx"].tolist()
    write_landmarks(tmp_path, {name: trajectory(12, seed=i) for i, name in enumerate(names)})
    rows: list[dict[str, Any]] = []
    for seed, (name, code) in enumerate(zip(names, made.table["label"], strict=True)):
        key = f"{seed:064x}"
        at = trajectory(12, seed=seed).times_T[[0, 4, 8, 11]]
        seen = replace(looked(4, code, seed), times_F=at)
        appearance.write_clip(KIND.place(key), (3, 2), [seen])
        rows.append({"video_idx": name, "file_path": f"{name}.mp4", "key": key,
                     "start": np.nan, "end": np.nan})  # fmt: skip
    folder = tmp_path / "data/appearance/demo"
    KIND.gather(pd.DataFrame(rows), folder, {f"{seed:064x}": "it took longer than 3 s"})
    described = Config("made", WORDS, (), 2, {"version": 1}, {})
    write_json(folder / "config.json", described.__dict__)
    monkeypatch.chdir(tmp_path)
    wavelet("demo")
    return tmp_path


def test_numbers_are_those_of_the_rows_with_a_face_and_gaps_are_filled() -> None:
    seen = looked(5, 0, 0, gaps=(1, 4))
    energy = Transform("energy", "haar", k=7)
    numbers = seen_features(seen, energy)
    assert {name: block.shape for name, block in numbers.items()} == {
        "expression": (7, 3),
        "appearance": (7, 2),
    }
    assert set(seen_features(seen, energy, ["appearance", "head"])) == {"appearance"}
    rows = [0, 0, 2, 3, 3]
    filled = seen.expression_FW[rows].copy()
    filled[1] = (filled[0] + filled[2]) / 2
    expected = energy(filled.astype(float), seen.times_F)
    np.testing.assert_allclose(numbers["expression"], expected, atol=1e-6)
    once = looked(4, 1, 0, gaps=(0, 1, 3))
    for transform in (MEAN, energy):
        values = seen_features(once, transform)["expression"]
        np.testing.assert_allclose(values[0], once.expression_FW[2], rtol=1e-6)
        np.testing.assert_allclose(values[1:], 0, atol=1e-6)
    words_only = Appearance(seen.times_F, seen.valid_F, seen.expression_FW, np.empty((5, 0), "f4"))
    assert set(seen_features(words_only, MEAN)) == {"expression"}


def test_the_stage_writes_them_and_a_classifier_learns_from_them(project: Path) -> None:
    loaded = params.load()
    dataset = Dataset("demo", loaded)
    features = dataset.read_features()
    assert features.config["encoder"] == {
        "name": "made",
        "identity": {"version": 1},
        "channels": {"expression": [*WORDS], "appearance": ["0", "1"]},
    }
    assert features.blocks["appearance"].shape[1:] == (7, 2)
    clips = features.clips.set_index("video_idx")
    assert clips.loc["059", "reason"] == "not looked at: it took longer than 3 s"
    assert clips["usable"].sum() == len(clips) - 1
    at_times = trajectory(12, seed=1).times_T[[0, 4, 8, 11]]
    seen = replace(looked(4, 1, 1), times_F=at_times)
    one = seen_features(seen, Transform.of(loaded.wavelets))
    at = features.clips["video_idx"].tolist().index("001")
    np.testing.assert_array_equal(features.blocks["expression"][at], one["expression"])
    train()
    predict()
    trained = training.load(training.folder("split", "model"))
    assert (trained.inputs, trained.encoder) == (("expression",), "made")
    trained.check(features, "demo")
    other = {"encoder": features.config["encoder"] | {"identity": {"version": 2}}}
    features.config.update(other)
    with pytest.raises(UserError, match="differs in encoder"):
        trained.check(features, "demo")
    answers = pd.read_csv("data/answers/answers.csv")
    model = answers[answers["role"] == "model"]
    assert (model["actual"] == model["predicted"]).mean() > 0.9


def test_a_part_without_a_face_is_left_out_with_the_reason(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = looked(4, 0, 0, gaps=(0, 1, 2, 3))
    of_room = Stored.read
    monkeypatch.setattr(
        Stored, "read", lambda self, name: blind if name == "001" else of_room(self, name)
    )
    wavelet("demo")
    features = Dataset("demo", params.load()).read_features()
    clips = features.clips.set_index("video_idx")
    assert clips.loc["001", "reason"] == "not looked at: no face was cut out of it"
    assert not clips.loc["001", "usable"]
    at = features.clips["video_idx"].tolist().index("001")
    assert np.isnan(features.blocks["blendshapes"][at]).all()
    assert clips["usable"].sum() == len(clips) - 2


def test_fewer_frames_are_fewer_faces(project: Path) -> None:
    trajectories = Trajectories(Dataset("demo", params.load()))
    plain = trajectories.clips(MEAN, ["expression"])
    first = trajectories.clips(MEAN, ["expression"], lambda clip, at: clip[:4])
    faces = looked(4, plain.table["label"].iloc[1], 1)
    at = plain.table["at"].iloc[1]
    mean = faces.expression_FW[:1]  # frames later than the first face's are gone
    np.testing.assert_allclose(first.blocks["expression"][at], mean, rtol=1e-6)
    assert not np.allclose(plain.blocks["expression"][at], mean)


def test_the_study_makes_the_same_numbers(project: Path) -> None:
    loaded = params.load()
    dataset = Dataset("demo", loaded)
    known = dataset.clips()
    studied = Trajectories(dataset).clips(
        Transform.of(loaded.wavelets), ["expression", "blendshapes"]
    )
    for name in ("expression", "blendshapes"):
        usable = known.table["usable"].to_numpy()
        np.testing.assert_array_equal(known.inputs([name])[usable], studied.inputs([name])[usable])
    write_json(dataset.appearance / "config.json", {"encoder": "none"})
    with pytest.raises(UserError, match=r"study\.inputs names appearance, which neither .* none"):
        Trajectories(dataset).clips(MEAN, ["appearance"])
    wavelet("demo")
    assert "expression" not in dataset.read_features().blocks
    with pytest.raises(UserError, match=r"train\.inputs names expression"):
        train()
