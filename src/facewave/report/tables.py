"""The page's tables, from what the stages measured. Pure.

A record is a line of a CSV, column -> text. Shares are written in percent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import isnan

from facewave.landmarks.schema import MEASURES
from facewave.report.cells import (
    UNKNOWN,
    Cell,
    Table,
    counted,
    emphasised,
    interval,
    number,
    percent,
    value_of,
)
from facewave.report.found import Json, Records

KINDS = {
    "majority": "majority class",
    "logistic": "logistic regression",
    "svm": "support vector machine",
    "trees": "boosted trees",
    "mlp": "MLP",
    "gru": "GRU",
    "transformer": "transformer",
    "mean": "mean of training",
    "paligemma2": "PaliGemma 2",
    "qwen2.5-vl": "Qwen2.5-VL",
    "smolvlm": "SmolVLM",
}
_TINY = "tiny-"
SHOWN = 20  # lines of a list that may be long
_SHARES = {"war": "WAR", "uar": "UAR", "macro_f1": "macro F1", "auc": "AUC"}
_REGRESSED = {"ccc": "CCC", "pcc": "PCC", "rmse": "RMSE", "sagr": "SAGR"}
_RUN = ("transform", "k", "inputs", "model")
_BLOCKS = {"blendshapes": "blendshapes", "landmarks": "landmarks", "pose_free": "pose-free"}
_GROUPS = {
    "block": "kinds of input",
    "region": "regions of the face",
    "blendshape": "blendshapes",
    "part": "parts of the clip",
    "place": "places of the numbers",
    "scale": "time scales, as shares of the clip that a rise or fall takes",
}
_IN_ORDER = ("part", "place", "scale")
_MEANINGS = {str(name): meaning for name, meaning in MEASURES.items()}
_NAMED = ("scene", "subject")  # conditions that say which, not how much


def kind(name: str) -> str:
    """A model's name in words."""
    if name.startswith(_TINY):
        return f"tiny {kind(name.removeprefix(_TINY))}"
    return KINDS.get(name, name)


def target(name: str) -> str:
    """A regression's target in words."""
    return name.removeprefix("score.")


def unreadable(model: Json) -> int:
    """How many answers are no word: a column of the confusion after those of the words."""
    counts = model["confusion"]
    return sum(sum(row[len(counts) :]) for row in counts)


def by_role(summary: Json) -> dict[str, Json]:
    """Role -> its figures, of one protocol of the evaluation's report."""
    return {role: figures for role, figures in summary.items() if isinstance(figures, dict)}


def scores(summary: Json) -> Table:
    """Every role on the same test clips."""
    rows = []
    for role, figures in by_role(summary).items():
        named = Cell(kind(figures["name"]), tags=("the model",) if role == "model" else ())
        shares = (_share(figures, name) for name in _SHARES)
        loss = interval(figures["log_loss_low"], figures["log_loss_high"], 2)
        error = replace(_share(figures, "calibration_error"), bar=None)
        rows.append([named, *shares, Cell(number(figures["log_loss"], 2), loss), error])
    return Table(("", *_SHARES.values(), "log loss", "ECE"), rows)


def exclusions(clean: Json) -> Table:
    """Rows of the label files that are left out, the most frequent reason first."""
    found = sorted(clean["reasons"].items(), key=lambda item: -item[1]["count"])
    rows = [[Cell(why), Cell(which["rows"]), Cell(f"{which['count']:,}")] for why, which in found]
    return Table(("reason", "where", "rows"), rows, words=2)


def left_out(extract: Json) -> Table:
    """Clips that give no trajectory; reasons that differ in their numbers alone are one."""
    clips: dict[str, list[str]] = {}
    for clip, reason in extract["left_out"].items():
        clips.setdefault(re.sub(r"\d+(?:\.\d+)?", "…", reason), []).append(clip)
    rows = [
        [Cell(reason), Cell(_listed(some)), Cell(f"{len(some):,}")]
        for reason, some in sorted(clips.items(), key=lambda item: -len(item[1]))
    ]
    return Table(("reason", "clips' numbers", "clips"), rows, words=2)


