"""``facewave predict``: what is printed of a clip, by every kind of model."""

import io
import json
import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import facewave
from facewave.app import answers as answers_of_clips
from facewave.app.predict import Options, predict_all, windows
from facewave.app.pseudo_label import pseudo_label
from facewave.errors import UserError
from facewave.faces.__main__ import main as crop
from facewave.files import sha256
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks.schema import ClipFacts, Trajectory
from facewave.params import Block
from facewave.prompts import answers
from facewave.targets import QUADRANTS, Target, number
from facewave.training import schema as training
from facewave.training.__main__ import main as train
from facewave.training.schema import Trained, answers_of
from facewave.workspace import Clips
from language_project import write_model, write_project
from making import (
    REPOSITORY,
    SETTINGS,
    TOY_TRAIN,
    in_turn,
    remember,
    toy,
    trained_project,
    trajectory,
    write_landmarks,
    write_params,
    write_toy,
)

Capture = pytest.CaptureFixture[str]
WORDS = {"happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"}
OWN = "models/trained/split/model"


def probabilities(output: str) -> dict[str, float]:
    return {word: float(p) for word, p in re.findall(r"^\s*(\w+)\s+([\d.]+)%", output, re.M)}


def scores(record: dict[str, Any]) -> dict[str, Any]:
    """The scores of a record's classes."""
    named = ((name.partition("_"), value) for name, value in record.items())
    return {word: value for (start, _, word), value in named if start == "p"}


def test_a_demo_clip_needs_no_landmarker_and_a_model_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", "")
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/trajectories").symlink_to(REPOSITORY / "data/trajectories")
    found = {}
    for role in ("model", "majority"):
        folder = trained_project() / "models/trained/1" / role
        assert predict_all([REPOSITORY / "data/raw/demo/clips/1.mp4"], options(str(folder)))
        output = capsys.readouterr().out
        kind = {"model": "mlp"}.get(role, role)
        assert (
            f"model: {kind}, learnt from demo (synthetic numbers of a test; 18 clips, 6 people)"
            in output
        )
        assert "beware: it learnt from synthetic clips and says nothing about real faces" in output
        assert re.search(r"1\.mp4: \d+ frames, [\d.]+ s, a face in 100% of the frames", output)
        assert "score" in output
        assert "probability" not in output
        found[role] = probabilities(output)
        assert set(found[role]) == WORDS
        assert sum(found[role].values()) == pytest.approx(100, abs=0.5)
        assert list(found[role].values()) == sorted(found[role].values(), reverse=True)
    assert found["model"] != found["majority"]
    with pytest.raises(UserError, match=r"models/trained/split/model.* is not here\. Train it"):
        predict_all([REPOSITORY / "data/raw/demo/clips/1.mp4"], options())


def options(model: str = OWN, **changes: Any) -> Options:
    """Of the project's own model."""
    return Options(model, **changes)


def remembered(folder: Path, frames: int, gap: range = range(0), name: str = "a") -> Path:
    """A clip of 25 frames a second in the cache of detections, without a face in some frames."""
    clip = folder / f"{name}.mp4"
    clip.write_text(f"known by its hash {name}")
    seen = trajectory(frames, seed=1, gaps=tuple(gap))
    key = cache_of_detections.key(clip, 25.0, SETTINGS)
    facts = ClipFacts(25.0, 640, 480, frames)
    remember(key, replace(seen, times_T=np.arange(frames) / 25), facts)
    return clip


def test_a_clip_that_a_dataset_would_leave_out_is_refused_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    gap_too_long = "no face for 3.20 s: longer gaps than wavelets.max_gap_s (3)"
    for gap, reason, can_be_forced in (
        (0, "", True),
        (74, "", True),
        (80, gap_too_long, True),
        (300, "face_share is 0.25, less than 0.3", True),
        (400, "no face in any frame", False),
    ):
        start = 100 if gap < 400 else 0
        clip = remembered(tmp_path, 400, range(start, start + gap), str(gap))
        assert predict_all([clip], options()) == (not reason)
        output = capsys.readouterr().out
        assert f"a face in {1 - gap / 400:.0%} of the frames" in output
        assert (f"no answer: {reason}" in output) == bool(reason)
        assert ("--force answers anyway" in output) == (bool(reason) and can_be_forced)
        assert bool(probabilities(output)) == (not reason)

        assert predict_all([clip], options(force=True)) == can_be_forced
        output = capsys.readouterr().out
        assert (f"forced: {reason}" in output) == (bool(reason) and can_be_forced)
        assert ("no answer: no face in any frame" in output) != can_be_forced
        assert "--force" not in output


