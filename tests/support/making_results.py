"""What the stages leave of a few clips: their own figures wherever these are quick to make."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facewave import figures, params
from facewave.evaluation.task import TABLES
from facewave.evaluation.tasks import tasks
from facewave.files import write_csv, write_json
from facewave.prediction.schema import Models
from facewave.study import causal, teaching
from facewave.study.combination import COLUMNS as COMBINATION_COLUMNS
from facewave.study.language import COLUMNS as LANGUAGE_COLUMNS
from facewave.study.networks import COLUMNS as NETWORK_COLUMNS
from facewave.study.online import COLUMNS as ONLINE_COLUMNS
from facewave.study.pseudo_labels import COLUMNS as PSEUDO_COLUMNS
from facewave.targets import CLASSES, QUADRANT, QUADRANTS, UNITS, Target, number
from making import ABOUT, REPOSITORY, write_params

WORDS = ("happy", "sad", "neutral", "fear")  # fear: in no test clip
ROLES = {"model": "mlp", "majority": "majority", "logistic": "logistic"}
TARGETS = ("valence", "score.stress")
PLANE = ("valence", "arousal")
AUS = ("AU1", "AU12")
FOLDS = ("1", "2", "3")
SETTINGS = params.Evaluate(resamples=50, seed=0, traces=params.Traces(0, 0))
# A white picture of 3 x 2 pixels.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c60000000f4944415478da63f8ff"
    "ff3f0310030017f005fb3aef92040000000049454e44ae426082"
)
PICTURES = {
    "clean": "clean/demo.png",
    "extract": "extract/demo.png",
    **{
        name: f"evaluate/plots/{name}.png"
        for name in ("confusion", "curves", "reliability", "robustness")
    },
    **{
        name: f"study/plots/{name}.png"
        for name in ("ablation", "removed", "leakage", "reconstruction", "explanation")
    },
    **{name: f"report/pictures/{name}.png" for name in ("clip", "suspects")},
}


def answers(partitions: tuple[str, ...] = FOLDS, n_subjects: int = 12) -> pd.DataFrame:
    """Answers of three roles to three clips of each subject; neutral is never recognised."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in range(n_subjects):
        for code in range(3):
            clip = {
                "partition": partitions[subject % len(partitions)],
                "video_idx": f"{3 * subject + code}",
                "file_path": f"clips/{3 * subject + code}.mp4",
                "subject": f"s{subject:02}",
                "source": "",
                "answered_from": "prior" if subject + code == 0 else "face",
                "actual": WORDS[code],
            }
            for role in ROLES:
                right = role != "majority" and code < 2 and rng.random() < 0.8
                predicted = code if right else 0
                p = {f"p_{word}": 0.7 if at == predicted else 0.1 for at, word in enumerate(WORDS)}
                rows.append({"role": role, **clip, "predicted": WORDS[predicted], **p})
    return pd.DataFrame(rows)


def numbers(
    partitions: tuple[str, ...] = FOLDS,
    n_subjects: int = 12,
    targets: tuple[str, ...] = TARGETS,
    off: float = 5.0,
) -> pd.DataFrame:
    """Answers about numbers: the first is too high by ``off``, the others right; the floor says 0.

    The model's prediction intervals are as wide as the first one's error.
    """
    clips = answers(partitions, n_subjects).query("role == 'model'").reset_index(drop=True)
    rng = np.random.default_rng(0)
    actual = rng.uniform(-1, 1, (len(clips), len(targets)))
    tables = []
    for role in ("model", "majority"):
        columns: dict[str, Any] = {}
        for t, target in enumerate(targets):
            predicted = actual[:, t] + off * (t == 0) if role == "model" else 0 * actual[:, t]
            half = off if role == "model" else np.nan
            columns |= {f"actual_{target}": actual[:, t], f"predicted_{target}": predicted}
            columns |= {f"low_{target}": predicted - half, f"high_{target}": predicted + half}
        tables.append(clips.assign(role=role, **columns))
    return pd.concat(tables, ignore_index=True)


