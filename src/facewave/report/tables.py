"""What the page's tables hold where it is more than the stages' records. Pure."""

import re
from collections.abc import Sequence
from itertools import groupby, product

from facewave.landmarks import schema as landmarks
from facewave.report.cells import UNKNOWN, counted, number, value_of
from facewave.report.results import Json, Record, Records
from facewave.report.tasks import MEASURES, Measure, Task, by_role

KINDS = {
    "majority": "majority class",
    "logistic": "logistic regression",
    "svm": "support vector machine",
    "trees": "boosted trees",
    "mlp": "MLP",
    "gru": "GRU",
    "transformer": "transformer",
    "fusion": "Transformer over face and voice",
    "late_fusion": "late fusion of face and voice",
    "pretrained": "pretrained encoder",
    "knowledge": "facial-action rules",
    "ensemble": "ensemble",
    "paligemma2": "PaliGemma 2",
    "gemma3": "Gemma 3",
    "qwen2.5-vl": "Qwen2.5-VL",
    "qwen3-vl": "Qwen3-VL",
    "internvl3": "InternVL3",
    "smolvlm": "SmolVLM",
    "smolvlm2": "SmolVLM2",
    "served": "a language model on a server",
}
WITHOUT = "unnormalized"  # the role beside a model that knows the people's clips
TAGS = {  # of roles
    "model": "the model",
    WITHOUT: "the model without normalisation",
    "face": "the face alone",
    "voice": "the voice alone",
}
SHOWN = 20  # lines of a list that may be long
_BLOCKS = {"blendshapes": "blendshapes", "landmarks": "landmarks", "pose_free": "pose-free"}
SUBJECT = "subject"  # the condition whose ranges are people
FOLDS = {"disjoint": "no shared person", "random": "drawn at random"}
MEANINGS = {str(name): meaning for name, meaning in landmarks.MEASURES.items()}
MEANINGS["speech_share"] = "whether somebody speaks, by the clip's sound"
_OF_VIDEO = (*MEANINGS, "all", "fps", "brightness")
_TINY = "tiny-"
_RUN = ("transform", "k", "inputs", "model")
_GROUPS = {
    "block": "kinds of input",
    "region": "regions of the face",
    "blendshape": "blendshapes",
    "pattern": "patterns of columns",
    "column": "columns, by what they begin with",
    "part": "parts of the clip",
    "place": "places of the numbers",
    "scale": "time scales, as shares of the clip that a rise or fall takes",
}
_IN_ORDER = ("part", "place", "scale")


def kind(name: str) -> str:
    """A model's name in words."""
    if name.startswith(_TINY):
        return f"tiny {kind(name.removeprefix(_TINY))}"
    return KINDS.get(name, name)


def unreadable(model: Json) -> int:
    """The number of unreadable answers: a column of the confusion after those of the words."""
    counts = model["confusion"]
    return sum(sum(row[len(counts) :]) for row in counts)


def left_out(extract: Json) -> list[tuple[str, str, int]]:
    """Reason without its numbers, clips and how many, the most frequent first."""
    clips: dict[str, list[str]] = {}
    for clip, reason in extract["left_out"].items():
        clips.setdefault(re.sub(r"\d+(?:\.\d+)?", "…", reason), []).append(clip)
    ranked = sorted(clips.items(), key=lambda item: -len(item[1]))
    return [(reason, _listed(names), len(names)) for reason, names in ranked]


def lost(records: Records, k: int) -> dict[str, dict[str, float]]:
    """What every transform leaves unexplained with k numbers, in percent; the first is in use."""
    transforms: dict[str, dict[str, float]] = {}
    for loss, (block, name) in product(("variance", "velocity"), _BLOCKS.items()):
        for record in records:
            if record["k"] == str(k) and record["block"] == block:
                losses = transforms.setdefault(record["contender"], {})
                losses[f"{name}: {loss}"] = value_of(record[f"{loss}_median"])
    return transforms


def by_class(model: Json, words: Sequence[str]) -> list[Json]:
    """Every class that occurs: its recall, F1, what it is most often taken for, and counts."""
    confusion = model["confusion"]
    rows = []
    for code, word in enumerate(words):
        if word in model["recall"]:
            # After the words: what could not be read.
            others = dict(zip([*words, "no readable answer"], confusion[code], strict=False))
            del others[word]
            other = max(others, key=lambda name: others[name])
            taken = f"{other} ({counted(others[other], 'time')})"
            rows.append(
                {
                    f"{name}{end}": model[f"{name}{end}"][word]
                    for name in ("recall", "f1")
                    for end in ("", "_low", "_high")
                }
                | {
                    "word": word,
                    "taken": taken if others[other] else "nothing else",
                    "clips": sum(confusion[code]),
                    "answers": sum(row[code] for row in confusion),
                }
            )
    return rows


