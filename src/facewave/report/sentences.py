"""The page's sentences that depend on the figures: the headline, and what is doubtful. Pure."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from facewave.report.cells import counted, interval, number
from facewave.report.results import Json, Results
from facewave.report.tables import TAGS, WITHOUT, by_role, kind, left_out, target, unreadable

_LEAKED = 5.0  # points of UAR
_FEW = 20  # clips of a class: the 95 % interval of its recall is some 40 points wide
_OFF = 0.1  # calibration error
_FEW_SUBJECTS = 30
_FEW_CLIPS = 100  # the 95 % interval of an accuracy is some 20 points wide
_REASONS = 5  # are named


class Doubt(NamedTuple):
    """A reason to trust the figures less."""

    what: str
    why: str


_SYNTHETIC = Doubt(
    "The clips are synthetic",
    "The figures show that the machinery works; they say nothing about how well people's emotions "
    "are recognised.",
)


def protocol(report: Json) -> str:
    """The protocol that the page is about: folds if there are any, since they test every clip."""
    return "folds" if "folds" in report else "split"


def synthetic(about: str) -> bool:
    """Whether a dataset's description says that its clips are synthetic."""
    return "synthetic" in about.lower()


def banners(summary: Json, about: str) -> list[Doubt]:
    """What must be known before any figure is read; ``about`` is the dataset's description."""
    first = []
    if synthetic(about):
        first.append(_SYNTHETIC)
    if (n := summary["n"]) < _FEW_CLIPS:
        first.append(
            Doubt(
                f"There {'is' if n == 1 else 'are'} only {counted(n, 'test clip')}",
                "Too few to tell models apart that differ by less than "
                f"{number(100 / math.sqrt(n), 0)} points or so: read the intervals, not the "
                "figures.",
            )
        )
    return first


def listed(names: Sequence[str]) -> str:
    """Targets in a sentence: "valence, arousal and stress"."""
    *first, last = map(target, names)
    return f"{', '.join(first)} and {last}" if first else last


def shown(language: Json) -> str:
    """What a language model is shown of a clip."""
    frames = language["settings"]["frames"]
    parts = {
        counted(frames, "frame"): frames,
        "what is said": language["settings"]["transcript"] != "none",
        "these numbers": language["face_tokens"],
    }
    return " and ".join(part for part, is_shown in parts.items() if is_shown) or "nothing"


def headline(summary: Json, targets: Sequence[str]) -> str:
    """How good the model is, next to the floor; ``targets`` are those of a regression."""
    if targets:
        return _regressed(summary["model"], targets)
    model, majority = summary["model"], summary["majority"]
    return (
        f"The {kind(model['name'])} names the emotion of {_figure(model, 'war')} of the test clips "
        f"(WAR, 95 % interval {_between(model, 'war')}); always naming the most frequent emotion "
        f"gets {_figure(majority, 'war')}. With each of the {summary['classes']} emotions counting "
        f"the same it is {_figure(model, 'uar')} (UAR, 95 % interval {_between(model, 'uar')}; "
        f"chance is {_figure(summary, 'chance')})."
    )


def _regressed(model: Json, targets: Sequence[str]) -> str:
    parts = []
    for name in targets:
        figures = model[name]
        between = interval(figures["ccc_low"], figures["ccc_high"], 2)
        ends = f" (95 % interval {between})" if between else ""
        parts.append(f"{target(name)} with a CCC of {number(figures['ccc'], 2)}{ends}")
    return (
        f"The {kind(model['name'])} gives {'; '.join(parts)}. 1 would be full agreement; always "
        "giving the same number gets 0."
    )


def baseline(summary: Json) -> str:
    """The best of the other classifiers, or nothing where there is none."""
    others = by_role(summary)
    others = {role: others[role] for role in others if role not in ("majority", *TAGS)}
    if not others:
        return ""
    role = max(others, key=lambda name: others[name]["uar"])
    best = others[role]
    return (
        f"Of the other classifiers {kind(best['name'])} has the highest UAR, "
        f"{_figure(best, 'uar')} ({_between(best, 'uar')}; chance is "
        f"{_figure(summary, 'chance')}). "
        "Overlapping intervals do not decide which is better; "
        f"facewave compare model {role} tests it on the same clips."
    )