def several(partitions: tuple[str, ...] = FOLDS, n_subjects: int = 12) -> pd.DataFrame:
    """Answers to words, quadrants, numbers, and units; logistic knows words only.

    Some clips lack a word, some valence, some units.
    """
    table = answers(partitions, n_subjects)
    role = table["role"].to_numpy()
    rng = np.random.default_rng(1)
    of_clip = pd.factorize(table["video_idx"])[0]
    truth_n2 = rng.uniform(-1, 1, (of_clip.max() + 1, 2))[of_clip]
    noise_n2 = rng.normal(0, 0.3, truth_n2.shape)
    model = (role == "model")[:, None]
    said_n2 = np.where(model, 0.6 * truth_n2 + noise_n2, 0.0)
    said_n2[role == "logistic"] = np.nan
    for t, target in enumerate(PLANE):
        table[f"actual_{target}"] = truth_n2[:, t].round(6)
        table[f"predicted_{target}"] = said_n2[:, t]
        table[f"low_{target}"] = np.where(model[:, 0], said_n2[:, t] - 0.6, np.nan)
        table[f"high_{target}"] = np.where(model[:, 0], said_n2[:, t] + 0.6, np.nan)
    at = np.select([truth_n2[:, 0] < 0], [1], 0) ^ np.where(truth_n2[:, 1] < 0, 3, 0)
    said = np.where(rng.random(len(at)) < 0.7, at, (at + 1) % 4)
    table["actual_quadrant"] = np.array(QUADRANTS, object)[at]
    table["predicted_quadrant"] = np.array(QUADRANTS, object)[said]
    for code, word in enumerate(QUADRANTS):
        table[f"p_quadrant_{word}"] = np.where(said == code, 0.7, 0.1)
    for u, unit in enumerate(AUS):
        there = (rng.random(of_clip.max() + 1) < 0.2 + 0.3 * u)[of_clip].astype(float)
        table[f"actual_{unit}"] = np.where(of_clip % 7 == u, np.nan, there)
        p = np.clip(0.25 + 0.4 * there + rng.normal(0, 0.15, len(at)), 0, 1)
        table[f"predicted_{unit}"] = np.where(model[:, 0], p, 0.3)
    unknown = [
        name for name in table if name.startswith(("p_quadrant", *(f"predicted_{u}" for u in AUS)))
    ]
    table.loc[role == "logistic", unknown] = np.nan
    table.loc[of_clip % 5 == 4, "actual"] = ""
    table.loc[of_clip % 6 == 5, "actual_valence"] = np.nan
    return table


def language(**changes: Any) -> dict[str, Any]:
    """The description of a finetuned language model."""
    settings = asdict(params.load(REPOSITORY / "params.yaml").train.language)
    description: dict[str, Any] = {
        **{"kind": "tiny-smolvlm", "weights": "", "revision": "", "mode": "finetune"},
        **{"parameters": 1000, "trained": 25, "inputs": ["blendshapes", "head"]},
        "prompt": "The face: <face>.\nWhich of <b>?",
        **{"adapter": "cross", "face_tokens": 12, "lora": settings["lora"]},
        **{"prefix": 0, "projector": False, "quantized": False, "elsewhere": None},
    }
    own = {name: changes.pop(name) for name in (*description, "read") if name in changes}
    return description | own | {"settings": settings | changes}