def qualities(extract: Json) -> Table:
    """What is measured of the clips' trajectories."""
    rows = [
        [
            Cell(name, _MEANINGS[name]),
            *(Cell(f"{spread[key]:g}") for key in ("p5", "median", "p95")),
        ]
        for name, spread in extract["measures"].items()
    ]
    return Table(("measure", "5 % are below", "half are below", "95 % are below"), rows)


def lost(wavelet: Json) -> Table:
    """What every transform leaves unexplained with as many numbers; the first is the one used."""
    transforms = wavelet["unexplained"]
    keys = [(block, measure) for measure in ("variance", "velocity") for block in _BLOCKS]
    rows = []
    for at, name in enumerate(transforms):
        figures = (transforms[name][block][measure] for block, measure in keys)
        tags = ("used here",) if at == 0 else ()
        rows.append([Cell(name, tags=tags), *(Cell(number(value)) for value in figures)])
    for column, (block, measure) in enumerate(keys, 1):
        losses = [-of_block[block][measure] for of_block in transforms.values()]
        rows = emphasised(rows, column, losses)
    return Table(("transform", *(f"{_BLOCKS[block]}: {what}" for block, what in keys)), rows)


def by_fold(model: Json) -> Table | None:
    """The model in every fold; nothing where there is one part."""
    if "fold" not in model:
        return None
    rows = [
        [
            Cell(f"fold {name}"),
            Cell(f"{figures['n']:,}"),
            *(Cell(_hundred(figures[measure])) for measure in _SHARES),
            Cell(number(figures["log_loss"], 2)),
            Cell(_hundred(figures["calibration_error"])),
        ]
        for name, figures in model["fold"].items()
    ]
    return Table(("", "clips", *_SHARES.values(), "log loss", "ECE"), rows)


def asked(language: Json, model: Json) -> Table:
    """How a language model was asked.

    Args:
        language: section ``language`` of the evaluation's report.
        model: figures of its answers.
    """
    own, finetuned = language["settings"], language["mode"] == "finetune"
    said = {"none": "not given", "known": "where the corpus has it", "speech": "recognised"}
    extras = {
        "virtual tokens": language["prefix"],
        "images' projector": language["projector"] and "trained, too",
        "frozen weights": language["quantized"] and "in 4 bits",
        "started from": finetuned and own["start"] != "none" and own["start"],
    }
    facts: dict[str, tuple[str, str]] = {
        "model": (kind(model["name"]), ""),
        "weights": (language["weights"] or "random", language["revision"]),
        "mode": (language["mode"].replace("_", "-"), _learnt(language)),
        "frames": _frames(own),
        "what is said": (said[own["transcript"]], ""),
        "examples": (f"{own['examples']} shown before" if own["examples"] else "none", ""),
        "face tokens": _faces(language),
        "LoRA": _lora(language["lora"]),
        **{name: (str(value), "") for name, value in extras.items() if value},
        "answers": _answers(own, model),
    }
    rows = [[Cell(name), Cell(text, note)] for name, (text, note) in facts.items()]
    return Table(("", ""), rows, words=2)


def _learnt(language: Json) -> str:
    """What was trained, and how; nothing where nothing was."""
    if not language["trained"]:
        return ""
    own, share = language["settings"], language["trained"] / language["parameters"]
    return (
        f"{language['trained']:,} of {language['parameters']:,} parameters ({100 * share:.2g} %) "
        f"are trained: {counted(own['epochs'], 'epoch')}, learning rate {own['lr']:g}, "
        f"{counted(own['batch_size'] * own['accumulation'], 'clip')} a step"
    )


def _frames(own: Json) -> tuple[str, str]:
    if not own["frames"]:
        return "none", ""
    when = {
        "uniform": "evenly spread",
        "random": "one of each equal part, by chance",
        "middle": "from the clip's middle third",
    }
    pictures = "the face, cut out" if own["picture"] == "face" else "whole pictures"
    grid = ", all in one picture" * own["grid"]
    return str(own["frames"]), f"{when[own['sampling']]}; {pictures}, {own['side']} px{grid}"


