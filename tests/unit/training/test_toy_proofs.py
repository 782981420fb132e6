"""Toys in which a teacher, or a second target, must help or must harm, and does.

They show that the machinery does what its papers say, not that it helps with faces.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student_t

from facewave import params
from facewave.models.classifiers.classifier import Classifier
from facewave.targets import Target, number
from facewave.training import parts
from facewave.training.fit import Samples, configure, fit
from making import REPOSITORY, words
from toy_targets import ccc

TRAIN = replace(params.load(REPOSITORY / "params.yaml").train, imbalance="none")
PAIR = words("one", "other")
VALENCE, SCORE = number("valence"), number("score.a")


def learnt(train: Samples, targets: Sequence[Target], seed: int, **network: Any) -> Classifier:
    """An MLP after its last epoch: nobody validates."""
    options = replace(TRAIN.network, patience=network["epochs"], **network)
    settings = replace(TRAIN, seed=seed, network=options)
    config = configure("mlp", targets, 1, (train.inputs_nND.shape[2],), 0, settings)
    nothing = Samples(*(tensor[:0] for tensor in vars(train).values()))
    module = fit(config, train, nothing, settings)
    assert isinstance(module, Classifier)
    return module


def made(inputs: NDArray[np.float64], *truth: NDArray[np.float64]) -> Samples:
    """Clips of one step, which all show a face throughout."""
    columns = torch.from_numpy(np.column_stack(truth)).float()
    return Samples(torch.from_numpy(inputs).float()[:, None], columns, torch.ones(len(inputs)))


def lower_end(differences: NDArray[np.float64]) -> float:
    """Of the 95 % interval of the mean of paired differences (Student, 1908)."""
    n = len(differences)
    half_width = student_t.ppf(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    return float(differences.mean() - half_width)


def clouds(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two clouds of 100 numbers, which overlap by 0.6 % if one knows where they are."""
    rng = np.random.default_rng(seed)
    direction = np.random.default_rng(1000).normal(size=100)
    codes = rng.integers(0, 2, n)
    centres = np.where(codes, 2.5, -2.5)[:, None] * direction / np.linalg.norm(direction)
    return rng.normal(size=(n, 100)) + centres, codes


def test_toy_students_with_a_teacher_beat_students_without_one() -> None:
    """A toy: 20 clips have a word, and as many have none; only the teacher knows theirs.

    Without a teacher, students have as many epochs, or as many steps, whichever is better. The
    answers of both are the mean over two students; right answers are paired by six draws of all
    clips.
    """
    network: dict[str, Any] = {"hidden": 8, "dropout": 0.5, "lr": 0.02, "batch_size": 10}
    differences = []
    for seed in range(6):
        inputs, codes = clouds(40, seed)
        truth = np.where(np.arange(40)[:, None] < 20, np.eye(2)[codes], np.nan)
        clips, (inputs, codes) = made(inputs, truth), clouds(1000, 500 + seed)
        test = torch.from_numpy(inputs).float()[:, None]

        def right(
            train: Samples, epochs: int, seed: int = seed, test: Any = test, codes: Any = codes
        ) -> float:
            students = [
                learnt(train, [PAIR], 10 * seed + s, epochs=epochs, **network) for s in (1, 2)
            ]
            with torch.inference_mode():
                pooled = torch.stack([student.answers(test).log() for student in students]).mean(0)
            return float((pooled.argmax(1).numpy() == codes).mean())

        labelled = parts.labelled(clips)
        teacher = learnt(labelled, [PAIR], 10 * seed, epochs=8, **network)
        taught = parts.taught(clips, teacher, temperature=0.2)
        differences.append(right(taught, 8) - max(right(labelled, 8), right(labelled, 16)))
    assert lower_end(np.array(differences)) > 0
    assert np.mean(differences) > 0.01


def gains(score: str, few: int, epochs: int, **network: Any) -> NDArray[np.float64]:
    """How much higher the CCC of valence is with a second target than alone, by six draws.

    Valence is a function of one direction in 30 numbers, ``few`` of 200 training clips have it;
    all have the score, which is a function of the ``same`` direction or of ``others``. Alone it is
    learnt in as many steps.
    """
    differences = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(1200, 30))
        valence = np.tanh(inputs[:, 0])
        where = [0] if score == "same" else [1, 2]
        other = 50 + 10 * inputs[:, where].sum(axis=1)
        valence[few:200] = np.nan
        train = made(inputs[:200], valence[:200], other[:200])
        test = torch.from_numpy(inputs[200:]).float()[:, None]
        alone = parts.labelled(replace(train, truth_nW=train.truth_nW[:, :1]))
        found = []
        for part, targets in ((train, [VALENCE, SCORE]), (alone, [VALENCE])):
            steps = {"epochs": epochs * len(train.truth_nW) // len(part.truth_nW)}
            module = learnt(part, targets, seed, **network, **steps)
            with torch.inference_mode():
                found.append(ccc(valence[200:], module.answers(test)[:, 0].numpy()))
        differences.append(found[0] - found[1])
    return np.array(differences)


def test_toy_a_second_target_on_the_same_structure_helps_where_labels_are_few() -> None:
    """A toy: 25 of 200 clips have a valence."""
    network = {"hidden": 4, "dropout": 0.0, "lr": 0.03, "batch_size": 50}
    assert lower_end(gains("same", 25, 15, **network)) > 0.1


def test_toy_a_second_target_that_conflicts_harms_in_a_small_trunk() -> None:
    """A toy: one hidden unit cannot serve two directions."""
    network = {"dropout": 0.0, "lr": 0.05, "batch_size": 50}
    assert lower_end(-gains("others", 200, 12, hidden=1, **network)) > 0.1
    # With units enough for both the harm is gone.
    assert abs(gains("others", 200, 12, hidden=16, **network).mean()) < 0.05
