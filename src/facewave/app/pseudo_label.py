"""``facewave pseudo-label DATASET``: answers of others for clips without a label, as a track.

Others are a trained model, a table from elsewhere (answer_files.py), or several tracks that vote.
Answers to clips with known labels that nobody behind them learnt from are in the track, too: how
often the two agree says how far to trust the other answers. Stage pseudo chooses from the track.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from facewave import params
from facewave.app import answer_files
from facewave.app.lineages import lineage_of
from facewave.errors import UserError
from facewave.files import sha256
from facewave.labels import schema as labels
from facewave.pseudo import choose, tracks
from facewave.pseudo.schema import ANSWER, PRIOR, REFUSED, TRACK
from facewave.pseudo.votes import vote as vote_of
from facewave.report.cells import counted
from facewave.study.pseudo_labels import ALL, agreement
from facewave.training import leaks
from facewave.training import schema as training
from facewave.workspace import Dataset

_BATCH = 32  # clips between two writes, and a whole file at least
REFUSALS = ("none", "previous")


@dataclass(frozen=True, eq=False)
class _Source:
    """Who answers.

    Attributes:
        by: for people.
        about: what identifies the track, for its JSON file.
        lineage: what it learnt from; {} where nobody knows.
        unknown: those behind it of whom nobody knows that.
        words: that it may answer.
        clips: rows of the label table that it is asked about, with their key.
        answer: rows of a track for some of them, a table a batch of whole files.
    """

    by: str
    about: Mapping[str, Any]
    lineage: Mapping[str, Any]
    words: tuple[str, ...]
    clips: pd.DataFrame
    answer: Callable[[pd.DataFrame], Iterator[pd.DataFrame]]
    unknown: Sequence[str] = ()


def pseudo_label(
    name: str,
    folder: Path | None,
    track: str,
    answers: Path | None = None,
    vote: Sequence[str] = (),
    refusals: str = "none",
) -> None:
    """Write data/tracks/<dataset>/<track>.csv, and print the agreement with known labels.

    Columns: ``tracks.CLIP``, ``pseudo.schema.TRACK``, ``p_<word>``, and of a model what else it
    answers and answered_from, as in data/answers.

    Args:
        name: a dataset of params.yaml.
        folder: of the model that answers; None: that of the first of train.partitions.
        track: the track's name.
        answers: a table from elsewhere, in place of a model.
        vote: tracks of the dataset whose vote is the answer, in place of a model.
        refusals: "previous": a refusal takes the label of the row before it in time, of the same
            file; "none": it stays one.

    Raises:
        UserError: there is no such dataset or model, it gives no words, the dataset's features
            differ from those that it learnt from, a table or track cannot be read, or the track
            is somebody else's.
    """
    loaded = params.load()
    dataset = Dataset(name, loaded)
    if refusals not in REFUSALS:
        raise UserError(f"--refusals is {refusals!r}; it may be {' or '.join(REFUSALS)}.")
    if sum(map(bool, (folder, answers, vote))) > 1:
        raise UserError("--model, --answers and --vote: name one of them; each gives all answers.")
    table = tracks.keyed(labels.with_trajectories(dataset.read_labels()), dataset)
    if answers or vote:
        if not dataset.classes:
            raise UserError(
                f"{name} has no classes to answer with. Set words of its entry in params.yaml "
                "(compound, seven, or a list), then dvc repro clean."
            )
        source = _table(answers, table, dataset) if answers else _votes(vote, table, dataset, track)
    else:
        source = _model(folder, table, dataset, loaded)

    if source.clips.empty:
        raise UserError(
            f"{source.by} has nothing to answer: no clip of {name} is without a label, and none is "
            "new to it. Name another model with --model, or another dataset."
        )

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        for rows in source.answer(missing):
            yield choose.previous(rows, table) if refusals == "previous" else rows

    about = {**source.about, "refusals": refusals}
    notes = {"by": source.by, "lineage": source.lineage, "unknown": list(source.unknown)}
    rows = tracks.fill(dataset, track, about, source.clips, answer, notes=notes, unit="file_path")
    place = tracks.path_of(dataset, track)
    typed = tracks.typed(rows, source.words, place)
    n_unlabelled = typed["video_idx"].isin(table.loc[labels.unlabelled(table), "video_idx"]).sum()
    n_without = (typed["predicted"] == "").sum()
    refused = f", {n_without} without an answer" if n_without else ""
    print(f"{place}: {counted(len(typed), 'clip')}, {n_unlabelled} without a label{refused}")
    known = choose.known(typed, table, source.words, source.lineage, track)
    if known.empty:
        print("no known labels to compare with")
        return
    figures = agreement(known, source.words, loaded.evaluate)
    for sentence in _sentences(figures, len(known), _whose(name, source.lineage)):
        print(sentence)


def _model(
    folder: Path | None, table: pd.DataFrame, dataset: Dataset, loaded: params.Params
) -> _Source:
    """A trained model, asked about clips without a label, and those that it has not learnt."""
    folder = folder or training.folder(loaded.train.partitions[0], training.MODEL)
    model = training.load(folder)
    if not model.classes:
        raise UserError(f"{folder} gives no classes. Name another model with --model.")
    features = dataset.read_features()
    model.check(features, dataset.name)
    lineage = json.loads(json.dumps(asdict(lineage_of(model, folder, loaded))))
    is_unseen = choose.is_known(table, model.classes) & ~choose.is_learnt(table, lineage)
    clips = dataset.clips(table[labels.unlabelled(table) | is_unseen], features)
    files = ("config.json", "model.safetensors")
    by = f"{model.kind}, {model.about['dataset']}, partition {model.about['partition']}"
    source = f"{model.kind} {training.fingerprint(folder)[:12]}"

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        torch.set_num_threads(1)  # sums in a fixed order
        bar = tqdm(total=len(missing), desc=f"pseudo-label {dataset.name}", unit="clip")
        for some in _batches(missing):
            shown = clips.select(clips.table.index.get_indexer(some.index))
            yield some[tracks.CLIP].join(_as_track(model, model.answer(shown), source))
            bar.update(len(some))
        bar.close()

    about = {"model": {file: sha256(folder / file) for file in files}}
    return _Source(by, about, lineage, model.classes, clips.table, answer)


def _as_track(model: training.Trained, answers: pd.DataFrame, source: str) -> pd.DataFrame:
    """A model's answers as rows of a track."""
    of_words = [f"p_{word}" for word in model.classes]
    shares_nC = answers[of_words].to_numpy(float)
    if model.writes:  # it gives no probabilities
        shares_nC = np.full_like(shares_nC, np.nan)
    is_word_nC = answers["predicted"].to_numpy()[:, None] == np.array(model.classes, object)
    is_word_n = is_word_nC.any(axis=1)
    confidence_n = np.where(is_word_nC, shares_nC, 0).sum(axis=1)
    is_prior_n = (answers["answered_from"] == "prior").to_numpy()
    predicted = answers["predicted"]
    columns = {
        "confidence": np.where(is_word_n, confidence_n, np.nan),
        "source": source,
        "origin": np.select([~is_word_n, is_prior_n], [REFUSED, PRIOR], ANSWER),
        **dict(zip(of_words, shares_nC.T, strict=True)),
    }
    others = [name for target in model.targets for name in target.answered]
    others = [name for name in others if name not in ("predicted", *of_words)]
    table = pd.DataFrame({"predicted": predicted, **columns}, index=answers.index)
    return table.join(answers[[*others, "answered_from"]]).round(4)


