"""What is people's stays out of git, whatever DVC has done to its own .gitignore files."""

from pathlib import Path

from ruamel.yaml import YAML

from running import clone, run

PRIVATE = (
    "data/raw/corpus/clips/1.mp4",
    "data/raw/labels.csv",
    "data/trajectories/corpus/part-00000.parquet",
    "data/landmarks/corpus/index.csv",
    "data/faces/corpus/1.npy",
    "data/appearance/corpus/index.csv",
    "data/voice/corpus/index.csv",
    "data/features/corpus/clips.csv",
    "data/answers/corpus.csv",
    "data/labels/corpus.csv",
    "data/labels/corpus/votes.csv",
    "data/tracks/corpus/captions.csv",
    "metrics/extract/corpus.csv",
    "metrics/extract/corpus.png",
    "metrics/evaluate/pictures/face.png",
    "metrics/faces/sheets/pictures/corpus.png",
    "metrics/report.html",
    "models/trained/split/model/model.safetensors",
    "clip.seen.mp4",
    "docs/clip.seen.png",
)
PUBLIC = (
    "data/raw/corpus.dvc",
    "data/tracks.dvc",
    "models/pretrained.dvc",
    "data/labels/corpus.words.json",
    "data/labels/corpus.folds.json",
    "metrics/extract/corpus.json",
    "metrics/faces/plots/quality.png",
)


def addable(project: Path) -> set[str]:
    """What ``git add -A`` would take."""
    listed = run(project, "git", "add", "-A", "--dry-run").splitlines()
    return {line[5:-1] for line in listed if line.startswith("add '")}


def test_a_failed_stage_lets_nothing_private_into_git(tmp_path: Path) -> None:
    project = tmp_path / "facewave"
    clone(project)
    environment = {"FACEWAVE_ASSETS": "", "FACEWAVE_CACHE": str(tmp_path / "cache")}
    run(project, "dvc", "repro", "extract", env=environment)
    assert run(project, "git", "status", "--porcelain") == ""  # DVC wrote no rules of its own

    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    params["labels"]["on_problem"] = "fail"  # and the demo has problems
    yaml.dump(params, project / "params.yaml")
    output = run(project, "dvc", "repro", "extract", env=environment, ok=False)
    assert "failed to reproduce" in output
    for name in (*PRIVATE, *PUBLIC):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("somebody")
    assert addable(project) - {"params.yaml"} == set(PUBLIC)
