"""What is told of a face, in words or as tokens, beside what a language model sees in the frames.

``train.model``, a language model, is trained on every partition as section train has it, in ways:

- ``frames``: it sees the frames alone;
- ``facts``: it is told what the face does, too (``{facts}``, prompts/facts.py);
- ``face_tokens``: it has face tokens, too;
- ``both``.

Each of the last three is also trained shuffled: in all three parts each clip comes with the facts
or tokens of another clip of its part. These say nothing of the clip, so the model must fall back on
the frames, and shows what more tokens and more weights bring by themselves. Whatever else the
prompt has (transcript, voice, expression) is the same in all ways, and nothing starts from another
run.

Differences are paired, on the same test clips: each way from the frames alone, and from its own
shuffled twin, which is what the face itself brings. Each way is trained once, so intervals and p
are of the draw of test clips and not of the training's seed; p is not corrected for the number of
differences.
"""

import gc
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from facewave.files import sha256
from facewave.params import Evaluate, Language, LanguageWay, Params, Train
from facewave.study import kept
from facewave.study.combination import decided, figure
from facewave.study.runs import answered
from facewave.study.scores import DIFFERENCE, UAR, WAR, Score, compared
from facewave.targets import CLASSES, known
from facewave.wavelets.schema import Features
from facewave.workspace import PSEUDO, Clips, Dataset

FRAMES = "frames"
COLUMNS = (
    *("model", "way", "shuffled", "measure", "n", "groups", "folds", "figure", "low", "high"),
    *("chance", "against", *DIFFERENCE),
)
_PROMPTS = Path(__file__).parents[1] / "prompts"
# Of section train, what answers follow from.
_SETTINGS = ("model", "subset", "budget", "targets", "inputs", "imbalance", "seed", "language")


def of_dataset(loaded: Params, dataset: Dataset, partitions: Sequence[str | int]) -> None:
    """Make language.csv: without rows where no way is asked for, or none can be.

    Raises:
        UserError: the model cannot be trained, as in stage train.
    """
    ways = loaded.study.language
    if ways and (reason := lacking(ways, dataset, loaded.train)):
        print(f"language.csv is empty: {reason}.")
        ways = []
    key, make = kept.key("no language model"), partial(pd.DataFrame, columns=list(COLUMNS))
    if ways:
        key = kept.key(
            kept.code("language", lazily=True), _made_from(loaded, dataset), partitions, ways
        )
        make = partial(language, ways, dataset, partitions, loaded.train, loaded.evaluate)
    kept.table("language", key, make)


def lacking(ways: Sequence[LanguageWay], dataset: Dataset, settings: Train) -> str:
    """Why the ways cannot be compared, "" if they can."""
    prompting = settings.language
    tells = set(ways)
    tells_facts, has_tokens = bool(tells & {"facts", "both"}), tells != {"facts"}
    trains_frames = prompting.projector or (
        prompting.mode in ("finetune", "reinforce")
        and (prompting.lora.rank > 0 or prompting.prefix > 0)
    )
    problems = {
        f"train.model is {settings.model}, no language model": not settings.is_language_model,
        "train.model is served: compare runs of other prompts instead (facewave compare)": (
            settings.model == "served"
        ),
        "words are counted, and train.targets has numbers": CLASSES not in settings.targets,
        f"{dataset.name} has no pictures": not dataset.entry.has_pictures,
        "train.language.frames is 0": not prompting.frames,
        "train.language.mode is pretrain, which teaches frames nothing": (
            prompting.mode == "pretrain"
        ),
        "train.language.prompt or one of wordings has not one {face}, where what is told would "
        "stand": any(prompt.count("{face}") != 1 for prompt in prompting.prompts),
        "train.language.examples is above 0, and what is told of clips that are shown as examples "
        "is not shuffled": prompting.examples > 0,
        "train.language.reasons is facts, and would be copied from the facts in the prompt": (
            tells_facts and prompting.reasons == "facts"
        ),
        "without face tokens nothing would be trained: train.language.projector is false, and "
        "lora.rank and prefix, which modes finetune and reinforce train, are 0": (
            prompting.mode != "zero_shot" and not trains_frames
        ),
        "face tokens have to be learnt, and train.language.mode is zero_shot": (
            prompting.mode == "zero_shot" and has_tokens
        ),
        "train.language.face_tokens is 0": not prompting.face_tokens and has_tokens,
    }
    return next((problem for problem, is_there in problems.items() if is_there), "")


