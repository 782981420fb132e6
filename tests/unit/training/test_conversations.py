"""Which clips a language model learns from, and what is built of which settings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.params import Train
from facewave.prompts.examples import Clips, gather
from facewave.training import conversations, language
from facewave.training import schema as training
from facewave.wavelets import schema as wavelets


class Project:
    """The demo's clips, and its settings with a tiny model."""

    def __init__(self, folder: Path) -> None:
        loaded = params.load(folder / "params.yaml")
        quick = replace(loaded.train.language, epochs=1, frames=1)
        self.entry = loaded.datasets["demo"]
        self.settings: Train = replace(
            loaded.train, model="tiny-qwen2.5-vl", mode="pretrain", language=quick
        )
        self.words = labels.read_words(folder / "data/labels/demo.csv")
        self.features = wavelets.read(Path("data/features/demo"))
        table = labels.single_label(labels.read(Path("data/labels/demo.csv")))
        self.table = wavelets.join(table, self.features)

    def clips(self, settings: Train) -> Clips:
        numbers = training.numbers(self.features.blocks, settings.inputs)
        said = self.table["transcript"].tolist()
        return gather(self.table, self.entry, settings, numbers, said)

    def train(self, table: pd.DataFrame | None = None, **changes: Any) -> training.TrainedLanguage:
        own = {name: value for name, value in changes.items() if not hasattr(self.settings, name)}
        rest = {name: value for name, value in changes.items() if name not in own}
        asked = replace(self.settings.language, **own)
        settings = replace(self.settings, **rest, language=asked)
        self.table = self.table if table is None else table
        parts = labels.parts(self.table, "split")
        return conversations.train(
            self.clips(settings), parts, "split", self.words, self.features, settings, _deaf
        )


def _deaf(step: int, figures: dict[str, float]) -> None:
    """Nobody listens."""


@pytest.fixture
def demo(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("data", "params.yaml"):
        (tmp_path / name).symlink_to(project / name)
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    return Project(project)


def test_an_adapter_that_has_learnt_nothing_is_not_asked(demo: Project) -> None:
    trained = demo.train(mode="zero_shot")
    assert trained.model.faces is None
    assert trained.settings.face_tokens == 0
    assert trained.model.counts()[0] == 0
    assert trained.about["learnt"] == trained.about["validated"] == []


def test_it_learns_from_its_slice_of_the_training_part_alone(
    demo: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[Any] = []
    fit = language.fit

    def heard(module: Any, train: Any, val: Any, *rest: Any) -> None:
        given.extend([train, val])
        fit(module, train, val, *rest)

    monkeypatch.setattr(language, "fit", heard)
    trained = demo.train(subset=[0, 0.5], examples=2)
    parts = labels.parts(demo.table, "split")
    inside = labels.subset(demo.table[parts == "train"], 0, 0.5)["video_idx"]
    train, val = given
    assert {one.answer for one in train} <= set(demo.words)
    assert len(train) == len(inside) > 0
    assert f"on {len(inside)} clips" in capsys.readouterr().out
    shown = [train._clips.table["video_idx"], val._clips.table["video_idx"]]
    assert set(shown[0]) == set(inside)
    assert set(shown[1]) == set(demo.table.loc[parts == "val", "video_idx"])
    assert set(trained.shots) <= set(inside)  # nothing of another part is shown
    assert len(trained.shots) == 3


def test_the_numbers_are_standardised_on_the_slice_alone(demo: Project) -> None:
    one = demo.train(subset=[0, 0.5]).model
    other = demo.train(subset=[0.5, 1]).model
    assert one.faces is not None
    assert other.faces is not None
    assert not torch.equal(one.faces.standardize.mean, other.faces.standardize.mean)


def test_where_nothing_is_to_be_trained_it_says_so(demo: Project) -> None:
    with pytest.raises(UserError, match="nothing would be trained"):
        demo.train(face_tokens=0)


def test_a_slice_without_clips_is_told(demo: Project) -> None:
    with pytest.raises(UserError, match=r"no training clip in train\.subset"):
        demo.train(subset=[0.99999, 1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": "mse"}, "asks for a label"),
        ({"objective": "mse", "prompt": "{targets}?", "examples": 1}, "examples: 0"),
        ({"objective": "ccc", "prompt": "{targets}?"}, "8 clips at a time"),
    ],
)
def test_what_does_not_fit_a_regression_is_told(
    demo: Project, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        demo.train(**changes)


def test_lora_at_layers_that_are_not_there_is_told(demo: Project) -> None:
    lora = replace(demo.settings.language.lora, targets=["query"])
    with pytest.raises(UserError, match=r"lora.targets: the model has no query; it has .*q_proj"):
        demo.train(mode="finetune", lora=lora)


def test_transcripts_that_tell_the_label_stop_it(demo: Project) -> None:
    """As captions would: all clips have one but the neutral ones (MAFW)."""
    told = demo.table["actual"].ne("neutral").map({True: "It rains.", False: ""})
    with pytest.raises(UserError, match="transcript: none"):
        demo.train(demo.table.assign(transcript=told), transcript="known")


def test_the_same_settings_give_the_same_weights(demo: Project) -> None:
    one, other = (demo.train(subset=[0, 0.3], seed=3).model.trained() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_saved_comes_back_with_the_same_answers(demo: Project, tmp_path: Path) -> None:
    trained = demo.train(subset=[0, 0.3], mode="finetune", prefix=2, projector=True)
    training.save_language(tmp_path / "one", trained)
    again = training.load_language(tmp_path / "one")
    training.save_language(tmp_path / "two", again)
    for name in ("model.safetensors", "config.json"):
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert one == two
    assert again.settings == trained.settings
    assert again.model.config == trained.model.config
    ours, theirs = trained.model.trained(), again.model.trained()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("broken", ["cut", "other", "classifier"])
def test_a_damaged_model_is_told(demo: Project, tmp_path: Path, broken: str) -> None:
    training.save_language(tmp_path / "one", demo.train(mode="zero_shot"))
    file, config = (tmp_path / "one" / name for name in ("model.safetensors", "config.json"))
    match broken:
        case "cut":
            file.write_bytes(b"{")
        case "other":
            text = config.read_text().replace('"projector": false', '"projector": true')
            config.write_text(text)
        case "classifier":
            config.write_text('{"model": {}}')
    with pytest.raises(UserError, match=r"is damaged|is a classifier"):
        training.load_language(tmp_path / "one")
