"""What the network over face and voice is shown of a dataset's clips."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.prediction import schema as prediction
from facewave.prediction.__main__ import main as predict
from facewave.training import fusion, schema
from facewave.training.__main__ import main as train
from facewave.training.fusion import TrainedFusion
from facewave.voice.schema import Voice
from facewave.workspace import Clips, Dataset
from making import TOY_TRAIN, write_params
from making_voices import BANDS, write_voiced_toy

FACELESS, SILENT = "003", "004"  # of the split's training part
SETTINGS: dict[str, Any] = {
    "model": "fusion",
    "baselines": [],
    "inputs": ["blendshapes", "head", "mel"],
    "partitions": ["split"],
    "network": {"epochs": 2, "hidden": 8},
}


def settings(**changes: Any) -> None:
    write_params(Path(), train=TOY_TRAIN | SETTINGS | {"fusion": {"layers": 1} | changes})


def voice(clips: Clips, video_idx: str) -> Voice:
    """A second of sound, whose first band is the clip's number and whose last is the time."""
    times = np.arange(100) / 100
    mel = np.zeros((100, BANDS), np.float32)
    mel[:, 0], mel[:, -1] = int(video_idx) if video_idx.isdigit() else -1, times
    return Voice(times, np.ones(100, bool), np.zeros(100, np.float32), {"mel": mel})


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clips:
    """Those of a toy project, which is the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Clips, "voice", voice)
    write_voiced_toy(tmp_path, faceless=(FACELESS,), silent=(SILENT,))
    settings()
    return Dataset("demo", params.load()).clips()


def fresh(clips: Clips, **changes: Any) -> TrainedFusion:
    settings(**changes)
    loaded = params.load()
    torch.manual_seed(0)
    return TrainedFusion.fresh("fusion", Dataset("demo", loaded).targets, clips, loaded.train)


def at(clips: Clips, name: str) -> int:
    return clips.table["video_idx"].tolist().index(name)


def test_a_token_is_a_number_of_the_wavelets_with_the_blocks_side_by_side(clips: Clips) -> None:
    examples = fresh(clips).examples(clips)
    assert len(examples) == len(clips)
    for name, faces, voices in (("010", 10, 10), (FACELESS, 0, 10), (SILENT, 10, 0)):
        shown, row = examples[at(clips, name)], at(clips, name)
        assert shown["face"].shape == (faces, 52 + 7)
        assert shown["voice"].shape == (voices, BANDS)
        inputs = clips.inputs(["blendshapes", "head", "mel"])[row]
        np.testing.assert_array_equal(shown["face"], inputs[:faces, : 52 + 7])
        np.testing.assert_array_equal(shown["voice"], inputs[:voices, 52 + 7 :])


def test_a_token_is_a_moment_of_a_clock_that_face_and_voice_share(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh(clips, tokens="trajectories", rate=20.0)
    examples = model.examples(clips)
    shown: Any = examples[at(clips, "010")]
    # The sound is the longer: 0.99 s.
    assert shown["face"].shape == (20, 52 + 7)
    assert shown["voice"].shape == (20, BANDS)
    seen_until = Dataset("demo", params.load()).clips().trajectory("010")
    assert seen_until is not None
    is_seen = np.arange(20) * 0.99 / 20 <= seen_until.times_T[-1]
    assert 0 < is_seen.sum() < 20
    np.testing.assert_array_equal(np.isfinite(shown["face"]).all(1), is_seen)
    np.testing.assert_array_equal(np.isnan(shown["face"]).all(1), ~is_seen)
    np.testing.assert_array_equal(shown["voice"][:, 0], 10)
    moments = (np.arange(20) + 0.5) * 0.99 / 20
    np.testing.assert_allclose(shown["voice"][:, -1], moments, atol=1e-4)
    silent, faceless = (examples[at(clips, name)] for name in (SILENT, FACELESS))
    frames = clips.trajectory(SILENT)
    assert frames is not None
    assert len(silent["voice"]) == len(faceless["face"]) == 0
    assert len(silent["face"]) == round(20 * frames.times_T[-1])
    # Of a part of a clip, the part alone.
    clips.index.loc["010", ["start", "end"]] = [0.1, 0.3]
    seen = clips.trajectory("010")
    assert seen is not None
    monkeypatch.setattr(Clips, "voice", lambda clips, name: voice(clips, name)[slice(10, 30)])
    part = model.examples(clips)[at(clips, "010")]
    assert len(part["face"]) == len(part["voice"]) == 4
    assert part["voice"][0, -1] == pytest.approx(0.1 + 0.19 / 8, abs=1e-3)


def test_examples_are_read_once_as_long_as_there_is_room(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, read = fresh(clips, tokens="trajectories"), []

    def watched(clips: Clips, name: str) -> Voice:
        read.append(name)
        return voice(clips, name)

    monkeypatch.setattr(Clips, "voice", watched)
    rows = [at(clips, name) for name in ("010", "011")]
    for room, reads in ((fusion._KEPT, 2), (6000, 4), (0, 6)):  # for both, for one, for none
        monkeypatch.setattr(fusion, "_KEPT", room)
        read.clear()
        examples = model.examples(clips)
        shown = [[examples[row]["face"] for row in rows] for _ in range(3)]
        for again in shown[1:]:
            np.testing.assert_array_equal(shown[0], again)
        assert len(read) == reads


def test_scales_are_those_of_the_training_part_token_by_token_or_of_all_moments(
    clips: Clips,
) -> None:
    for tokens, steps in (("wavelets", 10), ("trajectories", 1)):
        model = fresh(clips, tokens=tokens)
        examples = model.examples(clips.select(range(1, 30)))
        model.fit_inputs(examples)
        for kind in ("face", "voice"):
            shown = [one for row in range(29) if len(one := examples[row][kind])]
            whole: Any = np.stack(shown) if steps > 1 else np.concatenate(shown)
            expected = np.atleast_2d(np.nanmean(whole.astype(float), axis=0))
            scale = model.module.scales[kind]
            np.testing.assert_allclose(scale.mean, expected, atol=1e-5)
            standardized = scale(torch.from_numpy(whole)).numpy()
            standardized[np.isnan(whole)] = np.nan
            std = np.atleast_2d(np.nanstd(standardized, axis=0))
            moving = np.atleast_2d(np.nanstd(whole, axis=0)) > 1e-3
            np.testing.assert_allclose(std[moving], 1, atol=1e-3)


def test_moments_go_through_both_stages_as_numbers_do(clips: Clips) -> None:
    settings(tokens="trajectories", rate=20.0)
    train()
    predict()
    answers, models = prediction.read()
    judged = answers.loc[answers["role"] == "model", "answered_from"]
    assert set(judged) == {"face and voice"}
    model: Any = schema.load(schema.folder("split", "model"))
    assert (model.config.tokens, model.config.rate, model.config.steps) == ("trajectories", 20, 1)
    found = model.answer(clips).set_index(clips.table["video_idx"])
    assert found.loc[[FACELESS, SILENT], "answered_from"].tolist() == ["voice", "face"]
    numbers = found[[name for name in found if name.startswith("p_")]].to_numpy(float)
    np.testing.assert_allclose(numbers.sum(axis=1), 1, atol=1e-5)
    assert pd.Series(numbers[:, 0]).nunique() > 10
    assert models.roles["model"]["parameters"] == sum(
        weight.numel() for weight in model.module.parameters()
    )


def test_numbers_of_which_training_is_to_choose_some_are_no_tokens(clips: Clips) -> None:
    for transform in ("largest", "pca"):
        made = replace(clips, wavelets=dict(clips.wavelets) | {"transform": transform})
        expected = rf"transform {transform} .* all 10 numbers .*tokens: trajectories, or"
        with pytest.raises(UserError, match=expected):
            fresh(made)
        assert fresh(made, tokens="trajectories").config.steps == 1


def test_what_does_not_change_over_a_clip_has_no_moments(clips: Clips) -> None:
    write_params(Path(), train=TOY_TRAIN | SETTINGS | {
        "inputs": ["timing", "mel"], "fusion": {"tokens": "trajectories"}})  # fmt: skip
    with pytest.raises(UserError, match=r"tokens is trajectories, and timing in train\.inputs"):
        train()
