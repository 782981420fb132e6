"""Stage evaluate: ``python -m facewave.evaluation``.

Reads   models/trained/, data/features/, data/labels/, the index of data/landmarks/ and, for
        pictures, some clips
Writes  metrics/evaluate/metrics.json      all measures, baselines beside: for ``dvc metrics``
        metrics/evaluate/report.json       the same with intervals, recalls, folds, confusion, and
                                           how a language model was asked
        metrics/evaluate/predictions.csv   one row per test clip, partition and model
        metrics/evaluate/confusion.csv     the model's answers, for ``dvc plots``
        metrics/evaluate/robustness.csv    the model's figures by quality, length, pose, subject
        metrics/evaluate/importance.csv    which inputs the model relies on
        metrics/evaluate/suspects.csv      clips whose label a person should look at
        metrics/evaluate/plots/*.png
        metrics/evaluate/pictures/*.png    those with people in them, which do not go to git
Of a regression there are its numbers and figures; the tables about classes are empty.
Test parts are answered by models that have not seen them, and nothing is chosen by the answers.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from facewave import params
from facewave.errors import explain
from facewave.evaluation import explained, face_map, measures, plots, regression
from facewave.evaluation.answers import ask, describe, measure, predict
from facewave.evaluation.importance import COLUMNS as IMPORTANCE_COLUMNS
from facewave.evaluation.importance import Fold, importances
from facewave.evaluation.measures import UNREADABLE
from facewave.evaluation.robustness import COLUMNS as ROBUSTNESS_COLUMNS
from facewave.evaluation.robustness import robustness
from facewave.evaluation.suspects import suspects
from facewave.files import write_csv, write_json
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.training import schema as training
from facewave.video import Clip
from facewave.wavelets import schema as wavelets

OUT = Path("metrics/evaluate")
_REPEATS = 10  # permutations of each group of inputs and fold
_KEY = ["partition", "role", "video_idx"]
_SUSPECTS = ("video_idx", "file_path", "actual", "suggested", "quality", "p_label", "p_suggested")
_OF_CLASSES = {  # tables that a regression leaves empty
    "confusion": ("actual", "predicted"),
    "robustness": ROBUSTNESS_COLUMNS,
    "importance": IMPORTANCE_COLUMNS,
    "suspects": (*_SUSPECTS, "votes", "table", "row"),
}


def main() -> None:
    """Evaluate every trained model on its test part."""
    loaded = params.load()
    settings, name = loaded.train, loaded.train.dataset
    entry = loaded.datasets[name]
    words = labels.read_words(Path("data/labels") / f"{name}.csv")
    table = labels.single_label(labels.read(Path("data/labels") / f"{name}.csv"))
    features = wavelets.read(Path("data/features") / name)
    clips = wavelets.join(table, features)
    roles = training.roles(settings)
    title = f"{settings.model} on {name} ({entry.about})"

    for pictures in (OUT / "plots", OUT / "pictures"):
        shutil.rmtree(pictures, ignore_errors=True)
        pictures.mkdir(parents=True)
    curves = {str(p): Path("metrics/train") / str(p) for p in settings.partitions}
    axes = ("step" if settings.is_language_model else "epoch", _loss(settings))
    plots.curves(curves, axes, title, OUT / "plots/curves.png")
    if settings.is_regression:
        asked, how = _asked(measure, clips, features, loaded)
        answers = pd.concat(asked)
        shown = regression.write(answers, how, loaded, title, OUT)
        show_clip(shown, features, loaded, OUT / "pictures/clip.png")
        for empty, columns in _OF_CLASSES.items():
            write_csv(OUT / f"{empty}.csv", pd.DataFrame(columns=list(columns)))
        return
    asked, how = _asked(ask, clips, features, loaded)
    answers = pd.concat(
        [
            predict(
                training.load(training.folder(partition, role)),
                training.load(training.folder(partition, training.PRIOR)),
                clips,
                features.blocks,
                partition,
            ).assign(role=role)
            for partition in settings.partitions
            for role in training.classifiers(settings)
        ]
        + asked
    )
    rest = answers.columns.difference(_KEY, sort=False)
    write_csv(OUT / "predictions.csv", answers[[*_KEY, *rest]])
    folds = answers["partition"] != "split"
    groups = {"split": answers[~folds], "folds": answers[folds]}
    figures: dict[str, Any] = {"dataset": f"{name}: {entry.about}", "classes": words} | how
    for key, group in groups.items():
        if len(group):
            figures[key] = summarize(group, roles, words, loaded.evaluate)
    write_json(OUT / "report.json", figures)
    write_json(OUT / "metrics.json", headline(figures))

    # Over folds every clip is a test clip once: the fullest picture there is.
    shown = groups["folds"] if len(groups["folds"]) else groups["split"]
    model = shown[shown["role"] == training.MODEL]
    both = model[["actual", "predicted"]]
    write_csv(OUT / "confusion.csv", both.replace({"predicted": {UNREADABLE: "unreadable"}}))
    plots.confusion(model["actual"], model["predicted"], words, title, OUT / "plots/confusion.png")
    show_robustness(model, table, loaded, title)
    show_importance(clips, features, loaded, title)
    show_clip(model, features, loaded, OUT / "pictures/clip.png")
    show_suspects(model, table, words, entry, OUT)


def _asked(
    how: Callable[[training.TrainedLanguage, Any, str | int], pd.DataFrame],
    clips: pd.DataFrame,
    features: wavelets.Features,
    loaded: params.Params,
) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """A language model's answers, a table a partition, and ``language``: how it was asked.

    Both are empty where the model is a classifier.
    """
    settings = loaded.train
    if not settings.is_language_model:
        return [], {}
    from facewave.prompts.examples import gather
    from facewave.prompts.transcripts import transcripts  # take seconds to load

    entry = loaded.datasets[settings.dataset]
    tables: list[pd.DataFrame] = []
    language: dict[str, Any] = {}
    said = transcripts(clips, Path(entry.root), settings.language)
    gathered = gather(
        clips, entry, settings, training.numbers(features.blocks, settings.inputs), said
    )
    for partition in tqdm(settings.partitions, "evaluate", unit="partition"):
        trained = training.load_language(training.folder(partition, training.MODEL))
        tables.append(how(trained, gathered, partition).assign(role=training.MODEL))
        language = language or describe(trained)  # the partitions' are asked alike
        del trained  # two backbones would be one too many
    return tables, {"language": language}


def _loss(settings: params.Train) -> str:
    """What the learning curves show."""
    if not settings.is_regression:
        return "cross-entropy (nats)"
    return "1 - CCC" if settings.language.objective == "ccc" else "squared error (variances)"


def summarize(
    group: pd.DataFrame, roles: Mapping[str, str], words: tuple[str, ...], settings: params.Evaluate
) -> dict[str, Any]:
    """Figures of every role on the same test clips; confusion has a row per actual class.

    A figure that the clips do not give (the AUC of a single class) is None.
    """
    first = group[group["role"] == training.MODEL]
    summary: dict[str, Any] = {
        "n": len(first),
        "subjects": int(first["subject"].nunique()) if (first["subject"] != "").all() else None,
        "unusable": int((first["answered_from"] == "prior").sum()),
    }
    for role, kind in roles.items():
        rows = group[group["role"] == role]
        answers = measures.from_table(rows, words)
        in_groups = measures.draws_groups(answers)
        summary["interval_over"] = measures.grouped_by(first) if in_groups else "clips"
        found = measures.overall(answers)
        drawn = measures.bootstrap(answers, **asdict(settings))
        figures: dict[str, Any] = {"name": kind}
        for name in measures.MEASURES:
            low, high = measures.interval(drawn[name])
            figures[name] = _rounded(found[name])
            figures[f"{name}_low"], figures[f"{name}_high"] = _rounded(low), _rounded(high)
        low, high = measures.interval(drawn["recall"])
        occurring = ~np.isnan(found["recall"])
        for name, values in (("", found["recall"]), ("_low", low), ("_high", high)):
            figures[f"recall{name}"] = {
                word: _rounded(value)
                for word, value, occurs in zip(words, values, occurring, strict=True)
                if occurs
            }
        counts = measures.confusion(answers).astype(int)
        figures["confusion"] = counts.sum(0).tolist()
        if len(counts) > 1:
            by_fold = measures.by_fold(answers)
            figures["fold"] = {
                partition: {"n": int(counts[fold].sum())}
                | {name: _rounded(values[fold]) for name, values in by_fold.items()}
                for fold, partition in enumerate(rows["partition"].unique())
            }
        summary[role] = figures
    return summary


def _rounded(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """What fits a table of experiments: n, and each role's measures without their intervals."""
    short: dict[str, Any] = {"dataset": figures["dataset"]}
    for key in ("split", "folds"):
        if key in figures:
            short[key] = {"n": figures[key]["n"]}
            for role, found in figures[key].items():
                if isinstance(found, dict):
                    short[key][role] = {name: found[name] for name in ("name", *measures.MEASURES)}
    return short


