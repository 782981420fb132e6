"""``facewave predict`` with models of face and voice: a clip may have both, either or nothing."""

import json
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facewave import params
from facewave.app.predict import Options, predict_all
from facewave.errors import UserError
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks.schema import ClipFacts
from facewave.params import Block
from facewave.training import schema
from facewave.training.__main__ import main as train
from facewave.training.fusion import TrainedFusion
from facewave.voice import activity, listen, signals
from facewave.voice.schema import CHANNELS
from facewave.voice.signals import VERSION
from facewave.workspace import Dataset
from making import SETTINGS, TOY_TRAIN, edit, remember, trajectory, write_params
from making_voices import write_voiced_toy
from sounding import Floats, noise, write_sound

Capture = pytest.CaptureFixture[str]
FRAMES = 25  # of a clip, one second


def quick(sound: Floats) -> dict[Block, Floats]:
    """Signals of the real shapes, which take no time: numbers that follow from the sound."""
    n_rows = -(-len(sound) // signals.HOP)
    rng = np.random.default_rng(int(1e6 * np.abs(sound).sum()))
    return {
        name: rng.normal(size=(n_rows, len(names))).astype(np.float32)
        for name, names in CHANNELS.items()
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy project with every model of face and voice, and one whose tokens are moments."""
    project = tmp_path_factory.mktemp("models")
    write_voiced_toy(project)
    training: dict[str, Any] = TOY_TRAIN | {
        "model": "fusion",
        "baselines": ["late_fusion", "logistic"],
        "inputs": ["blendshapes", "mel"],
        "partitions": ["split"],
        "network": {"epochs": 2, "hidden": 8},
        "fusion": {"layers": 1},
    }
    write_params(project, train=training)
    with chdir(project):
        train()
        _write_untrained()
    return project


def _write_untrained() -> None:
    """A network whose tokens are moments, as role ``moments``."""
    loaded = params.load()
    dataset, fusion = Dataset("demo", loaded), replace(loaded.train.fusion, tokens="trajectories")
    settings = replace(loaded.train, fusion=fusion)
    torch.manual_seed(0)
    model = TrainedFusion.fresh("fusion", dataset.targets, dataset.clips(), settings)
    model.about = schema.load(schema.folder("split", "model")).about
    schema.save(model, schema.folder("split", "moments"))


@pytest.fixture
def clips(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Clips by what they have, all known to the cache of detections."""
    monkeypatch.chdir(models)
    monkeypatch.setattr(signals, "signals", quick)
    monkeypatch.setattr(activity, "speaking", lambda sound: np.ones(len(sound) // 160, np.float32))
    monkeypatch.setattr(listen.Listener, "require", lambda self: None)
    made = {}
    for seed, name in enumerate(("face and voice", "face", "voice", "nothing")):
        sound = noise(1.0, seed) if "voice" in name else None
        made[name] = write_sound(tmp_path / f"{name}.mkv", sound)
        gaps = () if "face" in name else tuple(range(FRAMES))
        seen = replace(trajectory(FRAMES, 1, gaps), times_T=np.arange(FRAMES) / 25)
        key = cache_of_detections.key(made[name], 25.0, SETTINGS)
        remember(key, seen, ClipFacts(25.0, 640, 480, FRAMES))
    return made


def ask(clips: Sequence[Path], role: str, capsys: Capture) -> list[dict[str, Any]]:
    options = Options(str(schema.folder("split", role)), stdout="json")
    assert predict_all(clips, options)
    records: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return records


def test_a_clip_is_answered_by_what_it_has(clips: dict[str, Path], capsys: Capture) -> None:
    names = ["face and voice", "face", "voice"]
    chosen = [clips[name] for name in names]
    for role in ("model", "moments", "late_fusion", "logistic"):
        records = ask(chosen, role, capsys)
        assert [record["answered_from"] for record in records] == names
        scores = [[record[f"p_{word}"] for word in ("happy", "sad", "angry")] for record in records]
        assert len({tuple(row) for row in scores}) == 3
    for role, other in (("face", "voice"), ("voice", "face")):
        (record, _) = ask([clips["face and voice"], clips[role]], role, capsys)
        assert record["answered_from"] == role
        assert not predict_all([clips[other]], Options(str(schema.folder("split", role))))
        output = capsys.readouterr().out
        assert "no answer: " in output


def test_people_are_told_what_an_answer_lacks(clips: dict[str, Path], capsys: Capture) -> None:
    options = Options(str(schema.folder("split", "model")))
    for name, notes in (
        ("face and voice", []),
        ("face", ["answered by the face alone: no sound is heard"]),
        ("voice", ["answered without the face: no face in any frame"]),
        ("nothing", ["no answer: the model finds no face and no voice to judge by"]),
    ):
        assert predict_all([clips[name]], options) == (name != "nothing")
        lines = capsys.readouterr().out.splitlines()
        found = [line.strip() for line in lines if "answer" in line]
        assert found == notes, name


def test_sound_that_was_listened_to_otherwise_is_refused(
    clips: dict[str, Path], models: Path, tmp_path: Path
) -> None:
    folder = schema.folder("split", "logistic")
    config = folder / "config.json"
    before = config.read_bytes()
    try:
        edit(config, lambda text: text.replace(f'"signals": {VERSION}', '"signals": 0'))
        assert config.read_bytes() != before
        with pytest.raises(UserError, match=r"what was heard with other settings"):
            predict_all([clips["face"]], Options(str(folder)))
    finally:
        config.write_bytes(before)
