"""The page's numbers, tables and sentences."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.report import sentences, tables
from facewave.report.__main__ import _found
from facewave.report.cells import Cell, Table, counted, emphasised, interval, number, percent
from facewave.report.found import Found
from making_found import TARGETS, WORDS, language, regressed, report, write

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("found")
    write(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return _found("demo")


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


@given(st.floats(-1e6, 1e6), st.integers(0, 3))
def test_a_number_is_the_nearest_with_so_many_decimals(value: float, digits: int) -> None:
    text = number(value, digits)
    assert abs(float(text.replace(",", "")) - value) <= 0.5000001 * 10**-digits
    assert len(text.partition(".")[2]) == digits
    assert not (text.startswith("-") and float(text.replace(",", "")) == 0)


@pytest.mark.parametrize("value", [None, math.nan])
def test_what_is_not_known_is_a_dash(value: float | None) -> None:
    assert number(value) == "-"
    assert percent(value, 1.0, 2.0) == Cell("-", "1.0 to 2.0")
    assert percent(5.0, value, 2.0) == percent(5.0, 1.0, value) == Cell("5.0")
    assert interval(value, 1.0) == interval(1.0, value) == ""


def test_a_figure_has_its_interval_in_words_and_as_a_bar() -> None:
    assert percent(53.24, 45.71, 60.71) == Cell("53.2", "45.7 to 60.7", (45.71, 53.24, 60.71))


@pytest.mark.parametrize(("n", "text"), [(0, "0 clips"), (1, "1 clip"), (2345, "2,345 clips")])
def test_one_and_several(n: int, text: str) -> None:
    assert counted(n, "clip") == text


def test_all_that_are_best_are_marked_and_the_unknown_never() -> None:
    rows = [[Cell("a"), Cell(text)] for text in ("1", "3", "3", "-")]
    marked = emphasised(rows, 1, [1, 3, 3, math.nan])
    assert [row[1].best for row in marked] == [False, True, True, False]
    assert not any(row[0].best for row in marked)
    assert emphasised([[Cell("-")]], 0, [math.nan]) == [[Cell("-")]]
    assert emphasised(emphasised(rows, 0, [9, 0, 0, 0]), 1, [0, 9, 0, 0])[0][0].best  # kept


def test_scores_are_those_of_the_evaluation(found: Found) -> None:
    summary = found.report["folds"]
    table = tables.scores(summary)
    assert [row[0].text for row in table.rows] == ["MLP", "majority class", "logistic regression"]
    assert [row[0].tags for row in table.rows] == [("the model",), (), ()]
    names = ("war", "uar", "macro_f1", "auc", "log_loss", "calibration_error")
    for row, role in zip(table.rows, ("model", "majority", "logistic"), strict=True):
        for cell, name in zip(row[1:], names, strict=True):
            times, digits = (1, 2) if name == "log_loss" else (100, 1)
            figures = [times * summary[role][f"{name}{end}"] for end in ("", "_low", "_high")]
            assert cell.text == f"{figures[0]:.{digits}f}"
            assert cell.note == f"{figures[1]:.{digits}f} to {figures[2]:.{digits}f}"
    assert len(table.head) == 7


def test_exclusions_begin_with_the_most_frequent(found: Found) -> None:
    assert texts(tables.exclusions(found.clean)) == [
        ["empty row", "list.csv: 91, 92", "2"],
        ["vote tie", "list.csv: 90", "1"],
    ]


def test_reasons_that_differ_in_numbers_are_one(found: Found) -> None:
    assert texts(tables.left_out(found.extract)) == [
        ["truncated: … of … frames can be decoded", "7, 8", "2"],
        ["no face in any frame", "9", "1"],
    ]


def test_of_many_clips_the_first_are_named() -> None:
    clips = {str(i): "no face" for i in range(1025)}
    ((_, named, n),) = texts(tables.left_out({"left_out": clips}))
    assert named == ", ".join(map(str, range(20))) + " and 1,005 more"
    assert n == "1,025"


def test_what_is_lost_with_the_one_used_first_and_the_least_marked(found: Found) -> None:
    changed = json.loads(json.dumps(found.wavelet))
    changed["unexplained"]["mean"]["pose_free"]["velocity"] = 1.0
    table = tables.lost(changed)
    assert table.rows[0][0] == Cell("approximation bior3.1", tags=("used here",))
    assert table.rows[1][0] == Cell("mean")
    assert list(table.head[1:]) == [
        f"{block}: {what}"
        for what in ("variance", "velocity")
        for block in ("blendshapes", "landmarks", "pose-free")
    ]
    assert texts(table)[0][1:] == ["3.4", "0.5", "2.9", "68.0", "10.0", "58.0"]
    assert [cell.best for cell in table.rows[0][1:]] == [True] * 5 + [False]
    assert [cell.best for cell in table.rows[1][1:]] == [False] * 5 + [True]


def test_every_fold(found: Found) -> None:
    model = found.report["folds"]["model"]
    table = tables.by_fold(model)
    assert table is not None
    assert [row[0].text for row in table.rows] == ["fold 1", "fold 2", "fold 3"]
    figures = model["fold"]["2"]
    assert texts(table)[1][1:4] == [
        str(figures["n"]), f"{100 * figures['war']:.1f}", f"{100 * figures['uar']:.1f}",
    ]  # fmt: skip
    assert tables.by_fold(found.report["split"]["model"]) is None


def test_every_class_that_occurs() -> None:
    model = {
        "confusion": [[8, 1, 1, 0], [0, 4, 0, 0], [2, 0, 0, 3], [0, 0, 0, 0]],
        "recall": {"happy": 0.8, "sad": 1.0, "neutral": 0.0},
        "recall_low": {"happy": 0.5, "sad": 1.0, "neutral": 0.0},
        "recall_high": {"happy": 0.9, "sad": 1.0, "neutral": 0.0},
    }
    table = tables.by_class(model, WORDS)
    assert texts(table) == [
        ["happy", "sad (1 time)", "80.0", "10", "10"],
        ["sad", "nothing else", "100.0", "4", "5"],
        ["neutral", "fear (3 times)", "0.0", "5", "1"],
    ]
    assert table.rows[0][2].note == "50.0 to 90.0"


def test_conditions_of_measures_and_of_persons_are_two_tables(found: Found) -> None:
    measured = tables.conditions(found.records["robustness"], named=False)
    assert [row[0].text for row in measured.rows] == ["all", "yaw", "", ""]
    assert measured.rows[1][0].note.startswith("degrees away from the camera")
    assert [row[1].text for row in measured.rows] == ["", "0 to 11°", "12 to 23°", "24 to 35°"]
    whole = found.records["robustness"][0]
    assert measured.rows[0][3].text == f"{100 * float(whole['uar']):.1f}"
    assert measured.rows[0][3].note
    assert [row[4].text for row in measured.rows] == ["36", "12", "12", "12"]
    persons = tables.conditions(found.records["robustness"], named=True)
    assert [row[1].text for row in persons.rows] == [f"s{i:02}" for i in range(12)]
    assert persons.rows[0][3].note == ""  # three clips have no interval


def test_where_some_clips_have_no_subject_none_is_counted(found: Found) -> None:
    line = {**found.records["robustness"][0], "subjects": ""}
    assert tables.conditions([line], named=False).rows[0][5].text == "-"
    line = {**line, "subjects": "12.0"}  # as pandas writes a column with missing counts
    assert tables.conditions([line], named=False).rows[0][5].text == "12"


def test_the_majority_needs_no_frames(found: Found) -> None:
    assert texts(tables.removed(found.records["removed"])) == [
        [condition, model, "60.0", "61.0"]
        for condition in ("all frames", "50% removed")
        for model in ("MLP", "logistic regression")
    ]


def test_both_kinds_of_folds_beside_each_other(found: Found) -> None:
    table = texts(tables.leaking(found.records["leakage"]))
    assert table[:3] == [
        ["MLP", "nobody on two sides", "60.0", "61.0"],
        ["MLP", "drawn by chance", "60.0", "67.0"],
        ["majority class", "nobody on two sides", "60.0", "61.0"],
    ]
    assert len(table) == 6


def test_importance_by_kind(found: Found) -> None:
    grouped = tables.importance(found.records["importance"])
    assert list(grouped) == ["blendshapes", "parts of the clip"]
    assert texts(grouped["blendshapes"]) == [["mouthSmileLeft", "12.5"], ["jawOpen", "2.0"]]
    assert grouped["blendshapes"].rows[1][1].note == "-1.0 to 5.0"
    assert texts(grouped["parts of the clip"]) == [["1 of 2", "1.0"], ["2 of 2", "20.0"]]


def test_of_many_inputs_the_most_important() -> None:
    lines = [
        {"kind": "region", "name": str(i), "importance": str(i / 100), "low": "", "high": ""}
        for i in range(30)
    ]
    ((name, table),) = tables.importance(lines).items()
    assert name == "regions of the face, the first 20 of 30"
    assert [row[0].text for row in table.rows] == [str(i) for i in range(29, 9, -1)]


def test_runs_name_what_validation_chooses_and_what_is_best_on_test(found: Found) -> None:
    table = tables.runs(found.records["runs"], found.study)
    assert [row[0].tags for row in table.rows] == [(), ("chosen by validation",), ("best on test",)]
    assert texts(table)[1] == [
        "approximation haar", "10", "blendshapes", "logistic regression", "66.0", "60.0", "60.0",
    ]  # fmt: skip
    assert [[cell.best for cell in row[4:]] for row in table.rows] == [
        [False, True, False],
        [True, True, False],
        [False, True, True],
    ]


def test_a_run_may_be_both(found: Found) -> None:
    study = found.study | {"best_on_test": found.study["chosen_by_validation"]}
    table = tables.runs(found.records["runs"], study)
    assert table.rows[1][0].tags == ("chosen by validation", "best on test")


def test_suspects(found: Found) -> None:
    table = tables.suspects(found.records["suspects"])
    assert texts(table)[0] == ["clips/0.mp4", "happy", "sad", "12.5", "75.0"]
    assert table.rows[0][0].note == "list.csv:2"
    assert len(tables.suspects([*found.records["suspects"]] * 30).rows) == 20


def test_the_headline_has_the_models_figures_beside_the_majoritys() -> None:
    ends = {"war_low": 0.457, "war_high": 0.607, "uar_low": 0.467, "uar_high": 0.629}
    summary = {
        "model": {
            "name": "mlp",
            "war": 0.532,
            "uar": 0.548,
            **ends,
            "recall": dict.fromkeys("abcdefg"),
        },
        "majority": {"name": "majority", "war": 0.139},
    }
    assert sentences.headline(summary, ()).replace("\u00a0", " ") == (
        "The MLP names the emotion of 53.2 % of the test clips (WAR, 95 % interval 45.7 to 60.7); "
        "always naming the most frequent emotion gets 13.9 %. With each of the 7 emotions counting "
        "the same it is 54.8 % (UAR, 95 % interval 46.7 to 62.9)."
    )
    assert sentences.baseline(summary) == ""
    summary["svm"] = {"name": "svm", "uar": 0.5, "uar_low": 0.4, "uar_high": 0.6}
    summary["trees"] = {"name": "trees", "uar": 0.52, "uar_low": 0.4, "uar_high": 0.6}
    said = sentences.baseline(summary).replace("\u00a0", " ")
    assert "boosted trees has the highest UAR, 52.0 % (40.0 to 60.0)" in said
    assert "facewave compare model trees" in said


GOOD: dict[str, Any] = {
    "clean": {"rows": 300, "excluded": 0},
    "extract": {"clips": 300, "usable": 300, "left_out": {}},
    "report": {
        "classes": ["happy", "sad"],
        "folds": {
            "n": 300,
            "subjects": 60,
            "unusable": 0,
            "interval_over": "subjects",
            "model": {
                "name": "mlp",
                "uar": 0.9,
                "uar_low": 0.85,
                "calibration_error": 0.1,
                "recall": {"happy": 0.9, "sad": 0.5},
                "confusion": [[135, 15], [75, 75]],
            },
            "majority": {"name": "majority", "uar": 0.5},
            "logistic": {"name": "logistic", "uar": 0.89},
        },
    },
    "study": {"leakage": {"model": {"difference": 5.0}, "logistic": {"difference": 9.0}}},
}


def doubted(change: Change = dict, about: str = "acted", n_suspects: int = 0) -> list[str]:
    contents = json.loads(json.dumps(GOOD))
    change(contents)
    suspects = [{"video_idx": "1"}] * n_suspects
    found = Found(**contents, wavelet={}, records={"suspects": suspects}, pictures={})
    return [f"{doubt.what}: {doubt.why}" for doubt in sentences.doubts(found, about)]


def test_nothing_is_doubtful_where_nothing_is() -> None:
    assert doubted() == []


def folds(**changes: Any) -> Change:
    return lambda contents: contents["report"]["folds"].update(changes)


def model(**changes: Any) -> Change:
    return lambda contents: contents["report"]["folds"]["model"].update(changes)


@pytest.mark.parametrize("change", [folds(subjects=30), model(confusion=[[135, 15], [10, 10]])])
def test_what_is_just_enough_is_not_doubtful(change: Change) -> None:
    assert doubted(change) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["clean"].update(excluded=9), "9 of 300 rows of the label files are left out"),
        (lambda c: c["clean"].update(excluded=1), "1 of 300 rows of the label files is left out"),
        (
            lambda c: c["extract"].update(
                usable=298, left_out={"1": "no face 1", "2": "no face 2"}
            ),
            "2 of 300 clips cannot be used: The reasons: no face … (2).",
        ),
        (folds(unusable=2), "2 test clips answered unseen"),
        (folds(subjects=29), "There are only 29 subjects"),
        (folds(subjects=None), "Who is in the clips is not known"),
        (folds(interval_over="clips"), "The intervals are too narrow"),
        (model(recall={"happy": 0.9, "sad": 0.0}), "Never found: sad:"),
        (
            model(recall={"happy": 0.9, "sad": 0.49}),
            "Rarely found: sad: The recall is below 50.0 %",
        ),
        (model(confusion=[[135, 15], [10, 9]]), "Fewer than 20 test clips: sad (19)"),
        (
            lambda c: (
                c["report"].update(classes=["happy", "sad", "fear"])
                or model(confusion=[[150, 0, 0], [0, 150, 0], [0, 0, 0]])(c)
            ),
            "Not in the test clips: fear",
        ),
        (model(uar=0.89), "No better than logistic regression: By UAR the MLP"),
        (model(uar_low=0.5), "It may be guessing"),
        (model(calibration_error=0.101), "no measure of certainty: They are off by 10.1 points"),
        (
            lambda c: c["study"]["leakage"]["model"].update(difference=5.1),
            "It recognises people, too: Where folds share subjects, UAR is 5.1 points higher",
        ),
    ],
)
def test_each_doubt_alone(change: Change, said: str) -> None:
    (only,) = doubted(change)
    assert said in only


def test_synthetic_clips_and_doubted_labels_are_said() -> None:
    (only,) = doubted(about="Synthetic faces")
    assert only.startswith("The clips are synthetic")
    (only,) = doubted(n_suspects=1)
    assert only.startswith("1 label of 300 test clips may be wrong")


def test_only_the_first_reasons_are_named() -> None:
    kinds = {letter: f"because of {letter}" for letter in "abcdefgh"}
    (only,) = doubted(lambda c: c["extract"].update(usable=292, left_out=kinds))
    assert only.endswith("because of e (1); others, see section 2.")


def test_a_study_without_leakage_is_none() -> None:
    assert doubted(lambda c: c.update(study={})) == []


def test_the_fuller_protocol_is_told() -> None:
    assert sentences.protocol(report()) == "folds"
    assert sentences.protocol(report(folds=False)) == "split"


def asked(**how: Any) -> dict[str, tuple[str, str]]:
    model = {"name": "tiny-qwen2.5-vl", "confusion": [[3, 1, 4], [0, 2, 0]]}
    rows = tables.asked(language(**how), model).rows
    return {name.text: (value.text, value.note) for name, value in rows}


def test_how_a_language_model_was_asked() -> None:
    found = asked(
        weights="some/model", revision="abc", answers="generation", frames=2, grid=True,
        sampling="middle", picture="whole", examples=3, transcript="speech", start="models/before",
    )  # fmt: skip
    assert list(found.items())[:2] == [
        ("model", ("tiny Qwen2.5-VL", "")),
        ("weights", ("some/model", "abc")),
    ]
    assert found["mode"][0] == "finetune"
    assert found["mode"][1].startswith("25 of 1,000 parameters (2.5 %) are trained: 3 epochs")
    assert found["mode"][1].endswith("8 clips a step")
    assert found["frames"] == (
        "2",
        "from the clip's middle third; whole pictures, 224 px, all in one picture",
    )
    assert found["what is said"] == ("recognised", "")
    assert found["examples"] == ("3 shown before", "")
    assert found["face tokens"] == ("12", "from the numbers of blendshapes, head; adapter cross")
    assert found["LoRA"] == ("rank 8", "alpha 16, dropout 0.05, beside q_proj, v_proj")
    assert found["answers"] == ("written", "4 of 10 (40.0 %) cannot be read")
    assert found["started from"] == ("models/before", "")
    assert not {"virtual tokens", "images' projector", "frozen weights"} & set(found)


def test_what_is_not_there_is_not_told_of_a_language_model() -> None:
    found = asked(
        mode="zero_shot", trained=0, lora=None, face_tokens=0, frames=0, start="models/before",
        by_length=True,
    )  # fmt: skip
    assert found["mode"] == ("zero-shot", "")
    assert found["frames"] == found["LoRA"] == found["face tokens"] == ("none", "")
    assert found["answers"] == ("the likeliest label", "by the likelihood of its words, per token")
    assert "started from" not in found
    assert asked(mode="pretrain")["mode"][1].startswith("25 of 1,000 parameters")
    assert "started from" not in asked(mode="pretrain", start="models/before")
    more = asked(prefix=4, projector=True, quantized=True, by_prior=True)
    assert more["virtual tokens"] == ("4", "")
    assert {"images' projector", "frozen weights"} < set(more)
    assert more["answers"][1].endswith("with nothing to see")
    assert asked(objective="mse")["answers"][1].endswith("trained by MSE")


@pytest.mark.parametrize(
    ("frames", "transcript", "faces", "said"),
    [
        (1, "none", 0, "1 frame"),
        (4, "none", 10, "4 frames and these numbers"),
        (0, "known", 10, "what is said and these numbers"),
        (0, "none", 0, "nothing"),
    ],
)
def test_what_a_language_model_is_shown(
    frames: int, transcript: str, faces: int, said: str
) -> None:
    how = language(frames=frames, transcript=transcript, face_tokens=faces)
    assert sentences.shown(how) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["valence"], "valence"),
        (["valence", "score.stress"], "valence and stress"),
        (["a", "b", "c"], "a, b and c"),
    ],
)
def test_targets_in_a_sentence(names: list[str], said: str) -> None:
    assert sentences.listed(names) == said


def test_a_regression_beside_its_floor() -> None:
    summary = regressed()["folds"]
    table = tables.regression(summary, TARGETS)
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        ["valence", "tiny SmolVLM"], ["", "mean of training"],
        ["stress", "tiny SmolVLM"], ["", "mean of training"],
    ]  # fmt: skip
    assert [row[1].tags for row in table.rows] == [("the model",), ()] * 2
    model = summary["model"]["valence"]
    assert [cell.text for cell in table.rows[0][2:]] == [
        *(f"{model[name]:.2f}" for name in ("ccc", "pcc", "rmse")),
        f"{100 * model['sagr']:.1f}",
    ]
    assert table.rows[0][4].note == f"{model['rmse_low']:.2f} to {model['rmse_high']:.2f}"
    assert (table.rows[0][2].bar, table.rows[0][5].bar is None) == (None, False)
    assert table.rows[1][3] == Cell("-")  # a constant has no correlation
    by_fold = tables.regression_by_fold(summary["model"], TARGETS)
    assert by_fold is not None
    assert [[cell.text for cell in row[:3]] for row in by_fold.rows][2:4] == [
        ["", "fold 3", "12"], ["stress", "fold 1", "12"],
    ]  # fmt: skip
    in_fold = summary["model"]["fold"]["3"]["valence"]
    assert by_fold.rows[2][5].text == f"{in_fold['rmse']:.2f}"
    assert tables.regression_by_fold(regressed()["split"]["model"], TARGETS) is None


def of_numbers(change: Change) -> list[str]:
    figures = {"ccc": 0.5, "ccc_low": 0.1, "ccc_high": 0.7, "rmse": 0.3}
    contents = json.loads(json.dumps(GOOD))
    contents["report"] = {
        "targets": list(TARGETS),
        "language": language(weights="some/model"),
        "folds": {
            "n": 300,
            "subjects": 60,
            "interval_over": "subjects",
            "model": {target: dict(figures) for target in TARGETS},
            "mean": {target: figures | {"rmse": 0.4} for target in TARGETS},
        },
    }
    change(contents["report"])
    found = Found(**contents, wavelet={}, records={"suspects": []}, pictures={})
    return [f"{doubt.what}: {doubt.why}" for doubt in sentences.doubts(found, "acted")]


STRESS = "score.stress"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict, ""),
        (lambda r: r["folds"]["model"][STRESS].update(ccc_low=0.0), "It may be guessing: stress:"),
        (lambda r: r["folds"]["model"][STRESS].update(ccc_low=None), "It may be guessing: stress:"),
        (lambda r: r["folds"]["model"][STRESS].update(rmse=0.4), "No closer than the mean: stress"),
        (lambda r: r["folds"].update(subjects=None), "Who is in the clips is not known"),
    ],
)
def test_doubts_of_a_regression(change: Change, said: str) -> None:
    first, *rest = of_numbers(change)
    assert first.startswith("What the language model has seen before is not known in full")
    assert len(rest) == bool(said)
    assert said in "".join(rest)


def test_random_weights_and_unreadable_answers_are_doubtful() -> None:
    (only,) = of_numbers(lambda r: r["language"].update(weights=""))
    assert only.startswith("The language model's weights are random")
    (only,) = doubted(model(confusion=[[130, 15, 5], [75, 75, 0]]))
    assert only.startswith("5 of 300 answers cannot be read")
