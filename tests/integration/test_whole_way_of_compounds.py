"""From synthetic faces to the challenge's file: every stage, two of them in training, small."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from facewave.labels import challenge
from facewave.labels.schema import COMPOUND
from running import ROOT, change_params, run

ERROR = 0.3  # share of the pseudo-labels that is wrong
ANSWERS = "compounds/film/answers.csv"
NETWORKS = ["resnet18", "mobilenet_v2"]
ENTRY = {
    "reader": "union", "track": "compound", "root": "compounds", "fps": 5.0, "synthetic": True,
    "about": "synthetic compounds", "at_least": {"face_frames": 1},
    "parts": [
        {"reader": "raf_db", "track": "compound", "root": "pictures", "part": "official"},
        {"reader": "abaw_compound", "root": "film", "window": 0.2, "part": "train"},
        {"reader": "abaw_compound", "root": "labelled", "window": 0.2, "table": "labels.txt",
         "part": "test"},
    ],
}  # fmt: skip
SETTINGS = {
    "datasets": {"compounds": ENTRY},
    "faces.side": 64,
    "appearance.encoder": "none",
    "train.dataset": "compounds",
    "train.partitions": ["split"],
    "train.model": "ensemble",
    "train.baselines": NETWORKS,
    "train.ensemble.roles": NETWORKS,
    "train.ensemble.by": "vote",
    "train.network.loss": "balanced_dice",
    "train.network.epochs": 3,
    "train.network.lr": 0.003,
    "train.vision.width": 0.125,
    "train.vision.side": 32,
    "train.vision.frames": 1,
    "train.vision.trunk_lr": 1.0,
    "evaluate.resamples": 100,
}


@pytest.fixture
def project(landmarker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the synthetic set of three people and its params.yaml."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEWAVE_ASSETS", str(landmarker.parent))
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    change_params(folder, **SETTINGS)
    command = f"-m facewave.demo.compounds compounds --people 3 --wrong {ERROR}"
    run(folder, sys.executable, *command.split())
    return folder


def stages(folder: Path, *rooms: str) -> None:
    """Run stages one after the other, in one process: loading torch takes seconds."""
    whole = ("pseudo", "training", "prediction", "evaluation", "study", "report")  # train.dataset's
    arguments = [[room] if room in whole else [room, "compounds"] for room in rooms]
    run(folder, sys.executable, "-c", f"""
import runpy, sys
for words in {arguments}:
    sys.argv = words
    runpy.run_module(f"facewave.{{words[0]}}", run_name="__main__", alter_sys=True)
""")  # fmt: skip


def facewave(folder: Path, *words: str) -> str:
    return run(folder, sys.executable, "-m", "facewave.app.cli", *words)


def test_from_synthetic_faces_to_the_challenges_file(project: Path) -> None:
    stages(project, "labels.listing", "labels", "landmarks", "faces", "appearance", "voice",
           "wavelets")  # fmt: skip
    rows = pd.read_csv(project / "data/labels/compounds.csv", keep_default_na=False)
    parts = rows.groupby(["dataset", "split"]).size().to_dict()
    assert parts.pop(("pictures", "val")) >= 5
    assert set(parts) == {("pictures", "train"), ("film", "train"), ("labelled", "test")}
    assert (rows["actual"] == "").equals(rows["dataset"] == "film")
    assert set(rows["actual"]) == {"", *COMPOUND}

    truth = truth_of(project)
    answers = pd.read_csv(project / ANSWERS).set_index("image_location")["predicted"]
    assert (answers != truth).mean() == pytest.approx(ERROR, abs=0.005)
    told = facewave(project, "pseudo-label", "compounds", "--answers", ANSWERS, "--track",
                    "said")  # fmt: skip
    assert "105" in told
    change_params(project, **{"pseudo.track": "said", "train.pseudo": "after"})
    stages(project, "pseudo", "training", "prediction", "evaluation", "study", "report")
    made = {path.parent.name for path in project.glob("models/trained/split/*/config.json")}
    assert made == {"model", "majority", *NETWORKS, *(f"{name}-labels" for name in NETWORKS)}
    answered = pd.read_csv(project / "data/answers/answers.csv", keep_default_na=False)
    tested = rows[rows["split"] == "test"]["video_idx"]
    assert all(set(some["video_idx"]) == set(tested) for _, some in answered.groupby("role"))
    assert (project / "metrics/evaluate/metrics.json").exists()
    sizes = {path.stem: len(pd.read_csv(path)) for path in project.glob("metrics/study/*.csv")}
    assert sizes["combination"] == 8 * 3
    assert sizes["runs"] == sizes["leakage"] == sizes["reconstruction"] == 0  # nothing moves
    assert "No classifiers were compared" in (project / "metrics/report.html").read_text("utf-8")

    facewave(project, "pseudo-label", "compounds", "--model", "models/trained/split/model",
             "--track", "ours")  # fmt: skip
    facewave(project, "submission", "compounds", "--track", "ours", "--out", "predictions.txt")
    lines = challenge.read(project / "predictions.txt")
    submitted = {row["0"]: challenge.label(row["1"])["word"] for _, row in lines}
    assert list(submitted) == truth.index.tolist()
    track = pd.read_csv(project / "data/tracks/compounds/ours.csv", keep_default_na=False)
    track = track[track["video_idx"].str.contains("film/") & (track["predicted"] != "")]
    answers = zip(
        track["video_idx"].str[-len("02/00001") :] + ".jpg", track["predicted"], strict=True
    )
    agree = [submitted[name] == word for name, word in answers]
    assert len(agree) > 90
    assert all(agree)


def truth_of(project: Path) -> pd.Series:
    """The hidden word of each picture of ``film``."""
    lines = challenge.read(project / "compounds/film/truth.txt")
    return pd.Series({row["0"]: challenge.label(row["1"])["word"] for _, row in lines})
