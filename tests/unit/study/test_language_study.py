"""What a language model is told of a face: by ways, shuffled between clips, or not asked for."""

import gc
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facewave import params
from facewave.files import read_csv
from facewave.params import LanguageWay, Params
from facewave.prompts import examples
from facewave.prompts.examples import PromptClips
from facewave.study import kept, language
from facewave.study.language import COLUMNS, lacking, others, told_in
from facewave.training import checkpoints, language_setup
from facewave.workspace import Clips, Dataset
from making import toy, trajectory, write_landmarks, write_params, write_toy

ALL = ["facts", "face_tokens", "both"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project whose first three channels tell the label, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    made = toy(n_subjects=60)
    made.blendshapes[:] = 0
    for clip, code in enumerate(made.table["label"]):
        made.blendshapes[clip, :, code] = 1
    write_toy(tmp_path, made)
    names = ["undecided", *made.table["video_idx"]]
    write_landmarks(tmp_path, {name: trajectory(2) for name in names}, unusable=("000",))
    return tmp_path


def load(ways: list[str], model: str = "tiny-qwen2.5-vl", **changes: Any) -> Params:
    chosen = {"mode": "finetune", "start": "elsewhere"} | changes
    train = {"model": model, "partitions": ["split"], "language": chosen}
    write_params(Path(), train=train, study={"language": ways}, evaluate={"resamples": 50})
    return params.load()


def study(loaded: Params) -> pd.DataFrame:
    language.of_dataset(loaded, Dataset("demo", loaded), ["split"])
    return read_csv(kept.OUT / "language.csv")


class Memory:
    """Answers with the word that most training clips had which were told the same."""

    def __init__(
        self, clips: PromptClips, partition: Any, dataset: Any, features: Any, settings: Any
    ):
        self.settings, self.classes = settings.language, dataset.classes
        self.folder = checkpoints.ROOT / f"{partition}" / f"model-{settings.language.prompt}"
        self.told: dict[Any, Counter[str]] = defaultdict(Counter)
        part, self.trained = clips.clips.parts(partition), self
        learnt = clips.select(np.flatnonzero(part == "train").tolist())
        for what, word in zip(self.what(learnt), learnt.answers, strict=True):
            self.told[what][word] += 1

    def fit(self, report: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def what(self, clips: PromptClips) -> list[str]:
        numbers_nD = clips.clips.inputs(["blendshapes"])[:, 0, :3] * bool(self.settings.face_tokens)
        return [f"{a} {b}" for a, b in zip(numbers_nD.tolist(), clips.facts, strict=True)]

    def answer_prompted(self, clips: PromptClips) -> pd.DataFrame:
        nobody = Counter({"happy": 1})
        said = [self.told.get(one, nobody).most_common(1)[0][0] for one in self.what(clips)]
        shares = {f"p_{word}": [float(word == one) for one in said] for word in self.classes}
        return pd.DataFrame({"predicted": said, **shares}, index=clips.table.index)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prompts of all models, which remember what they are told; facts tell the label."""
    prompts: list[str] = []
    gather = examples.gather

    def gathered(clips: Clips, inputs: Any, settings: Any) -> PromptClips:
        prompts.append(settings.prompt)
        made = gather(clips, inputs, replace(settings, prompt="{face}"))
        facts = made.answers if "{facts}" in settings.prompt else [""] * len(clips)
        return replace(made, facts=facts)

    monkeypatch.setattr(examples, "gather", gathered)
    monkeypatch.setattr(language_setup, "prepare", Memory)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # there are no backbones
    return prompts


def test_what_is_told_helps_and_of_another_clip_does_not(
    project: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = study(load(ALL, prompt="{facts}One.{face} Who?"))
    assert table.columns.tolist() == list(COLUMNS)
    told = ["One. Who?", "One.{facts} Who?", "One.{face} Who?", "One.{face}{facts} Who?"]
    assert asked == [told[0], *np.repeat(told[1:], 2)]
    is_uar, is_twin = table["measure"] == "uar", table["against"].str.contains("shuffled", na=False)
    uar = table[is_uar & ~is_twin].set_index(["way", "shuffled"])
    twins = table[is_uar & is_twin].set_index("against")
    frames = uar.loc["frames", False]
    assert frames["figure"] == frames["chance"] == pytest.approx(1 / 3, abs=1e-3)
    assert pd.isna(frames["against"])
    for way in ALL:
        right, shuffled = uar.loc[way, False], uar.loc[way, True]
        assert right["figure"] > 0.95, way
        assert right["difference"] == pytest.approx(right["figure"] - frames["figure"], abs=1e-3)
        assert right["difference_low"] > 0.5
        assert right["p"] < 0.05
        assert abs(shuffled["difference"]) < 0.2, way
        assert shuffled["difference_low"] < 0 < shuffled["difference_high"]
        twin = twins.loc[f"{way}, shuffled"]
        assert (twin["way"], twin["shuffled"], twin["figure"]) == (way, False, right["figure"])
        gain = right["figure"] - shuffled["figure"]
        assert twin["difference"] == pytest.approx(gain, abs=1e-3)
        assert twin["difference_low"] > 0.4
    assert table["n"].eq(36).all()
    assert table["against"].value_counts().to_dict() == {"frames": 12} | {
        f"{way}, shuffled": 2 for way in ALL
    }
    assert not list(checkpoints.ROOT.glob("*/model-*"))
    asked.clear()
    hashed: list[str] = []
    read = Path.read_bytes

    def noting(path: Path) -> bytes:
        hashed.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", noting)
    assert study(load(ALL, prompt="{facts}One.{face} Who?")).equals(table)
    assert asked == []  # the same table is kept, while what is imported in functions is the same
    loaded_late = {f"{name}.py" for name in ("reinforcement", "sampling", "losses", "calibration")}
    assert loaded_late <= set(hashed)
    study(load(["facts"], prompt="{facts}One.{face} Who?"))
    assert len(asked) == 3


def test_where_it_is_not_asked_for_or_cannot_be_the_table_is_empty(
    project: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert study(load([])).empty
    assert capsys.readouterr().out == ""
    untrained = {"rank": 0, "alpha": 16, "dropout": 0.0, "targets": "attention"}
    assert kept.OUT.joinpath("language.csv").read_text() == ",".join(COLUMNS) + "\n"
    for loaded, reason in (
        (load(["facts"], model="logistic"), "train.model is logistic, no language model"),
        (load(["facts"], "served", mode="zero_shot", start="none", face_tokens=0), "is served"),
        (load(["facts"], frames=0), "train.language.frames is 0"),
        (load(["facts"], mode="pretrain"), "mode is pretrain"),
        (load(["facts"], prompt="Who?{facts}"), "has not one {face}"),
        (load(["facts"], wordings=["Who?"]), "has not one {face}"),
        (load(["facts"], examples=1), "not shuffled"),
        (load(["facts"], reasons="facts"), "reasons is facts"),
        (load(["both"], reasons="facts"), "reasons is facts"),
        (load(["face_tokens"], lora=untrained), "nothing would be trained"),
        (load(["both"], mode="zero_shot", start="none"), "face tokens have to be learnt"),
        (load(["face_tokens"], face_tokens=0), "face_tokens is 0"),
    ):
        assert study(loaded).empty
        assert reason in capsys.readouterr().out
    zero_shot = {"mode": "zero_shot", "start": "none", "face_tokens": 0}
    possible: list[tuple[LanguageWay, dict[str, Any]]] = [
        ("facts", zero_shot),
        ("face_tokens", {"reasons": "facts"}),
        ("both", {"lora": untrained, "projector": True}),
        ("both", {"lora": untrained, "prefix": 2}),
    ]
    for way, changes in possible:
        loaded = load([way], **changes)
        assert lacking([way], Dataset("demo", loaded), loaded.train) == "", changes
    assert asked == []


def test_a_way_changes_nothing_but_what_is_told() -> None:
    defaults = params.load(Path(__file__).parents[3] / "params.yaml").train.language
    settings = replace(defaults, wordings=["A{face}{voice}"], start="x")
    assert told_in("both", settings).wordings == ["A{face}{facts}{voice}"]
    for way, tokens in (("frames", 0), ("facts", 0), ("face_tokens", 10), ("both", 10)):
        made = told_in(way, settings)
        assert (made.face_tokens, made.start) == (tokens, "none")
        same: dict[str, Any] = {"prompt": settings.prompt, "wordings": settings.wordings}
        assert replace(made, face_tokens=10, start="x", **same) == settings


def test_each_clip_gets_another_of_its_part() -> None:
    part = np.array(["train"] * 20 + ["val"] * 3 + ["test"] + [""] * 2)[np.arange(26) * 7 % 26]
    rows = others(part, seed=0)
    assert sorted(rows) == list(range(26))
    assert (part[rows] == part).all()
    assert np.flatnonzero(rows == np.arange(26)).tolist() == np.flatnonzero(part == "test").tolist()
    assert others(part, seed=1).tolist() != rows.tolist()
    assert len(others(part[:0], seed=0)) == 0


def test_a_clip_with_another_s_face_keeps_its_frames_and_its_answer() -> None:
    table = pd.DataFrame({"video_idx": ["a", "b"], "at": [0, 1], "usable": [True, False]})
    blocks: Any = {"blendshapes": np.arange(12, dtype=np.float32).reshape(2, 2, 3)}
    clips = Clips(table, blocks, Path(), 25.0, Path(), pd.DataFrame(), {})
    texts = {
        "transcripts": ["la", "lb"], "facts": ["fa", "fb"], "voices": ["va", "vb"],
        "expressions": ["ea", "eb"], "reasons": ["", ""], "answers": ["one", "two"],
    }  # fmt: skip
    asked = PromptClips(clips, ["blendshapes"], **texts, targets_nT=np.zeros((2, 0)))
    made = asked.with_faces_of([1, 0])
    assert made.numbers(0).tolist() == blocks["blendshapes"][1].tolist()
    assert made.table["usable"].tolist() == [False, True]
    assert made.table["video_idx"].tolist() == ["a", "b"]
    assert (made.facts, made.answers, made.voices) == (["fb", "fa"], ["one", "two"], ["va", "vb"])