def _batches(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Some 32 clips at a time, none of a file apart: answers may follow from its others."""
    sizes = missing.groupby("file_path", sort=False).size()
    batch_of = (sizes.cumsum() - sizes) // _BATCH
    for _, some in missing.groupby(missing["file_path"].map(batch_of), sort=True):
        yield some


def _table(path: Path, table: pd.DataFrame, dataset: Dataset) -> _Source:
    """A table of answers from elsewhere."""
    rows, problems = answer_files.read(path, table, dataset.classes)
    for problem in problems:
        print(f"{path}: {problem}")
    about = {"answers": {path.name: sha256(path)}}
    return _given(rows, path.name, about, {}, table, dataset, [path.name])


def _votes(names: Sequence[str], table: pd.DataFrame, dataset: Dataset, track: str) -> _Source:
    """The vote of several tracks."""
    if len(set(names)) < 2 or track in names or not all(names):
        raise UserError(
            f"--vote is {','.join(names)}. Name two tracks or more, apart by commas, and with "
            "--track another one for what they decide."
        )
    read = {name: tracks.read(dataset, name, table) for name in dict.fromkeys(names)}
    typed = {
        name: tracks.typed(rows, dataset.classes, tracks.path_of(dataset, name))
        for name, (rows, _) in read.items()
    }
    answered = {clip for rows in typed.values() for clip in rows["video_idx"]}
    clips = table.loc[table["video_idx"].isin(answered), tracks.CLIP].reset_index(drop=True)
    lineages = [leaks.Lineage(**of["lineage"]) for _, of in read.values() if of.get("lineage")]
    lineage = asdict(reduce(leaks.Lineage.beside, lineages, leaks.NOTHING)) if lineages else {}
    unknown = [
        one
        for name, (_, of) in read.items()
        for one in of.get("unknown") or ([] if of.get("lineage") else [name])
    ]
    members = [f"{name} ({of.get('by', '')})" for name, (_, of) in read.items()]
    about = {"vote": {name: sha256(tracks.path_of(dataset, name)) for name in read}}
    rows = vote_of(typed, clips, dataset.classes)
    return _given(
        rows,
        f"vote of {', '.join(members)}",
        about,
        json.loads(json.dumps(lineage)),
        table,
        dataset,
        list(dict.fromkeys(unknown)),
    )


def _given(
    rows: pd.DataFrame,
    by: str,
    about: Mapping[str, Any],
    lineage: Mapping[str, Any],
    table: pd.DataFrame,
    dataset: Dataset,
    unknown: Sequence[str],
) -> _Source:
    """Answers that are there already."""
    of_words = [f"p_{word}" for word in dataset.classes if f"p_{word}" in rows]
    rows = rows[[*tracks.CLIP, *TRACK, *of_words]].set_index("video_idx", drop=False)

    def answer(missing: pd.DataFrame) -> Iterator[pd.DataFrame]:
        if len(missing):
            yield rows.loc[missing["video_idx"]].reset_index(drop=True)

    clips = table[table["video_idx"].isin(rows.index)]
    return _Source(by, about, lineage, dataset.classes, clips, answer, unknown)


def _sentences(figures: pd.DataFrame, n_known: int, whose: str) -> Iterator[str]:
    """What is printed of the agreement, a line for all answers and each range of confidence."""
    for row in figures.to_dict("records"):
        if row["confidence"] == ALL:
            n_not = n_known - row["n"]
            answered = f" ({n_not} more without an answer)" if n_not else ""
            if not row["n"]:
                labelled = counted(n_known, "clip")
                yield f"none of {labelled} with known labels has an answer; {whose}"
                return
            yield (
                f"agreement with {counted(row['n'], 'known label')}{answered}: {_shown(row)} "
                f"(chance {100 * row['chance']:.1f} %) (95 % intervals by bootstrap over "
                f"{row['intervals']}); {whose}"
            )
        else:
            yield f"  confidence {row['confidence']} (n = {row['n']}): {_shown(row)}"


def _shown(row: Mapping[Any, Any]) -> str:
    names = {"war": "WAR", "uar": "UAR", "macro_f1": "macro F1"}
    return ", ".join(
        f"{title} {100 * row[name]:.1f} % [{100 * row[f'{name}_low']:.0f}, "
        f"{100 * row[f'{name}_high']:.0f}]"
        for name, title in names.items()
    )


def _whose(dataset: str, lineage: Mapping[str, Any]) -> str:
    """Which clips the agreement is about."""
    learnt = lineage.get("before", [])
    partitions = sorted(partition for name, partition in learnt if name == dataset)
    if partitions:
        return f"of {dataset}, those that partition {' and '.join(partitions)} has not learnt from"
    if not learnt:
        return f"of {dataset}, all that are answered"
    others = " and ".join(sorted({name for name, _ in learnt}))
    return f"of {dataset}, all but those that are in {others}, which the model learnt from"
