"""Networks over faces learn what they are shown of the demo's faces."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facewave import params
from facewave.targets import truth
from facewave.training import parts
from facewave.training.face_network import TrainedFaceNetwork
from facewave.training.streamed_trainer import Part, fit
from facewave.workspace import Clips, Dataset
from making import REPOSITORY, write_params

NEEDS = ("data/faces/demo/index.csv", "data/features/demo/config.json", "data/labels/demo.csv")


def agreement(answers_nU: NDArray[np.float64], truth_nU: NDArray[np.float64]) -> float:
    """The mean over units of the correlation on the clips whose truth is known."""
    known = [
        (p[~np.isnan(t)], t[~np.isnan(t)]) for p, t in zip(answers_nU.T, truth_nU.T, strict=True)
    ]
    return float(np.mean([np.corrcoef(p, t)[0, 1] for p, t in known if t.std() > 0]))


def test_a_small_resnet18_from_scratch_learns_action_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine of them, of three folds; of the people of the other two it knows a little.

    28 clips and 60 to learn from are too few for more: settings decide whether it is beyond chance.
    """
    if missing := [name for name in NEEDS if not (REPOSITORY / name).exists()]:
        pytest.skip(f"{missing[0]} is not here: dvc repro wavelet")
    (tmp_path / "data").symlink_to(REPOSITORY / "data")
    monkeypatch.chdir(tmp_path)
    vision = {"width": 0.25, "side": 64, "frames": 3, "augment": False}
    network = {"epochs": 20, "lr": 0.003, "dropout": 0.0, "schedule": "cosine", "batch_size": 16}
    write_params(tmp_path, train={"vision": vision, "network": network, "targets": ["aus"]})
    loaded = params.load()
    dataset, settings = Dataset("demo", loaded), loaded.train
    (units,) = dataset.targets
    clips, threads = dataset.clips(), torch.get_num_threads()
    torch.manual_seed(settings.seed)
    model = TrainedFaceNetwork.fresh("resnet18", [units], clips, settings)
    judged = clips.select(model.judged(clips))
    is_test_n = np.isin(judged.table["fold"], [1, 2])
    train, test = judged.select(~is_test_n), judged.select(is_test_n)

    def part(some: Clips, is_learnt: bool) -> Part:
        examples = model.shown(some, settings) if is_learnt else model.examples(some)
        truth_nU = torch.from_numpy(parts.truth_of(some, [units], soft=False)).float()
        return Part(examples, truth_nU, torch.ones(len(some)))

    made = (part(train, True), part(test.select([]), False), settings, model.handling(settings))
    torch.set_num_threads(1)
    try:
        fit(model.module, *made, tmp_path / "checkpoints")
    finally:
        torch.set_num_threads(threads)
    figures = {}
    for name, some in (("train", train), ("test", test)):
        answers_nU = model.answer(some)[list(units.numbers)].to_numpy(float)
        figures[name] = agreement(answers_nU, truth(units, some.table))
    rng, truth_nU = np.random.default_rng(0), truth(units, test.table)
    chance = [agreement(answers_nU[rng.permutation(len(test))], truth_nU) for _ in range(1000)]
    print(f"mean correlation {figures}, by chance {np.quantile(chance, 0.99):.2f} in 1 of 100")
    assert figures["train"] > 0.9
    assert figures["test"] > np.quantile(chance, 0.9)