def test_windows_are_the_whole_clip_and_the_last_ends_with_it() -> None:
    assert list(windows(3.0, 3, 1)) == list(windows(3.0000000000000004, 3, 1)) == []
    assert list(windows(3.5, 3, 1)) == [(0, 3), (1, 3.5)]
    assert list(windows(6.0, 3, 1)) == [(0, 3), (1, 4), (2, 5), (3, 6)]
    assert list(windows(1.0, 0.3, 0.1))[-1] == pytest.approx((0.7, 1.0))
    assert len(list(windows(1.0, 0.3, 0.1))) == 8
    for duration in (3.01, 5.99, 7.3, 60):
        spans = list(windows(duration, 3, 2))
        assert spans[0][0] == 0
        assert spans[-1][1] == duration
        assert all(end - start > 1 for start, end in spans)
        assert all(later[0] <= end for (_, end), later in pairwise(spans))


def test_a_window_is_answered_as_that_part_of_the_clip_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    clip = remembered(tmp_path, 200, range(130, 190))  # 8 s, the last windows without many faces
    part = tmp_path / "part.mp4"
    part.write_text("seconds 2 to 5 of it")
    seen = replace(trajectory(200, seed=1), times_T=np.arange(200) / 25)[50:125]
    key = cache_of_detections.key(part, 25.0, SETTINGS)
    remember(key, seen, ClipFacts(25.0, 640, 480, 75))
    out = tmp_path / "answers.json"
    logistic = str(training.folder("split", "logistic"))
    assert predict_all([clip, part], options(logistic, stdout="json", out=out))
    printed = capsys.readouterr()
    assert out.read_text() == printed.out
    assert "model: logistic" in printed.err
    whole, alone = json.loads(printed.out)
    assert [(w["start"], w["end"]) for w in whole["windows"]] == [(s, s + 3) for s in range(6)]
    assert scores(whole["windows"][2]) == pytest.approx(scores(alone), abs=1.5e-4)
    assert scores(whole["windows"][3]) != pytest.approx(scores(alone), abs=1.5e-4)
    assert alone["windows"] == []
    last = whole["windows"][5]
    assert (last["usable"], last["answered_from"], last["predicted"]) == (False, "", "")
    assert set(scores(last).values()) == {None}
    assert "face_share is 0.2, less than 0.3" in last["reason"]

    assert predict_all([clip], options(logistic))
    output = capsys.readouterr().out
    assert "in windows of 3 s, one every 1 s:" in output
    assert len(re.findall(r"^    (\w+) +[ ▁▂▃▄▅▆▇█]{5}·$", output, re.M)) == 7
    stretches = re.findall(r"^ +([\d.]+) to ([\d.]+) s +(\w+)", output, re.M)
    assert stretches[0][0] == "0.0"
    assert stretches[-1] == ("6.0", "8.0", "no")
    assert all(a[1] == b[0] for a, b in pairwise(stretches))