def doubts(results: Results, about: str) -> list[Doubt]:
    """What speaks against the figures; ``about`` is the dataset's description."""
    report = results.report
    summary = report[protocol(report)]
    found = [*_data(results, about)]
    if "targets" not in report:
        found += _answers(summary, len(results.records["suspects"]))
    if "transductive" in report:
        found.append(_transductive(report["transductive"], summary))
    if "normalized" in report:
        found += _normalized(report["normalized"], summary)
    if "language" in report:
        found.append(_language(report["language"]))
    found += _subjects(summary)
    if "targets" in report:
        return [*found, *_numbers(summary, report["targets"])]
    found += [*_classes(summary["model"], report["classes"]), *_scores(summary)]
    leaked = results.study.get("leakage", {}).get("model", {"difference": 0.0})["difference"]
    if leaked > _LEAKED:
        found.append(
            Doubt(
                "It also recognises people",
                f"Where folds share subjects, UAR is {number(leaked)} points higher (section 4). "
                "Figures on such folds would be too good.",
            )
        )
    return found


def _data(results: Results, about: str) -> Iterator[Doubt]:
    clean, extract = results.clean, results.extract
    if synthetic(about):
        yield _SYNTHETIC
    if n := clean["excluded"]:
        yield Doubt(
            f"{n:,} of {counted(clean['rows'], 'row')} of the label files "
            f"{'is' if n == 1 else 'are'} left out",
            "The reasons are in section 2. What remains may be easier than the whole.",
        )
    if unusable := extract["clips"] - extract["usable"]:
        reasons = [f"{reason} ({n:,})" for reason, _, n in left_out(extract)]
        more = ["others, see section 2"] if len(reasons) > _REASONS else []
        yield Doubt(
            f"{unusable:,} of {counted(extract['clips'], 'clip')} cannot be used",
            f"The reasons: {'; '.join(reasons[:_REASONS] + more)}.",
        )


def _answers(summary: Json, doubted: int) -> Iterator[Doubt]:
    if n := unreadable(summary["model"]):
        yield Doubt(
            f"{n:,} of {counted(summary['n'], 'answer')} cannot be read",
            "The language model wrote none of the words, or more than one. Such answers count as "
            "wrong.",
        )
    if n := summary["unusable"]:
        yield Doubt(
            f"{counted(n, 'test clip')} answered unseen",
            "They show no usable face. They are answered from the class frequencies in training "
            "and count in every figure.",
        )
    if doubted:
        yield Doubt(
            f"{counted(doubted, 'label')} of {counted(summary['n'], 'test clip')} may be wrong",
            "The models contradict them. A weak model also contradicts correct labels: look at the "
            "clips below before believing either.",
        )


def _transductive(roles: Sequence[str], summary: Json) -> Doubt:
    names = listed([kind(summary[role]["name"]) for role in roles])
    return Doubt(
        f"Corrected by the test clips: {names}",
        "Its answer to a test clip also follows from what the encoder saw in the others, though "
        "not from their labels (transductive). It may do worse on a clip alone.",
    )


def _normalized(notes: dict[str, str], summary: Json) -> Iterator[Doubt]:
    """What normalisation takes of the people who are tested, for each kind of note."""
    for note in dict.fromkeys(notes.values()):
        names = [kind(summary[role]["name"]) for role in notes if notes[role] == note]
        text = f"{note[0].upper()}{note[1:]}. On a clip of somebody unknown it does worse."
        if WITHOUT in summary:
            without = summary[WITHOUT]
            text += (
                f" The same model without it: {_figure(without, 'uar')} (UAR, 95 % interval "
                f"{_between(without, 'uar')}); facewave compare model {WITHOUT} tests both on the "
                "same clips."
            )
        yield Doubt(f"It knows other clips of the people it is tested on: {listed(names)}", text)


