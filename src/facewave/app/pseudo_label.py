"""``facewave pseudo-label DATASET``: a trained model's answers for clips without a label.

Beside them it answers clips whose label is known and which it did not learn from: how often the two
agree tells what the others are worth. Both are in one track (tracks.py), which no stage reads.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from facewave import params
from facewave.app import tracks
from facewave.app.trained import Model, gathered, load, read_features, shots
from facewave.errors import UserError
from facewave.evaluation import measures
from facewave.evaluation.answers import ask, predict
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.training import schema as training
from facewave.wavelets import schema as wavelets

_Part = tuple[str, str]  # a dataset's, and the partition
_AT_ONCE = 32  # clips between two writes


def pseudo_label(dataset: str, folder: Path | None, track: str) -> None:
    """Write data/tracks/<dataset>/<track>.csv, and print the agreement with known labels.

    Columns: ``tracks.CLIP``, and as stage evaluate has them predicted, a probability ``p_<word>``
    for each of the model's words, and answered_from (evaluation/answers.py). Without a label are
    rows that were left out for their label alone (labels.schema.LABEL_REASONS) or have no word.

    Args:
        dataset: a dataset of params.yaml.
        folder: the model's; None: that of the first of train.partitions.
        track: the track's name.

    Raises:
        UserError: there is no such dataset or model, it gives no labels, the dataset's features are
            others than it learnt from, or the track is another model's.
    """
    loaded = params.load()
    params.dataset(loaded, dataset)
    place = folder or training.folder(loaded.train.partitions[0], training.MODEL)
    model = load(place)
    words = _words(model, place)
    features = read_features(dataset, model)
    table = labels.with_trajectories(labels.read(Path("data/labels") / f"{dataset}.csv"))
    table = wavelets.join(tracks.keyed(table, dataset), features)
    unlabelled = (table["excluded"] != "") | (table["actual"] == "")
    learnt = _learnt(place, model, loaded)
    known = table["actual"].isin(words) & ~unlabelled & _unseen(table, learnt)
    # All that is asked is a test part, as stage evaluate has one.
    asked = table[unlabelled | known].assign(split="test").reset_index(drop=True)

    torch.set_num_threads(1)  # sums in a fixed order
    about = {"model": _digests(place)}
    if isinstance(model, training.Trained):
        prior = training.load(place.parent / training.PRIOR)
        about["prior"] = _digests(place.parent / training.PRIOR)

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        bar = tqdm(total=len(missing), desc=f"pseudo-label {dataset}", unit="clip")
        for start in range(0, len(missing), _AT_ONCE):
            rows = missing.iloc[start : start + _AT_ONCE]
            if isinstance(model, training.Trained):
                said = predict(model, prior, rows, features.blocks, "split")
            else:
                clips = gathered(model, dataset, rows, features, loaded)
                said = ask(model, clips, "split", examples)
            columns = ["predicted", *(f"p_{word}" for word in words), "answered_from"]
            yield rows[tracks.CLIP].assign(**{name: said[name].to_numpy() for name in columns})
            bar.update(len(rows))
        bar.close()

    examples = shots(model, loaded) if isinstance(model, training.TrainedLanguage) else None
    found = tracks.fill(dataset, track, about, asked, answer)
    without = found["video_idx"].isin(table.loc[unlabelled, "video_idx"]).sum()
    print(f"{tracks.ROOT}/{dataset}/{track}.csv: {len(found)} clips, {without} without a label")
    if learnt is None:
        print(f"no agreement with known labels: {place} does not tell which clips it learnt from")
        return
    answers = found.merge(table[known], on=tracks.CLIP)
    if answers.empty:
        print("no known labels to compare with")
        return
    print(f"{_agreement(answers, words, loaded.evaluate)}; {_whose(dataset, learnt)}")


def _words(model: Model, place: Path) -> tuple[str, ...]:
    config = model.model.config if isinstance(model, training.TrainedLanguage) else model.config
    if getattr(config, "targets", ()):
        raise UserError(f"{place} gives numbers, no labels. Name another model with --model.")
    return config.classes


def _digests(place: Path) -> dict[str, str]:
    return {name: sha256(place / name) for name in ("config.json", "model.safetensors")}


def _learnt(place: Path, model: Model, loaded: params.Params) -> set[_Part] | None:
    """The partitions that a model learnt from; None if it does not tell.

    A classifier is known by where it lies alone.
    """
    if isinstance(model, training.TrainedLanguage):
        return _of_language(place)
    if place.resolve().parents[1] != training.ROOT.resolve():
        return None
    return {(loaded.train.dataset, place.resolve().parent.name)}


def _of_language(place: Path) -> set[_Part] | None:
    """Its own partition, and that of the run that it started from."""
    _, about = training.read_language(place)
    own = (about["about"]["dataset"], about["about"]["partition"])
    start = about["settings"]["start"]
    if about["language"]["mode"] != "finetune" or start == "none":
        return {own}
    before = Path(start) / own[1] / training.MODEL
    rest = _of_language(before) if (before / "config.json").exists() else None
    return None if rest is None else {own, *rest}


def _unseen(table: pd.DataFrame, learnt: set[_Part] | None) -> pd.Series:
    """The rows that a model did not learn from, nor from the same bytes under another name."""
    if learnt is None:
        return pd.Series(False, table.index)
    unseen = pd.Series(True, table.index)
    for name, partition in learnt:
        theirs = labels.single_label(labels.read(Path("data/labels") / f"{name}.csv"))
        parts = labels.parts(theirs, partition if partition == "split" else int(partition))
        taught = tracks.keyed(theirs[parts != "test"], name)
        unseen &= ~table["key"].isin(taught["key"])
    return unseen


def _agreement(answers: pd.DataFrame, words: tuple[str, ...], settings: params.Evaluate) -> str:
    """The figures of the answers to clips whose label is known."""
    answers = answers.assign(
        partition="", **{f"p_{w}": answers[f"p_{w}"].astype(float) for w in words}
    )
    coded = measures.from_table(answers, words)
    figures, drawn = measures.overall(coded), measures.bootstrap(coded, **asdict(settings))
    over = measures.grouped_by(answers) if measures.draws_groups(coded) else "clips"
    said = []
    for name in ("war", "uar"):
        low, high = 100 * measures.interval(drawn[name])
        said.append(f"{name.upper()} {100 * figures[name]:.1f} % [{low:.0f}, {high:.0f}]")
    return (
        f"agreement with {len(answers)} known labels: {', '.join(said)} (95 % intervals by "
        f"bootstrap over {over})"
    )


def _whose(dataset: str, learnt: set[_Part]) -> str:
    """Which clips those are."""
    own = sorted(partition for name, partition in learnt if name == dataset)
    if own:
        return f"of {dataset}, those in the test part of partition {' and '.join(own)}"
    others = " and ".join(sorted({name for name, _ in learnt}))
    return f"of {dataset}, all but those that are in {others}, which the model learnt from"
