"""What a person should know of a model, in a line and as a card. Pure.

Both are made of what a model's config.json has under ``about`` (about.py), of which any key
may be missing. Cards follow Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from facewave.targets import CLASSES, PROBABLE, Target


class Figure(TypedDict):
    """A measure on n test clips of some folds (1: of one test part), with its 95 % interval."""

    value: float
    low: float | None
    high: float | None
    n: int
    folds: int


_PERCENT = (
    "WAR",
    "UAR",
    "F1",
)  # of clips, classes or units; other measures are numbers of their own
NORMALIZED = (
    "normalised by each person's own clips (no labels): it needs several unlabelled clips of the "
    "test person"
)
UNKNOWN = (
    "what those learnt from who gave its pseudo-labels is not known: they may have seen clips that "
    "it is tested on"
)
SYNTHETIC = "it learnt from synthetic clips and says nothing about real faces"


def line(kind: str, about: Mapping[str, Any], normalizes: bool = False) -> str:
    """The kind, what it learnt from, the first of its figures, and whether it ``normalizes``."""
    parts = [kind]
    if "dataset" in about:
        told = [about.get("description"), _count(about), _labels(about)]
        particulars = "; ".join(part for part in told if part)
        parts.append(
            f"learnt from {about['dataset']}" + (f" ({particulars})" if particulars else "")
        )
    parts += [f"{name} {_shown(name, figure)}" for name, figure in _figures(about)[:1]]
    parts += [NORMALIZED] if normalizes else []
    return ", ".join(parts)


def card(
    kind: str,
    targets: Sequence[Target],
    inputs: Sequence[str],
    wavelets: Mapping[str, Any],
    calibrated: bool,
    about: Mapping[str, Any],
    normalizes: bool = False,
) -> str:
    """A model card in Markdown.

    Args:
        kind: what params.yaml calls the model.
        targets: what it is asked.
        inputs: the blocks of features that it takes.
        wavelets: the transform's settings.
        calibrated: whether its numbers are probabilities.
        about: see above.
        normalizes: whether it standardises a clip by the same person's other clips.
    """
    taken = ", ".join(inputs) or about.get("takes", "")
    if "functionals" in inputs:
        taken += f", {len(wavelets['functionals'])} columns of a table of features"
    elif inputs and wavelets:
        taken += " as {k} numbers a trajectory ({transform} {wavelet})".format_map(wavelets)
    facts = {
        "answers with": "; ".join(map(_asked, targets)),
        "takes": taken,
        "answers by": about.get("answers_by"),
        "numbers": NORMALIZED if normalizes else "",
        "learnt from": ": ".join(filter(None, (about.get("dataset"), about.get("description")))),
        "clips": _count(about),
        "labels": _labels(about),
        "part": f"training part of partition {about['partition']}" if "partition" in about else "",
        "licence of the clips": about.get("licence"),
        "pseudo-labels by": about.get("pseudo", {}).get("by"),
        "started from": _weights(about.get("weights", {})),
        "labels seen before": ", ".join(
            f"{dataset} (partition {partition})" for dataset, partition in about.get("before", [])
        ),
    }
    lines = [f"# {kind}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items() if fact]
    lines += ["", "## How far to trust it", ""]
    if about.get("synthetic"):
        lines += [f"**{SYNTHETIC[0].upper()}{SYNTHETIC[1:]}.**", ""]
    if (pseudo := about.get("pseudo")) and not pseudo["known"]:
        lines += [f"{UNKNOWN[0].upper()}{UNKNOWN[1:]}.", ""]
    figures = _figures(about)
    lines += ["| measure | |", "|---|---|"] if figures else []
    lines += [f"| {name} | {_shown(name, figure)} |" for name, figure in figures]
    if note := about.get("note"):
        lines += [str(note)]
    elif not figures:
        lines += [
            "Its figures are known once stage evaluate has measured it: `facewave predict --card` "
            "then prints them here."
        ]
    if any(target.kind in PROBABLE for target in targets):
        lines += [
            "",
            "Its probabilities are calibrated on validation clips of the same dataset; among other "
            "people and other cameras they hold less well."
            if calibrated
            else "Its probabilities are scores: they are not calibrated on real people.",
        ]
    if any(target.kind == "number" for target in targets):
        lines += [
            "",
            "A number's interval, where it has one, is as wide as validation clips of the same "
            "dataset ask for; among other people and other cameras it holds less often.",
        ]
    if cost := about.get("elsewhere"):
        lines += ["", f"{elsewhere(cost).capitalize()}."]
    lines += ["", "An answer is about what a face shows, not about what is felt."]
    return "\n".join(lines) + "\n"


def of_export(card: str, source: str, revision: str, prompt: str, has_lora: bool) -> str:
    """The card of a language model's folder that ``facewave export-model`` has written.

    Args:
        card: the model's.
        source: the hub's id of its backbone, "" if it has none.
        revision: the backbone's commit, "" if it has none.
        prompt: a question as it is asked.
        has_lora: whether there is an adapter of PEFT's.
    """
    head = [f"base_model: {source}"] if source else []
    head += ["library_name: transformers", "pipeline_tag: image-text-to-text"]
    backbone = f"{source}@{revision}".rstrip("@")
    parts = [
        "- `merged/`: the whole model, with all that was trained inside it; "
        '`AutoModelForImageTextToText.from_pretrained("merged")` and '
        '`AutoProcessor.from_pretrained("merged")` of transformers load it, and '
        "`train.language.weights` names it.",
        "- `adapter/`: LoRA alone, without the images' projector; "
        '`peft.PeftModel.from_pretrained(backbone, "adapter")` puts it beside the stock weights.',
        "- `config.json`, `model.safetensors`: what neither can hold (face tokens, prefix, "
        "regression head), and how clips are shown. `facewave predict CLIP --model FOLDER`, with "
        "the folder that this card lies in, answers with all of it; the parts alone answer as a "
        "model without face tokens.",
    ]
    lines = [
        *("---", *head, "---", "", card.rstrip("\n"), "", "## What is in this folder", ""),
        *(part for part in parts if has_lora or "LoRA" not in part),
        *("", "It is asked:", "", "```", prompt, "```"),
    ]
    if source:
        licence = (
            f"Its backbone is {backbone}; whoever passes it on is bound by that one's licence."
        )
        lines += ["", licence]
    return "\n".join(lines) + "\n"


def elsewhere(cost: Mapping[str, float]) -> str:
    """What finetuning a language model costs elsewhere (prompts/elsewhere.py), in a line."""
    before, after = cost["before"], cost["after"]
    return (
        f"answers to unrelated questions have a log likelihood of {after:.3f} nats a token, "
        f"{before:.3f} before ({after - before:+.3f})"
    )


def _asked(target: Target) -> str:
    """What it answers of a target."""
    names = ", ".join(target.names)
    if target.kind == "number":
        return names if target.low is None else f"{names} ({target.low:g} to {target.high:g})"
    return {"presence": f"presence of {names}", "intensity": f"intensity of {names}"}.get(
        target.kind, names if target.name == CLASSES else f"{target.name}: {names}"
    )


def _count(about: Mapping[str, Any]) -> str:
    """How many clips, and of how many people."""
    named = {"clip": about.get("clips"), "people": about.get("people")}
    counts = []
    if named["clip"] is not None:
        counts.append(f"{named['clip']} clip{'' if named['clip'] == 1 else 's'}")
    if named["people"] is not None:
        counts.append("1 person" if named["people"] == 1 else f"{named['people']} people")
    return ", ".join(counts)


def _labels(about: Mapping[str, Any]) -> str:
    """How many clips have labels, pseudo-labels and neither, if there are pseudo-labels."""
    if not (pseudo := about.get("pseudo")):
        return ""
    joint = ", then" if "after" in pseudo else " and"
    without = pseudo.get("without", 0)
    n = about["clips"] - pseudo["clips"] - without
    others = f", and {without} clips with neither, as a teacher answers them" if without else ""
    return f"{n} labels{joint} {pseudo['clips']} pseudo-labels (track {pseudo['track']}){others}"


def _weights(weights: Mapping[str, str]) -> str:
    """The weights that a network started from, unless they were random."""
    if weights.get("name", "none") == "none":
        return ""
    facts = {"learnt on ": "learnt_on", "licence ": "licence", "SHA-256 ": "sha256", "": "address"}
    told = [f"{before}{weights[name]}" for before, name in facts.items() if name in weights]
    return f"{weights['name']}: {', '.join(told)}"


def _figures(about: Mapping[str, Any]) -> list[tuple[str, Figure]]:
    return list(about.get("figures", {}).items())


def _shown(name: str, figure: Figure) -> str:
    """A figure with its interval and n: 55.7 % [49, 63] on 86 test clips."""
    in_percent = name.partition(" ")[0] in _PERCENT
    value, low, high = (
        None if end is None else 100 * end if in_percent else end
        for end in (figure["value"], figure.get("low"), figure.get("high"))
    )
    shown = f"{value:.1f} %" if in_percent else f"{value:.3f}"
    if low is not None and high is not None:
        shown += f" [{low:.0f}, {high:.0f}]" if in_percent else f" [{low:.2f}, {high:.2f}]"
    folds = f" of {figure['folds']} folds" if figure["folds"] > 1 else ""
    return f"{shown} on {figure['n']} test clips{folds}"