def clips_with(task: Task) -> dict[str, int]:
    """In how many test clips each action unit is there; nothing of intensities."""
    if task.kind != "presence" or task.model is None:
        return {}
    parts = [*task.model.get("fold", {}).values()] or [task.main | task.model]
    return {
        unit: round(sum(part["known"][unit] * (part[unit]["prevalence"] or 0) for part in parts))
        for unit in task.names
    }


def studied(measure: str) -> dict[str, Measure]:
    """What tables of the study have beside what is counted; WAR and UAR are percentages there."""
    names = ("war", "uar") if measure == "uar" else (measure,)
    return {name: _in_study(name) for name in names}


def _in_study(name: str) -> Measure:
    is_percentage = name in ("war", "uar")
    shown = MEASURES[name]
    return shown._replace(times=1) if is_percentage else shown


def compared(records: Records) -> list[tuple[Record, Record]]:
    """Lines of sampling.csv without and with the sampler, side by side."""
    return list(zip(records[::2], records[1::2], strict=True))


def importance(records: Records) -> dict[str, Records]:
    """What the model relies on: kind of group -> the first ``SHOWN``, most important first."""
    tables: dict[str, Records] = {}
    for name, group in groupby(records, lambda record: record["kind"]):
        rows = list(group)
        if name not in _IN_ORDER:
            rows.sort(key=lambda record: -value_of(record["importance"]))
        cut = f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
        tables[_GROUPS.get(name, name) + cut] = [
            {**row, "importance_low": row["low"], "importance_high": row["high"]}
            for row in rows[:SHOWN]
        ]
    return tables


def run_tags(record: Record, study: Json) -> list[str]:
    """What a run of the study is notable for."""
    return [
        tag.replace("_", " ")
        for tag in ("chosen_by_validation", "best_on_test")
        if all(record[name] == str(study[tag][name]) for name in _RUN)
    ]


def conditions(records: Records, task: Task) -> tuple[Records, Records, Records]:
    """A task's rows of robustness.csv: of the video, what the corpus knows, person by person."""
    records = [record for record in records if record["task"] == task.key]
    video = [record for record in records if record["condition"] in _OF_VIDEO]
    people = [record for record in records if record["condition"] == SUBJECT]
    known = [record for record in records if record not in video and record not in people]
    return video, known, people


def fitted(summary: Json) -> dict[str, Json]:
    """Role -> WAR and UAR in training and validation, of those that are known, and in test."""
    return {
        role: {
            f"{part}_{name}": of[name]
            for part, of in (figures["fitted"] | {"test": figures}).items()
            for name in ("war", "uar")
        }
        for role, figures in by_role(summary).items()
        if "fitted" in figures and role != "majority"
    }


def left_out_of_training(counts: dict[str, int]) -> str:
    """The words that a budget leaves clips of out: "happy (12), sad (3)"."""
    return ", ".join(f"{word} ({n:,})" for word, n in counts.items())


def whole(text: str) -> str:
    """A count from a column in which others are missing, without ".0"."""
    return number(text, 0) if text else UNKNOWN


def prompting(language: Json, model: Json) -> dict[str, tuple[str, str]]:
    """How a language model was prompted: what -> how, and a note; ``model`` has its figures."""
    settings, finetuned = language["settings"], language["mode"] in ("finetune", "reinforce")
    transcripts = {"none": "not given", "known": "the corpus's", "speech": "recognised"}
    cost = language.get("elsewhere")  # of one on a server nobody knows
    extras = {
        "virtual tokens": language["prefix"],
        "images' projector": language["projector"] and "trained, too",
        "frozen weights": language["quantized"] and "in 4 bits",
        "before the label": {"facts": "facts of the face", "captions": "a caption"}.get(
            settings["reasons"]
        ),
        "wordings in training": len(settings["wordings"]) and 1 + len(settings["wordings"]),
        "unrelated answers": cost and f"{cost['after'] - cost['before']:+.3f} nats a token by LoRA",
        "started from": finetuned and settings["start"] != "none" and settings["start"],
    }
    examples = settings["examples"]
    return {
        "model": (kind(model["name"]), ""),
        "weights": (language["weights"] or "random", language["revision"]),
        "mode": (language["mode"].replace("_", "-"), _trained(language)),
        "frames": _frames(settings),
        "transcript": (transcripts[settings["transcript"]], ""),
        "examples": (f"{examples} before the question" if examples else "none", ""),
        "face tokens": _face_tokens(language),
        "LoRA": _lora(language["lora"]),
        **{name: (str(value), "") for name, value in extras.items() if value},
        "answers": _answers(language, model),
        **_asked(language),
    }


