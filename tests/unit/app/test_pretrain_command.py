"""``facewave pretrain``: what it reads, what it writes, and what it says."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from corpora import write_pictures
from facewave.files import opened, read_csv, sha256
from facewave.training import autoencoder
from making import write_faces
from running import ROOT, facewave

TINY = ("--out", "out", "--epochs", "2", "--batch-size", "8", "--side", "32", "--width", "0.02")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures in two folders below, two of which are none."""
    monkeypatch.chdir(tmp_path)
    for i in range(12):
        write_pictures(tmp_path / f"pictures/{i % 2}", [f"{i:02d}.jpg"], 20 * i)
    (tmp_path / "pictures/0/broken.jpg").write_bytes(b"no picture")
    (tmp_path / "pictures/notes.txt").write_text("x")
    return tmp_path


def test_an_encoder_and_what_it_learnt_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_faces(folder, ["a", "b"])
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text("utf-8"), "utf-8")
    assert facewave("pretrain", "pictures", "demo", *TINY) == 0
    printed = capsys.readouterr().out
    assert "could not be read: pictures/0/broken.jpg\n" in printed
    assert "out/encoder.safetensors: from 36 faces; use it with" in printed
    assert "train.vision.weights=out/encoder.safetensors" in printed
    assert {path.name for path in (folder / "out").iterdir()} == {
        "encoder.safetensors", "config.json", "losses.csv",
    }  # fmt: skip
    content = json.loads((folder / "out/config.json").read_text("utf-8"))
    config: dict[str, Any] = opened(content, folder / "out")  # its sums are right
    assert content["sha256"]["encoder.safetensors"] == sha256(folder / "out/encoder.safetensors")
    pictures, demo = config["sources"]
    assert (pictures["folder"], pictures["pictures"]) == ("pictures", 13)
    assert pictures["licence"] == "unknown"
    assert (demo["dataset"], demo["pictures"], demo["licence"]) == ("demo", 24, "CC0-1.0")
    assert demo["synthetic"]
    assert config["pictures"] == 37
    assert (config["unreadable"], config["such_as"]) == (1, ["pictures/0/broken.jpg"])
    assert config["settings"] == {
        "epochs": 2, "batch_size": 8, "side": 32, "width": 0.02, "seed": 0,
    }  # fmt: skip
    losses = read_csv(folder / "out/losses.csv")
    assert losses["epoch"].tolist() == [0, 1]
    assert all(name.startswith("vit.") for name in load_file(folder / "out/encoder.safetensors"))


def test_the_same_run_is_not_made_again_and_another_goes_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert facewave("pretrain", "pictures", *TINY) == 0
    before = sha256(folder / "out/encoder.safetensors")
    monkeypatch.setattr(autoencoder, "train", None)
    assert facewave("pretrain", "pictures", *TINY) == 0
    assert "encoder.safetensors is there already, of the same" in capsys.readouterr().out
    assert sha256(folder / "out/encoder.safetensors") == before
    for words in (("pictures", *TINY, "--seed", "1"), ("pictures/0", *TINY)):
        assert facewave("pretrain", *words) == 2
        assert "out has an encoder of other pictures or settings" in capsys.readouterr().err


def test_mistakes_get_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty").mkdir()
    write_pictures(folder / "one", ["a.png"], 3)
    for words, sentence in {
        ("nowhere",): "nowhere is neither a folder of pictures nor a dataset (there is no params",
        ("empty",): "empty has no pictures, nor have the folders below it.",
        ("one",): "there is one clip or one picture to learn from: at least two are needed",
        ("pictures", "--side", "50"): "--side 50: a face is cut into patches of 16 pixels",
    }.items():
        assert facewave("pretrain", *words[:1], *TINY, *words[1:]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"facewave: {sentence}")
        assert error.count("\n") == 1
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text("utf-8"), "utf-8")
    assert facewave("pretrain", "demo", *TINY) == 2
    assert "data/faces/demo has no faces yet. Make them: dvc repro crop@demo" in (
        capsys.readouterr().err
    )
