"""What the stages leave of a few clips: their own figures wherever these are quick to make."""

from collections.abc import Mapping
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave import params
from facewave.evaluation import regression
from facewave.evaluation.__main__ import summarize
from facewave.evaluation.robustness import CONDITIONS, robustness
from facewave.files import write_csv, write_json
from facewave.labels import cleaning
from facewave.report.__main__ import main
from facewave.study.__main__ import summary
from making import ABOUT, REPOSITORY, write_params

WORDS = ("happy", "sad", "neutral", "fear")  # fear: in no test clip
ROLES = {"model": "mlp", "majority": "majority", "logistic": "logistic"}
# A white picture of 3 x 2 pixels.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c60000000f4944415478da63f8ff"
    "ff3f0310030017f005fb3aef92040000000049454e44ae426082"
)
PICTURES = {
    "clean": "clean/demo.png",
    "extract": "extract/demo.png",
    "wavelet": "wavelet/demo.png",
    **{
        name: f"evaluate/plots/{name}.png"
        for name in ("confusion", "curves", "robustness", "explanation")
    },
    **{name: f"evaluate/pictures/{name}.png" for name in ("clip", "suspects")},
    **{name: f"study/plots/{name}.png" for name in ("ablation", "removed", "leakage")},
}


def answers(partitions: tuple[str, ...], n_subjects: int = 12) -> pd.DataFrame:
    """Predictions of three roles on three clips of each subject; neutral is never found."""
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
                "actual": WORDS[code],
                "answered_from": "prior" if subject + code == 0 else "face",
            }
            for role in ROLES:
                right = role != "majority" and code < 2 and rng.random() < 0.8
                said = code if right else 0
                share = np.full(len(WORDS), 0.1)
                share[said] = 0.7
                given = {f"p_{word}": value for word, value in zip(WORDS, share, strict=True)}
                rows.append({"role": role, **clip, "predicted": WORDS[said], **given})
    return pd.DataFrame(rows)


def report(n_subjects: int = 12, folds: bool = True, split: bool = True) -> dict[str, Any]:
    """What stage evaluate says, by its own code."""
    settings = params.Evaluate(resamples=50, seed=0)
    found: dict[str, Any] = {"dataset": f"demo: {ABOUT}", "classes": list(WORDS)}
    if split:
        found["split"] = summarize(answers(("split",), 2), ROLES, WORDS, settings)
    if folds:
        found["folds"] = summarize(answers(("1", "2", "3"), n_subjects), ROLES, WORDS, settings)
    return found


def language(**changes: Any) -> dict[str, Any]:
    """What stage evaluate says of how a finetuned language model was asked."""
    own = asdict(params.load(REPOSITORY / "params.yaml").train.language)
    found: dict[str, Any] = {
        "weights": "",
        "revision": "",
        "mode": "finetune",
        "parameters": 1000,
        "trained": 25,
        "inputs": ["blendshapes", "head"],
        "prompt": "The face: <face>.\nWhich of <b>?",
        "adapter": "cross",
        "face_tokens": 12,
        "lora": own["lora"],
        "prefix": 0,
        "projector": False,
        "quantized": False,
    }
    return (
        found
        | {name: changes.pop(name) for name in found if name in changes}
        | {"settings": own | changes}
    )


def spoken(unreadable: int = 0, **how: Any) -> dict[str, Any]:
    """A report whose model is a language model; so many of its answers cannot be read."""
    settings = params.Evaluate(resamples=20, seed=0)
    rows = answers(("1", "2", "3"))
    rows.loc[rows.index[rows["role"] == "model"][:unreadable], "predicted"] = ""
    roles = ROLES | {"model": "tiny-smolvlm"}
    about = {"dataset": f"demo: {ABOUT}", "classes": list(WORDS), "language": language(**how)}
    return about | {"folds": summarize(rows, roles, WORDS, settings)}


TARGETS = ("valence", "score.stress")


def regressed(folds: bool = True, split: bool = True, **how: Any) -> dict[str, Any]:
    """What stage evaluate says of a regression: valence is far too high, stress is right."""
    settings = params.Evaluate(resamples=20, seed=0)
    rows = answers(("1", "2", "3")).query("role == 'model'").reset_index(drop=True)
    actual = np.random.default_rng(0).uniform(-1, 1, len(rows))
    given = {"valence": actual + 5, "score.stress": actual}
    for target in TARGETS:
        rows = rows.assign(
            **{f"actual_{target}": actual, f"mean_{target}": 0.0},
            **{f"predicted_{target}": given[target]},
        )
    parts = {"split": rows.head(12).assign(partition="split"), "folds": rows}
    chosen = [key for key, wanted in (("split", split), ("folds", folds)) if wanted]
    how = language(objective="ccc", targets=list(TARGETS), **how)
    about = {"dataset": f"demo: {ABOUT}", "targets": list(TARGETS), "language": how}
    return about | {
        key: regression.summarize(parts[key], "tiny-smolvlm", TARGETS, settings) for key in chosen
    }


def regress(project: Path) -> None:
    """Make a project's metrics those of a regression, as its stages leave them."""
    metrics = project / "metrics"
    write_json(metrics / "evaluate/report.json", regressed())
    write_json(metrics / "study/summary.json", {"dataset": f"demo: {ABOUT}", "runs": 0})
    for place in (*metrics.glob("study/*.csv"), *metrics.glob("evaluate/*.csv")):
        write_csv(place, pd.read_csv(place, dtype=str).head(0))
    for name in ("confusion", "robustness", "explanation", "suspects"):
        (metrics / PICTURES[name]).unlink()
    for name in ("ablation", "removed", "leakage"):
        (metrics / PICTURES[name]).unlink()
    place = metrics / "evaluate/plots/regression.png"
    place.write_bytes(PNG + b"regression")


