"""Speech encoders of transformers, on small random models of each family."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewave import params
from facewave.errors import UserError
from facewave.params import Voice as Settings
from facewave.voice import activity, encoder, listen, signals
from facewave.voice.schema import KIND, read_clip
from making import REPOSITORY
from sounding import RATE, noise, tone, write_sound

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "conv_dim": (16,) * 7,
}


def write(folder: Path, kind: str) -> Any:
    """Save a small random model of a family with its feature extractor; return the model."""
    import transformers as tf
    from torch.random import fork_rng, manual_seed

    with fork_rng():
        manual_seed(0)
        match kind:
            case "whisper":
                named = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
                sizes: dict[str, Any] = {
                    f"{side}_{what}": size
                    for side in ("encoder", "decoder")
                    for what, size in named.items()
                }
                config = tf.WhisperConfig(
                    d_model=32,
                    vocab_size=64,
                    pad_token_id=0,
                    bos_token_id=1,
                    eos_token_id=2,
                    **sizes,
                )
                network: Any = tf.WhisperModel(config)
                extractor: Any = tf.WhisperFeatureExtractor()
            case "hubert":
                network = tf.HubertModel(tf.HubertConfig(**SMALL))
                extractor = tf.Wav2Vec2FeatureExtractor()
            case "wavlm":
                network = tf.WavLMModel(tf.WavLMConfig(**SMALL))
                extractor = tf.Wav2Vec2FeatureExtractor()
            case _:
                network = tf.Wav2Vec2Model(tf.Wav2Vec2Config(**SMALL))
                extractor = tf.Wav2Vec2FeatureExtractor()
    network.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return network


@pytest.fixture(scope="module", params=["wav2vec2", "hubert", "wavlm", "whisper"])
def saved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    return folder, write(folder, request.param)


def test_its_states_are_put_on_the_rows(saved: tuple[Path, Any]) -> None:
    import torch

    folder, network = saved
    sound = np.concatenate([tone(150, 0.7), noise(0.503)])
    hears = encoder.load(Settings(str(folder), 1))
    speech = hears(sound)["speech"]
    assert speech.shape == (121, 32) == (-(-len(sound) // signals.HOP), hears.width)
    assert speech.dtype == np.float32
    network.eval()
    inputs = hears.extractor(sound, sampling_rate=RATE, return_tensors="pt")
    is_whisper = network.config.model_type == "whisper"
    part = network.get_encoder() if is_whisper else network
    with torch.inference_mode():
        states = part(
            inputs[hears.extractor.model_input_names[0]], output_hidden_states=True
        ).hidden_states[1][0]
    # Frame 20 of Whisper lies on row 40; of the others, whose first 400 samples it sees, 1.25 on.
    share = 0.0 if is_whisper else (199.5 / 160) / 2
    row = 40
    at = row / 2 - share
    low = int(at)
    expected = states[low] * (1 - at + low) + states[min(low + 1, len(states) - 1)] * (at - low)
    np.testing.assert_allclose(speech[row], expected.numpy(), atol=2e-3)
    np.testing.assert_array_equal(hears(sound)["speech"], speech)
    assert np.isfinite(hears(sound[:1])["speech"]).all()
    last, other = (encoder.load(Settings(str(folder), layer)) for layer in (-1, 2))
    np.testing.assert_array_equal(last(sound)["speech"], other(sound)["speech"])
    assert last.identity != other.identity
    with pytest.raises(UserError, match=r"voice\.layer is 3, but .* hidden states 0 to 2"):
        encoder.load(Settings(str(folder), 3))


def test_it_is_a_block_beside_the_signals(
    saved: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def still(sound: Any) -> dict[Any, Any]:
        n_rows = -(-len(sound) // signals.HOP)
        widths = {"mel": 64, "prosody": 5, "mfcc": 13}
        return {name: np.zeros((n_rows, width), "f4") for name, width in widths.items()}

    monkeypatch.setattr(signals, "signals", still)
    monkeypatch.setattr(activity, "speaking", lambda sound: still(sound)["mel"][:, 0])
    listener = listen.Listener(Settings(str(saved[0]), -1))
    clip = write_sound(tmp_path / "a.mkv", noise(1))
    file = listener.one(KIND.place(listener.key("a digest")), clip)
    voice = read_clip(file, 0, 1)
    assert voice.blocks["speech"].shape == (100, 32)
    assert list(listener.describe().channels) == ["mel", "prosody", "mfcc", "speech"]
    without = listen.Listener(params.load(REPOSITORY / "params.yaml").voice)
    assert without.key("a digest") != listener.key("a digest")


def test_a_gpu_with_too_little_memory_is_a_sentence(
    saved: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from small_gpu import FREE_SOME, memory_runs_out

    for _ in memory_runs_out(monkeypatch):
        with pytest.raises(UserError, match=FREE_SOME):
            encoder.load(Settings(str(saved[0]), -1))(noise(0.5))


def test_what_is_no_speech_encoder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    import transformers as tf
    from safetensors.torch import load_file, save_file

    with pytest.raises(UserError, match=r"cannot be loaded .*voice\.encoder"):
        encoder.load(Settings(str(tmp_path / "no folder"), -1))
    write(tmp_path / "a", "wav2vec2")
    file = tmp_path / "a/model.safetensors"
    weights = load_file(file)
    some = next(name for name in weights if "layers.1" in name)
    save_file({name: value for name, value in weights.items() if name != some}, file)
    with pytest.raises(UserError, match="1 tensors are missing or of another shape, as"):
        encoder.load(Settings(str(tmp_path / "a"), -1))(noise(0.5))
    file.unlink()
    (tmp_path / "a/pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(UserError, match="cannot be loaded"):
        encoder.load(Settings(str(tmp_path / "a"), -1))(noise(0.5))
    write(tmp_path / "b", "wav2vec2")
    tf.Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path / "b")
    with pytest.raises(UserError, match="no encoder of sound at 16000"):
        encoder.load(Settings(str(tmp_path / "b"), -1))
    tf.BertConfig(hidden_size=8).save_pretrained(tmp_path / "b")
    with pytest.raises(UserError, match="cannot be loaded"):
        encoder.load(Settings(str(tmp_path / "b"), -1))
