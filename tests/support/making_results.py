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
from facewave.evaluation.robustness import robustness
from facewave.evaluation.tasks import task
from facewave.files import write_csv, write_json
from facewave.prediction.schema import Models
from making import ABOUT, REPOSITORY, write_params

WORDS = ("happy", "sad", "neutral", "fear")  # fear: in no test clip
ROLES = {"model": "mlp", "majority": "majority", "logistic": "logistic"}
TARGETS = ("valence", "score.stress")
FOLDS = ("1", "2", "3")
SETTINGS = params.Evaluate(resamples=50, seed=0)
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


def numbers(partitions: tuple[str, ...] = FOLDS, n_subjects: int = 12) -> pd.DataFrame:
    """A regression's answers: valence is far too high, stress is right; the floor says 0."""
    clips = answers(partitions, n_subjects).query("role == 'model'").reset_index(drop=True)
    actual = np.random.default_rng(0).uniform(-1, 1, len(clips))
    predicted = {"model": (actual + 5, actual), "mean": (0.0, 0.0)}
    tables = [
        clips.assign(
            role=role,
            **{f"actual_{target}": actual for target in TARGETS},
            **{f"predicted_{target}": said for target, said in zip(TARGETS, values, strict=True)},
        )
        for role, values in predicted.items()
    ]
    return pd.concat(tables, ignore_index=True)


def language(**changes: Any) -> dict[str, Any]:
    """The description of a finetuned language model."""
    settings = asdict(params.load(REPOSITORY / "params.yaml").train.language)
    description: dict[str, Any] = {
        **{"kind": "tiny-smolvlm", "weights": "", "revision": "", "mode": "finetune"},
        **{"parameters": 1000, "trained": 25, "inputs": ["blendshapes", "head"]},
        "prompt": "The face: <face>.\nWhich of <b>?",
        **{"adapter": "cross", "face_tokens": 12, "lora": settings["lora"]},
        **{"prefix": 0, "projector": False, "quantized": False},
    }
    own = {name: changes.pop(name) for name in description if name in changes}
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
    return Models("demo", ABOUT, WORDS, (), described)


def regressors(**changes: Any) -> Models:
    """The models of ``numbers``."""
    model = language(objective="ccc", targets=list(TARGETS), **changes)
    return Models("demo", ABOUT, (), TARGETS, {"model": model, "mean": {"kind": "mean"}})


def report(models: Models | None = None, **protocols: pd.DataFrame) -> dict[str, Any]:
    """report.json of some models' answers by protocol; by default those of three classifiers."""
    models = models or classifiers()
    protocols = protocols or {"split": answers(("split",), 2), "folds": answers()}
    summaries = {key: task(models, SETTINGS).summarize(rows) for key, rows in protocols.items()}
    names = {"targets": list(models.targets)} if models.targets else {"classes": list(WORDS)}
    spoken = {"language": models.language} if models.language else {}
    return {"dataset": models.title} | names | spoken | summaries


def regressed(**protocols: pd.DataFrame) -> dict[str, Any]:
    """report.json of a regression; by default over a split and folds."""
    both = {"split": numbers(("split",), 4), "folds": numbers()}
    return report(regressors(), **(protocols or both))


def spoken(unreadable: int = 0, **changes: Any) -> dict[str, Any]:
    """report.json of a language model that wrote some unreadable answers."""
    rows = answers()
    rows.loc[rows.index[rows["role"] == "model"][:unreadable], "predicted"] = ""
    return report(classifiers(model=language(**changes)), folds=rows)


def regress(project: Path) -> None:
    """Make a project's metrics those of a regression, as its stages leave them."""
    metrics = project / "metrics"
    write_json(metrics / "evaluate/report.json", regressed())
    write_json(metrics / "study/summary.json", {"dataset": f"demo: {ABOUT}", "runs": 0})
    for path in {*metrics.glob("*/*.csv")} - {metrics / "study/reconstruction.csv"}:
        write_csv(path, pd.read_csv(path, dtype=str).head(0))
    kept = ("clean", "extract", "curves", "reconstruction", "clip")
    for name in PICTURES.keys() - set(kept):
        (metrics / PICTURES[name]).unlink()
    (metrics / "evaluate/plots/regression.png").write_bytes(PNG + b"regression")


def scored(**named: Any) -> dict[str, Any]:
    """Columns that all tables of stage study have, in percent."""
    war = {"war": 60.0, "war_low": 50.0, "war_high": 70.0}
    return {"n": 36, **war, "uar": 61.0, "uar_low": 51.5, "uar_high": 71.0, "chance": 33.33} | named


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
        "chosen_by_validation": chosen,
        "chosen_by_each_fold": {"uar": 59.5, "runs": []},
        "best_on_test": best,
        "leakage": {role: {"disjoint": 61.0, "random": 67.0, "difference": 6.0} for role in ROLES},
    }


def write(project: Path) -> None:
    """params.yaml and metrics/ of a small project, with every picture."""
    write_params(project)
    metrics = project / "metrics"
    reasons = {
        "vote tie": {"count": 1, "rows": "list.csv: 90"},
        "empty row": {"count": 2, "rows": "list.csv: 91, 92"},
    }
    clean = {"rows": 39, "kept": 36, "excluded": 3, "subjects": 12, "reasons": reasons}
    extract = {
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
    for stage, content in (("clean", clean), ("extract", extract), ("wavelet", wavelet)):
        write_json(metrics / stage / "demo.json", content)
    write_json(metrics / "evaluate/report.json", report())
    model = answers().query("role == 'model'")
    measured = dict.fromkeys(figures.MEASURES, 1.0) | {"yaw": np.arange(len(model), dtype=float)}
    index = model[["video_idx"]].assign(**measured)
    found = robustness(model, index, WORDS, resamples=50, seed=0)
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
        "evaluate/robustness": found,
        "evaluate/suspects": doubted.assign(start="", end=""),
        "study/importance": pd.DataFrame(importance, columns=columns),
        "study/reconstruction": reconstruction(),
        "study/runs": runs(),
        "study/leakage": leakage(),
        "study/removed": pd.DataFrame(removed),
    }
    for name, table in tables.items():
        write_csv(metrics / f"{name}.csv", table)
    write_json(metrics / "study/summary.json", study())
    for path in PICTURES.values():
        (metrics / path).parent.mkdir(parents=True, exist_ok=True)
        (metrics / path).write_bytes(PNG + path.encode())  # which one it is, behind its end
