"""Speech: what is heard of a clip, and what a recogniser (a tiny random Whisper) makes of it."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from facewave.prompts.speech import Recogniser, transcripts
from making import REPOSITORY
from sounding import RATE, noise, write_sound

Floats = NDArray[np.float32]
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


def test_clips_without_sound(tmp_path: Path, whisper: Path) -> None:
    write_sound(tmp_path / "none.mp4", None)
    (tmp_path / "folder").mkdir()
    for picture in ("a.png", "folder/0.png"):
        assert cv2.imwrite(str(tmp_path / picture), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "damaged.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name, peak in (("silent.mkv", 0.0), ("muted.mkv", 5e-4)):
        write_sound(tmp_path / name, np.float32(peak) * np.sign(noise(1)))
    for clip in tmp_path.iterdir():
        if clip.name != "cache":
            assert Recogniser(str(whisper)).text(clip) == "", clip


def test_a_text_follows_sound_part_and_model(tmp_path: Path, whisper: Path, cache: Path) -> None:
    clip = write_sound(tmp_path / "a.mkv", noise(1.5))
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
    clips = [write_sound(tmp_path / f"{i}.mkv", noise(1.8, i)) for i in range(2)]
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
    clips = [write_sound(tmp_path / f"{i}.mkv", s) for i, s in enumerate([sound, other])]
    one, two = Recogniser(str(whisper)).texts([(clip, 0.0, math.inf) for clip in clips])
    assert one != two
    assert one.replace(" ", "").isalpha()
    settings = json.loads((copy / "generation_config.json").read_text())
    for name in ("lang_to_id", "task_to_id"):
        del settings[name]
    (copy / "generation_config.json").write_text(json.dumps(settings | {"is_multilingual": False}))
    clip = write_sound(tmp_path / "a.mkv", noise(1))
    assert Recogniser(str(copy)).text(clip).isalpha()


def test_cached_texts_need_no_model(
    tmp_path: Path, whisper: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_sound(tmp_path / "a.mkv", noise(1))
    known = Recogniser("openai/whisper-small")
    known._loaded = speech._load(str(whisper), None)  # as if it had been downloaded
    text = known.text(clip)
    assert Recogniser("openai/whisper-small").text(clip) == text
    commit = speech.REVISIONS["openai/whisper-small"]
    assert Recogniser(str(f"openai/whisper-small@{commit}")).text(clip) == text
    (kept,) = cache.rglob("*.json")
    assert kept.relative_to(cache).parts[:2] == ("transcripts", kept.stem[:2])
    clip = write_sound(tmp_path / "a.mkv", noise(1.5, seed=2))
    text = Recogniser(str(whisper)).text(clip, 0.25, 1.0)
    moved = Path(shutil.copy(clip, tmp_path / "moved.mkv"))
    elsewhere = Path(shutil.copytree(whisper, tmp_path / "elsewhere"))
    with monkeypatch.context() as context:
        context.delattr(speech, "_load")
        assert Recogniser(str(elsewhere)).text(moved, 0.25, 1.0) == text
    write_sound(clip, noise(1.5, seed=1))
    assert Recogniser(str(whisper)).text(clip, 0.25, 1.0) != text  # of other bytes


def test_transcripts_come_from_the_source_that_is_asked_for(tmp_path: Path, whisper: Path) -> None:
    write_sound(tmp_path / "b.mkv", noise(1))
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
    return write_sound(tmp_path / "clip.mkv", noise(1))


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