def show_robustness(
    model: pd.DataFrame, table: pd.DataFrame, loaded: params.Params, title: str
) -> None:
    """Where the model holds: its figures by what was measured of the clips, and by subject."""
    index = landmarks.read_index(Path("data/landmarks") / loaded.train.dataset)
    scenes = model["video_idx"].map(table.set_index("video_idx")["scene"])
    words = labels.read_words(Path("data/labels") / f"{loaded.train.dataset}.csv")
    answers = model.assign(scene=scenes) if (scenes != "").any() else model
    found = robustness(answers, index, words, **asdict(loaded.evaluate))
    write_csv(OUT / "robustness.csv", found.round(4))
    explained.robustness(found, title, OUT / "plots/robustness.png")


def show_importance(
    clips: pd.DataFrame, features: wavelets.Features, loaded: params.Params, title: str
) -> None:
    """What the model relies on, over the test clips of the folds (else of the split)."""
    settings = loaded.train
    if settings.is_language_model:  # every permutation would be as many answers of the whole model
        write_csv(OUT / "importance.csv", pd.DataFrame(columns=IMPORTANCE_COLUMNS))
        return
    usable = clips[clips["usable"]]
    owner = pd.Series(pd.factorize(labels.groups(clips))[0], clips.index)
    folds = []
    numbered: list[str | int] = [one for one in settings.partitions if one != "split"]
    for partition in numbered or ["split"]:
        test = usable[labels.parts(usable, partition) == "test"]
        blocks = {name: features.blocks[name][test["at"].to_numpy()] for name in settings.inputs}
        folds.append(
            Fold(
                training.load(training.folder(partition, training.MODEL)).probabilities,
                training.arrange(blocks, settings.inputs),
                test["label"].to_numpy(np.int64),
                owner[test.index].to_numpy(),
            )
        )
    if not any(len(fold.actual_n) for fold in folds):
        write_csv(OUT / "importance.csv", pd.DataFrame(columns=IMPORTANCE_COLUMNS))
        return
    face = _mean_face(features, usable["at"].to_numpy())
    found = importances(
        folds,
        settings.inputs,
        features.config["blendshapes"],
        face_map.region_of_points(face),
        features.config["transform"],
        repeats=_REPEATS,
        **asdict(loaded.evaluate),
    )
    write_csv(OUT / "importance.csv", found.round(5))
    seconds = float(features.clips["duration"].iloc[usable["at"]].median())
    explained.explanation(found, face, seconds, title, OUT / "plots/explanation.png")