def test_records_say_what_a_program_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    clips = [remembered(tmp_path, 100), remembered(tmp_path, 50, range(50), "blind")]
    assert not predict_all(clips, options(stdout="json", window=2))
    good, blind = json.loads(capsys.readouterr().out)
    columns = [
        *("file", "sha256", "start", "end", "frames", "duration", "face_share", "usable"),
        *("reason", "forced", "model", "calibrated", "answered_from", "predicted"),
        *(f"p_{word}" for word in training.load(Path(OWN)).classes),
    ]
    assert list(good) == [*columns, "windows"]
    assert (good["start"], good["end"], good["calibrated"]) == (None, None, False)
    assert (good["file"], good["sha256"]) == (str(clips[0]), sha256(clips[0]))
    assert (good["frames"], good["duration"], good["face_share"]) == (100, 4.0, 1.0)
    assert (good["usable"], good["reason"], good["forced"]) == (True, "", False)
    assert good["answered_from"] == "face"
    of_good = scores(good)
    assert good["predicted"] == max(of_good, key=of_good.__getitem__)
    assert set(of_good) == WORDS
    assert sum(of_good.values()) == pytest.approx(1, abs=1e-3)
    assert (blind["usable"], blind["answered_from"], blind["predicted"]) == (False, "", "")
    assert set(scores(blind).values()) == {None}
    assert blind["reason"] == "no face in any frame"

    out = tmp_path / "answers.csv"
    assert not predict_all(clips, options(stdout="csv", window=2, out=out))
    text = capsys.readouterr().out
    assert out.read_text() == text
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert table["file"].tolist() == [str(clips[0])] * 4 + [str(clips[1])]
    assert table["start"].tolist() == ["", "0.0", "1.0", "2.0", ""]
    assert table["p_happy"].astype(str).tolist()[0] == str(good["p_happy"])
    assert table["p_happy"].tolist()[-1] == ""
    assert list(table) == columns


def test_scores_are_probabilities_once_real_people_have_calibrated_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    clip = remembered(tmp_path, 50)
    for role, clips, noun in (
        ("model", 199, "score"), ("majority", 200, "score"), ("model", 200, "probability"),
    ):  # fmt: skip
        folder = tmp_path / role
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(training.folder("split", role), folder)
        config = json.loads((folder / "config.json").read_text())
        config.pop("sha256", None)
        config["about"] |= {"synthetic": False, "labelled": clips}
        (folder / "config.json").write_text(json.dumps(config))
        assert predict_all([clip], options(str(folder)))
        output = capsys.readouterr().out
        assert re.search(rf"emotion +{noun}\b", output)
        assert "beware" not in output
    assert predict_all([], options(str(tmp_path / "model"), card=True))
    card = capsys.readouterr().out
    assert "# mlp" in card
    assert "Its probabilities are calibrated" in card