def language(
    ways: Sequence[LanguageWay],
    dataset: Dataset,
    partitions: Sequence[str | int],
    settings: Train,
    evaluate: Evaluate,
) -> pd.DataFrame:
    """WAR and UAR of each way and, but for the frames alone, of the same shuffled (``COLUMNS``).

    They are shares of 1, of all partitions' test clips. A way that is told of the right face has
    two rows of each: ``against`` the frames alone, and against itself shuffled.

    Args:
        ways: beside the frames alone, none of which is ``lacking``.
        dataset: whose clips teach and test.
        partitions: on which each is trained.
        settings: section ``train``.
        evaluate: the bootstrap.

    Raises:
        UserError: the model cannot be trained, as in stage train.
    """
    (classes,) = (target for target in dataset.targets if target.name == CLASSES)
    features = dataset.read_features()
    clips = dataset.clips(features=features)
    score, made, used = Score((classes,)), {}, set[Path]()
    for way, is_shuffled in ((FRAMES, False), *product(ways, (False, True))):
        chosen = replace(settings, language=told_in(way, settings.language))
        asked = (clips, dataset, features, partitions, chosen)
        tables = _tested(*asked, is_shuffled=is_shuffled, used=used)
        made[way, is_shuffled] = decided(score, tables)
    rows = []
    for (way, is_shuffled), tested in made.items():
        for measure in (WAR, UAR):
            row: dict[str, Any] = {"model": settings.model, "way": way, "shuffled": is_shuffled}
            row |= figure(measure, score, tested, evaluate)
            against = {} if way == FRAMES else {FRAMES: made[FRAMES, False]}
            if (way, True) in made and not is_shuffled:
                against[f"{way}, shuffled"] = made[way, True]
            rows += [
                row | {"against": name} | compared(measure, tested, other, evaluate)
                for name, other in against.items()
            ] or [row]
    for folder in used:
        shutil.rmtree(folder, ignore_errors=True)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def told_in(way: str, settings: Language) -> Language:
    """Section ``train.language`` of a way: what is told stands where prompts have ``{face}``."""
    tells = {"facts": "{facts}", "face_tokens": "{face}", "both": "{face}{facts}"}.get(way, "")

    def prompt(template: str) -> str:
        return template.replace("{facts}", "").replace("{face}", tells)

    return replace(
        settings,
        prompt=prompt(settings.prompt),
        wordings=[prompt(wording) for wording in settings.wordings],
        face_tokens=settings.face_tokens if "{face}" in tells else 0,
        start="none",
    )


def others(part_n: Sequence[str] | pd.Series, seed: int) -> NDArray[np.int64]:
    """Another clip of each clip's part, by position; a part's only clip stays itself."""
    codes_n, _ = pd.factorize(np.asarray(part_n))
    draw, other_n = np.random.default_rng(seed), np.empty(len(codes_n), np.int64)
    for code in range(codes_n.max(initial=-1) + 1):
        order = draw.permutation(np.flatnonzero(codes_n == code))
        other_n[order] = np.roll(order, 1)
    return other_n


def _tested(
    clips: Clips,
    dataset: Dataset,
    features: Features,
    partitions: Sequence[str | int],
    settings: Train,
    *,
    is_shuffled: bool,
    used: set[Path],
) -> pd.DataFrame:
    """Answers to the test parts (prediction/schema.py); ``used`` gets the checkpoints' folders."""
    from facewave.prompts.examples import gather  # these take seconds to load
    from facewave.training.language_setup import prepare

    gathered = gather(clips, settings.inputs, settings.language)
    tables = []
    for partition in partitions:
        part = clips.parts(partition)
        prompted = gathered
        if is_shuffled:
            prompted = gathered.with_faces_of(others(part, settings.seed))
        run = prepare(prompted, partition, dataset, features, settings)
        run.fit(lambda step, figures: None)
        used.add(run.folder)
        is_asked_n = (part == "test").to_numpy() & known(dataset.targets, clips.table)
        asked = prompted.select(np.flatnonzero(is_asked_n).tolist())
        answers = run.trained.answer_prompted(asked)
        tables.append(answered(asked.clips, answers, dataset.targets, partition))
        del run  # two backbones would be one too many
        gc.collect()
        torch.cuda.empty_cache()
    return pd.concat(tables, ignore_index=True)


def _made_from(loaded: Params, dataset: Dataset) -> list[Any]:
    """What figures follow from, but for the study's own code: for ``kept``."""
    rooms = (dataset.landmarks, dataset.faces, dataset.appearance, dataset.voice)
    files = [dataset.labels, *(room / "index.csv" for room in rooms)]
    files += sorted(_PROMPTS.glob("*.csv"))
    train, asked = asdict(loaded.train), (loaded.wavelets, loaded.evaluate, loaded.faces)
    return [
        *(sha256(file) if file.exists() else "" for file in files),
        *({name: train[name] for name in _SETTINGS}, loaded.labels.ambiguous),
        *(asdict(section) for section in asked),
        sha256(PSEUDO / "labels.csv") if dataset.pseudo else "",
    ]
