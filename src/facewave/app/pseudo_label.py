"""``facewave pseudo-label DATASET``: a trained model's answers for clips without a label.

It also answers clips with known labels that the model did not learn from: how often the two agree
says how far to trust the other answers. All are in one track (tracks.py), which no stage reads.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from facewave import params
from facewave.app import tracks
from facewave.errors import UserError
from facewave.evaluation import measures
from facewave.evaluation.intervals import estimates, interval_over
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.training import schema as training
from facewave.workspace import Dataset

_BATCH = 32  # clips between two writes


def pseudo_label(name: str, folder: Path | None, track: str) -> None:
    """Write data/tracks/<dataset>/<track>.csv, and print the agreement with known labels.

    Columns: ``tracks.CLIP``, then predicted, ``p_<class>`` and what else the model answers, and
    answered_from, as in data/answers. Rows count as unlabelled if they were left out for their
    label alone (labels.schema.LABEL_REASONS) or have no class; not if their word is known and was
    not chosen.

    Args:
        name: a dataset of params.yaml.
        folder: the model's; None: that of the first of train.partitions.
        track: the track's name.

    Raises:
        UserError: there is no such dataset or model, it gives no labels, the dataset's features
            differ from those that it learnt from, or the track is another model's.
    """
    loaded = params.load()
    dataset = Dataset(name, loaded)
    folder = folder or training.folder(loaded.train.partitions[0], training.MODEL)
    model = training.load(folder)
    if not model.classes:
        raise UserError(f"{folder} gives no classes. Name another model with --model.")
    features = dataset.read_features()
    model.check(features, name)
    rows = tracks.keyed(labels.with_trajectories(dataset.read_labels()), dataset)
    clips = dataset.clips(rows, features)
    table = clips.table
    of_other_words = table["excluded"].isin([labels.Reason.NOT_CHOSEN, labels.Reason.RARE_WORD])
    unlabelled = ((table["excluded"] != "") & ~of_other_words) | (table["actual"] == "")
    known = table["actual"].isin(model.classes) & ~unlabelled & _unseen(table, model, loaded)
    clips = clips.select(unlabelled | known)

    torch.set_num_threads(1)  # sums in a fixed order

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        bar = tqdm(total=len(missing), desc=f"pseudo-label {name}", unit="clip")
        of_targets = [name for target in model.targets for name in target.answered]
        for start in range(0, len(missing), _BATCH):
            some = missing.iloc[start : start + _BATCH]
            answers = model.answer(clips.select(clips.table.index.get_indexer(some.index)))
            yield some[tracks.CLIP].join(answers[[*of_targets, "answered_from"]].round(4))
            bar.update(len(some))
        bar.close()

    files = ("config.json", "model.safetensors")
    about = {"model": {file: sha256(folder / file) for file in files}}
    answered = tracks.fill(dataset, track, about, clips.table, answer)
    n_unlabelled = answered["video_idx"].isin(table.loc[unlabelled, "video_idx"]).sum()
    print(f"{dataset.tracks}/{track}.csv: {len(answered)} clips, {n_unlabelled} without a label")
    answers = answered.merge(table[known], on=tracks.CLIP)
    if answers.empty:
        print("no known labels to compare with")
        return
    agreement = _agreement(answers, model.classes, loaded.evaluate)
    print(f"{agreement}; {_whose(name, model.learnt_from)}")


def _unseen(table: pd.DataFrame, model: training.Trained, loaded: params.Params) -> pd.Series:
    """Which clips a model did not learn from, under this or another name."""
    unseen = pd.Series(True, table.index)
    for name, partition in model.learnt_from:
        learnt = Dataset(name, loaded)
        theirs = labels.single_label(learnt.read_labels())
        parts = labels.parts(theirs, partition if partition == "split" else int(partition))
        unseen &= ~table["key"].isin(tracks.keyed(theirs[parts != "test"], learnt)["key"])
    return unseen


def _agreement(answers: pd.DataFrame, words: tuple[str, ...], settings: params.Evaluate) -> str:
    """The figures of the answers to clips whose label is known."""
    answers = answers.assign(
        partition="", **{f"p_{word}": answers[f"p_{word}"].astype(float) for word in words}
    )
    coded = measures.from_table(answers, words)
    measure = partial(measures.war_and_uar, coded)
    figures = []
    for name, found in estimates(measure, coded.group, settings.resamples, settings.seed).items():
        value, low, high = (100 * figure for figure in found.named(name).values())
        figures.append(f"{name.upper()} {value:.1f} % [{low:.0f}, {high:.0f}]")
    chance = 100 * float(measures.chance(measures.confusion(coded).sum(0)))
    figures[-1] += f" (chance {chance:.1f} %)"
    return (
        f"agreement with {len(answers)} known labels: {', '.join(figures)} (95 % intervals by "
        f"bootstrap over {interval_over(answers)})"
    )


def _whose(dataset: str, learnt: set[tuple[str, str]]) -> str:
    """Which clips the agreement is about."""
    partitions = sorted(partition for name, partition in learnt if name == dataset)
    if partitions:
        return f"of {dataset}, those in the test part of partition {' and '.join(partitions)}"
    others = " and ".join(sorted({name for name, _ in learnt}))
    return f"of {dataset}, all but those that are in {others}, which the model learnt from"
