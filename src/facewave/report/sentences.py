"""The page's sentences that depend on the figures: the headline, and what is doubtful. Pure."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from facewave.labels.schema import Reason
from facewave.report.cells import counted, number, value_of
from facewave.report.results import Json, Record, Records, Results
from facewave.report.tables import WITHOUT, clips_with, kind, left_out, unreadable
from facewave.report.tasks import (
    MEASURES,
    NOMINAL,
    Measure,
    Task,
    by_role,
    listed,
    target,
    tasks,
    title,
)

_LEAKED = 5.0  # points
_FEW = 20  # clips of a class: the 95 % interval of its recall is some 40 points wide
_OFF = 0.1  # calibration error
_FEW_SUBJECTS = 30
_FEW_CLIPS = 100  # the 95 % interval of an accuracy is some 20 points wide
_REASONS = 5  # are named
_ALIKE = "as far as their sound is known, the clips are all alike"


class Doubt(NamedTuple):
    """A reason to trust the figures less."""

    what: str
    why: str


_SYNTHETIC = Doubt(
    "The clips are synthetic",
    "The figures show that the machinery works; they say nothing about how well people's emotions "
    "are recognised.",
)


def synthetic(about: str) -> bool:
    """Whether a dataset's description says that its clips are synthetic."""
    return "synthetic" in about.lower()


def banners(task: Task, about: str) -> list[Doubt]:
    """What must be known before any figure is read.

    Args:
        task: the first.
        about: the dataset's description.
    """
    first = []
    if synthetic(about):
        first.append(_SYNTHETIC)
    if (n := task.main["n"]) < _FEW_CLIPS:
        points = f"{number(100 / math.sqrt(n), 0)} points or so" if task.is_words else "a little"
        first.append(
            Doubt(
                f"There {'is' if n == 1 else 'are'} only {counted(n, 'test clip')}",
                f"Too few to tell models apart that differ by less than {points}: read the "
                "intervals, not the figures.",
            )
        )
    return first


def shown(language: Json) -> str:
    """What a language model is shown of a clip."""
    frames = language["settings"]["frames"]
    parts = {
        counted(frames, "frame"): frames,
        "what is said": language["settings"]["transcript"] != "none",
        "these numbers": language["face_tokens"],
    }
    return " and ".join(part for part, is_shown in parts.items() if is_shown) or "nothing"


def question(all_tasks: Sequence[Task]) -> str:
    """What is asked of a clip."""
    task, *others = all_tasks
    if others:
        titles = _joined([task.title for task in all_tasks])
        return f"what can be told from a short video of a person: {titles}?"
    if task.kind == "number":
        verb = "is" if len(task.names) == 1 else "are"
        return f"how high {verb} {task.title} of a person in a short video?"
    if task.is_words:
        return f"which {task.noun} does a person in a short video show?"
    return "which action units does a face in a short video show?"


def asked(all_tasks: Sequence[Task]) -> str:
    """The same as an object: "the emotion", "the quadrant, and numbers for valence and arousal"."""
    return _joined(
        [
            f"the {task.noun}"
            if task.is_words
            else f"{'numbers for ' * (task.kind == 'number')}{task.title}"
            for task in all_tasks
        ]
    )


def headline(task: Task) -> str:
    """How good the model is at a task, next to the floor."""
    if task.model is None:
        return f"What train.model names does not answer the task {task.title}; others do."
    model = task.model
    name, (figure, between) = kind(model["name"]), task.said(model)
    majority = task.main["majority"]
    if task.is_words:
        war, ends = task.said(model, "war")
        return (
            f"The {name} names the {task.noun} of {war} of the test clips (WAR, 95 % interval "
            f"{ends}); always naming the most frequent {task.noun} gets "
            f"{task.said(majority, 'war')[0]}. With each of the {task.main['classes']} "
            f"{task.plural} counting the same it is {figure} (UAR, 95 % interval {between}; chance "
            f"is {_chance(task)})."
        )
    if task.kind == "number":
        parts = []
        for target in task.names:
            of = model[target]
            between = MEASURES["ccc"].between(of["ccc_low"], of["ccc_high"])
            ends = f" (95 % interval {between})" if between else ""
            parts.append(f"{listed([target])} with a CCC of {number(of['ccc'], 2)}{ends}")
        return (
            f"The {name} gives {'; '.join(parts)}. 1 would be full agreement; always giving the "
            "same number gets 0."
        )
    what = "tells whether" if task.kind == "presence" else "tells how strongly"
    floor = (
        f"always answering their share in training gets {task.said(majority)[0]}"
        if task.kind == "presence"
        else "always giving the same number gets 0"
    )
    return (
        f"The {name} {what} {counted(len(task.names), 'action unit')} "
        f"{'is' if len(task.names) == 1 else 'are'} there with a {task.first_title} of {figure} "
        f"(95 % interval {between}); {floor}."
    )


