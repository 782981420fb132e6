"""One run: a classifier fitted on every partition, and its answers to the test parts. Pure.

Legend of names: n clips, C classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from facewave.evaluation import measures
from facewave.evaluation.measures import Answers
from facewave.labels import schema as labels
from facewave.params import Block, ClassifierKind, Evaluate, Train
from facewave.training import parts as training
from facewave.training import schema
from facewave.training.fit import Part, fit
from facewave.wavelets.transform import Transform


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out of a run.

    Attributes:
        answers: to every test clip, in the order of the partitions.
        val_uars: of each partition, the UAR on its validation part; NaN where that is empty.
    """

    answers: Answers
    val_uars: list[float]

    @property
    def val_uar(self) -> float:
        """The mean over the partitions that have a validation part."""
        known = [value for value in self.val_uars if not np.isnan(value)]
        return float(np.mean(known)) if known else float("nan")


def run(
    clips: pd.DataFrame,
    blocks: Mapping[Block, NDArray[np.float32]],
    transform: Transform,
    words: Sequence[str],
    kind: ClassifierKind,
    settings: Train,
    parts: Sequence[pd.Series],
) -> Outcome:
    """Fit on each partition's training part, and answer its test part.

    A test clip that is not usable is answered from the training part's class frequencies.

    Args:
        clips: labelled clips, with ``usable`` and ``at``, their place in the blocks.
        blocks: features, (n, N, ...).
        transform: what made them.
        words: the classes, in the order of the codes.
        kind: which classifier.
        settings: section ``train``, with the run's inputs.
        parts: for each partition, which part each clip is in.
    """
    config, how = training.plan(kind, words, blocks, transform.transform, transform.k, settings)
    prior, _ = training.plan("majority", words, blocks, transform.transform, transform.k, settings)
    usable = clips["usable"].to_numpy(bool)
    tested, found, validated = [], [], []
    for part in parts:
        train, val = training.split(clips[usable], part[usable], blocks, words, settings)
        module = fit(config, train, val, settings, how)
        validated.append(_uar(val, _probabilities(module, val.inputs_nND)))
        test = np.flatnonzero(part == "test")
        inputs = schema.arrange(
            {name: blocks[name][clips["at"].to_numpy()[test]] for name in settings.inputs},
            settings.inputs,
        )
        seen = torch.from_numpy(np.nan_to_num(inputs))
        unseen = _probabilities(fit(prior, train, val, settings), seen)
        tested.append(test)
        found.append(np.where(usable[test][:, None], _probabilities(module, seen), unseen))
    at = np.concatenate(tested)
    rows = clips.iloc[at].reset_index(drop=True)  # a clip may be in two test parts
    probabilities = np.concatenate(found)
    answers = Answers(
        actual=rows["label"].to_numpy(np.int64),
        predicted=probabilities.argmax(1),
        probabilities=probabilities,
        fold=np.repeat(np.arange(len(tested)), [len(test) for test in tested]),
        group=pd.factorize(labels.groups(rows))[0],
    )
    return Outcome(answers, validated)


def figures(answers: Answers, settings: Evaluate) -> dict[str, Any]:
    """n, folds, groups, and WAR and UAR with their 95 % intervals, in percent."""
    drawn = [
        measures.confusion(answers, weights)
        for weights in measures.draws(answers, settings.resamples, settings.seed)
    ]
    found: dict[str, Any] = {
        "n": len(answers.actual),
        "groups": len(np.unique(answers.group)),
        "folds": answers.n_folds,
    }
    kinds: dict[str, Callable[[Any], Any]] = {"war": measures.war, "uar": measures.uar}
    for name, measure in kinds.items():
        value = measures.mean(measure(measures.confusion(answers)))
        resampled = np.concatenate([measures.mean(measure(counts)) for counts in drawn])
        low, high = measures.interval(resampled)
        both = (("", value), ("_low", low), ("_high", high))
        found |= {f"{name}{end}": round(100 * float(number), 2) for end, number in both}
    return found


def _probabilities(module: torch.nn.Module, inputs_nND: torch.Tensor) -> NDArray[np.float64]:
    with torch.inference_mode():
        return torch.softmax(module(inputs_nND).double(), dim=1).numpy()


def _uar(val: Part, probabilities_nC: NDArray[np.float64]) -> float:
    counts = np.zeros((probabilities_nC.shape[1],) * 2)
    np.add.at(counts, (val.codes_n.numpy(), probabilities_nC.argmax(1)), 1)
    return float(measures.uar(counts))