class Eyes(Trained):
    """A model without features: it tells the mean of a blendshape over a row's own trajectory.

    Args:
        others: targets beside the classes.
        numbers: the same answer to them for every clip, NaN for what is not answered.
        margins: half the widths of their prediction intervals.
    """

    def __init__(
        self,
        others: Sequence[Target] = (),
        numbers: Sequence[float] = (),
        margins: Sequence[float] = (),
    ) -> None:
        self.kind, self.targets = "eyes", (Target("classes", "words", ("open", "shut")), *others)
        self.inputs, self.wavelets, self.about = (), {}, {}
        self.numbers, self.margins = numbers, [math.nan, math.nan, *margins]

    def answer(self, clips: Clips) -> pd.DataFrame:
        rows = [clips.trajectory(name) for name in clips.table["video_idx"]]
        means = [float(row.blendshapes_TB[:, 9].mean()) for row in rows if row is not None]
        seen_from = np.array(
            ["prior" if row is not None and row.times_T[0] > 1.9 else "face" for row in rows]
        )
        answers_nW = np.array([[mean, 1 - mean, *self.numbers] for mean in means])
        margins_nW = np.broadcast_to(self.margins, answers_nW.shape) if self.numbers else None
        return answers_of(clips, seen_from, self.targets, answers_nW, margins_nW)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind}

    def save(self, path: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "Eyes":
        raise NotImplementedError


def test_any_model_answers_and_one_that_knows_only_the_prior_has_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    monkeypatch.setattr("facewave.app.predict.choose", lambda model: Eyes())
    clip = remembered(tmp_path, 125)
    assert predict_all([clip], options(stdout="json"))
    captured = capsys.readouterr()
    assert "model: eyes\n" in captured.err
    (answer,) = json.loads(captured.out)
    values = trajectory(125, seed=1).blendshapes_TB[:, 9]
    assert answer["p_open"] == pytest.approx(values.mean(), abs=1e-4)
    first, second, third = answer["windows"]
    assert first["p_open"] == pytest.approx(values[:75].mean(), abs=1e-4)
    assert second["p_open"] == pytest.approx(values[25:100].mean(), abs=1e-4)
    assert (third["p_open"], third["answered_from"], third["predicted"]) == (None, "", "")
    assert third["reason"] == "the model finds no face to judge by"
    assert predict_all([clip], options(stdout="csv"))
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["p_open"].isna().tolist() == [False, False, False, True]


def test_several_targets_are_a_few_lines_for_people_and_all_columns_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(trained_project())
    units = ("AU1", "AU6", "AU12")
    others = [
        *map(number, ("valence", "arousal", "dominance", "score.promis_anxiety")),
        Target("quadrant", "words", QUADRANTS), Target("about.sex", "words", ("female", "male")),
        Target("aus", "presence", units),
    ]  # fmt: skip
    values = [
        *(0.8, 0.5, math.nan, 56.25, 0.7, 0.1, 0.1, 0.1, 0.25, 0.75),
        *(0.51, 0.49, 0.93),
    ]
    margins = [0.3, *[math.nan] * 2, 4.0, *[math.nan] * 9]
    model = Eyes(others, values, margins)
    monkeypatch.setattr("facewave.app.predict.choose", lambda _: model)
    clip = remembered(tmp_path, 100)
    assert predict_all([clip], options())
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in (
        r"valence +0\.80 \(90 % between 0\.50 and 1\.00\)",  # no valence is above 1
        r"arousal +0\.50",
        r"nearest word +happy",
        r"promis_anxiety +56\.25 \(90 % between 52\.25 and 60\.25\), mild",
        r"quadrant +positive aroused 70%",
        r"sex +male 75%",
        r"action units +AU12 93%, AU1 51%",
        r"valence +\S* 0\.80 to 0\.80",  # over time
        "no interval for arousal: too few labelled clips have shown how far off an answer may be",
    ):
        assert [text for text in lines if re.fullmatch(line, text)], line
    assert not [line for line in lines if line.startswith("dominance")]
    assert [line for line in lines if re.match(r"AU12 +\S{2}$", line)]

    assert predict_all([clip], options(stdout="json"))
    (record,) = json.loads(capsys.readouterr().out)
    asked = [name for target in model.targets for name in target.answered]
    assert list(record) == [*answers_of_clips.COLUMNS, *asked, "windows"]
    assert record["low_valence"] == 0.5
    assert record["high_valence"] == 1
    assert record["low_arousal"] is None
    assert record["predicted_dominance"] is None
    assert record["predicted_quadrant"] == "positive aroused"
    assert record["p_about.sex_male"] == record["windows"][0]["p_about.sex_male"] == 0.75
    assert record["predicted_AU6"] == 0.49
    in_python = facewave.predict(clip).loc[0, asked]
    assert in_python.where(in_python.notna(), None).to_dict() == {n: record[n] for n in asked}

    # Intensities have a digit.
    model = Eyes([Target("aus", "intensity", units)], [0.2, 3.26, 1.0], [math.nan] * 3)
    assert predict_all([clip], options())
    assert re.search(r"action units +AU6 3\.3, AU12 1\.0 *\n", capsys.readouterr().out)


# Language models.

CLIP = Path("data/raw/demo/clips/003.mp4")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose train.model is a language model, not yet trained."""
    folder = tmp_path_factory.mktemp("made")
    write_project(folder)
    with pytest.MonkeyPatch.context() as patch:  # faces cut out of the clips themselves
        patch.setattr("facewave.pool.each", in_turn)
        patch.chdir(folder)
        crop("demo")
    return folder


def seen_in_003() -> Trajectory:
    """What stage extract saw of this clip (write_project)."""
    return trajectory(12, seed=4)


Answer = Callable[..., bool]


@pytest.fixture
def answer(made: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Predict the clip with a language model of some options."""
    monkeypatch.chdir(made)

    def run(seen: Trajectory | None = None, **model: Any) -> bool:
        write_model(made, **model)
        key = cache_of_detections.key(CLIP, 25.0, SETTINGS)
        remember(key, seen or seen_in_003(), ClipFacts(30.0, 64, 48, 12))
        return predict_all([CLIP], options(force=True))  # its face is small

    return run


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """The model's probabilities with all digits: of tiny models few of them differ."""
    found: list[NDArray[np.float32]] = []
    of_model = answers.probabilities

    def watched(*arguments: Any) -> NDArray[np.float32]:
        found.append(of_model(*arguments))
        return found[-1]

    monkeypatch.setattr(answers, "probabilities", watched)
    return found


def test_a_language_model_answers_as_it_does_within_a_dataset(
    answer: Answer, capsys: Capture, exact: list[NDArray[np.float32]]
) -> None:
    for shots in ((), ("001", "002", "004")):
        exact.clear()
        about = {"partition": "2"}  # its test part has the clip
        assert answer(shots=shots, about=about, by_length=True)
        found = probabilities(capsys.readouterr().out)
        assert set(found) == WORDS
        pseudo_label("demo", None, f"as-{len(shots)}")
        rows = pd.read_csv(f"data/tracks/demo/as-{len(shots)}.csv", dtype={"video_idx": str})
        at = rows["video_idx"].tolist().index("003")
        for word, percent in found.items():
            assert percent == pytest.approx(100 * rows[f"p_{word}"].iloc[at], abs=0.051)
        np.testing.assert_allclose(exact[0][0], np.concatenate(exact[1:])[at], rtol=1e-6)


def test_a_network_over_faces_answers_as_it_does_within_a_dataset(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import torch

    from facewave.models.vision import FaceNetworkConfig, build
    from facewave.training.face_network import ShownConfig, TrainedFaceNetwork

    monkeypatch.chdir(made)
    remember(cache_of_detections.key(CLIP, 25.0, SETTINGS), seen_in_003(),
             ClipFacts(30.0, 64, 48, 12))  # fmt: skip
    classes = Target("classes", "words", tuple(sorted(WORDS)))
    network = FaceNetworkConfig("mobilenet_v2", (classes,), width=0.25, side=32)
    torch.manual_seed(0)
    about = {"dataset": "demo", "partition": "2", "synthetic": True}
    config = ShownConfig(network, 3, "box", 0.1)
    folder = made / "models/face_network"
    training.save(TrainedFaceNetwork(build(network).eval(), config, (), {}, about), folder)
    assert predict_all([CLIP], options(str(folder), force=True))
    found = probabilities(capsys.readouterr().out)
    pseudo_label("demo", folder, "as-seen")
    rows = pd.read_csv("data/tracks/demo/as-seen.csv", dtype={"video_idx": str})
    row = rows[rows["video_idx"] == "003"].iloc[0]
    assert row["answered_from"] == "face"
    for word, percent in found.items():
        assert percent == pytest.approx(100 * row[f"p_{word}"], abs=0.051)


def test_numbers_and_words_of_the_clip_itself_reach_the_model(
    made: Path, answer: Answer, exact: list[NDArray[np.float32]]
) -> None:
    moved = seen_in_003()
    moved.blendshapes_TB[:] = moved.blendshapes_TB[::-1].copy()
    for faces in (True, False):
        for seen in (seen_in_003(), moved):
            assert answer(seen, faces=faces, mode="pretrain", by_length=True)
    assert not np.array_equal(exact[0], exact[1])
    assert np.array_equal(exact[2], exact[3])
    exact.clear()
    beside = made / CLIP.with_suffix(".txt")
    for text in ("I am so sad", "I am so glad", ""):
        beside.write_text(text)
        assert answer(transcript="known", by_length=True)
    beside.unlink()
    assert answer(transcript="none", by_length=True)
    assert not np.array_equal(exact[0], exact[1])
    assert not np.array_equal(exact[1], exact[2])
    assert np.array_equal(exact[2], exact[3])


def test_without_a_face_a_language_model_looks_at_the_frames(
    answer: Answer, capsys: Capture
) -> None:
    blind = trajectory(12, seed=4, gaps=tuple(range(12)))
    assert answer(blind, faces=True, mode="pretrain")
    output = capsys.readouterr().out
    assert "answered without the face: no face in any frame" in output
    assert sum(probabilities(output).values()) == pytest.approx(100, abs=0.5)
    assert not answer(blind, faces=True, mode="pretrain", frames=0)
    assert "no answer: no face in any frame" in capsys.readouterr().out


def test_written_answers_and_numbers_are_printed(
    answer: Answer, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not answer(answers="generation")
    assert "no answer: the model gave none of its labels" in capsys.readouterr().out
    with monkeypatch.context() as context:
        context.setattr(answers, "texts", lambda *_: iter([" Sad.\n"]))
        assert predict_all([CLIP], options())
    assert "emotion, as the model wrote it: sad" in capsys.readouterr().out
    targets = ("valence", "score.stress")
    assert answer(targets=targets, objective="mse", faces=True)
    found = re.findall(r"^\s*(valence|stress)\s+(-?\d\.\d\d)\s*$", capsys.readouterr().out, re.M)
    assert [name for name, _ in found] == ["valence", "stress"]
    assert found[0][1] != found[1][1]


def test_a_clip_is_normalised_by_other_clips_of_the_person_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    normalizing = TOY_TRAIN | {"model": "logistic", "normalize": "person", "baselines": []}
    write_params(tmp_path, train=normalizing | {"partitions": ["split"]})
    made = toy()
    write_toy(tmp_path, made)
    write_landmarks(tmp_path, {name: trajectory(12) for name in made.table["video_idx"]})
    train()
    clips = [remembered(tmp_path, 100 + 20 * n, name=f"clip{n}") for n in range(3)]
    asked, *others = clips
    assert predict_all([asked], options())
    unknown = capsys.readouterr().out
    assert "normalised by each person's own clips (no labels)" in unknown
    assert "no other clip of the person is known" in unknown
    assert "--baseline" in unknown
    assert predict_all([asked], options(baseline=others))
    known = capsys.readouterr().out
    assert "no other clip" not in known
    assert probabilities(known) != probabilities(unknown)

    # By hand: the model, and the numbers of these very clips.
    model = training.load(Path(OWN))
    by_population, by_one, by_both = (
        facewave.predict(asked, OWN, baseline=some) for some in ([], others[:1], others)
    )
    made_by = {name: model.wavelets[name] for name in ("transform", "k", "wavelet", "sides")}
    numbers = [facewave.extract(clip).features(**made_by)["blendshapes"] for clip in clips]
    table = pd.DataFrame({"video_idx": ["a"], "usable": True, "at": 0, "subject": "me"})
    blocks: dict[Block, Any] = {"blendshapes": np.stack(numbers)}
    for found, people in ((by_population, {}), (by_one, {"me": [1]}), (by_both, {"me": [1, 2]})):
        positions = {name: np.array(at) for name, at in people.items()}
        some = Clips(table, blocks, Path(), 25.0, Path(), pd.DataFrame(), {}, people=positions)
        expected = model.answer(some).filter(regex="^p_").to_numpy()
        np.testing.assert_allclose(found.filter(regex="^p_").to_numpy()[:1], expected, atol=1e-4)
    # A clip is no baseline of its own; windows are normalised as the clip is.
    pd.testing.assert_frame_equal(facewave.predict(asked, OWN, baseline=clips), by_both)
    assert len(by_both) > 1

    faceless = remembered(tmp_path, 100, range(100), "faceless")
    with pytest.raises(
        UserError, match=r"faceless\.mp4 says nothing of the person: no face in any"
    ):
        predict_all([asked], options(baseline=[faceless]))
    folder = "models/trained/split/unnormalized"
    with pytest.raises(UserError, match="the model was not trained to normalise by them"):
        predict_all([asked], options(folder, baseline=others))