def labels() -> dict[str, Any]:
    """What stage clean says, by its own code."""
    kept = answers(("1", "2", "3")).query("role == 'model'")
    table = kept.assign(
        fold=kept["partition"].astype("Int64"),
        split="train",
        valence=np.nan,
        table="list.csv",
        row=range(2, len(kept) + 2),
        excluded="",
    )
    out = table.head(3).assign(row=[90, 91, 92], excluded=["vote tie", "empty row", "empty row"])
    return cleaning.report(pd.concat([table, out]))


def scored(**named: Any) -> dict[str, Any]:
    """Columns that all tables of stage study have, in percent."""
    figures: dict[str, Any] = {"n": 36, "groups": 12, "folds": 3}
    figures |= {"war": 60.0, "war_low": 50.0, "war_high": 70.0}
    figures |= {"uar": 61.0, "uar_low": 51.5, "uar_high": 71.0}
    return figures | named


def runs() -> pd.DataFrame:
    """Three runs: validation chooses the second, the third is best on test."""
    return pd.DataFrame(
        scored(
            transform=transform,
            k=k,
            inputs="blendshapes",
            model="logistic",
            val_uar=val_uar,
            uar=uar,
            uar_by_fold=f"{uar} {uar}",
            val_uar_by_fold=f"{val_uar} {val_uar}",
            key="0",
        )
        for transform, k, val_uar, uar in (
            ("approximation haar", 5, 55.0, 50.0),
            ("approximation haar", 10, 66.0, 60.0),
            ("dct", 10, 60.0, 62.25),
        )
    )


def leakage(random: float = 67.0) -> pd.DataFrame:
    """The model on two kinds of folds; on the first its UAR is 61."""
    return pd.DataFrame(
        scored(protocol=protocol, role=role, model=kind, uar=uar)
        for protocol, uar in (("disjoint", 61.0), ("random", random))
        for role, kind in ROLES.items()
    )


def write(project: Path, settings: Mapping[str, Any] | None = None) -> None:
    """params.yaml and metrics/ of a small project, with every picture."""
    write_params(project, **(settings or {}))
    metrics = project / "metrics"
    write_json(metrics / "clean/demo.json", labels())
    write_json(
        metrics / "extract/demo.json",
        {
            "clips": 40,
            "usable": 37,
            "frames": 4005,
            "face_share": 0.9865,
            "measures": {"yaw": {"p5": 1.5, "median": 4.25, "p95": 9.0}},
            "left_out": {
                "7": "truncated: 15 of 36 frames can be decoded",
                "8": "truncated: 2 of 30.5 frames can be decoded",
                "9": "no face in any frame",
            },
        },
    )
    lost = {"blendshapes": 3.4, "landmarks": 0.5, "pose_free": 2.9, "head": 0.6}
    write_json(
        metrics / "wavelet/demo.json",
        {
            "clips": 36,
            "channels": 2929,
            "numbers_per_channel": 10,
            "mean_frames_per_clip": 44.73,
            "compression_ratio": 4.47,
            "filled_share": 0.0,
            "clips_measured": 36,
            "unexplained": {
                "approximation bior3.1": {
                    block: {"variance": value, "velocity": 20 * value}
                    for block, value in lost.items()
                },
                "mean": {block: {"variance": 100.0, "velocity": 100.0} for block in lost},
            },
        },
    )
    write_json(metrics / "evaluate/report.json", report())
    model = answers(("1", "2", "3")).query("role == 'model'")
    index = model[["video_idx"]].assign(**dict.fromkeys(CONDITIONS, 1.0))
    index["yaw"] = np.arange(len(index), dtype=float)
    found = robustness(model, index, WORDS, resamples=50, seed=0)
    write_csv(metrics / "evaluate/robustness.csv", found)
    write_csv(
        metrics / "evaluate/importance.csv",
        pd.DataFrame(
            [
                ("blendshape", "jawOpen", 0.02, 0.01, -0.01, 0.05),
                ("blendshape", "mouthSmileLeft", 0.125, 0.01, 0.1, 0.15),
                ("part", "1 of 2", 0.01, 0.01, 0.0, 0.02),
                ("part", "2 of 2", 0.2, 0.01, 0.1, 0.3),
            ],
            columns=["kind", "name", "importance", "spread", "low", "high"],
        ),
    )
    doubted = model.head(2)[["video_idx", "file_path", "actual"]].assign(
        suggested="sad", quality=0.1, p_label=0.125, p_suggested=0.75, votes="", table="list.csv"
    )
    write_csv(metrics / "evaluate/suspects.csv", doubted.assign(row=[2, 3]))
    write_csv(metrics / "study/runs.csv", runs())
    write_csv(metrics / "study/leakage.csv", leakage())
    write_csv(
        metrics / "study/removed.csv",
        pd.DataFrame(
            scored(condition=condition, role=role, model=kind)
            for condition in ("all frames", "50% removed")
            for role, kind in ROLES.items()
        ),
    )
    loaded = params.load(project / "params.yaml")
    write_json(metrics / "study/summary.json", summary(runs(), leakage(), loaded))
    for place in PICTURES.values():
        (metrics / place).parent.mkdir(parents=True, exist_ok=True)
        (metrics / place).write_bytes(PNG + place.encode())  # which one it is, behind its end


def made(project: Path) -> str:
    """The page of a project, by the stage itself."""
    with chdir(project):
        main()
    return (project / "metrics/report.html").read_text("utf-8")