def _mean_face(features: wavelets.Features, at: NDArray[np.int64]) -> NDArray[np.float64]:
    """The clips' mean over time without the head's pose, (478, 3)."""
    functions_PN = features.functions_PN
    # Where numbers have no functions of time, the first is a mean over the clip's first part.
    first_N = np.eye(1, functions_PN.shape[1])[0]
    mean_N = functions_PN.mean(axis=0) if len(functions_PN) else first_N
    numbers_NPC = np.mean(features.blocks["pose_free"][at], axis=0, dtype=np.float64)
    return np.tensordot(mean_N, numbers_NPC, 1)


def show_clip(
    model: pd.DataFrame, features: wavelets.Features, loaded: params.Params, path: Path
) -> None:
    """Draw the test clip whose blendshapes move most among those answered right (else of all)."""
    seen = model[model["answered_from"] == "face"]
    right = seen[:0] if loaded.train.is_regression else seen[seen["actual"] == seen["predicted"]]
    pool = right if len(right) else seen
    if pool.empty:
        return
    at = pd.Series(range(len(features.clips)), features.clips["video_idx"])
    shapes_nKB = features.blocks["blendshapes"][at[pool["video_idx"]]]
    chosen = pool.iloc[int(np.argmax(shapes_nKB.std(axis=1).sum(axis=1)))]
    name = loaded.train.dataset
    folder = Path("data/landmarks") / name
    index = landmarks.read_index(folder).set_index("video_idx").loc[chosen["video_idx"]]
    plots.clip(
        landmarks.read_row(folder, index),
        np.asarray(features.blocks["blendshapes"][at[chosen["video_idx"]]]),
        features.functions_PN,
        Clip(Path(loaded.datasets[name].root) / chosen["file_path"], loaded.datasets[name].fps),
        f"{name} ({loaded.datasets[name].about})\n"
        f"clip {chosen['video_idx']}: {_told(chosen, loaded.train)}",
        path,
    )