def baseline(task: Task) -> str:
    """The best of the other classifiers, or nothing where there is none."""
    others = {
        role: of
        for role, of in by_role(task.main).items()
        if role not in ("majority", "model", WITHOUT) and not math.isnan(task.value(of))
    }
    if not others:
        return ""
    role = max(others, key=lambda name: task.value(others[name]))
    figure, between = task.said(others[role])
    chance = f"; chance is {_chance(task)}" if task.is_words else ""
    which = f" --task {task.key}" if task.end else ""
    return (
        f"Of the other classifiers {kind(others[role]['name'])} has the highest "
        f"{task.first_title}, {figure} ({between}{chance}). "
        "Overlapping intervals do not decide which is better; "
        f"facewave compare model {role}{which} tests it on the same clips."
    )


def votes(task: Task) -> str:
    """How the model's probabilities agree with the votes, where there are votes."""
    model = task.model
    if model is None or model.get("kl") is None:
        return ""
    top2, kl = (
        f"{MEASURES[name].of(model[name])} "
        f"({MEASURES[name].between(model[f'{name}_low'], model[f'{name}_high'])})"
        for name in ("top2", "kl")
    )
    return (
        f"Of the clips with votes, {top2} have their word among the model's two most probable, and "
        f"the votes' shares diverge from its probabilities by {kl} nats. "
    )


def verdict(record: Record) -> str:
    """What can be said of a line of the study that has a paired difference."""
    if value_of(record["difference_low"]) > 0:
        return "better"
    if value_of(record["difference_high"]) < 0:
        return "worse"
    return "cannot be told"


def of_quadrants(records: Records) -> str:
    """Which is better, to learn four classes, or to learn two numbers and to cut the plane?"""
    trained, cut = (record for record in records if record["measure"] == "uar")
    uar = MEASURES["uar"]
    points = number(100 * value_of(cut["difference"]))
    between = uar.between(cut["difference_low"], cut["difference_high"])
    answer = {
        "better": "To learn the numbers and to cut is better.",
        "worse": "To learn the classes is better.",
        "cannot be told": "Which is better cannot be told from these clips: the difference may "
        "as well be none.",
    }[verdict(cut)]
    return (
        f"{answer} {trained['way'].capitalize()} have {uar.of(trained['figure'])} UAR, "
        f"{cut['way']} it is {uar.of(cut['figure'])}: {points} points more ({between}, "
        f"p = {number(cut['p'], 3)})."
    )


def of_networks(records: Records) -> str:
    """Whether larger networks know more of test clips, or only more by heart."""
    last = {record["network"]: record for record in records}  # of several partitions all together
    small, large = (choose(last.values(), key=_parameters) for choose in (min, max))
    best = max(last.values(), key=lambda record: value_of(record["figure"]))
    measure = MEASURES[best["measure"]]
    text = (
        f"Of {counted(len(last), 'network')}, trained alike, {best['network']} "
        f"({_parameters(best) / 1e6:.3g} million parameters) does best on test clips: "
        f"{measure.of(best['figure'])} {title(best['measure'])} "
        f"({measure.between(best['low'], best['high'])})."
    )
    if small is large:
        return text
    gaps = [number(measure.times * value_of(of["gap"]), measure.digits) for of in (small, large)]
    points = " points" if measure.times == 100 else ""
    return (
        f"{text} From {small['network']} to {large['network']}, "
        f"{_parameters(large) / _parameters(small):.3g} times as large, the gap between clips that "
        f"were learnt from and test clips goes from {gaps[0]} to {gaps[1]}{points}."
    )