@contextmanager
def drawn_figures() -> Iterator[dict[str, Figure]]:
    """The figures that are saved meanwhile, by their files' names."""
    drawn: dict[str, Figure] = {}
    save = figures.save

    def keep(figure: Figure, path: Path) -> None:
        drawn[path.stem] = figure
        save(figure, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save", keep)
        yield drawn


def classifiers(**roles: dict[str, Any]) -> Models:
    """The models of ``answers``, some described otherwise."""
    described = {role: {"kind": kind} for role, kind in ROLES.items()} | roles
    return Models("demo", ABOUT, (Target(CLASSES, "words", WORDS),), described)


def regressors(targets: tuple[str, ...] = TARGETS, **changes: Any) -> Models:
    """The models of ``numbers``."""
    model = language(objective="ccc", **changes)
    roles = {"model": model, "majority": {"kind": "majority"}}
    return Models("demo", ABOUT, tuple(map(number, targets)), roles)


def multitask(**roles: dict[str, Any]) -> Models:
    """The models of ``several``."""
    asked = (
        Target(CLASSES, "words", WORDS),
        Target(QUADRANT, "words", QUADRANTS),
        *map(number, PLANE),
        Target(UNITS, "presence", AUS),
    )
    described = {role: {"kind": kind} for role, kind in ROLES.items()} | roles
    return Models("demo", ABOUT, asked, described)


def report(models: Models | None = None, **protocols: pd.DataFrame) -> dict[str, Any]:
    """report.json of some models' answers by protocol; by default those of three classifiers."""
    models = models or classifiers()
    protocols = protocols or {"split": answers(("split",), 2), "folds": answers()}
    content = {
        key: {"kind": task.kind, "names": list(task.names)}
        | {name: task.summarize(task.rows(rows)) for name, rows in protocols.items()}
        for key, task in tasks(models, SETTINGS).items()
    }
    spoken = {"language": models.language} if models.language else {}
    return {"dataset": models.title, "tasks": content} | spoken


def regressed(targets: tuple[str, ...] = TARGETS, **protocols: pd.DataFrame) -> dict[str, Any]:
    """report.json of numbers; by default over a split and folds."""
    both = {"split": numbers(("split",), 4), "folds": numbers()}
    return report(regressors(targets), **(protocols or both))


def spoken(unreadable: int = 0, **changes: Any) -> dict[str, Any]:
    """report.json of a language model that wrote some unreadable answers."""
    rows = answers()
    rows.loc[rows.index[rows["role"] == "model"][:unreadable], "predicted"] = ""
    return report(classifiers(model=language(**changes)), folds=rows)


def regress(project: Path) -> None:
    """Make a project's metrics those of numbers, as its stages leave them."""
    metrics = project / "metrics"
    write_json(metrics / "evaluate/report.json", regressed())
    figures = {"ccc": 0.5, "ccc_low": 0.25, "ccc_high": 0.75, "chance": 0.0}
    run = {"transform": "dct", "k": 10, "inputs": "head", "model": "logistic", "n": 36}
    run |= {"measure": "ccc", "val_ccc": 0.5} | figures
    content = {"dataset": f"demo: {ABOUT}", "runs": 1, "measure": "ccc"}
    content |= {"chosen_by_validation": run, "best_on_test": run}
    write_json(
        metrics / "study/summary.json",
        content | {"chosen_by_each_fold": {"ccc": 0.45, "runs": []}},
    )
    for path in {*metrics.glob("*/*.csv")} - {metrics / "study/reconstruction.csv"}:
        write_csv(path, pd.read_csv(path, dtype=str).head(0))
    write_csv(metrics / "study/runs.csv", pd.DataFrame([run]))
    kept = ("clean", "extract", "curves", "reconstruction", "clip")
    for name in PICTURES.keys() - set(kept):
        (metrics / PICTURES[name]).unlink()
    for name in ("regression", "coverage"):
        (metrics / f"evaluate/plots/{name}.png").write_bytes(PNG + name.encode())


def scored(**named: Any) -> dict[str, Any]:
    """Columns that all tables of stage study have, in percent."""
    war = {"war": 60.0, "war_low": 50.0, "war_high": 70.0}
    return {
        "n": 36,
        "measure": "uar",
        **war,
        "uar": 61.0,
        "uar_low": 51.5,
        "uar_high": 71.0,
        "chance": 33.33,
    } | named


def runs() -> pd.DataFrame:
    """Three runs: validation chooses the second, the third is best on test."""
    settings = {
        "transform": ["approximation haar", "approximation haar", "dct"],
        "k": [5, 10, 10],
        "val_uar": [55.0, 66.0, 60.0],
        "uar": [50.0, 60.0, 62.25],
    }
    return pd.DataFrame(scored(inputs="blendshapes", model="logistic", **settings))


def reconstruction() -> pd.DataFrame:
    """What two transforms leave unexplained; the mean alone, everything."""
    losses = {"blendshapes": 3.4, "landmarks": 0.5, "pose_free": 2.9, "head": 0.6}
    rows = [
        {"contender": name, "k": k, "block": block, "clips": 36}
        | {"variance_median": share, "velocity_median": min(20 * share, 100)}
        for name in ("approximation bior3.1", "mean")
        for k in (4, 10)
        for block, loss in losses.items()
        for share in [100.0 if name == "mean" else loss * 10 / k]
    ]
    return pd.DataFrame(rows)


def leakage() -> pd.DataFrame:
    """The model on two kinds of folds; on the first its UAR is 61."""
    return pd.DataFrame(
        scored(protocol=protocol, role=role, model=kind, uar=uar)
        for protocol, uar in (("disjoint", 61.0), ("random", 67.0))
        for role, kind in ROLES.items()
    )


def study() -> dict[str, Any]:
    """study/summary.json of ``runs`` and ``leakage``."""
    names = [
        *("transform", "k", "inputs", "model", "val_uar"),
        *("uar", "uar_low", "uar_high", "chance", "n"),
    ]
    _, chosen, best = runs()[names].to_dict("records")
    return {
        "dataset": f"demo: {ABOUT}",
        "runs": 3,
        "measure": "uar",
        "chosen_by_validation": chosen,
        "chosen_by_each_fold": {"uar": 59.5, "runs": []},
        "best_on_test": best,
        "leakage": {role: {"disjoint": 61.0, "random": 67.0, "difference": 6.0} for role in ROLES},
    }


def questions() -> dict[str, pd.DataFrame]:
    """The study's tables about several targets: valence is better beside arousal."""
    interval = {"low": 0.4, "high": 0.7, "n": 36, "model": "mlp", "p": np.nan}
    ends = {"difference_low": 0.0125, "difference_high": 0.15, "p": 0.012}
    tasks = [
        {"together": "valence", "target": "valence", "measure": "ccc", "figure": 0.5},
        {"together": "valence + arousal", "target": "valence", "measure": "ccc", "figure": 0.58,
         "against": "valence", "difference": 0.08} | ends,
    ]  # fmt: skip
    both = [
        {"way": "four classes", "measure": "uar", "figure": 0.55, "chance": 0.25},
        {"way": "regressed and cut", "measure": "uar", "figure": 0.5, "chance": 0.25,
         "difference": -0.05, "difference_low": -0.1, "difference_high": 0.02, "p": 0.2},
    ]  # fmt: skip
    sampled = [
        {"imbalance": "none", "target": "mean", "clips": "rare", "measure": "mae", "figure": 0.5},
        {"imbalance": "sampler", "target": "mean", "clips": "rare", "measure": "mae",
         "figure": 0.58, "difference": 0.08} | ends,
    ]  # fmt: skip
    tables = {"tasks": tasks, "quadrants": both, "sampling": sampled}
    return {name: pd.DataFrame([interval | row for row in rows]) for name, rows in tables.items()}


def speaking() -> pd.DataFrame:
    """What the mouth is worth: something, and nothing where people speak."""
    named = {"role": "model", "model": "mlp", "channels": 52, "of_mouth": 27, "measure": "uar"}
    whole = {"whole": 0.61, "whole_low": 0.5, "whole_high": 0.7, "chance": 0.3333}
    fewer = {"without_low": 0.4, "without_high": 0.65}
    rows = [
        {"clips": "all", "n": 36, "without": 0.5, "difference": 0.11, "difference_low": 0.02,
         "difference_high": 0.2, "p": 0.021},
        {"clips": "without speech", "n": 12, "without": 0.4, "difference": 0.21,
         "difference_low": 0.1, "difference_high": 0.3, "p": 0.004},
        {"clips": "with speech", "n": 24, "without": 0.625, "difference": -0.015,
         "difference_low": -0.1, "difference_high": 0.05, "p": 0.7},
    ]  # fmt: skip
    return pd.DataFrame([named | whole | fewer | row for row in rows])


def write(project: Path) -> None:
    """params.yaml and metrics/ of a small project, with every picture."""
    write_params(project)
    metrics = project / "metrics"
    reasons = {
        "vote tie": {"count": 1, "rows": "list.csv: 90"},
        "empty row": {"count": 2, "rows": "list.csv: 91, 92"},
    }
    clean = {"rows": 39, "kept": 36, "excluded": 3, "subjects": 12, "reasons": reasons}
    extract: dict[str, Any] = {
        **{"clips": 40, "usable": 37, "frames": 4005, "face_share": 0.9865},
        "measures": {"yaw": {"p5": 1.5, "median": 4.25, "p95": 9.0}},
        "left_out": {
            "7": "truncated: 15 of 36 frames can be decoded",
            "8": "truncated: 2 of 30.5 frames can be decoded",
            "9": "no face in any frame",
        },
    }
    wavelet = {
        **{"clips": 36, "channels": 2929, "numbers_per_channel": 10, "filled_share": 0.0},
        **{"mean_frames_per_clip": 44.73, "compression_ratio": 4.47, "compression_of_60_s": 180.0},
    }
    listen: dict[str, Any] = {
        **{"encoder": "none", "clips": 35, "seconds": 61.6, "problems": {"7": "it has no sound"}},
        "median": {"speech_share": 0.1468, "silence_share": 0.0096, "loudness": -23.1},
    }
    stages: dict[str, dict[str, Any]] = {
        "clean": clean,
        "extract": extract,
        "listen": listen,
        "wavelet": wavelet,
    }
    for stage, content in stages.items():
        write_json(metrics / stage / "demo.json", content)
    write_json(metrics / "evaluate/report.json", report())
    model = answers().query("role == 'model'")
    number = np.arange(len(model), dtype=float)
    measured = dict.fromkeys(figures.MEASURES, 1.0) | {"yaw": number, "speech_share": number > 11}
    index = model[["video_idx"]].assign(**measured)
    (task,) = tasks(classifiers(), SETTINGS).values()
    found = task.tables(model, index)["robustness"]
    importance = [
        ("blendshape", "jawOpen", 0.02, -0.01, 0.05),
        ("blendshape", "mouthSmileLeft", 0.125, 0.1, 0.15),
        ("part", "1 of 2", 0.01, 0.0, 0.02),
        ("part", "2 of 2", 0.2, 0.1, 0.3),
    ]
    columns = ["kind", "name", "importance", "low", "high"]
    doubts = {"suggested": "sad", "p_label": 0.125, "p_suggested": 0.75, "table": "list.csv"}
    doubted = model.head(2)[["video_idx", "file_path", "actual"]].assign(**doubts, row=[2, 3])
    removed = [
        scored(condition=condition, role=role, model=kind)
        for condition in ("all frames", "50% removed")
        for role, kind in ROLES.items()
    ]
    tables = {
        "evaluate/robustness": found.reindex(columns=list(TABLES["robustness"])).assign(
            task="classes"
        ),
        "evaluate/worst": pd.DataFrame(columns=list(TABLES["worst"])),
        "evaluate/suspects": doubted.assign(start="", end=""),
        "study/importance": pd.DataFrame(importance, columns=columns),
        "study/reconstruction": reconstruction(),
        "study/runs": runs(),
        "study/leakage": leakage(),
        "study/removed": pd.DataFrame(removed),
        "study/speaking": speaking(),
        "study/networks": pd.DataFrame(columns=list(NETWORK_COLUMNS)),
        "study/combination": pd.DataFrame(columns=list(COMBINATION_COLUMNS)),
        "study/online": pd.DataFrame(columns=list(ONLINE_COLUMNS)),
        "study/causal": pd.DataFrame(columns=list(causal.COLUMNS)),
        "study/causal_numbers": pd.DataFrame(columns=list(causal.NUMBERS)),
        "study/pseudo": pd.DataFrame(columns=list(PSEUDO_COLUMNS)),
        "study/teaching": pd.DataFrame(columns=list(teaching.COLUMNS)),
        "study/losses": pd.DataFrame(columns=list(teaching.LOSSES)),
        "study/language": pd.DataFrame(columns=list(LANGUAGE_COLUMNS)),
        **{f"study/{name}": table for name, table in questions().items()},
    }
    for name, table in tables.items():
        write_csv(metrics / f"{name}.csv", table)
    write_json(metrics / "study/summary.json", study())
    for path in PICTURES.values():
        (metrics / path).parent.mkdir(parents=True, exist_ok=True)
        (metrics / path).write_bytes(PNG + path.encode())  # which one it is, behind its end