def _language(language: Json) -> Doubt:
    if not language["weights"]:
        return Doubt(
            "The language model's weights are random",
            "It is a tiny one, for testing the machinery. Its answers say nothing about what "
            "language models can do.",
        )
    return Doubt(
        "What the language model has seen before is not known in full",
        "Where test clips, or films that they are from, were among what its weights were trained "
        "on, the figures are too good.",
    )


def _subjects(summary: Json) -> Iterator[Doubt]:
    subjects = summary["subjects"]
    if subjects is None:
        yield Doubt(
            "Who is in the clips is not known",
            "The same person may be in training and in test, which makes figures too good.",
        )
    if summary["interval_over"] == "clips":
        yield Doubt(
            "The intervals are too narrow",
            "They are drawn over single clips, as if clips of one person had nothing in common: "
            "fewer than 10 subjects or sources are known.",
        )
    elif subjects is not None and subjects < _FEW_SUBJECTS:
        yield Doubt(
            f"There are only {counted(subjects, 'subject')}",
            "Other people may be harder or easier than these; the intervals are themselves "
            "uncertain.",
        )


def _classes(model: Json, words: list[str]) -> Iterator[Doubt]:
    recall, chance = model["recall"], 1 / len(model["recall"])
    clips = {word: sum(row) for word, row in zip(words, model["confusion"], strict=True)}
    kinds = {
        "Never found": (
            [word for word, value in recall.items() if value == 0],
            "None of their clips is recognised.",
        ),
        "Rarely found": (
            [word for word, value in recall.items() if 0 < value < chance],
            f"The recall is below {number(100 * chance)} %, which guessing would give.",
        ),
        f"Fewer than {_FEW} test clips": (
            [f"{word} ({clips[word]})" for word in recall if clips[word] < _FEW],
            "One clip more or less moves the recall of such a class by more than five points.",
        ),
        "Not in the test clips": (
            [word for word in words if word not in recall],
            "How well these are found is not known; no mean includes them.",
        ),
    }
    for what, (classes, why) in kinds.items():
        if classes:
            yield Doubt(f"{what}: {', '.join(classes)}", why)


def _scores(summary: Json) -> Iterator[Doubt]:
    model = summary["model"]
    others = [figures for role, figures in by_role(summary).items() if role not in TAGS]
    if better := [kind(other["name"]) for other in others if other["uar"] >= model["uar"]]:
        yield Doubt(
            f"No better than {', '.join(better)}",
            f"By UAR the {kind(model['name'])} is not ahead of what is simpler.",
        )
    if model["uar_low"] <= summary["chance"]:
        yield Doubt(
            "It may be guessing",
            f"The interval of UAR reaches down to chance, {_figure(summary, 'chance')}.",
        )
    if model["calibration_error"] > _OFF:
        yield Doubt(
            "The probabilities do not measure certainty",
            f"They are off by {number(100 * model['calibration_error'])} points on average "
            "(section 3).",
        )


def _numbers(summary: Json, targets: Sequence[str]) -> Iterator[Doubt]:
    model, mean = summary["model"], summary["mean"]
    if guessed := [name for name in targets if (model[name]["ccc_low"] or 0) <= 0]:
        yield Doubt(
            f"It may be guessing: {listed(guessed)}",
            "The interval of CCC reaches down to 0, which every constant gets.",
        )
    if far := [name for name in targets if model[name]["rmse"] >= mean[name]["rmse"]]:
        yield Doubt(
            f"No closer than the mean: {listed(far)}",
            "Always predicting the training clips' mean has no larger error (RMSE).",
        )


def _figure(figures: Json, name: str) -> str:
    return f"{number(100 * figures[name])}\u00a0%"  # the sign stays on the number's line


def _between(figures: Json, name: str) -> str:
    return interval(100 * figures[f"{name}_low"], 100 * figures[f"{name}_high"])
