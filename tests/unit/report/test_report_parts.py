"""The page's numbers, sentences and whatever its tables need beyond the stages' records."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewave.report import cells, sentences, tables
from facewave.report.cells import Figure, counted, interval, number
from facewave.report.page import picture
from facewave.report.results import Record, Results
from facewave.report.tasks import Task, listed, tasks
from making_results import PNG, TARGETS, WORDS, answers, language, report, runs, study

Change = Callable[[dict[str, Any]], object]


@given(st.floats(-1e6, 1e6), st.integers(0, 3))
def test_a_number_is_the_nearest_with_fixed_decimals(value: float, digits: int) -> None:
    text = number(value, digits)
    assert abs(float(text.replace(",", "")) - value) <= 0.5000001 * 10**-digits
    assert len(text.partition(".")[2]) == digits
    assert not (text.startswith("-") and float(text.replace(",", "")) == 0)


def test_figures_of_records_and_what_is_unknown() -> None:
    ends = {"war_low": "0.4571", "war_high": 0.6071}
    for value in ("0.5324", 0.5324):  # of a CSV, of JSON
        text, between, drawn = cells.figure({"war": value} | ends, "war", 100)
        assert (text, between) == ("53.2", "45.7 to 60.7")
        assert drawn == pytest.approx((45.71, 53.24, 60.71))
    for unknown in (None, math.nan, ""):
        assert number(unknown) == "-"
        assert cells.figure({"war": unknown} | ends, "war") == Figure("-", "0.5 to 0.6", None)
        assert cells.figure({"war": 1, "war_low": unknown}, "war") == Figure("1.0", "", None)
    assert interval(None, 1.0) == interval(1.0, math.nan) == ""
    assert [counted(n, "clip") for n in (0, 1, 2345)] == ["0 clips", "1 clip", "2,345 clips"]
    assert tables.whole("12.0") == tables.whole("12") == "12"
    assert tables.whole("") == "-"
    assert cells.best(["1", "", None, math.nan, 3]) == 3
    assert cells.best([2, math.nan, 1], lowest=True) == 1
    assert math.isnan(cells.best([None]))
    assert (picture(PNG).width, picture(PNG).height) == (3, 2)


def test_of_many_clips_and_inputs_the_first_are_named() -> None:
    clips = {str(i): "no face" for i in range(1025)}
    ((_, named, n),) = tables.left_out({"left_out": clips})
    assert named == ", ".join(map(str, range(20))) + " and 1,005 more"
    assert n == 1025
    lines = [
        {"kind": "region", "name": str(i), "importance": str(i / 100), "low": "", "high": ""}
        for i in range(30)
    ]
    ((name, rows),) = tables.importance(lines).items()
    assert name == "regions of the face, the first 20 of 30"
    assert [row["name"] for row in rows] == [str(i) for i in range(29, 9, -1)]


def test_every_class_that_occurs_and_every_tag_of_a_run() -> None:
    recall = {"happy": 0.8, "sad": 1.0, "neutral": 0.0}
    model = {
        "confusion": [[8, 1, 1, 0, 0], [0, 4, 0, 0, 0], [2, 0, 0, 0, 3], [0, 0, 0, 0, 0]],
        **{f"{name}{end}": recall for name in ("recall", "f1") for end in ("", "_low", "_high")},
    }
    assert [[*row.values()][6:] for row in tables.by_class(model, WORDS)] == [
        ["happy", "sad (1 time)", 10, 10],
        ["sad", "nothing else", 4, 5],
        ["neutral", "no readable answer (3 times)", 5, 1],
    ]
    record = {name: str(value) for name, value in runs().iloc[1].items()}
    both = study()["chosen_by_validation"]
    chosen = {"chosen_by_validation": both, "best_on_test": both}
    assert tables.run_tags(record, chosen) == ["chosen by validation", "best on test"]


def test_the_headline_has_the_model_beside_the_majority() -> None:
    (task,) = tasks(report())
    assert task.split is not None
    assert (task.over_folds, task.n_folds, task.main["n"], task.split["n"]) == (True, 3, 36, 6)
    (task,) = tasks(report(split=answers(("split",), 2)))
    assert (task.over_folds, task.n_folds, task.main["n"], task.split) == (False, 1, 6, None)
    ends = {"war_low": 0.457, "war_high": 0.607, "uar_low": 0.467, "uar_high": 0.629}
    model = {"name": "mlp", "war": 0.532, "uar": 0.548, "recall": dict.fromkeys("abcdefg")} | ends
    summary: dict[str, Any] = {"model": model, "majority": {"name": "majority", "war": 0.139}}
    summary |= {"classes": 7, "chance": 1 / 7}
    assert sentences.headline(of_words(summary)).replace("\u00a0", " ") == (
        "The MLP names the emotion of 53.2 % of the test clips (WAR, 95 % interval 45.7 to 60.7); "
        "always naming the most frequent emotion gets 13.9 %. With each of the 7 emotions counting "
        "the same it is 54.8 % (UAR, 95 % interval 46.7 to 62.9; chance is 14.3 %)."
    )
    assert sentences.baseline(of_words(summary)) == ""
    for name, uar in (("svm", 0.5), ("trees", 0.52)):
        summary[name] = {"name": name, "uar": uar, "uar_low": 0.4, "uar_high": 0.6}
    text = sentences.baseline(of_words(summary)).replace("\u00a0", " ")
    assert "boosted trees has the highest UAR, 52.0 % (40.0 to 60.0; chance is 14.3 %)" in text
    assert "facewave compare model trees" in text


def of_words(summary: dict[str, Any]) -> Task:
    """The task of the classes."""
    return Task("classes", "words", WORDS, summary, None, None, over_folds=True, end="")


def good(task: dict[str, Any], **report: Any) -> dict[str, Any]:
    """What nothing speaks against."""
    return {
        "clean": {"rows": 300, "excluded": 0, "reasons": {}},
        "extract": {"clips": 300, "usable": 300, "left_out": {}},
        "report": report
        | {
            "tasks": {
                "it": task
                | {
                    "folds": {
                        **{"n": 300, "subjects": 60, "interval_over": "subjects"},
                        **{"chance": 0.5, "unusable": 0},
                    }
                }
            }
        },
        "study": {"leakage": {"model": {"difference": 5.0}, "logistic": {"difference": 9.0}}},
    }


def doubted(contents: dict[str, Any], about: str = "acted", n_suspects: int = 0) -> list[str]:
    suspects = [{"video_idx": "1"}] * n_suspects
    stages: dict[str, Any] = contents | {"listen": {}, "wavelet": {}}
    results = Results(**stages, records={"suspects": suspects}, pictures={})
    return [f"{doubt.what}: {doubt.why}" for doubt in sentences.doubts(results, about)]


def recognised(change: Change = dict, **others: Any) -> list[str]:
    contents = good({"kind": "words", "names": ["happy", "sad"]})
    contents["report"]["tasks"]["it"]["folds"] |= {
        "unusable": 0,
        "model": {
            **{"name": "mlp", "uar": 0.9, "uar_low": 0.85, "calibration_error": 0.1},
            "recall": {"happy": 0.9, "sad": 0.5},
            "confusion": [[135, 15], [75, 75]],
        },
        "majority": {"name": "majority", "uar": 0.5},
        "logistic": {"name": "logistic", "uar": 0.89},
    }
    change(contents)
    return doubted(contents, **others)


def folds(**changes: Any) -> Change:
    return lambda contents: contents["report"]["tasks"]["it"]["folds"].update(changes)


def model(**changes: Any) -> Change:
    return lambda contents: contents["report"]["tasks"]["it"]["folds"]["model"].update(changes)


def of(stage: str, **changes: Any) -> Change:
    return lambda contents: contents[stage].update(changes)


def prompting(**changes: Any) -> dict[str, tuple[str, str]]:
    model = {"name": "tiny-qwen2.5-vl", "confusion": [[3, 1, 4], [0, 2, 0]]}
    return tables.prompting(language(**changes), model)


def unheard_class(contents: dict[str, Any]) -> None:
    contents["report"]["tasks"]["it"].update(names=["happy", "sad", "fear"])
    model(confusion=[[150, 0, 0], [0, 150, 0], [0, 0, 0]])(contents)


def test_each_doubt_alone() -> None:
    for just_enough in (dict, folds(subjects=30), model(confusion=[[135, 15], [10, 10]]),
                        lambda contents: contents.update(study={})):  # fmt: skip
        assert recognised(just_enough) == []
    reasons = {"1": "no face 1", "2": "no face 2"}
    leaking = {"leakage": {"model": {"difference": 5.1}}}
    changes = {
        "9 of 300 rows of the label files are left out": of("clean", excluded=9),
        "1 of 300 rows of the label files is left out": of(
            "clean", excluded=8, reasons={"no label": {"count": 7}}
        ),
        "2 of 300 clips cannot be used: The reasons: no face … (2).": of(
            "extract", usable=298, left_out=reasons
        ),
        "because of e (1); others, see section 2.": of(
            "extract",
            usable=292,
            left_out={letter: f"because of {letter}" for letter in "abcdefgh"},
        ),
        "2 test clips answered unseen": folds(unusable=2),
        "There are only 29 subjects": folds(subjects=29),
        "Who is in the clips is not known": folds(subjects=None),
        "The intervals are too narrow": folds(interval_over="clips"),
        "Never found: sad:": model(recall={"happy": 0.9, "sad": 0.0}),
        "Rarely found: sad: The recall is below 50.0 %": model(recall={"happy": 0.9, "sad": 0.49}),
        "Fewer than 20 test clips: sad (19)": model(confusion=[[135, 15], [10, 9]]),
        "Not in the test clips: fear": unheard_class,
        "No better than logistic regression: By UAR the MLP": model(uar=0.89),
        "It may be guessing: The interval of UAR reaches down to chance, 50.0\u00a0%.": model(
            uar_low=0.5
        ),
        "do not measure certainty: They are off by 10.1 points": model(calibration_error=0.101),
        "It also recognises people: Where folds share subjects, UAR is 5.1 points": of(
            "study", **leaking
        ),
        "5 of 300 answers cannot be read": model(confusion=[[130, 15, 5], [75, 75, 0]]),
    }
    for text, change in changes.items():
        (only,) = recognised(change)
        assert text in only
    (only,) = recognised(about="Synthetic faces")
    assert only.startswith("The clips are synthetic")
    (only,) = recognised(n_suspects=1)
    assert only.startswith("1 label of 300 test clips may be wrong")


def test_banners_are_for_synthetic_and_for_few_clips() -> None:
    for n, about, expected in (
        (100, "acted", []),
        (99, "acted", ["There are only 99 test clips"]),
        (1, "Synthetic faces", ["The clips are synthetic", "There is only 1 test clip"]),
    ):
        assert [banner.what for banner in sentences.banners(of_words({"n": n}), about)] == expected


def test_doubts_of_numbers() -> None:
    figures = {"ccc": 0.5, "ccc_low": 0.1, "ccc_high": 0.7, "rmse": 0.3}
    figures |= {"coverage": 0.9, "coverage_low": 0.85, "coverage_high": 0.95}
    floor = {name: figures | {"rmse": 0.4, "ccc": 0.0} for name in (*TARGETS, "mean")}
    for text, subjects, known, changes in (
        ("", 60, 100, {}),
        ("It may be guessing: stress:", 60, 100, {"ccc_low": 0.0}),
        ("It may be guessing: stress: The", 60, 100, {"ccc_low": None}),
        ("No closer than the mean: stress", 60, 100, {"rmse": 0.4}),
        ("Fewer than 100 test clips: stress (99)", 60, 99, {}),
        ("that hold too little: stress", 60, 100, {"coverage_high": 0.89}),
        ("that hold too much: stress", 60, 100, {"coverage_low": 0.91}),
        ("Who is in the clips is not known", None, 100, {}),
    ):
        task = {"kind": "number", "names": list(TARGETS)}
        contents = good(task, language=language(weights="some/model"))
        contents["report"]["tasks"]["it"]["folds"] |= {
            "subjects": subjects,
            "known": {"valence": 100, "score.stress": known},
            "model": {"name": "mlp", "valence": figures, "score.stress": figures | changes}
            | {"mean": figures},
            "majority": {"name": "majority"} | floor,
        }
        first, *rest = doubted(contents)
        assert first.startswith("What the language model has seen before is not known in full")
        assert len(rest) == bool(text), rest
        assert text in "".join(rest)
    contents["report"]["language"]["weights"] = ""
    assert doubted(contents)[0].startswith("The language model's weights are random")


def test_what_was_corrected_by_the_test_clips_is_said() -> None:
    def corrected(contents: dict[str, Any]) -> None:
        contents["report"]["transductive"] = ["model", "logistic"]

    (said,) = set(recognised(corrected)) - set(recognised())
    assert said.startswith("Corrected by the test clips: MLP and logistic regression: Its answer")
    assert "not from their labels (transductive)" in said


def test_what_normalises_by_the_people_who_are_tested_is_named_beside_the_model_without_it() -> (
    None
):
    def normalized(contents: dict[str, Any]) -> None:
        contents["report"]["normalized"] = {"model": "normalised so"}
        without = {"name": "mlp", "uar": 0.99, "uar_low": 0.96, "uar_high": 0.999}
        contents["report"]["tasks"]["it"]["folds"]["unnormalized"] = without

    (said,) = set(recognised(normalized)) - set(recognised())  # not: "No better than MLP"
    assert said.startswith("It knows other clips of the people it is tested on: MLP: Normalised so")
    assert "The same model without it: 99.0" in said
    assert "facewave compare model unnormalized" in said


def test_how_a_language_model_was_prompted() -> None:
    found = prompting(
        weights="some/model", revision="abc", answers="generation", frames=2, grid=True,
        sampling="middle", picture="whole", examples=3, transcript="speech", start="models/before",
    )  # fmt: skip
    assert list(found.items())[:2] == [
        ("model", ("tiny Qwen2.5-VL", "")),
        ("weights", ("some/model", "abc")),
    ]
    assert found["mode"][0] == "finetune"
    assert found["mode"][1].startswith("25 of 1,000 parameters (2.5 %) are trained: 3 epochs")
    assert found["mode"][1].endswith("8 clips per step")
    assert found["frames"] == (
        "2",
        "from the clip's middle third; whole frames, 224 px, all in one picture",
    )
    assert found["transcript"] == ("recognised", "")
    assert found["examples"] == ("3 before the question", "")
    assert found["face tokens"] == ("12", "from the numbers of blendshapes, head; adapter cross")
    assert found["LoRA"] == ("rank 8", "alpha 16, dropout 0.05, beside queries and values")
    assert found["answers"] == ("written", "4 of 10 (40.0 %) cannot be read")
    strict = {"n": 5, "read": 3, "right": 3}
    both = {"strictly": strict, "leniently": {"n": 5, "read": 4, "right": 3}}
    for read in ({"1": both, "2": both, "split": both}, {"split": both}):
        _, note = prompting(answers="generation", read=read)["answers"]
        n, right = ("2", "6") if len(read) > 1 else ("1", "3")
        assert note.endswith(f"whatever else is said, {n}, and {right} are right (60.0 %)")
    assert found["started from"] == ("models/before", "")
    assert not {"virtual tokens", "images' projector", "frozen weights"} & set(found)


def test_what_is_not_there_is_not_told_of_a_language_model() -> None:
    found = prompting(
        mode="zero_shot", trained=0, lora=None, face_tokens=0, frames=0, start="models/before",
        by_length=True,
    )  # fmt: skip
    assert found["mode"] == ("zero-shot", "")
    assert found["frames"] == found["LoRA"] == found["face tokens"] == ("none", "")
    assert found["answers"] == ("the likeliest label", "by the likelihood of its words, per token")
    assert "started from" not in found
    assert prompting(mode="pretrain")["mode"][1].startswith("25 of 1,000 parameters")
    assert "started from" not in prompting(mode="pretrain", start="models/before")
    more = prompting(prefix=4, projector=True, quantized=True, by_prior=True)
    assert more["virtual tokens"] == ("4", "")
    names = {"before the label", "wordings in training", "unrelated answers"}
    assert not names & set(more)
    more = prompting(
        mode="reinforce",
        start="models/before",
        reasons="captions",
        wordings=["And now?"],
        elsewhere={"before": -2.0, "after": -2.25, "tokens": 9},
    )
    assert [more[name][0] for name in sorted(names)] == [
        "a caption", "-0.250 nats a token by LoRA", "2",
    ]  # fmt: skip
    assert more["started from"][0] == "models/before"
    more = prompting(prefix=4, projector=True, quantized=True, by_prior=True)
    assert {"images' projector", "frozen weights"} < set(more)
    assert more["answers"][1].endswith("with nothing to see")
    part = {"clips": 20, "failed": 1, "prompt_tokens": 9000, "completion_tokens": 70, "seconds": 4}
    served = language(mode="zero_shot", trained=0) | {"usage": {"1": part, "2": part}}
    found = tables.prompting(served, {"name": "served", "confusion": [[1]]})
    assert found["answers"][1].startswith("by the server's log probabilities of tokens")
    assert found["asked about"] == (
        "40 clips, 2 without an answer",
        "18,000 tokens of prompts and 140 of answers; 8 s of requests",
    )
    regressor = tables.prompting(language(objective="mse"), {"name": "tiny-smolvlm"})
    assert regressor["answers"][1].endswith("trained by MSE")


def test_what_a_language_model_is_shown_and_its_targets_in_sentences() -> None:
    for frames, transcript, face_tokens, text in (
        (1, "none", 0, "1 frame"),
        (4, "none", 10, "4 frames and these numbers"),
        (0, "known", 10, "what is said and these numbers"),
        (0, "none", 0, "nothing"),
    ):
        shown = language(frames=frames, transcript=transcript, face_tokens=face_tokens)
        assert sentences.shown(shown) == text
    assert listed(["valence"]) == "valence"
    assert listed(["valence", "score.stress"]) == "valence and stress"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_whether_larger_networks_know_more_only_by_heart() -> None:
    def record(network: str, partition: str, millions: float, figure: float, gap: float) -> Record:
        figures = {"figure": str(figure), "low": str(figure - 0.1), "high": str(figure + 0.1)}
        return {"network": network, "partition": partition, "measure": "uar",
                "parameters": str(int(millions * 1e6)), "gap": str(gap), **figures}  # fmt: skip

    one = [record("resnet18", "1", 11.2, 0.2, 0.3), record("resnet18", "all", 11.2, 0.4, 0.1)]
    text = sentences.of_networks(one)
    assert text == (
        "Of 1 network, trained alike, resnet18 (11.2 million parameters) does best on test clips: "
        "40.0\u00a0% UAR (30.0 to 50.0)."
    )
    text = sentences.of_networks([*one, record("resnet152", "all", 58.1, 0.35, 0.5)])
    assert text.startswith("Of 2 networks, trained alike, resnet18 (11.2 million")
    assert text.endswith(
        " From resnet18 to resnet152, 5.19 times as large, the gap between clips that were learnt "
        "from and test clips goes from 10.0 to 50.0 points."
    )


def test_whose_pseudo_labels_teach_and_how_often_they_agree() -> None:
    taught = {"track": "votes", "by": "vote of a, b", "clips": 1200, "n": 0}
    text = sentences.of_pseudo_labels(taught)
    assert text == (
        "1,200 clips without a label of their own may teach with an answer of track votes (vote of "
        "a, b). How often it is right cannot be told: it answers no clip with a label."
    )
    figures = {"n": 365, "war": 0.6247, "war_low": 0.57, "war_high": 0.67, "uar": 0.6192}
    text = sentences.of_pseudo_labels(taught | figures | {"chance": 1 / 7, "clips": 1, "by": ""})
    assert text == (
        "1 clip without a label of its own may teach with an answer of track votes (nobody knows "
        "whose). It also answers 365 clips whose label is known and from which nobody behind it "
        "has learnt: 62.5\u00a0% of these answers are right (57.0 to 67.0), and of each word "
        "61.9\u00a0% on average, where chance is 14.3\u00a0%."
    )
