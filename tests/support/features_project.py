"""A project whose dataset's clips are rows of a table of features."""

from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from making import write_params

STAGES_OF_A_DATASET = (
    *("labels.listing", "labels", "landmarks", "faces", "appearance", "voice", "wavelets"),
)
STAGES = ("training", "prediction", "evaluation", "study", "report")
CLASSIFIERS = {"model": "logistic", "baselines": ["svm"], "inputs": ["functionals"]}


def write_project(project: Path, root: Path, **training: Any) -> None:
    write_params(
        project,
        train={"dataset": "d", "partitions": [1, 2], **CLASSIFIERS, **training},
        evaluate={"resamples": 20},
        study={"models": ["logistic", "svm"]},
    )
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((project / "params.yaml").read_text("utf-8"))
    features = {"table": "mean_action_units.csv", "clip": "name", "columns": ["*_r", "AU*_c"]}
    content["datasets"] = {
        "d": {
            "reader": "ravdess",
            "root": str(root),
            "about": "action units of a test",
            "folds": "luna-jimenez",
            "features": features,
        }
    }
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def run(*stages: str) -> None:
    for stage in stages:
        of_dataset = stage in STAGES_OF_A_DATASET
        module = stage if stage.endswith("listing") else f"{stage}.__main__"
        import_module(f"facewave.{module}").main(*["d"] * of_dataset)
