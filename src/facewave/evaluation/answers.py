"""What a trained model says of a partition's test clips.

Legend of names: n clips, N numbers per channel, C classes, T targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.params import Block
from facewave.training import schema as training

if TYPE_CHECKING:
    from facewave.prompts.examples import Clips, Examples

_ABOUT = ["video_idx", "file_path", "subject", "source", "actual"]


def predict(
    trained: training.Trained,
    prior: training.Trained,
    clips: pd.DataFrame,
    blocks: Mapping[Block, NDArray[np.float32]],
    partition: str | int,
) -> pd.DataFrame:
    """Answers for a partition's test clips, one row each.

    Args:
        trained: the model.
        prior: answers for clips that are not usable.
        clips: labelled clips, with ``usable`` and ``at``, their place in the blocks.
        blocks: features, (n, N, ...).
        partition: "split", or the fold that is the test part.

    Raises:
        UserError: the partition's test part is empty.
    """
    test = clips[labels.parts(clips, partition) == "test"]
    if test.empty:
        raise UserError(f"partition {partition} has no test clip; see metrics/clean for the parts.")
    usable = test["usable"].to_numpy(bool)
    chosen = {name: blocks[name][test["at"].to_numpy()] for name in trained.inputs}
    probabilities = np.where(
        usable[:, None],
        trained.probabilities(np.nan_to_num(training.arrange(chosen, trained.inputs))),
        prior.probabilities(np.zeros((len(test), 1), np.float32)),
    )
    words = np.array(trained.config.classes)
    table = test[_ABOUT].assign(
        partition=str(partition),
        predicted=words[probabilities.argmax(1)],
        answered_from=np.where(usable, "face", "prior"),
    )
    return _with_probabilities(table, words.tolist(), probabilities)


def ask(
    trained: training.TrainedLanguage,
    clips: "Clips",
    partition: str | int,
    shown: "Clips | None" = None,
) -> pd.DataFrame:
    """A language model's answers for a partition's test clips, one row each.

    A written answer has probability 1, one that cannot be read is ``UNREADABLE`` and gives every
    class as much. A clip without a usable face is answered from its frames.

    Args:
        trained: the model.
        clips: all labelled clips.
        partition: "split", or the fold that is the test part.
        shown: clips that have the model's examples; None: ``clips`` have them.

    Raises:
        UserError: the partition's test part is empty.
    """
    from facewave.prompts import answers  # takes seconds to load

    examples, test = _examples(trained, clips, partition, shown)
    words = trained.model.config.classes
    if trained.settings.answers == "generation":
        said = answers.written(trained.model, examples, words, trained.settings)
        own_nC = np.array([[word == one for word in words] for one in said], np.float32)
        probabilities = np.where(own_nC.any(1, keepdims=True), own_nC, 1 / len(words))
    else:
        probabilities = answers.probabilities(trained.model, examples, words, trained.settings)
        said = [words[at] for at in probabilities.argmax(1)]
    table = test[_ABOUT].assign(
        partition=str(partition), predicted=said, answered_from=_seen(test, trained)
    )
    return _with_probabilities(table, words, probabilities)


def measure(
    trained: training.TrainedLanguage, clips: "Clips", partition: str | int
) -> pd.DataFrame:
    """A regression's numbers for a partition's test clips that have all targets, one row each.

    Columns ``actual_<target>``, ``predicted_<target>`` and ``mean_<target>``, the training part's
    mean: the floor.

    Raises:
        UserError: the partition's test part has no such clip.
    """
    from facewave.prompts import answers

    targets = trained.model.config.targets
    known = ~np.isnan(clips.targets_nT).any(1)
    examples, test = _examples(trained, clips.of(np.flatnonzero(known).tolist()), partition, clips)
    predicted_nT = answers.values(trained.model, examples, trained.settings)
    table = test[_ABOUT].assign(partition=str(partition), answered_from=_seen(test, trained))
    actual_nT = clips.targets_nT[clips.table.index.get_indexer(test.index)]
    for t, target in enumerate(targets):
        table[f"actual_{target}"] = actual_nT[:, t]
        table[f"predicted_{target}"] = predicted_nT[:, t].round(4)
        table[f"mean_{target}"] = round(float(trained.about["means"][t]), 4)
    return table


def describe(trained: training.TrainedLanguage) -> dict[str, Any]:
    """How a language model was asked, for people.

    Returns:
        weights: the hub's id or a folder, "" where they are random; revision; mode; parameters
        and trained, their numbers; inputs, of the face tokens; prompt: a question as it is asked,
        without examples, one ``<face>`` for all face tokens and "..." for what is said; adapter
        and lora (None without), face_tokens, prefix, projector, quantized; and settings: section
        train.language as it was in training.
    """
    from facewave.models.vlm.backbones import FAMILIES, HUB  # take seconds to load
    from facewave.prompts.templates import question

    config, settings = trained.model.config, trained.settings
    learnt, parameters = trained.model.counts()
    random = config.kind.startswith("tiny-")
    hub = config.weights == HUB
    weights = FAMILIES[config.kind].hub if hub and not random else config.weights
    said = "" if settings.transcript == "none" else "..."
    faces = int(config.faces is not None)
    return {
        "weights": "" if random else weights,
        "revision": config.revision,
        "mode": config.mode,
        "parameters": parameters,
        "trained": 0 if config.mode == "zero_shot" else learnt,
        "inputs": list(trained.inputs),
        "prompt": question(settings.prompt, config.classes, config.targets, said, faces),
        "adapter": config.faces.kind if config.faces else None,
        "face_tokens": config.faces.tokens if config.faces else 0,
        "lora": asdict(config.lora) if config.lora else None,
        "prefix": config.prefix,
        "projector": config.projector,
        "quantized": config.quantized,
        "settings": asdict(settings),
    }


def _examples(
    trained: training.TrainedLanguage,
    clips: "Clips",
    partition: str | int,
    shown: "Clips | None" = None,
) -> tuple["Examples", pd.DataFrame]:
    """The test clips as questions, with the examples that the model was trained with."""
    from facewave.prompts.examples import Examples

    inside = (labels.parts(clips.table, partition) == "test").to_numpy()
    if not inside.any():
        raise UserError(f"partition {partition} has no test clip; see metrics/clean for the parts.")
    test, shown = clips.of(np.flatnonzero(inside).tolist()), shown or clips
    places = pd.Index(shown.table["video_idx"]).get_indexer(list(trained.shots))
    if (places < 0).any():
        raise UserError("the model was trained on other clips. Train it again: dvc repro train")
    examples = Examples(
        test,
        shown.of(places.tolist()),
        trained.model.config.classes,
        trained.model.config.targets,
        trained.settings,
        seed=0,
    )
    return examples, test.table


def _seen(test: pd.DataFrame, trained: training.TrainedLanguage) -> NDArray[np.str_]:
    rest = "frames" if trained.settings.frames else "words"
    return np.where(test["usable"].to_numpy(bool), "face", rest)


def _with_probabilities(
    table: pd.DataFrame, words: Sequence[str], probabilities: NDArray[np.float32]
) -> pd.DataFrame:
    columns = {
        f"p_{word}": column.round(4) for word, column in zip(words, probabilities.T, strict=True)
    }
    return table.assign(**columns)