def of_combination(records: Records, by: str) -> str:
    """Whether the members together, the way that is set, do better than the best of them."""
    of_f1 = [record for record in records if record["measure"] == "macro_f1"]
    (together,) = (record for record in of_f1 if record["by"] == by)
    (best,) = (record for record in of_f1 if not record["against"])
    answer = {
        "better": "Together the members are better than the best of them.",
        "worse": "Together the members are worse than the best of them.",
        "cannot be told": "Whether the members are better together than the best of them cannot be "
        "told from these clips.",
    }[verdict(together)]
    measure = MEASURES["macro_f1"]
    return (
        f"{answer} By {by} they have {measure.of(together['figure'])} macro F1, the member that "
        f"validation would choose ({together['against']}) has {measure.of(best['figure'])}: "
        f"{difference(together, measure)}."
    )


def of_online(records: Records) -> str:
    """What is lost by answering at once."""
    alone, online, offline = (record for record in records if record["measure"] == "macro_f1")
    measure = MEASURES["macro_f1"]
    figures = [measure.of(record["figure"]) for record in (offline, online, alone)]
    answer = {
        "better": "Answers at once are better.",
        "worse": "Answers at once are worse.",
        "cannot be told": "Whether answers at once are worse cannot be told from these clips.",
    }[verdict(online)]
    return (
        "Offline, each moment is answered by the median of those around it; online by that of the "
        f"moments up to it, over as many seconds. {answer} Offline macro F1 is {figures[0]}, "
        f"online {figures[1]} ({difference(online, measure)}), and of each moment alone "
        f"{figures[2]}."
    )


def of_pseudo_labels(study: Json) -> str:
    """How many pseudo-labels teach, whose they are, and how often they agree with known labels."""
    taught = (
        f"{counted(study['clips'], 'clip')} without a label of "
        f"{'their' if study['clips'] != 1 else 'its'} own may teach with an answer of track "
        f"{study['track']} ({study['by'] or 'nobody knows whose'})."
    )
    if not study["n"]:
        return f"{taught} How often it is right cannot be told: it answers no clip with a label."
    war = MEASURES["war"]
    return (
        f"{taught} It also answers {counted(study['n'], 'clip')} whose label is known and from "
        f"which nobody behind it has learnt: {war.of(study['war'])} of these answers are right "
        f"({war.between(study['war_low'], study['war_high'])}), and of each word "
        f"{war.of(study['uar'])} on average, where chance is {war.of(study['chance'])}."
    )


def _parameters(record: Record) -> float:
    return value_of(record["parameters"])


def of_speaking(records: Records) -> str:
    """What the mouth is worth, and where people speak and where not."""
    everything, *kinds = records
    measure = MEASURES[everything["measure"]]
    whole, without = (measure.of(everything[inputs]) for inputs in ("whole", "without"))
    answer = {
        "better": "The mouth helps",
        "worse": "The mouth is in the way",
        "cannot be told": "Whether the mouth helps cannot be told from these clips",
    }[verdict(everything)]
    text = (
        f"{answer}: with its channels the {kind(everything['model'])} has {whole} "
        f"{title(everything['measure'])}, without them {without}, a difference of "
        f"{difference(everything, measure)}."
    )
    if not kinds:
        return f"{text} Whether it is less where people speak cannot be told: {_ALIKE}."
    parts = (f"{difference(of, measure)} on clips {of['clips']}" for of in kinds)
    return f"{text} It is {' and '.join(parts)}."


def difference(record: Record, measure: Measure) -> str:
    """A paired difference with its interval and p: points of what is a percentage."""
    ends = (record[f"difference_{end}"] for end in ("low", "high"))
    by = number(measure.times * value_of(record["difference"]), measure.digits)
    points = " points" if measure.times == 100 else ""
    return f"{by}{points} (95 % interval {measure.between(*ends)}, p = {number(record['p'], 3)})"