def _trained(language: Json) -> str:
    """What was trained, and how; nothing where nothing was."""
    if not language["trained"]:
        return ""
    settings, share = language["settings"], language["trained"] / language["parameters"]
    batch = settings["batch_size"] * settings["accumulation"]
    rates = ", ".join(f"{rate:g} ({kind})" for kind, rate in settings["lr"].items())
    return (
        f"{language['trained']:,} of {language['parameters']:,} parameters ({100 * share:.2g} %) "
        f"are trained: {counted(settings['epochs'], 'epoch')}, learning rates {rates}, "
        f"{counted(batch, 'clip')} per step"
    )


def _frames(settings: Json) -> tuple[str, str]:
    if not settings["frames"]:
        return "none", ""
    when = {
        "uniform": "evenly spread",
        "random": "one of each equal part, at random",
        "middle": "from the clip's middle third",
    }
    pictures = "the face, cropped" if settings["picture"] == "face" else "whole frames"
    grid = ", all in one picture" * settings["grid"]
    note = f"{when[settings['sampling']]}; {pictures}, {settings['side']} px{grid}"
    return str(settings["frames"]), note


def _face_tokens(language: Json) -> tuple[str, str]:
    if not language["face_tokens"]:
        return "none", ""
    inputs = ", ".join(language["inputs"])
    note = f"from the numbers of {inputs}; adapter {language['adapter']}"
    return str(language["face_tokens"]), note


_LORA_TARGETS = {"attention": "queries and values", "all": "all seven projections"}


def _lora(lora: Json | None) -> tuple[str, str]:
    if lora is None:
        return "none", ""
    strength = f"alpha {lora['alpha']:g}, dropout {lora['dropout']:g}"
    return f"rank {lora['rank']}", f"{strength}, beside {_LORA_TARGETS[lora['targets']]}"


def _answers(language: Json, model: Json) -> tuple[str, str]:
    settings = language["settings"]
    if "confusion" not in model:
        return "numbers", f"from the last token's state; trained by {settings['objective'].upper()}"
    if settings["answers"] == "generation":
        n, n_unreadable = sum(map(sum, model["confusion"])), unreadable(model)
        share = number(100 * n_unreadable / n)
        refused = f"{n_unreadable:,} of {n:,} ({share} %) cannot be read"
        return "written", refused + _leniently(language.get("read", {}))
    if model["name"] == "served":
        rest = "where it tells none, what it writes counts as certain"
        return "the likeliest label", f"by the server's log probabilities of tokens; {rest}"
    per = ", per token" * settings["by_length"]
    over = ", over that of the same words with nothing to see" * settings["by_prior"]
    return "the likeliest label", f"by the likelihood of its words{per}{over}"


def _leniently(read: Json) -> str:
    """How many written answers a lenient reader refuses, of the folds or else of the split."""
    of_partitions = [
        of["leniently"] for name, of in read.items() if name != "split" or len(read) == 1
    ]
    if not of_partitions:
        return ""
    n, words, right = (sum(of[name] for of in of_partitions) for name in ("n", "read", "right"))
    return (
        f"; by a lenient reader, who takes the first word whatever else is said, {n - words:,}, "
        f"and {right:,} are right ({number(100 * right / n)} %)"
    )


def _asked(language: Json) -> dict[str, tuple[str, str]]:
    """What the answers of a server took; nothing of other models."""
    if "usage" not in language:
        return {}
    parts = language["usage"].values()
    total = {name: sum(part[name] for part in parts) for name in next(iter(parts), {})}
    tokens = f"{total['prompt_tokens']:,} tokens of prompts and {total['completion_tokens']:,} of"
    took = f"{tokens} answers; {total['seconds']:,.0f} s of requests"
    return {
        "asked about": (
            f"{counted(total['clips'], 'clip')}, {total['failed']} without an answer",
            took,
        )
    }


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
