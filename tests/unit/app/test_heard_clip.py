"""A person's own clip, for a model that hears: listened to as a dataset's clips are."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.app.seen import as_clips
from facewave.appearance import embed, encoders
from facewave.appearance.encoders.encoder import Encoder
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import ClipFacts
from facewave.prompts.examples import gather
from facewave.training.fusion import _Tokens
from facewave.voice import activity, listen, signals
from facewave.voice.schema import CHANNELS
from facewave.wavelets.features import heard_features
from facewave.wavelets.transform import Transform
from making import NAMES, NO_ENCODER, REPOSITORY, remember, trajectory
from sounding import noise, write_sound

TRANSFORM = Transform("energy", "haar", k=7)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals that take no time: the level of each hop in all channels."""

    def levels(sound: Any) -> dict[Any, Any]:
        n_rows = -(-len(sound) // signals.HOP)
        hops = np.pad(sound, (0, n_rows * signals.HOP - len(sound))).reshape(n_rows, -1)
        level = 10 * np.log10(np.maximum(1e-10, (hops**2).mean(1)))[:, None]
        return {name: level.repeat(len(names), 1).astype("f4") for name, names in CHANNELS.items()}

    monkeypatch.setattr(signals, "signals", levels)
    monkeypatch.setattr(activity, "speaking", lambda sound: levels(sound)["mel"][:, 0])
    monkeypatch.setattr(listen.Listener, "require", lambda self: None)


@pytest.mark.usefixtures("quick")
def test_a_part_of_which_the_encoder_saw_no_picture_is_judged_by_the_voice_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(pictures: Any) -> Any:
        return pictures.mean((1, 2))[:, :2].astype("f4"), pictures.mean((1, 2)).astype("f4")

    encoder: Any = {"name": "mean", "side": 16, "words": ("happy", "sad"), "width": 3,
                    "identity": {"version": 1}, "about": {}, "open": lambda: answers}  # fmt: skip
    monkeypatch.setattr(encoders, "load", lambda name: Encoder(**encoder))
    settings = params.load(REPOSITORY / "params.yaml")
    assert settings.faces.fps == 5
    model: Any = SimpleNamespace(
        inputs=("appearance", "prosody"),
        wavelets=asdict(TRANSFORM)
        | {"blendshapes": list(NAMES), "encoder": embed.describe(Encoder(**encoder)).described,
           "voice": listen.Listener(settings.voice).describe().described},
        encoder="mean",
        needs_pictures=False,
        needs_transcript=False,
        needs_voice=False,
    )  # fmt: skip
    starts, ends = [np.nan, 0.5, 0.23], [np.nan, 1.0, 0.37]  # the last between two pictures
    parts = pd.DataFrame({"start": starts, "end": ends, "usable": True, "face_px": 99.0})
    clip = write_sound(tmp_path / "a.mkv", noise(1))
    key = cache.key(clip, 25.0, settings.landmarks)
    seen = replace(trajectory(25), times_T=np.arange(25) / 25)
    remember(key, seen, ClipFacts(25.0, 32, 32, 25))
    clips = as_clips(clip, 25.0, cache.place(key), parts, model, settings)
    expected = ["face and voice", "face and voice", "voice"]
    assert list(clips.judged_from(model.inputs)) == expected
    assert np.isnan(clips.blocks["appearance"]).all((1, 2)).tolist() == [False, False, True]
    config: Any = SimpleNamespace(tokens="trajectories", rate=10.0, face=3, voice=5)
    tokens = [_Tokens(clips, model.inputs, config)[row] for row in range(3)]
    assert [len(one["face"]) for one in tokens] == [10, 5, 0]
    assert [len(one["voice"]) for one in tokens] == [10, 5, 1]


@pytest.mark.usefixtures("quick")
def test_it_is_heard_part_by_part_whatever_the_face(tmp_path: Path) -> None:
    settings = params.load(REPOSITORY / "params.yaml")
    described = listen.Listener(settings.voice).describe().described
    model: Any = SimpleNamespace(
        inputs=("blendshapes", "prosody"),
        wavelets=asdict(TRANSFORM) | {"blendshapes": list(NAMES), "encoder": NO_ENCODER,
                                      "voice": described},
        encoder="",
        needs_pictures=False,
        needs_transcript=False,
        needs_voice=False,
    )  # fmt: skip
    parts = pd.DataFrame(
        {"start": [np.nan, 0.0, 0.5], "end": [np.nan, 0.5, 1.0], "usable": [True, True, False]}
    ).assign(face_px=99.0)
    silent = write_sound(tmp_path / "silent.mkv", None)
    loud = write_sound(tmp_path / "loud.mkv", noise(1))
    for clip, is_heard in ((loud, True), (silent, False)):
        key = cache.key(clip, 25.0, settings.landmarks)
        seen = replace(trajectory(25), times_T=np.arange(25) / 25)
        remember(key, seen, ClipFacts(25.0, 32, 32, 25))
        clips = as_clips(clip, 25.0, cache.place(key), parts, model, settings)
        assert clips.table["heard"].tolist() == [is_heard] * 3
        assert list(clips.judged_from(model.inputs)) == (
            ["face and voice", "face and voice", "voice"] if is_heard else ["face", "face", "prior"]
        )
        assert np.isnan(clips.blocks["blendshapes"]).all((1, 2)).tolist() == [False, False, True]
        for at, name in enumerate(clips.table["video_idx"]):
            voice = clips.voice(name)
            expected = np.full((7, 5), np.nan, np.float32)
            if voice:
                expected = heard_features(voice, TRANSFORM)["prosody"]
                assert len(voice) == (100, 50, 50)[at]
            np.testing.assert_array_equal(clips.blocks["prosody"][at], expected)
    model.wavelets["voice"] = described | {"identity": {"version": 0}}
    with pytest.raises(UserError, match="heard with other settings"):
        as_clips(loud, 25.0, cache.place(key), parts, model, settings)
    model.inputs = ("blendshapes",)
    assert not as_clips(loud, 25.0, cache.place(key), parts, model, settings).stored_voice
    model.wavelets["voice"], model.needs_voice = described, True  # a language model is told of it
    told = gather(
        as_clips(loud, 25.0, cache.place(key), parts, model, settings),
        [],
        replace(settings.train.language, prompt="{facts}{voice}", frames=0),
    )
    assert [text.split(" ")[:2] for text in told.voices] == [["Nobody", "is"]] * 3
    assert all(told.facts)