def doubts(results: Results, about: str) -> list[Doubt]:
    """What speaks against the figures; ``about`` is the dataset's description."""
    report = results.report
    all_tasks = tasks(report)
    first = all_tasks[0]
    found = [*_data(results, about)]
    found += _answers(first, len(results.records["suspects"]))
    names = {role: of["name"] for task in all_tasks for role, of in by_role(task.main).items()}
    if "transductive" in report:
        found.append(_transductive([names[role] for role in report["transductive"]]))
    if "normalized" in report:
        found += _normalized(report["normalized"], names, first)
    if "language" in report:
        found.append(_language(report["language"]))
    found += _subjects(first.main)
    for task in all_tasks:
        of_task = [] if task.model is None else [*_OF_KIND[task.kind](task, task.model)]
        if task is not first and (n := task.main["n"]) < _FEW_CLIPS <= first.main["n"]:
            of_task.append(Doubt(f"Only {counted(n, 'test clip')}", "Read the intervals."))
        before = f"{task.title[0].upper()}{task.title[1:]}: " if len(all_tasks) > 1 else ""
        found += [Doubt(before + doubt.what, doubt.why) for doubt in of_task]
    measure = results.study.get("measure", "uar")
    leaked = results.study.get("leakage", {}).get("model", {"difference": 0.0})["difference"]
    times = 1 if measure == "uar" else 100
    if times * leaked > _LEAKED:
        higher = f"{number(leaked)} points" if measure == "uar" else number(leaked, 2)
        found.append(
            Doubt(
                "It also recognises people",
                f"Where folds share subjects, {title(measure)} is {higher} higher (see: Does it "
                "help to have seen the person?). Figures on such folds would be too good.",
            )
        )
    return found


def _data(results: Results, about: str) -> Iterator[Doubt]:
    clean, extract = results.clean, results.extract
    if synthetic(about):
        yield _SYNTHETIC
    # What has no label is not left out: it never could be measured, and may be there to teach.
    if n := clean["excluded"] - clean["reasons"].get(Reason.UNLABELLED, {"count": 0})["count"]:
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


def _answers(task: Task, doubted: int) -> Iterator[Doubt]:
    summary = task.main
    if task.is_words and task.model and (n := unreadable(task.model)):
        yield Doubt(
            f"{n:,} of {counted(summary['n'], 'answer')} cannot be read",
            "The language model wrote none of the words, or more than one. Such answers count as "
            "wrong.",
        )
    if n := summary["unusable"]:
        yield Doubt(
            f"{counted(n, 'test clip')} answered unseen",
            "They have no usable face, nor a voice, where the model takes one. They are answered "
            "from the frequencies and means in training and count in every figure.",
        )
    if doubted:
        yield Doubt(
            f"{counted(doubted, 'label')} of {counted(summary['n'], 'test clip')} may be wrong",
            "The models contradict them. A weak model also contradicts correct labels: look at the "
            "clips below before believing either.",
        )


def _transductive(kinds: Sequence[str]) -> Doubt:
    return Doubt(
        f"Corrected by the test clips: {listed([kind(name) for name in kinds])}",
        "Its answer to a test clip also follows from what the encoder saw in the others, though "
        "not from their labels (transductive). It may do worse on a clip alone.",
    )


def _normalized(notes: dict[str, str], names: dict[str, str], task: Task) -> Iterator[Doubt]:
    """What normalisation takes of the people who are tested, for each kind of note."""
    for note in dict.fromkeys(notes.values()):
        kinds = [kind(names[role]) for role in notes if notes[role] == note]
        text = f"{note[0].upper()}{note[1:]}. On a clip of somebody unknown it does worse."
        if WITHOUT in task.main:
            figure, between = task.said(task.main[WITHOUT])
            text += (
                f" The same model without it: {figure} ({task.first_title}, 95 % interval "
                f"{between}); facewave compare model {WITHOUT} tests both on the same clips."
            )
        yield Doubt(f"It knows other clips of the people it is tested on: {listed(kinds)}", text)


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