def _faces(language: Json) -> tuple[str, str]:
    if not language["face_tokens"]:
        return "none", ""
    inputs = ", ".join(language["inputs"])
    made = f"from the numbers of {inputs}; adapter {language['adapter']}"
    return str(language["face_tokens"]), made


def _lora(lora: Json | None) -> tuple[str, str]:
    if lora is None:
        return "none", ""
    strength = f"alpha {lora['alpha']:g}, dropout {lora['dropout']:g}"
    return f"rank {lora['rank']}", f"{strength}, beside {', '.join(lora['targets'])}"


def _answers(own: Json, model: Json) -> tuple[str, str]:
    if own["objective"] != "likelihood":
        return "numbers", f"from the last token's state; trained by {own['objective'].upper()}"
    if own["answers"] == "generation":
        n, mute = sum(map(sum, model["confusion"])), unreadable(model)
        return "written", f"{mute:,} of {n:,} ({number(100 * mute / n)} %) cannot be read"
    per = ", per token" * own["by_length"]
    over = ", over that of the same words with nothing to see" * own["by_prior"]
    return "the likeliest label", f"by the likelihood of its words{per}{over}"


def regression(summary: Json, targets: Sequence[str]) -> Table:
    """Every target by every role, on the same test clips."""
    rows = []
    for name in targets:
        for at, (role, figures) in enumerate(by_role(summary).items()):
            tags = ("the model",) if role == "model" else ()
            named = Cell(target(name) if at == 0 else ""), Cell(kind(figures["name"]), tags=tags)
            rows.append([*named, *_regressed(figures[name])])
    return Table(("target", "", *_REGRESSED.values()), rows, words=2)


def regression_by_fold(model: Json, targets: Sequence[str]) -> Table | None:
    """A regression in every fold; nothing where there is one part."""
    if "fold" not in model:
        return None
    rows = []
    for name in targets:
        for at, (fold, figures) in enumerate(model["fold"].items()):
            named = Cell(target(name) if at == 0 else ""), Cell(f"fold {fold}")
            rows.append([*named, Cell(f"{figures['n']:,}"), *_regressed(figures[name])])
    return Table(("target", "", "clips", *_REGRESSED.values()), rows, words=2)


def _regressed(figures: Json) -> Iterator[Cell]:
    for name in _REGRESSED:
        value, low, high = (figures.get(name + end) for end in ("", "_low", "_high"))
        if name == "sagr":
            yield percent(*map(_times, (value, low, high)))
        else:
            yield Cell(number(value, 2), interval(low, high, 2))


def by_class(model: Json, words: Sequence[str]) -> Table:
    """Every class that occurs: its recall, how often it is named, what it is taken for most."""
    confusion = model["confusion"]
    rows = []
    for code, word in enumerate(words):
        if word not in model["recall"]:
            continue
        row = confusion[code]
        wrong = max((n, -other) for other, n in enumerate(row) if other != code)
        # After the words: what could not be read.
        other = [*words, "no readable answer"][-wrong[1]]
        taken = f"{other} ({counted(wrong[0], 'time')})" if wrong[0] else "nothing else"
        named = sum(one[code] for one in confusion)
        ends = (model[f"recall_{end}"][word] for end in ("low", "high"))
        recall = percent(*(_times(value) for value in (model["recall"][word], *ends)))
        rows.append([Cell(word), Cell(taken), recall, Cell(f"{sum(row):,}"), Cell(f"{named:,}")])
    head = ("emotion", "otherwise taken most for", "recall", "clips", "answers")
    return Table(head, rows, words=2)


def conditions(records: Records, named: bool) -> Table:
    """Scores under conditions; ``named``: those of scenes and subjects, else those of measures."""
    chosen = [one for one in records if (one["condition"] in _NAMED) == named]
    rows = []
    for condition, some in groupby(chosen, lambda one: one["condition"]):
        for at, one in enumerate(some):
            first = Cell(condition, _MEANINGS.get(condition, "")) if at == 0 else Cell("")
            counts = Cell(one["n"]), Cell(_whole(one["subjects"]))
            rows.append([first, Cell(one["range"]), *_records_scores(one, 100), *counts])
    return Table(("condition", "range", "WAR", "UAR", "clips", "subjects"), rows, words=2)


