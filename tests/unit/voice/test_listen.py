"""Stage listen: each clip once, in one folder, on one clock; and what becomes of its numbers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facewave import params, pool
from facewave.assets import MissingAssetError
from facewave.params import Block
from facewave.sound import NO_SOUND
from facewave.study.clips import Trajectories
from facewave.voice import activity, listen, signals
from facewave.voice.__main__ import main
from facewave.voice.schema import CHANNELS, KIND, MUTED, PITCH, Config, Voice, read_config
from facewave.wavelets.__main__ import main as wavelet
from facewave.wavelets.features import heard_features
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset, Stored
from making import contents, in_turn, toy, trajectory, write_labels, write_landmarks, write_params
from sounding import RATE, Floats, tone, write_sound

CLIPS = ("voice", "silent", "muted", "late", "damaged", "part", "other part")
HEARD = ["voice", "late", "part", "other part"]


def levels(sound: Floats) -> dict[Block, Floats]:
    """Blocks of the real shapes, in all channels the level of each hop, dB."""
    n_rows = -(-len(sound) // signals.HOP)
    hops = np.pad(sound, (0, n_rows * signals.HOP - len(sound))).reshape(n_rows, -1)
    level = 10 * np.log10(np.maximum(1e-10, (hops**2).mean(1)))
    blocks: dict[Block, Floats] = {
        name: np.repeat(level[:, None], len(names), 1).astype(np.float32)
        for name, names in CHANNELS.items()
    }
    return blocks


def speaking(sound: Floats) -> Floats:
    """Sure wherever it is loud."""
    return (levels(sound)["mel"][:, 0] > -30).astype(np.float32)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips with and without sound, some rows of one clip; quick signals."""
    write_params(tmp_path)
    sound = np.concatenate([tone(200, 1), np.zeros(RATE // 2, np.float32)])
    root = tmp_path / "data/raw/demo/clips"
    write_sound(root / "voice.mkv", sound)
    write_sound(root / "silent.mkv", None)
    write_sound(root / "muted.mkv", (sound / 1000).astype(np.float32))
    write_sound(root / "late.mkv", sound, sound_from=0.5)
    (root / "damaged.mkv").write_bytes(b"no video")
    table = toy().table.iloc[: len(CLIPS)].assign(video_idx=CLIPS)
    names = [*CLIPS[:5], "voice", "voice"]
    table["file_path"] = [f"clips/{name}.mkv" for name in names]
    table["start"], table["end"] = [np.nan] * 5 + [0.0, 0.9], [np.nan] * 5 + [0.5, 1.5]
    write_labels(tmp_path, table, ("happy", "sad", "neutral"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "signals", levels)
    monkeypatch.setattr(activity, "speaking", speaking)
    monkeypatch.setattr(listen.Listener, "require", lambda self: None)
    monkeypatch.setattr(pool, "each", in_turn)
    listen._listener.cache_clear()
    return tmp_path


def read(name: str) -> Voice | None:
    heard: Voice | None = Stored(Path("data/voice/demo"), "voice").read(name)
    return heard


def test_what_is_heard_of_each_row(project: Path) -> None:
    main("demo")
    index = KIND.read_index(Path("data/voice/demo"))
    problems = {name: problem for name, problem in index["problem"].items() if problem}
    assert problems.pop("damaged").startswith("not a video")
    assert problems == {"silent": NO_SOUND, "muted": MUTED}
    voices = {name: read(name) for name in CLIPS}
    assert [name for name, voice in voices.items() if voice] == HEARD
    voice, late, part = voices["voice"], voices["late"], voices["part"]
    assert voice
    assert late
    assert part
    assert (len(voice), len(late), len(part)) == (150, 200, 50)
    assert voice.valid_T.all()
    assert np.flatnonzero(late.valid_T).tolist() == [*range(50, 200)]
    assert np.isnan(late.blocks["mel"][:50]).all()
    np.testing.assert_allclose(late.blocks["mel"][50:], voice.blocks["mel"], atol=0.01)
    np.testing.assert_allclose(part.times_T, np.arange(50) / 100)
    shares = index["speech_share"].to_dict()
    assert {name: round(share, 2) for name, share in shares.items() if share == share} == {
        "voice": 0.67, "late": 0.67, "part": 1.0, "other part": 0.17
    }  # fmt: skip
    assert index.loc["part", "loudness"] == pytest.approx(voice.blocks["mel"][20, 0], abs=1)
    summary = json.loads(Path("metrics/listen/demo.json").read_text())
    assert (summary["clips"], summary["seconds"]) == (2, 3.5)
    assert set(summary["problems"]) == {"silent", "muted", "damaged"}
    channels = read_config(Path("data/voice/demo")).channels
    assert {name: len(names) for name, names in channels.items()} == {
        "mel": 64, "prosody": 5, "mfcc": 13
    }  # fmt: skip


def test_clips_are_heard_once_and_give_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main("demo")
    first = contents(project / "data/voice")
    monkeypatch.setattr(signals, "signals", lambda sound: pytest.fail("it is cached"))
    main("demo")
    assert contents(project / "data/voice") == first
    monkeypatch.undo()
    monkeypatch.chdir(project)
    dataset = Dataset("demo", params.load())
    clip = dataset.root / "clips/voice.mkv"
    before = KIND.read_index(dataset.voice)["key"]
    write_sound(clip, tone(300, 1))
    monkeypatch.setattr(signals, "signals", levels)
    monkeypatch.setattr(activity, "speaking", speaking)
    monkeypatch.setattr(listen.Listener, "require", lambda self: None)
    monkeypatch.setattr(pool, "each", in_turn)
    monkeypatch.setenv("FACEWAVE_CACHE", str(project / "other"))
    main("demo")
    changed = before != KIND.read_index(dataset.voice)["key"]
    assert changed[changed].index.tolist() == ["voice", "part", "other part"]


def test_a_clip_that_changes_meanwhile_is_none_of_the_cache(project: Path) -> None:
    listener = listen.Listener(params.load().voice)
    clip = Path("data/raw/demo/clips/voice.mkv")
    target = KIND.place(listener.key("another digest"))
    with pytest.raises(pool.ChangedError):
        listen._listen(target, clip, listener.settings, listen.VERSION)
    assert not target.exists()


def test_without_the_detector_the_stage_says_so_and_the_next_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = toy().table["video_idx"].iloc[:3].tolist()

    def lacking(listener: object) -> None:
        raise MissingAssetError("the detector is not here.")

    monkeypatch.setattr(listen.Listener, "require", lacking)
    main("demo")
    assert "nothing has listened: the detector is not here" in capsys.readouterr().out
    assert read_config(Path("data/voice/demo")) == Config()
    assert read("voice") is None
    problems = json.loads(Path("metrics/listen/demo.json").read_text())["problems"]
    assert list(problems) == list(CLIPS)
    assert set(problems.values()) == {"nothing has listened: the detector is not here."}
    write_landmarks(project, {name: trajectory(12, seed=i) for i, name in enumerate(names)})
    wavelet("demo")
    features = Dataset("demo", params.load()).read_features()
    assert not {"mel", "prosody", "mfcc"} & set(features.blocks)
    assert not features.clips["heard"].any()


def test_numbers_are_made_of_the_part_and_whatever_the_face(project: Path) -> None:
    main("demo")
    heard = {path: path.read_bytes() for path in Path("data/voice").rglob("*") if path.is_file()}
    ends = {"part": (0.0, 0.5), "other part": (0.9, 1.5)}
    clips = {name: trajectory(40, seed=i) for i, name in enumerate(CLIPS)}
    write_landmarks(project, clips, unusable=("voice",), parts=ends)
    for path, content in heard.items():  # the toy's landmarks come with no sound
        path.write_bytes(content)
    wavelet("demo")
    dataset = Dataset("demo", params.load())
    features = dataset.read_features()
    table = features.clips.set_index("video_idx")
    assert table.index[table["heard"]].tolist() == HEARD
    assert not table.loc["voice", "usable"]
    transform = Transform.of(params.load().wavelets)
    for at, name in enumerate(table.index):
        voice = read(name)
        blocks: Mapping[Block, Floats] = heard_features(voice, transform) if voice else {}
        for block, names in CHANNELS.items():
            numbers = features.blocks[block][at]
            assert numbers.shape == (7, len(names))
            expected = blocks.get(block, np.full_like(numbers, np.nan))
            np.testing.assert_array_equal(numbers, expected)
    assert np.isfinite(features.blocks["mel"][table["heard"]]).all()
    clips_of_set = dataset.clips()
    assert clips_of_set.origins()["voice"].notna().tolist() == [True] * 7
    studied = Trajectories(dataset).clips(transform, ["mel"])
    assert studied.table["heard"].tolist() == clips_of_set.table["heard"].tolist()
    assert not studied.table.set_index("video_idx").loc["voice", "usable"]
    np.testing.assert_array_equal(studied.inputs(["mel"]), clips_of_set.inputs(["mel"]))
    part = clips_of_set.voice("part")
    assert part
    assert part.times_T[-1] == pytest.approx(0.49)


def test_pitch_without_a_voice_is_interpolated() -> None:
    rows = np.arange(40)
    blocks = {name: np.ones((40, len(names)), "f4") for name, names in CHANNELS.items()}
    pitch = np.where(rows < 10, np.nan, np.where(rows < 20, 20.0, np.nan))
    pitch[30:] = 30.0
    blocks["prosody"][:, PITCH] = pitch
    voice = Voice(rows / 100, rows >= 0, np.zeros(40, "f4"), blocks)
    assert voice.is_heard
    assert not replace(voice, valid_T=rows == 3).is_heard
    mean = heard_features(voice, Transform("mean"))
    assert mean["prosody"][0, PITCH] == pytest.approx(23.75, abs=0.01)
    assert set(heard_features(voice, Transform("mean"), ["mfcc", "head"])) == {"mfcc"}
    blocks["prosody"][:, PITCH] = np.nan
    voiceless = heard_features(voice, Transform("mean"))["prosody"][0]
    assert voiceless[PITCH] == pytest.approx(12 * np.log2(np.sqrt(60 * 600) / 27.5), abs=1e-4)
    assert pd.Series(voiceless).notna().all()