def _words(task: Task, model: Json) -> Iterator[Doubt]:
    recall, chance = model["recall"], 1 / len(model["recall"])
    clips = {word: sum(row) for word, row in zip(task.names, model["confusion"], strict=True)}
    yield from _named({
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
            [word for word in task.names if word not in recall],
            "How well these are found is not known; no mean includes them.",
        ),
    })  # fmt: skip
    yield from _simpler(task, model)
    if model["uar_low"] <= task.main["chance"]:
        yield Doubt(
            "It may be guessing",
            f"The interval of UAR reaches down to chance, {_chance(task)}.",
        )
    if model["calibration_error"] > _OFF:
        yield Doubt(
            "The probabilities do not measure certainty",
            f"They are off by {number(100 * model['calibration_error'])} points on average "
            "(see: Can its probabilities be believed?).",
        )


def _numbers(task: Task, model: Json) -> Iterator[Doubt]:
    floor, known = task.main["majority"], task.main["known"]
    low, high = "coverage_low", "coverage_high"
    yield from _named({
        "It may be guessing": (
            [name for name in task.names if (model[name]["ccc_low"] or 0) <= 0],
            "The interval of CCC reaches down to 0, which every constant gets.",
        ),
        "No closer than the mean": (
            [name for name in task.names if _at_least(model[name], floor[name], "rmse")],
            "Always predicting the training clips' mean has no larger error (RMSE).",
        ),
        f"Fewer than {_FEW_CLIPS} test clips": (
            [f"{name} ({known[name]})" for name in task.names if known[name] < _FEW_CLIPS],
            "A few clips decide their CCC.",
        ),
        "Prediction intervals that hold too little": (
            [name for name in task.names if value_of(model[name][high]) < NOMINAL],
            f"Fewer than {100 * NOMINAL:.0f} % of numbers are within them: they are too narrow.",
        ),
        "Prediction intervals that hold too much": (
            [name for name in task.names if value_of(model[name][low]) > NOMINAL],
            f"More than {100 * NOMINAL:.0f} % of numbers are within them: they are too wide.",
        ),
    })  # fmt: skip
    yield from _simpler(task, model)


def _units(task: Task, model: Json) -> Iterator[Doubt]:
    guess, chance = ("auc_low", 0.5) if task.kind == "presence" else ("icc_low", 0.0)
    there = clips_with(task)
    yield from _named({
        "It may be guessing": (
            [name for name in task.names if value_of(model[name][guess]) <= chance],
            f"The interval of {guess[:3].upper()} reaches down to what chance gets.",
        ),
        f"Fewer than {_FEW} test clips": (
            [f"{name} ({n})" for name, n in there.items() if 0 < n < _FEW],
            "One clip more or less moves the figures of such a unit by some points.",
        ),
        "Not in the test clips": (
            [name for name in task.names if model[name][task.first] is None],
            "How well these are told is not known; no mean includes them.",
        ),
    })  # fmt: skip
    yield from _simpler(task, model)


_OF_KIND: dict[str, Callable[[Task, Json], Iterator[Doubt]]] = {
    "words": _words,
    "number": _numbers,
    "presence": _units,
    "intensity": _units,
}


def _named(kinds: dict[str, tuple[list[str], str]]) -> Iterator[Doubt]:
    """A doubt for each kind that has names."""
    for what, (names, why) in kinds.items():
        if names:
            yield Doubt(f"{what}: {', '.join(map(target, names))}", why)


def _simpler(task: Task, model: Json) -> Iterator[Doubt]:
    others = [of for role, of in by_role(task.main).items() if role not in ("model", WITHOUT)]
    if better := [kind(of["name"]) for of in others if task.value(of) >= task.value(model)]:
        yield Doubt(
            f"No better than {', '.join(better)}",
            f"By {task.first_title} the {kind(model['name'])} is not ahead of what is simpler.",
        )


def _at_least(one: Json, other: Json, name: str) -> bool:
    return value_of(one[name]) >= value_of(other[name])


def _chance(task: Task) -> str:
    return MEASURES["uar"].of(task.main["chance"])


def _joined(texts: Sequence[str]) -> str:
    """Texts that may have "and" themselves."""
    *first, last = texts
    return f"{', '.join(first)}, and {last}" if first else last