def removed(records: Records) -> Table:
    """The trained models on test clips with frames taken away; the majority sees no frames."""
    rows = [
        [Cell(one["condition"]), Cell(kind(one["model"])), *_records_scores(one)]
        for one in records
        if one["role"] != "majority"
    ]
    return Table(("test clips with", "model", "WAR", "UAR"), rows, words=2)


def leaking(records: Records) -> Table:
    """The same models on folds that share no subject, and on folds drawn by chance."""
    protocols = {"disjoint": "nobody on two sides", "random": "drawn by chance"}
    roles = dict.fromkeys(one["role"] for one in records)
    rows = [
        [Cell(kind(one["model"])), Cell(protocols[one["protocol"]]), *_records_scores(one)]
        for role in roles
        for one in records
        if one["role"] == role
    ]
    return Table(("model", "folds", "WAR", "UAR"), rows, words=2)


def importance(records: Records) -> dict[str, Table]:
    """What the model relies on: a table for each kind of group, the first ``SHOWN``."""
    found = {}
    for name, group in groupby(records, lambda one: one["kind"]):
        some = list(group)
        if name not in _IN_ORDER:
            some.sort(key=lambda one: -value_of(one["importance"]))
        rows = []
        for one in some[:SHOWN]:
            fall, low, high = (100 * value_of(one[key]) for key in ("importance", "low", "high"))
            rows.append([Cell(one["name"]), Cell(number(fall), interval(low, high))])
        first = f", the first {SHOWN} of {len(some)}" if len(some) > SHOWN else ""
        found[_GROUPS.get(name, name) + first] = Table(("", "fall of UAR, points"), rows)
    return found


def runs(records: Records, summary: Json) -> Table:
    """Every run of the study, the best of each column marked."""
    rows = []
    for one in records:
        same = {
            "chosen by validation": _is(one, summary["chosen_by_validation"]),
            "best on test": _is(one, summary["best_on_test"]),
        }
        tags = tuple(tag for tag, applies in same.items() if applies)
        named = [Cell(one["k"]), Cell(one["inputs"]), Cell(kind(one["model"]))]
        validation = Cell(number(value_of(one["val_uar"])))
        first = Cell(one["transform"], tags=tags)
        rows.append([first, *named, validation, *_records_scores(one)])
    for column, name in enumerate(("val_uar", "war", "uar"), len(_RUN)):
        rows = emphasised(rows, column, [value_of(one[name]) for one in records])
    head = ("transform", "K", "inputs", "model", "UAR in validation", "WAR", "UAR")
    return Table(head, rows, words=4)


def suspects(records: Records) -> Table:
    """The first clips whose label the models doubt."""
    rows = [
        [
            Cell(one["file_path"], f"{one['table']}:{_whole(one['row'])}" if one["table"] else ""),
            Cell(one["actual"]),
            Cell(one["suggested"]),
            Cell(_hundred(value_of(one["p_label"]))),
            Cell(_hundred(value_of(one["p_suggested"]))),
        ]
        for one in records[:SHOWN]
    ]
    head = ("clip", "label", "the model says", "given to the label", "given to its answer")
    return Table(head, rows, words=3)


def _share(figures: Json, name: str) -> Cell:
    return percent(*(_times(figures[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _records_scores(one: Mapping[str, str], times: float = 1) -> Iterator[Cell]:
    for name in ("war", "uar"):
        yield percent(*(times * value_of(one[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _times(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _hundred(share: float | None) -> str:
    return number(_times(share))


def _whole(text: str) -> str:
    """A count as it is written where others of its column are missing, without ".0"."""
    value = value_of(text)
    return UNKNOWN if isnan(value) else f"{value:,.0f}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _is(record: Mapping[str, str], run: Json) -> bool:
    return all(record[name] == str(run[name]) for name in _RUN)
