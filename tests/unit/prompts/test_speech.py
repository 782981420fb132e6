"""Speech: what is heard of a clip, and what a recogniser (a tiny random Whisper) makes of it."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    GenerationConfig,
    GPT2Config,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from facewave import params
from facewave.errors import UserError
from facewave.params import Language
from facewave.prompts import speech
from facewave.prompts.speech import Recogniser, read_sound, transcripts
from making import REPOSITORY

Floats = NDArray[np.float32]
RATE = 16_000
WINDOW_S = 2  # of the tiny Whisper; real ones hear 30 s at once
WORDS = "abcdefghijklmnopqrstuvwxyz"


def make_whisper(folder: Path, seed: int = 5) -> Path:
    """A multilingual Whisper with random weights, whose tokens are letters."""
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>"]
    special += ["<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    alphabet = sorted(ByteLevel.alphabet())
    tokenizer = WhisperTokenizer(vocab={sign: i for i, sign in enumerate(alphabet)}, merges=[])
    tokenizer.add_tokens([AddedToken(t, special=True) for t in special], special_tokens=True)
    stamps = [f"<|{i * 0.02:.2f}|>" for i in range(50 * WINDOW_S + 1)]
    tokenizer.add_tokens([AddedToken(t, special=False) for t in stamps])
    ids: dict[str, Any] = {name: tokenizer.convert_tokens_to_ids(name) for name in special}
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=50 * WINDOW_S,
        max_target_positions=16,
        decoder_start_token_id=start,
        eos_token_id=end,
        bos_token_id=end,
        pad_token_id=end,
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    embeddings: Any = model.get_input_embeddings()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1 and "embed_positions" not in name:
                weights.normal_(std=4 / weights.shape[-1] ** 0.5)  # what is heard tells
        embeddings.weight[len(alphabet) :] /= 100  # it says letters
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        max_length=16,
        is_multilingual=True,
        lang_to_id={name: ids[name] for name in ("<|en|>", "<|de|>")},
        task_to_id={name: ids[f"<|{name}|>"] for name in ("transcribe", "translate")},
        no_timestamps_token_id=ids["<|notimestamps|>"],
        prev_sot_token_id=ids["<|startofprev|>"],
        begin_suppress_tokens=[end],
        suppress_tokens=[i for i, sign in enumerate(alphabet) if sign not in WORDS]
        + [ids[name] for name in special if name != "<|endoftext|>"],
    )
    WhisperProcessor(WhisperFeatureExtractor(chunk_length=WINDOW_S), tokenizer).save_pretrained(
        folder
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("models") / "whisper")


@pytest.fixture
def copy(whisper: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whisper, tmp_path / "a copy"))


def noise(seconds: float, seed: int = 0) -> Floats:
    """Tones that change ten times a second, and some noise, in [-1, 1]."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    pitches = rng.uniform(100, 4000, len(t) // 1600 + 1).repeat(1600)[: len(t)]
    tones = 0.4 * np.sin(2 * np.pi * np.cumsum(pitches) / RATE)
    return (tones + rng.uniform(-0.05, 0.05, len(t))).astype(np.float32)


