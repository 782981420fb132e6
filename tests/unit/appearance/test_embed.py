"""What an encoder sees of faces: in its own size and margin, frame by frame, and once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facewave import pool
from facewave.appearance import embed, encoders, schema
from facewave.appearance.__main__ import main
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen
from facewave.appearance.schema import KIND, Appearance
from facewave.assets import MissingAssetError
from facewave.errors import UserError
from facewave.faces import align
from facewave.workspace import Stored
from making import contents, faces, in_turn, write_faces, write_params

WORDS = ("happy", "sad")


def levels(pictures: Faces) -> Seen:
    """Of each picture: its mean and that of its middle; then its colours."""
    side = pictures.shape[1]
    middle = pictures[:, side // 4 : -side // 4, side // 4 : -side // 4]
    answers = np.stack([pictures.mean((1, 2, 3)), middle.mean((1, 2, 3))], 1).astype(np.float32)
    return answers, pictures.mean((1, 2)).astype(np.float32)


def encoder(**changes: object) -> Encoder:
    known = {"name": "mean", "side": 16, "words": WORDS, "width": 3, "identity": {"version": 1},
             "about": {"licence": "ours"}, "open": lambda: levels}  # fmt: skip
    return Encoder(**known | changes)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips with faces and one without any rows."""
    write_params(tmp_path, appearance={"encoder": "mean"}, faces={"margin": 0.5, "side": 64})
    write_faces(tmp_path, ["1", "2", "3", "4"], without=["4"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "load", lambda name: encoder())
    monkeypatch.setattr(embed, "_loaded", encoders.load)
    monkeypatch.setattr(pool, "each", in_turn)
    return tmp_path


def read(name: str) -> Appearance | None:
    seen: Appearance | None = Stored(Path("data/appearance/demo"), "appearance").read(name)
    return seen


def test_each_face_is_seen_in_the_encoder_s_size_and_margin() -> None:
    chunk = faces(5, 5, seed=1, gaps=(1, 4))
    looked: list[Faces] = []

    def watch() -> Callable[[Faces], Seen]:
        return lambda pictures: looked.append(pictures) or levels(pictures)  # type: ignore[func-returns-value]

    for margin in (0.0, 0.25, 0.5):
        seen = embed.look(chunk, encoder(open=watch, margin=margin), 0.5)
        assert seen.valid_F.tolist() == [True, False, True, True, False]
        assert seen.times_F.tolist() == chunk.times_F.tolist()
        expected = align.middle(chunk.decode(np.array([0, 2, 3])), 0.5, margin, 16)
        np.testing.assert_array_equal(looked[-1], expected)
        answers, embedding = levels(expected)
        np.testing.assert_array_equal(seen.expression_FW[[0, 2, 3]], answers)
        np.testing.assert_array_equal(seen.appearance_FE[[0, 2, 3]], embedding)
        assert np.isnan(seen.expression_FW[[1, 4]]).all()
        assert np.isnan(seen.appearance_FE[[1, 4]]).all()
    nothing = embed.look(faces(2, 5, gaps=(0, 1)), encoder(open=None), 0.5)
    assert np.isnan(nothing.expression_FW).all()


def test_a_stage_asks_once_and_gives_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main("demo")
    seen = read("2")
    assert seen is not None
    expected = embed.look(faces(12, 30, seed=1), encoder(), 0.5)
    np.testing.assert_array_equal(seen.expression_FW, expected.expression_FW)
    np.testing.assert_array_equal(seen.appearance_FE, expected.appearance_FE)
    assert read("1") is not None
    assert KIND.read_index(project / "data/appearance/demo").index.tolist() == ["1", "2", "3"]
    config = schema.read_config(project / "data/appearance/demo")
    assert (config.encoder, config.words, config.width) == ("mean", WORDS, 3)
    assert config.channels == {"expression": [*WORDS], "appearance": ["0", "1", "2"]}
    first = contents(project / "data/appearance")
    monkeypatch.setattr(pool, "each", None)
    main("demo")
    assert contents(project / "data/appearance") == first
    keys = {embed.key("a", encoder()), embed.key("b", encoder()),
            embed.key("a", encoder(identity={"version": 2}))}  # fmt: skip
    assert len(keys) == 3


def test_an_encoder_may_have_only_words_or_only_an_embedding(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept, expected in ((0, {"expression"}), (1, {"appearance"})):

        def open_(kept: int = kept) -> Callable[[Faces], Seen]:
            def look(pictures: Faces) -> Seen:
                both = levels(pictures)
                none = np.zeros((len(pictures), 0), np.float32)
                return (both[0], none) if kept == 0 else (none, both[1])

            return look

        one = encoder(words=() if kept else WORDS, width=3 * kept, open=open_,
                      identity={"kept": kept})  # fmt: skip
        monkeypatch.setattr(encoders, "load", lambda name, one=one: one)
        monkeypatch.setattr(embed, "_loaded", encoders.load)
        main("demo")
        seen = read("1")
        assert seen is not None
        assert seen.expression_FW.shape[1] == (0 if kept else 2)
        assert seen.appearance_FE.shape[1] == 3 * kept
        assert set(schema.read_config(project / "data/appearance/demo").channels) == expected


def test_without_an_encoder_or_its_weights_there_is_an_empty_folder_and_a_word(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> None:
        raise MissingAssetError("the network is missing: pip install it.")

    monkeypatch.setattr(encoders, "load", lambda name: encoder(open=missing))
    main("demo")
    assert (
        "the network is missing: pip install it. After that, run: dvc repro -f embed"
        in capsys.readouterr().out
    )
    write_params(project, appearance={"encoder": "none"})
    for _ in range(2):
        config = schema.read_config(project / "data/appearance/demo")
        assert (config.encoder, config.channels) == ("none", {})
        assert len(KIND.read_index(project / "data/appearance/demo")) == 0
        summary = json.loads((project / "metrics/embed/demo.json").read_text("utf-8"))
        assert summary == {"encoder": "none", "clips": 0, "faces": 0, "problems": {}}
        main("demo")
    write_params(project, appearance={"encoder": "mean"})
    monkeypatch.setattr(encoders, "load", lambda name: encoder(margin=0.6))
    with pytest.raises(UserError, match=r"faces\.margin was 0\.5 .* encoder mean looks at 0\.6"):
        main("demo")
    (project / "data/appearance/demo/config.json").write_text("{", "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        schema.read_config(project / "data/appearance/demo")
