"""``facewave annotate``: which clips are described, from what, and that nothing else reads it."""

import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewave import params
from facewave.app.annotate import PROMPT, annotate
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.models.vlm import backbones
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import LanguageModel, LanguageModelConfig
from facewave.prompts.frames import show
from facewave.pseudo import tracks
from facewave.training.__main__ import main as train
from facewave.workspace import Dataset, Stored
from language_project import KIND, second_dataset, write_project
from language_project import settings as write_settings
from making import REPOSITORY, contents

TRACK = Path("data/tracks/demo/captions.csv")
DEMO = Dataset("demo", params.load(REPOSITORY / "params.yaml"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two datasets."""
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    write_project(folder)
    second_dataset(folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which we are in."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="module")
def whole(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run writes, with two captions of the other dataset shown."""
    folder = tmp_path_factory.mktemp("whole") / "project"
    shutil.copytree(made, folder)
    with chdir(folder), redirect_stdout(io.StringIO()) as output:
        describe()
    assert output.getvalue().splitlines()[-1] == (
        f"{TRACK}: 21 of 21 clips without a caption are described, by {KIND}"
    )
    assert contents(folder / "data/labels") == contents(made / "data/labels")
    return contents(folder / "data/tracks")


def describe(**changes: Any) -> None:
    options = {"name": "demo", "track": "captions", "kind": None, "prompt": PROMPT,
               "examples_of": "other", "examples": 2, "limit": None}  # fmt: skip
    annotate(**options | changes)


def rows(content: bytes | None = None) -> pd.DataFrame:
    text = TRACK.read_bytes() if content is None else content
    return pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False)


def test_clips_without_a_caption_are_described_and_no_others(
    made: Path, whole: dict[str, bytes]
) -> None:
    table = labels.read(made / "data/labels/demo.csv")
    bare = table[table["caption"] == ""]
    assert set(whole) - {".demo.lock"} == {"demo/captions.csv", "demo/captions.json"}
    described = rows(whole["demo/captions.csv"])
    assert list(described) == ["video_idx", "file_path", "key", "text"]
    for column in ("video_idx", "file_path"):
        assert described[column].tolist() == bare[column].tolist()
    assert described["key"].tolist() == [f"key-{name}" for name in bare["video_idx"]]
    assert described["text"].str.len().min() > 0
    assert described["text"].nunique() > 1
    assert "undecided" in described["video_idx"].tolist()  # left out for its label alone
    about = json.loads(whole["demo/captions.json"])
    assert about["model"] == {"kind": KIND, "precision": "torch.float32"}
    assert about["prompt"] == PROMPT
    assert about["frames"]["frames"] == 2
    assert (about["examples"]["dataset"], about["examples"]["shown"]) == ("other", 2)


def test_it_is_what_the_model_says_after_captioned_clips(
    made: Path, whole: dict[str, bytes]
) -> None:
    about = json.loads(whole["demo/captions.json"])
    settings_ = replace(params.load(made / "params.yaml").train.language, picture="whole")
    backbone = backbones.load(KIND, "hub")
    model = LanguageModel(LanguageModelConfig(KIND, "hub", "", "zero_shot", ()), backbone).eval()

    def turn(dataset: str, name: str, answer: str = "") -> Turn:
        table = labels.read(made / f"data/labels/{dataset}.csv").set_index("video_idx")
        seen = Stored(made / "data/faces" / dataset, "faces").read(name)
        index = landmarks.read_index(made / "data/landmarks" / dataset).set_index("video_idx")
        duration = float(index.loc[name, "duration"])
        clip = made / "data/raw" / dataset / str(table.loc[name, "file_path"])
        shown = show(clip, name, 25.0, np.nan, duration, seen, settings_, 0)
        return Turn(shown.pictures, shown.duration, PROMPT, answer)

    captions = labels.read(made / "data/labels/other.csv").set_index("video_idx")["caption"]
    shots = [
        turn("other", name, " ".join(captions[name].replace("<", " ").split()))
        for name in about["examples"]["clips"][:2]
    ]
    assert all('|video_pad|> "a ' in shot.answer for shot in shots)
    texts = rows(whole["demo/captions.csv"]).set_index("video_idx")["text"]
    for name in texts.index[[0, 7]]:
        inputs = backbone.inputs([[*shots, turn("demo", name)]])
        (written,) = model.write(inputs, about["tokens"])
        assert texts[name] == " ".join(written.replace("\0", "\ufffd").split())
        (alone,) = model.write(backbone.inputs([[turn("demo", name)]]), about["tokens"])
        assert alone != written


@pytest.mark.slow
def test_a_limit_leaves_the_rest_to_another_run_of_the_same_settings(
    project: Path, whole: dict[str, bytes]
) -> None:
    for limit, count in ((4, 4), (2, 6)):
        describe(limit=limit)
        assert len(rows()) == count
        assert whole["demo/captions.csv"].startswith(TRACK.read_bytes())
    before = contents(project / "data/tracks")
    changes: list[tuple[dict[str, Any], str]] = [
        ({"prompt": "What is in {this} picture?"}, "another prompt"),
        ({"kind": "tiny-smolvlm"}, "another model"),
        ({"examples": 1}, "another examples"),
        ({"examples_of": None}, "another examples"),
    ]
    for number, (change, message) in enumerate(changes):
        with pytest.raises(UserError, match=message):
            describe(**change)
        describe(**change, track=f"others-{number}", limit=2)
        assert {name: contents(project / "data/tracks")[name] for name in before} == before
    write_settings(project, frames=1)
    with pytest.raises(UserError, match="another frames"):
        describe(examples_of="demo")
    write_settings(project, frames=0)
    with pytest.raises(UserError, match=r"train\.language\.frames is 0"):
        describe(examples_of=None)


def test_a_clip_that_is_another_now_is_described_anew(
    project: Path, whole: dict[str, bytes]
) -> None:
    TRACK.parent.mkdir(parents=True)
    written = rows(whole["demo/captions.csv"])
    stale = written.copy()
    stale.loc[3, ["key", "text"]] = ["key-before", "stale"]
    pd.concat([stale, stale.iloc[:1].assign(video_idx="gone")]).to_csv(TRACK, index=False)
    TRACK.with_suffix(".json").write_bytes(whole["demo/captions.json"])
    describe()
    assert rows()["video_idx"].tolist() == written["video_idx"].tolist()
    assert "stale" not in rows()["text"].tolist()


def test_captions_of_the_same_dataset_are_examples_and_mistakes_get_a_sentence(
    project: Path,
) -> None:
    describe(examples_of="demo", limit=1, track="same")
    about = json.loads(Path("data/tracks/demo/same.json").read_text("utf-8"))
    captions = labels.read(Path("data/labels/demo.csv")).set_index("video_idx")["caption"]
    assert all(captions[about["examples"]["clips"]] != "")
    changes: list[tuple[dict[str, Any], str]] = [
        ({"name": "nowhere"}, "there is no dataset 'nowhere'"),
        ({"examples_of": "nowhere"}, "there is no dataset 'nowhere'"),
        ({"kind": "mlp"}, "mlp is no language model. Name one with --model: paligemma2"),
        ({"examples": 99}, "other has 4[01] clips with a caption"),
        ({"track": "../demo"}, "--track is '../demo'"),
    ]
    for change, message in changes:
        with pytest.raises(UserError, match=message):
            describe(**change)
    index = Path("data/landmarks/demo/index.csv")
    index.write_text("\n".join(index.read_text("utf-8").splitlines()[:-1]) + "\n")
    table = labels.read(Path("data/labels/demo.csv"))
    table.loc[table.index[-1], "caption"] = ""
    labels.write(Path("data/labels/demo.csv"), table, ("happy",))
    with pytest.raises(UserError, match=r"data/landmarks/demo lacks 1 clips .*clips/059\.mp4"):
        describe()
    assert not TRACK.exists()


# Without carriage returns: a text is made one line, and no path has them.
STRANGE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


def fill(
    texts: list[tuple[str, str]], about: dict[str, Any] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """A track of clips by path and text, two a batch; and the clips that were asked for."""
    names = [str(i) for i in range(len(texts))]
    clips = pd.DataFrame({"video_idx": names, "file_path": [p for p, _ in texts], "key": "k"})
    asked: list[str] = []

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        asked.extend(missing["video_idx"])
        for start in range(0, len(missing), 2):
            some = missing.iloc[start : start + 2]
            yield some.assign(text=[texts[int(name)][1] for name in some["video_idx"]])

    return tracks.fill(DEMO, "t", about or {}, clips, answer), asked


@given(st.lists(st.tuples(STRANGE, STRANGE), min_size=1, max_size=4))
@settings(max_examples=30)
def test_no_text_breaks_a_track(texts: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for count in (len(texts), 0):
            track, asked = fill(texts)
            assert list(zip(track["file_path"], track["text"], strict=True)) == texts
            assert len(asked) == count


@pytest.mark.slow
def test_wherever_a_track_was_cut_off_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [("a", 'so\n"he" said,\n'), ("b\n", "=1+1"), ('"', "\r\n"), ("d", "")]
    monkeypatch.chdir(tmp_path)
    fill(texts)
    path = Path("data/tracks/demo/t.csv")
    whole = path.read_bytes()
    asked_for = []
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        asked_for.append(len(fill(texts)[1]))
        assert path.read_bytes() == whole
    assert asked_for == sorted(asked_for, reverse=True)  # no whole row is asked for again
    assert asked_for[0] == 4
    ends = [cut for cut in range(1, len(whole) + 1) if asked_for[cut] < asked_for[cut - 1]]
    assert len(ends) == 4
    assert all(whole[end - 1 : end] == b"\n" for end in ends)


def test_a_damaged_track_or_one_of_unknown_settings_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("data/tracks/demo/t.csv")
    fill([("a", "x")], {"model": 1})
    description = path.with_suffix(".json")
    for damage in (description.unlink, lambda: description.write_text("{")):
        damage()
        with pytest.raises(UserError, match="was made with another model"):
            fill([("a", "x")], {"model": 1})
    header = "video_idx,file_path,key,text\n"
    for content in ("a,b\n1,2\n", f"{header}0,a,k,x,y,z\n", f"{header}0,a,k\n"):
        path.write_text(content)
        with pytest.raises(UserError, match=r"t\.csv is damaged"):
            fill([("a", "x")])
        assert path.read_text() == content


def test_only_the_commands_and_stage_pseudo_know_of_tracks() -> None:
    package = REPOSITORY / "src/facewave"
    naming = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if re.search(r"data/tracks|import tracks|\btracks\.fill", path.read_text("utf-8"))
    }
    assert naming == {"app", "pseudo"}
    assert "tracks" not in (REPOSITORY / "dvc.yaml").read_text("utf-8")


def test_captions_as_transcripts_stop_the_training(project: Path) -> None:
    """As in MAFW: every clip but the neutral ones has a caption, and a model can describe those."""
    path = Path("data/labels/demo.csv")
    table, words = labels.read(path), labels.read_words(path)
    bare = table["actual"] == "neutral"
    table["caption"] = (table["video_idx"] + " turns away.").where(~bare, "")
    write_settings(project, transcript="known")
    for texts in (table["caption"], (table["video_idx"] + " looks.").where(bare, "")):
        labels.write(path, table.assign(transcript=texts), words)
        with pytest.raises(UserError, match=r"transcript: .*(tells the class|clip's caption)"):
            train()
        assert not Path("models/trained/split/model").exists()
