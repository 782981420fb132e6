"""``facewave pseudo-label``: which clips are answered, with what, and the agreement with labels."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from facewave import params
from facewave.app.lineages import lineage_of
from facewave.app.pseudo_label import pseudo_label
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.labels.readers.dfew import WORDS
from facewave.models.classifiers.classifier import ClassifierConfig, build
from facewave.pseudo import tracks
from facewave.pseudo.schema import TRACK as TRACK_COLUMNS
from facewave.targets import CLASSES, Target, number
from facewave.training import leaks
from facewave.training import schema as training
from facewave.training.classifier import TrainedClassifier
from facewave.training.combination import Combination
from facewave.training.ensemble import TrainedEnsemble
from facewave.wavelets import schema as wavelets
from facewave.workspace import Dataset
from language_project import second_dataset, write_model, write_project
from making import contents
from running import facewave

TRACK = Path("data/tracks/demo/pseudo_labels.csv")
OTHER = Path("data/tracks/other/pseudo_labels.csv")
MODEL = Path("models/trained/split/model")
PROBABILITIES = [f"p_{word}" for word in WORDS]
Capture = pytest.CaptureFixture[str]


def write_classifier(project: Path, partition: str, seed: int) -> None:
    """A classifier with random weights and a class prior, as stage train would write it."""
    features = wavelets.read(project / "data/features/demo").config
    targets = (Target(CLASSES, "words", WORDS), number("valence"))
    config = ClassifierConfig("logistic", targets, steps=10, widths=(52,))
    module = build(config)
    truth_nW = torch.eye(len(WORDS) + 1)[[3, 3, 1]]
    truth_nW[:, -1] = 0.25  # valence
    module.prior.fit(truth_nW)
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    about = {"dataset": "demo", "partition": partition}
    trained = TrainedClassifier(module.eval(), config, ("blendshapes",), features, about)
    trained.save(project / training.folder(partition, "model"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    write_project(folder)
    second_dataset(folder)
    for partition, seed in (("split", 0), ("1", 1)):
        write_classifier(folder, partition, seed)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which we are in."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def ask(dataset: str = "demo", folder: Path | None = None, track: str = "pseudo_labels") -> None:
    pseudo_label(dataset, folder, track)


def rows(path: Path = TRACK) -> pd.DataFrame:
    text = dict.fromkeys(("video_idx", "file_path", "key", "predicted", "answered_from"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False)


def table(dataset: str = "demo") -> pd.DataFrame:
    return labels.read(Path(f"data/labels/{dataset}.csv")).set_index("video_idx")


def test_clips_of_words_that_are_not_chosen_are_no_unlabelled_clips(project: Path) -> None:
    path = project / "data/labels/demo.csv"
    whole = labels.read(path)
    ask()
    answered = whole["video_idx"].isin(rows()["video_idx"]) & (whole["excluded"] != "")
    assert answered.any()
    other = {"excluded": str(labels.Reason.NOT_CHOSEN), "actual": "contempt"}
    labels.write(
        path, whole.assign(**{n: whole[n].mask(answered, v) for n, v in other.items()}), WORDS
    )
    TRACK.unlink()
    ask()
    assert not set(whole.loc[answered, "video_idx"]) & set(rows()["video_idx"])


def test_clips_without_a_label_and_those_of_the_test_part_are_answered(
    project: Path, capsys: Capture
) -> None:
    for partition in ("split", "1"):
        ask(folder=training.folder(partition, "model"), track=partition)
        path = Path(f"data/tracks/demo/{partition}.csv")
        whole, found = table(), rows(path)
        parts = labels.parts(whole, "split" if partition == "split" else 1)
        tested = whole.index[(parts == "test") & (whole["excluded"] == "")]
        assert found["video_idx"].tolist() == ["undecided", *tested]
        columns = [*tracks.CLIP, *TRACK_COLUMNS, *PROBABILITIES]
        columns += ["predicted_valence", "low_valence", "high_valence", "answered_from"]
        assert list(found) == columns
        output = capsys.readouterr().out
        assert f"{path}: {len(found)} clips, 1 without a label" in output
        known = found.set_index("video_idx").loc[tested]
        known = known[known["origin"] == "answer"]
        n, tested = len(known), known.index
        right = known["predicted"] == whole.loc[tested, "actual"]
        uar = right.groupby(whole.loc[tested, "actual"]).mean().mean()
        without = sum(found["origin"] == "prior")
        more = f" ({without} more without an answer)" if without else ""
        assert f"agreement with {n} known labels{more}: WAR {100 * right.mean():.1f} % [" in output
        assert f"UAR {100 * uar:.1f} % [" in output
        subjects = whole.loc[tested, "subject"].nunique()
        assert f"bootstrap over {'subjects' if subjects >= 10 else 'clips'})" in output
        assert f"of demo, those that partition {partition} has not learnt from\n" in output
        by_confidence = re.findall(r"  confidence \S+ to \S+ \(n = (\d+)\): WAR", output)
        assert sum(map(int, by_confidence)) == n
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert set(about["model"]) == {"config.json", "model.safetensors"}
    assert about["by"] == "logistic, demo, partition 1"
    assert about["lineage"]["before"] == [["demo", "1"]]
    clips = Dataset("demo", params.load()).clips()
    for name, part in (("learnt", "train"), ("validated", "val")):
        assert about["lineage"][name] == leaks.keys(clips.select(clips.parts(1) == part)) != []


def test_they_are_the_model_s_answers(project: Path) -> None:
    ask()
    found = rows().set_index("video_idx")
    clips = Dataset("demo", params.load()).clips(labels.read(Path("data/labels/demo.csv")))
    expected = training.load(MODEL).answer(clips).set_index(clips.table["video_idx"])
    expected = expected.loc[found.index]
    answered = [*PROBABILITIES, "predicted_valence"]
    np.testing.assert_allclose(found[answered], expected[answered], atol=0.51e-4)
    for column in ("predicted", "answered_from"):
        assert found[column].tolist() == expected[column].tolist()
    assert found["confidence"].tolist() == found[PROBABILITIES].max(axis=1).tolist()
    assert {source[:9] for source in found["source"]} == {"logistic "}
    assert found.index[found["answered_from"] == "prior"].tolist() == ["000"]
    assert (found.loc["000", "predicted"], found.loc["000", "p_angry"]) == ("angry", 0.3)


def test_another_model_is_refused(project: Path) -> None:
    ask()
    before = contents(project / "data/tracks")
    with pytest.raises(UserError, match=r"was made with another model .*Name another with --track"):
        ask(folder=Path("models/trained/1/model"))
    assert contents(project / "data/tracks") == before


def test_of_another_dataset_all_labelled_clips_count_whose_words_both_know(
    project: Path, capsys: Capture
) -> None:
    whole = labels.read(Path("data/labels/other.csv"))
    strange = whole["actual"] == "neutral"
    whole.loc[strange, "actual"] = "bored"
    labels.write(Path("data/labels/other.csv"), whole, (*WORDS, "bored"))
    # Two clips that demo has as well, by their bytes: one was learnt from, one was not.
    index = Path("data/landmarks/other/index.csv")
    seen = pd.read_csv(index, dtype=str, keep_default_na=False).set_index("video_idx", drop=False)
    split = table()["split"]
    learnt, tested = split.index[split == "train"][0], split.index[split == "test"][1]
    assert {table().loc[name, "actual"] for name in (learnt, tested)} <= {"happy", "sad"}
    seen.loc[[f"o{learnt}", f"o{tested}"], "key"] = [f"key-{learnt}", f"key-{tested}"]
    seen.to_csv(index, index=False)
    ask("other")
    expected = whole.loc[~strange & (whole["video_idx"] != f"o{learnt}"), "video_idx"]
    assert rows(OTHER)["video_idx"].tolist() == expected.tolist()
    output = capsys.readouterr().out
    assert f"agreement with {len(expected) - 2} known labels (1 more without" in output
    assert "of other, all but those that are in demo, which the model learnt from" in output


def test_missing_labels_are_reported(project: Path, capsys: Capture) -> None:
    whole = labels.read(Path("data/labels/other.csv"))
    whole["actual"] = ""
    labels.write(Path("data/labels/other.csv"), whole, ())
    ask("other")
    assert len(rows(OTHER)) == 61
    output = capsys.readouterr().out
    assert f"{OTHER}: 61 clips, 61 without a label" in output
    assert output.endswith("no known labels to compare with\n")


def test_mistakes_get_a_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="there is no dataset 'nowhere'"):
        ask("nowhere")
    with pytest.raises(UserError, match=r"nowhere/config\.json is not here"):
        ask(folder=Path("nowhere"))
    regression = write_model(project, targets=("valence",), folder=project / "models/regression")
    with pytest.raises(UserError, match="gives no classes"):
        ask(folder=regression)
    config = Path("data/features/other/config.json")
    config.write_text(config.read_text().replace('"wavelet": "haar"', '"wavelet": "db2"'))
    with pytest.raises(UserError, match="data/features/other differs in wavelet"):
        ask("other")
    assert not OTHER.exists()


# Language models.


def test_a_written_answer_that_is_no_word_is_a_refusal(project: Path, capsys: Capture) -> None:
    write_model(project, answers="generation")
    ask()
    found = rows()
    assert set(found["predicted"]) == {""}
    assert set(found["origin"]) == {"refused"}
    assert (found[["confidence", *PROBABILITIES]].astype(str) == "").all(axis=None)
    output = capsys.readouterr().out
    assert "13 clips, 1 without a label, 13 without an answer" in output
    assert "none of 12 clips with known labels has an answer; of demo, those that" in output


def test_what_a_model_started_from_counts_as_learnt(project: Path, capsys: Capture) -> None:
    """Pretrained on ``other``, finetuned on ``demo``: of ``other`` the test part is left."""
    write_model(project, mode="finetune", about={"before": [["other", "1"]]})
    ask("other")
    whole = table("other")
    tested = whole.index[(whole["fold"] == 1) & (whole["excluded"] == "")]
    assert rows(OTHER)["video_idx"].tolist() == ["oundecided", *tested]
    assert "; of other, those that partition 1 has not learnt from\n" in capsys.readouterr().out


def test_a_model_that_is_asked_as_it_comes_has_learnt_from_its_examples_alone(
    project: Path,
) -> None:
    loaded = params.load()
    clips = Dataset("demo", loaded).clips()
    shown = leaks.keys(clips.select([1]))
    for learnt, before in (([], []), (shown, [["demo", "split"]])):
        folder = write_model(project, about={"learnt": learnt, "validated": []})
        found = lineage_of(training.load(folder), folder, loaded)
        assert found == leaks.Lineage(before, learnt, [])


def test_an_ensemble_has_learnt_what_each_of_its_members_has(project: Path) -> None:
    """A network's file says what it learnt; the classifier beside it names the same partition."""
    loaded, classifier = params.load(), training.load(MODEL)
    network = training.load(MODEL)
    told = leaks.Lineage([["demo", "split"]], ["one nan nan"], [])
    for name, facts in (("network", told.described()), ("ensemble", {})):
        (MODEL.parent / name).mkdir()
        save_file({"x": torch.zeros(1)}, MODEL.parent / name / "model.safetensors", facts)
    of_classifier = lineage_of(classifier, MODEL, loaded)
    assert len(of_classifier.learnt) > 1
    for order in (["network", "model"], ["model", "network"]):
        members = {name: {"network": network, "model": classifier}[name] for name in order}
        way = Combination("mean", classifier.targets, np.array([0.5, 0.5]))
        about = {"dataset": "demo", "partition": "split"}
        model = TrainedEnsemble(members, {}, "ensemble", way, {}, about)
        found = lineage_of(model, MODEL.parent / "ensemble", loaded)
        assert found == told.beside(of_classifier)