def _told(answer: "pd.Series[Any]", settings: params.Train) -> str:
    """What a clip is, and what the model says of it."""
    if settings.is_regression:
        return "\n".join(
            f"{target} {answer[f'actual_{target}']:.3g}, "
            f"the model says {answer[f'predicted_{target}']:.3g}"
            for target in settings.language.targets
        )
    if answer["predicted"] == UNREADABLE:
        return f"{answer['actual']}, the model's answer is unreadable"
    return f"{answer['actual']}, the model says {answer['predicted']}"


def show_suspects(
    model: pd.DataFrame,
    table: pd.DataFrame,
    words: tuple[str, ...],
    entry: params.Dataset,
    out: Path,
) -> None:
    """List the clips whose label is in doubt, and draw a sheet of the first."""
    found = suspects(model[model["predicted"] != UNREADABLE], words)  # others doubt nothing
    known = table.set_index("video_idx").loc[found["video_idx"]]
    probability = {
        name: [round(float(row[f"p_{row[word]}"]), 4) for _, row in found.iterrows()]
        for name, word in (("p_label", "actual"), ("p_suggested", "suggested"))
    }
    listed = found[["video_idx", "file_path", "actual", "suggested", "quality"]].assign(
        **probability, **{name: known[name].to_numpy() for name in ("votes", "table", "row")}
    )
    write_csv(out / "suspects.csv", listed)
    listed["middle"] = ((known["start"] + known["end"]) / 2).to_numpy()
    shown = [
        (
            Clip(Path(entry.root) / row.file_path, entry.fps),
            row.middle,
            f"{row.table}:{row.row}\n{row.file_path}\nlabel {row.actual} ({row.p_label:.2f})\n"
            f"model {row.suggested} ({row.p_suggested:.2f})",
        )
        for row in listed.head(plots.SHEET).itertuples()
    ]
    title = f"{entry.about}\n{len(listed)} labels of {len(model)} that the models doubt"
    plots.sheet(shown, title, out / "pictures/suspects.png")


if __name__ == "__main__":
    # Sums in a fixed order, and much of it is small: threads cost more than they bring.
    torch.set_num_threads(1)
    with threadpool_limits(1):
        explain(main)