def write_clip(
    path: Path,
    sound: Floats | None,
    *,
    rate: int = RATE,
    codec: str = "pcm_s16le",
    pictures_from: float = 0.0,
    sound_from: float = 0.0,
) -> Path:
    """A video of grey pictures, with a sound track (n,) or (channels, n)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 32
        audio = None
        if sound is not None:
            sound = np.atleast_2d(sound)
            layout = "mono" if len(sound) == 1 else "stereo"
            audio = container.add_stream(codec, rate=rate, layout=layout)
        for i in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 9 * i, np.uint8), "rgb24")
            picture.pts, picture.time_base = round(25 * pictures_from) + i, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for at in range(0, sound.shape[1], 1024):
                piece = np.ascontiguousarray(sound[:, at : at + 1024])
                frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = round(sound_from * rate) + at
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def test_a_part_is_cut_to_the_sample_from_the_first_picture_on(tmp_path: Path) -> None:
    sound, first, inf = noise(3), 0.064, math.inf
    clip = write_clip(tmp_path / "a.mkv", sound)
    for start, end in (
        *((0, inf), (0, 3), (0.5, 1.25), (1.0, 1.0001), (2.5, 9), (first, 2 * first), (2.999, inf)),
        *((3.5, 4.0), (1.0, 1.0), (9.0, inf)),  # where nothing is
    ):
        found = read_sound(clip, RATE, start, end)
        last = None if math.isinf(end) else round(end * RATE)
        np.testing.assert_allclose(found, sound[round(start * RATE) : last], atol=1e-4)
        assert found.dtype == np.float32
    sound = noise(2)
    late = write_clip(tmp_path / "a.mkv", sound, sound_from=0.5)
    early = write_clip(tmp_path / "b.mkv", sound, pictures_from=0.4)
    for clip, start, expected in (
        (late, 1.0, sound[RATE // 2 :][:RATE]),
        (late, 0.0, sound[: RATE // 2]),
        (early, 0.0, sound[round(0.4 * RATE) :][:RATE]),
    ):
        found = read_sound(clip, RATE, start, start + 1)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def pitch(sound: Floats) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()])


def test_sound_at_any_rate_and_from_any_container(tmp_path: Path) -> None:
    t = np.arange(2 * 44_100) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 440 * t)
    sound = np.stack([left, np.zeros_like(left)]).astype(np.float32)
    clip = write_clip(tmp_path / "a.mp4", sound, rate=44_100, codec="aac")
    heard = read_sound(clip, RATE, 0.0, math.inf)
    assert len(heard) == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert pitch(heard) == pytest.approx(440, abs=2)
    assert 0.05 < np.abs(heard[RATE // 2 : RATE]).max() < 0.5
    assert len(read_sound(clip, RATE, 0.5, 1.5)) == RATE
    t = np.arange(2 * RATE) / RATE
    chirp = (0.3 * np.sin(2 * np.pi * (300 * t + 200 * t**2))).astype(np.float32)  # 300 + 400 t Hz
    clip = write_clip(tmp_path / "a.ts", chirp, codec="mp2", pictures_from=9.0, sound_from=9.0)
    with av.open(str(clip)) as container:
        assert container.start_time > 1e6  # microseconds
    assert pitch(read_sound(clip, RATE, 0.95, 1.05)) == pytest.approx(700, abs=30)


def test_clips_without_sound(tmp_path: Path, whisper: Path) -> None:
    write_clip(tmp_path / "none.mp4", None)
    (tmp_path / "folder").mkdir()
    for picture in ("a.png", "folder/0.png"):
        assert cv2.imwrite(str(tmp_path / picture), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "damaged.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name, peak in (("silent.mkv", 0.0), ("muted.mkv", 5e-4)):
        write_clip(tmp_path / name, np.float32(peak) * np.sign(noise(1)))
    for clip in tmp_path.iterdir():
        if clip.name != "cache":
            assert Recogniser(str(whisper)).text(clip) == "", clip


def test_a_playlist_or_damaged_file_gives_what_is_its_own(tmp_path: Path) -> None:
    sound = noise(3)
    clip = write_clip(tmp_path / "a.mkv", sound)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    heard = read_sound(clip, RATE, 0.0, math.inf)
    assert 0.2 * len(sound) < len(heard) < 0.8 * len(sound)
    np.testing.assert_allclose(heard, sound[: len(heard)], atol=1e-4)
    clip = write_clip(tmp_path / "a.mp4", noise(3), codec="aac")
    whole = len(read_sound(clip, RATE, 0.0, math.inf))
    with av.open(str(clip)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        at, size = packets[len(packets) // 2].pos, packets[len(packets) // 2].size
    content = bytearray(clip.read_bytes())
    content[at : at + size] = b"\xff" * size
    clip.write_bytes(content)
    assert 0.9 * whole < len(read_sound(clip, RATE, 0.0, math.inf)) <= whole
    write_clip(tmp_path / "secret.ts", noise(1), codec="mp2")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"
    for playlist in (hls, "ffconcat version 1.0\nfile secret.ts\n"):
        clip.write_text(playlist)
        assert len(read_sound(clip, RATE, 0.0, math.inf)) == 0


def test_a_text_follows_sound_part_and_model(tmp_path: Path, whisper: Path, cache: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", noise(1.5))
    first = Recogniser(str(whisper)).text(clip)
    assert first.isalpha()
    shutil.rmtree(cache)
    assert Recogniser(str(whisper)).text(clip) == first
    recogniser = Recogniser(str(whisper))  # missing limits are those of the clip
    assert recogniser.text(clip, math.nan, math.nan) == recogniser.text(clip) == first
    (kept,) = cache.rglob("*.json")
    for content in ("", '{"text', "[]", '{"text": null}', "{}"):
        kept.write_text(content)
        assert recogniser.text(clip) == json.loads(kept.read_text())["text"] == first
    clips = [write_clip(tmp_path / f"{i}.mkv", noise(1.8, i)) for i in range(2)]
    other = make_whisper(tmp_path / "other", seed=3)
    found = [
        *Recogniser(str(whisper)).texts([(clips[0], 0.0, 1.8), (clips[1], 0.0, 1.8)]),
        Recogniser(str(whisper)).text(clips[0], 0.0, 0.5),
        Recogniser(str(other)).text(clips[0]),
    ]
    assert len(set(found)) == 4


def test_long_clips_and_models_of_one_language(tmp_path: Path, whisper: Path, copy: Path) -> None:
    sound = noise(3 * WINDOW_S, seed=3)
    other = sound.copy()
    other[-WINDOW_S * RATE :] = noise(WINDOW_S, seed=7)
    clips = [write_clip(tmp_path / f"{i}.mkv", s) for i, s in enumerate([sound, other])]
    one, two = Recogniser(str(whisper)).texts([(clip, 0.0, math.inf) for clip in clips])
    assert one != two
    assert one.replace(" ", "").isalpha()
    settings = json.loads((copy / "generation_config.json").read_text())
    for name in ("lang_to_id", "task_to_id"):
        del settings[name]
    (copy / "generation_config.json").write_text(json.dumps(settings | {"is_multilingual": False}))
    clip = write_clip(tmp_path / "a.mkv", noise(1))
    assert Recogniser(str(copy)).text(clip).isalpha()


def test_cached_texts_need_no_model(
    tmp_path: Path, whisper: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mkv", noise(1))
    known = Recogniser("openai/whisper-small")
    known._loaded = speech._load(str(whisper), None)  # as if it had been downloaded
    text = known.text(clip)
    assert Recogniser("openai/whisper-small").text(clip) == text
    commit = speech.REVISIONS["openai/whisper-small"]
    assert Recogniser(str(f"openai/whisper-small@{commit}")).text(clip) == text
    (kept,) = cache.rglob("*.json")
    assert kept.relative_to(cache).parts[:2] == ("transcripts", kept.stem[:2])
    clip = write_clip(tmp_path / "a.mkv", noise(1.5, seed=2))
    text = Recogniser(str(whisper)).text(clip, 0.25, 1.0)
    moved = Path(shutil.copy(clip, tmp_path / "moved.mkv"))
    elsewhere = Path(shutil.copytree(whisper, tmp_path / "elsewhere"))
    with monkeypatch.context() as context:
        context.delattr(speech, "_load")
        assert Recogniser(str(elsewhere)).text(moved, 0.25, 1.0) == text
    write_clip(clip, noise(1.5, seed=1))
    assert Recogniser(str(whisper)).text(clip, 0.25, 1.0) != text  # of other bytes


def test_transcripts_come_from_the_source_that_is_asked_for(tmp_path: Path, whisper: Path) -> None:
    write_clip(tmp_path / "b.mkv", noise(1))
    nan = [math.nan] * 2
    columns = {"file_path": ["a.mkv", "b.mkv"], "transcript": ["Hello.", ""]}
    table = pd.DataFrame(columns | {"start": nan, "end": nan})
    own: Language = params.load(REPOSITORY / "params.yaml").train.language

    def found(source: Any) -> list[str]:
        asked = replace(own, transcript=source, speech=str(whisper))
        return transcripts(table, tmp_path, asked)

    assert found("none") == ["", ""]
    assert found("known") == ["Hello.", ""]
    assert found("speech") == ["Hello.", Recogniser(str(whisper)).text(tmp_path / "b.mkv")]


def refusal(clip: Path, model: str) -> str:
    with pytest.raises(UserError) as caught:
        Recogniser(model).text(clip)
    return str(caught.value)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mkv", noise(1))


def test_a_model_that_is_not_pinned_or_not_complete_is_refused(
    clip: Path, whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, norm = "model.safetensors", "model.decoder.layer_norm.weight"
    tensors = load_file(whisper / weights)
    rest = {name: tensor for name, tensor in tensors.items() if name != norm}
    damages: list[Callable[[Path], object]] = [
        lambda folder: (folder / weights).unlink(),
        lambda folder: (folder / weights).rename(folder / "pytorch_model.bin"),
        lambda folder: (folder / weights).write_bytes((whisper / weights).read_bytes()[:-100]),
        lambda folder: save_file(rest, folder / weights, {"format": "pt"}),
        lambda folder: GPT2Config().save_pretrained(folder),
        lambda folder: list(map(Path.unlink, folder.glob("tokenizer*.json"))),
        lambda folder: (folder / "config.json").write_text("{"),
    ]
    for number, damage in enumerate(damages):
        folder = Path(shutil.copytree(whisper, tmp_path / f"{number}"))
        damage(folder)
        message = refusal(clip, str(folder))
        assert message.startswith(f"the speech recogniser {folder} cannot be loaded (")
    for model in ("no/such/folder", "openai/whisper", "someone/whisper@main", ""):
        assert re.search(r"train\.language\.speech.*openai/whisper-small", refusal(clip, model))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert re.search("HF_HOME.*or name a folder", refusal(clip, f"nobody/nothing@{'0' * 40}"))


def test_code_beside_a_recogniser_is_never_run(
    clip: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, file = tmp_path / "ran", copy / "processor_config.json"
    names = {"AutoFeatureExtractor": "odd.Odd"}
    extractor = {"feature_extractor_type": "Odd", "auto_map": names}
    file.write_text(json.dumps({"feature_extractor": extractor, "auto_map": names}))
    (copy / "odd.py").write_text(f"open({str(ran)!r}, 'w')\nclass Odd: pass\n")
    monkeypatch.setattr("builtins.input", lambda prompt="": "y")  # if transformers asks
    assert "contains custom code" in refusal(clip, str(copy))
    assert not ran.exists()