def test_where_nothing_is_to_be_answered_that_is_what_is_said(project: Path) -> None:
    path = project / "data/labels/demo.csv"
    whole = labels.read(path)
    labelled = whole[whole["excluded"] == ""].assign(split="train")
    labels.write(path, labelled.reset_index(drop=True), WORDS)
    with pytest.raises(UserError, match="has nothing to answer: no clip of demo is without a l"):
        ask()
    assert not TRACK.exists()


def test_a_stopped_run_resumes_to_the_same_bytes(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = TrainedClassifier.answer

    def watched(model: Any, clips: Any) -> Any:
        if len(asked) == 1:
            asked.append(0)
            raise KeyboardInterrupt
        asked.append(len(clips))
        return answer(model, clips)

    monkeypatch.setattr(TrainedClassifier, "answer", watched)
    with pytest.raises(KeyboardInterrupt):
        ask("other")
    ask("other")
    assert asked == [32, 0, 29]
    assert f"{OTHER} has 32 of 61 clips already" in capsys.readouterr().out
    ended = contents(project / "data/tracks")
    shutil.rmtree("data/tracks")
    ask("other")
    assert contents(project / "data/tracks") == ended


# Answers from elsewhere, and votes.


def api(*lines: str) -> Path:
    path = Path("api.csv")
    path.write_text("\n".join(("video_idx,answer,confidence", *lines)) + "\n", "utf-8")
    return path


def test_answers_of_a_table_are_a_track_whose_every_row_says_where_it_is_from(
    project: Path, capsys: Capture
) -> None:
    path = api("undecided,She looks scared,0.5", "001,A happy face,0.9", "nobody,sad,1",
               f"002,{table()['actual']['002']},0.3", "003,either sad or angry,")  # fmt: skip
    pseudo_label("demo", None, "api", answers=path)
    found = rows(Path("data/tracks/demo/api.csv"))
    assert found["video_idx"].tolist() == ["undecided", "001", "002", "003"]
    assert found["predicted"].tolist() == ["fear", "happy", table()["actual"]["002"], ""]
    assert found["source"].tolist() == [f"api.csv, row {row}" for row in (2, 3, 5, 6)]
    output = capsys.readouterr().out
    assert "api.csv: no clip of the dataset: 1 row (4)." in output
    assert "no word, or no single one, which counts as a refusal: 1 row (6)." in output
    assert "api.csv: 4 clips, 1 without a label, 1 without an answer" in output
    assert "agreement with 2 known labels (1 more without an answer): WAR" in output
    assert "; of demo, all that are answered\n" in output
    about = json.loads(Path("data/tracks/demo/api.json").read_text("utf-8"))
    assert (about["by"], about["lineage"], about["unknown"]) == ("api.csv", {}, ["api.csv"])
    before = contents(project / "data/tracks")
    pseudo_label("demo", None, "api", answers=path)
    assert contents(project / "data/tracks") == before
    api("undecided,sad,1")
    with pytest.raises(UserError, match="was made with another answers"):
        pseudo_label("demo", None, "api", answers=path)


def test_single_things_are_counted_as_such(project: Path, capsys: Capture) -> None:
    pseudo_label("demo", None, "one", answers=api("001,happy,1"))
    output = capsys.readouterr().out
    assert "one.csv: 1 clip, 0 without a label\n" in output
    assert "agreement with 1 known label: WAR" in output
    pseudo_label("demo", None, "none", answers=api("001,nobody knows,"))
    assert "none of 1 clip with known labels has an answer" in capsys.readouterr().out


def test_tracks_may_be_named_with_blanks_and_none_without_a_name(
    project: Path, capsys: Capture
) -> None:
    ask(track="one")
    ask(folder=Path("models/trained/1/model"), track="two")
    told = ("pseudo-label", "demo", "--track", "all", "--vote")
    for names, code in (("one, two", 0), (" one ,two ", 0), ("one,", 2), (",", 2), ("one,,two", 2)):
        assert facewave(*told, names) == code, names
    assert capsys.readouterr().err.count("Name two tracks or more") == 3


def test_tracks_vote_and_what_they_learnt_from_adds_up(project: Path, capsys: Capture) -> None:
    ask(track="one")
    ask(folder=Path("models/trained/1/model"), track="two")
    pseudo_label("demo", None, "api", answers=api("undecided,sad,1", "001,sad,1"))
    capsys.readouterr()
    pseudo_label("demo", None, "all", vote=["one", "two", "api"])
    found = rows(Path("data/tracks/demo/all.csv"))
    members = {name: rows(Path(f"data/tracks/demo/{name}.csv")) for name in ("one", "two", "api")}
    assert set(found["video_idx"]) == set(pd.concat(members.values())["video_idx"])
    votes = [table["predicted"][0] for table in members.values()]
    assert votes.count(found["predicted"][0]) == max(map(votes.count, votes))
    assert found["source"].str.match(r"(undecided )?vote of (one|two|api|nobody)").all()
    about = json.loads(Path("data/tracks/demo/all.json").read_text("utf-8"))
    assert about["lineage"]["before"] == [["demo", "split"], ["demo", "1"]]
    assert about["unknown"] == ["api.csv"]
    ones = json.loads(Path("data/tracks/demo/one.json").read_text("utf-8"))["lineage"]["learnt"]
    pseudo_label("demo", None, "known", vote=["one", "two"])
    assert json.loads(Path("data/tracks/demo/known.json").read_text("utf-8"))["unknown"] == []
    pseudo_label("demo", None, "votes", vote=["all", "known"])
    about_votes = json.loads(Path("data/tracks/demo/votes.json").read_text("utf-8"))
    assert about_votes["unknown"] == ["api.csv"]
    assert about_votes["lineage"] == about["lineage"]
    assert set(about["lineage"]["learnt"]) > set(ones)
    assert about["by"].startswith("vote of one (logistic, demo, partition split), two (logistic,")
    for names in (["one"], ["one", "one"], ["one", "all"], ["one", ""]):
        with pytest.raises(UserError, match="Name two tracks or more"):
            pseudo_label("demo", None, "all", vote=names)
    with pytest.raises(UserError, match="no track 'three' of demo; there are all, api, known"):
        pseudo_label("demo", None, "more", vote=["one", "three"])
    with pytest.raises(UserError, match="name one of them"):
        pseudo_label("demo", MODEL, "more", vote=["one", "two"])
    with pytest.raises(UserError, match="--refusals is 'next'; it may be none or previous"):
        pseudo_label("demo", None, "more", refusals="next")


def test_refusals_take_the_label_before_and_no_video_is_cut_apart(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All clips but one without a face are parts of two films, one of 40 parts."""
    for name in ("labels/other.csv", "landmarks/other/index.csv", "features/other/clips.csv"):
        path = Path("data", name)
        whole = pd.read_csv(path, dtype=str, keep_default_na=False)
        films = ["clips/a.mp4" if row < 40 else "clips/b.mp4" for row in range(len(whole))]
        starts = [str(float(row)) for row in range(len(whole))]
        columns = {"file_path": films, "start": starts, "end": ""}
        whole.assign(**{n: v for n, v in columns.items() if n in whole}).to_csv(path, index=False)
    asked: list[int] = []
    answer = TrainedClassifier.answer

    def watched(model: Any, clips: Any) -> Any:
        asked.append(len(clips))
        return answer(model, clips)

    monkeypatch.setattr(TrainedClassifier, "answer", watched)
    pseudo_label("other", None, "pseudo_labels", refusals="previous")
    assert asked == [40, 21]
    found = rows(OTHER)
    (at,) = found.index[found["origin"] != "answer"]
    assert found.loc[at, "answered_from"] == "prior"
    assert found.loc[at, "origin"] == "previous"
    for column in ("predicted", "confidence", *PROBABILITIES):
        assert found.loc[at, column] == found.loc[at - 1, column]
    assert found.loc[at, "source"] == f"previous: {found.loc[at - 1, 'source']}"
