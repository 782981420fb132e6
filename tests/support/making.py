"""Tiny true folder layouts for tests, and the commands run on them as a person would."""

import atexit
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML

from facewave import params
from facewave.faces import schema as faces_schema
from facewave.files import write_csv, write_json
from facewave.labels import schema as labels
from facewave.labels import subsets
from facewave.labels.readers.dfew import WORDS
from facewave.landmarks import cache as cache_of_detections
from facewave.landmarks import quality
from facewave.landmarks import schema as landmarks
from facewave.targets import CLASSES, Target
from facewave.wavelets.transform import Transform

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "data/trajectories/demo/part-00000.parquet"
NAMES = landmarks.read_names(DEMO)
ABOUT = "synthetic numbers of a test"
SETTINGS = params.load(REPOSITORY / "params.yaml").landmarks
NO_ENCODER: dict[str, Any] = {"name": "none", "identity": None, "channels": {}}
TOY_TRAIN: dict[str, Any] = {
    "model": "mlp",
    "baselines": ["logistic"],
    "network": {"epochs": 12, "hidden": 8, "lr": 0.01},
    "logistic": {"c": 0.1},
}

Floats32 = NDArray[np.float32]


def words(*names: str) -> Target:
    """The target of a corpus's own words."""
    return Target(CLASSES, "words", names)


def write_params(project: Path, **changes: dict[str, Any]) -> None:
    """The repository's params.yaml with some keys of some sections (and groups) changed."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((REPOSITORY / "params.yaml").read_text("utf-8"))
    content["datasets"] = {"demo": content["datasets"]["demo"] | {"about": ABOUT}}
    for section, values in changes.items():
        groups = {key: content[section][key] | value for key, value in values.items()
                  if isinstance(value, dict)}  # fmt: skip
        content[section] |= values | groups
    with (project / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python arguments`` in a project's folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def trajectory(n_frames: int, seed: int = 0, gaps: tuple[int, ...] = ()) -> landmarks.Trajectory:
    """Random walks at uneven frame times; the frames in ``gaps`` show no face."""
    rng = np.random.default_rng(seed)
    valid = ~np.isin(np.arange(n_frames), gaps)

    def block(*shape: int) -> Floats32:
        steps = rng.normal(scale=0.02, size=(n_frames, *shape))
        values = (0.5 + steps.cumsum(axis=0)).astype(np.float32)
        values[~valid] = np.nan
        return values

    return landmarks.Trajectory(
        frames_T=np.arange(n_frames, dtype=np.int32),
        times_T=np.cumsum(rng.uniform(0.02, 0.05, n_frames)),
        valid_T=valid,
        faces_T=valid.astype(np.int16),
        sharpness_T=block() + 10,
        landmarks_TPC=block(landmarks.POINTS, landmarks.COORDINATES),
        blendshapes_TB=block(landmarks.BLENDSHAPES),
        pose_T44=np.eye(4, dtype=np.float32) + 0.02 * block(4, 4),
        names=NAMES,
    )


def write_landmarks(
    project: Path,
    clips: dict[str, landmarks.Trajectory],
    unusable: tuple[str, ...] = (),
    parts: dict[str, tuple[float, float]] | None = None,
) -> None:
    """data/landmarks/demo/: clips by video_idx; one without frames has no place in the shard.

    ``parts`` has start and end (s) of the clips of which only a part counts.
    """
    write_json(project / "data/appearance/demo/config.json", {"encoder": "none"})
    write_json(project / "data/voice/demo/config.json", {"encoder": "none"})
    folder = project / "data/landmarks/demo"
    with landmarks.shard(folder / "part-00000.parquet", NAMES) as writer:
        for name, clip in clips.items():
            write_to_shard(writer, f"key-{name}", clip)
    rows = []
    for (name, clip), entry in zip(
        clips.items(), landmarks.entries(folder / "part-00000.parquet"), strict=True
    ):
        start, end = (parts or {}).get(name, (np.nan, np.nan))
        frames = quality.frames_of(clip, entry.facts)
        rows.append(
            {
                "video_idx": name,
                "file_path": f"clips/{name}.mp4",
                "key": entry.key,
                "shard": "part-00000.parquet" if entry.row_groups else "",
                "row_group": entry.row_group if entry.row_groups else None,
                "row_groups": entry.row_groups or None,
                "start": start,
                "end": end,
                **quality.measure(frames, start, end),
                **asdict(entry.facts),
                "usable": name not in unusable,
                "reason": "too few faces" if name in unusable else "",
            }
        )
    whole = ["row_group", "row_groups", "frames", "face_frames", "jumps", "still"]
    table = pd.DataFrame(rows, columns=list(landmarks.INDEX)).astype(dict.fromkeys(whole, "Int64"))
    write_csv(folder / "index.csv", table)


def write_faces(project: Path, names: Iterable[str], without: Collection[str] = ()) -> None:
    """data/faces/demo/: twelve faces of each clip, 30 a second; ``without``: clips without any."""
    rows: list[dict[str, Any]] = []
    for seed, name in enumerate(names):
        key = hashlib.sha256(f"faces {name}".encode()).hexdigest()
        faces_schema.write_clip(faces_schema.KIND.place(key), [faces(12, 30, seed)])
        rows.append({"video_idx": name, "file_path": f"clips/{name}.mp4", "key": key,
                     "start": np.nan, "end": np.nan})  # fmt: skip
    problems = {row["key"]: "none" for row in rows if row["video_idx"] in without}
    settings = {"align": "box", "margin": 0.5, "side": 64}
    write_json(project / "data/faces/demo/config.json", settings)
    faces_schema.KIND.gather(pd.DataFrame(rows), project / "data/faces/demo", problems)


def faces(count: int, fps: float, seed: int = 0, gaps: tuple[int, ...] = ()) -> faces_schema.Faces:
    """Random patches, 64 x 64 pixels, that grow lighter; rows in ``gaps`` have no face."""
    rng = np.random.default_rng(seed)
    pictures: list[bytes | None] = []
    for row in range(count):
        patches = rng.integers(0, 160 + 90 * row // count, (4, 4, 3), dtype=np.uint8)
        picture = np.kron(patches, np.ones((16, 16, 1), np.uint8))
        pictures.append(None if row in gaps else cv2.imencode(".png", picture)[1].tobytes())
    squares = np.tile(np.array([20, 20, 16, 0, 0.4], np.float32), (count, 1))
    squares[list(gaps)] = np.nan
    numbers = np.arange(count, dtype=np.int32)
    return faces_schema.Faces(numbers, numbers / fps, pictures, squares)


def in_turn(
    work: Callable[..., None], tasks: Iterable[Any], limit: float, processes: int | None = None
) -> Iterator[tuple[str, str]]:
    """What ``pool.each`` does, in this process."""
    for name, arguments in tasks:
        work(*arguments)
        yield name, ""


def write_to_shard(
    writer: landmarks.ShardWriter,
    key: str,
    clip: landmarks.Trajectory,
    facts: landmarks.ClipFacts | None = None,
    people: Sequence[dict[str, float]] = (),
) -> None:
    """Write a clip to a shard in row groups of up to ``CHUNK`` frames, with its measures."""
    facts = facts or landmarks.ClipFacts(30.0, 64, 48, len(clip.times_T))
    for chunk in chunked(clip):
        writer.add(chunk)
    measures = quality.measure(quality.frames_of(clip, facts)) if len(clip.times_T) else {}
    writer.end_clip(key, facts, measures, people)


def chunked(
    clip: landmarks.Trajectory, size: int = landmarks.CHUNK
) -> Iterator[landmarks.Trajectory]:
    """A trajectory in pieces of ``size`` frames."""
    for start in range(0, len(clip.times_T), size):
        yield clip[start : start + size]


def remember(
    key: str,
    clip: landmarks.Trajectory,
    facts: landmarks.ClipFacts,
    people: Sequence[dict[str, float]] = (),
) -> None:
    """Put a clip, or a person of it, into the cache of detections."""
    names = clip.names if len(clip.times_T) else ()
    place = cache_of_detections.place(key)
    landmarks.write_clip(place, facts, chunked(clip), names, people=people)


@dataclass(frozen=True, eq=False)
class Toy:
    """What a toy project's n clips are."""

    table: pd.DataFrame  # the rows of the label table that are not excluded
    usable: NDArray[np.bool_]  # (n,), whether the clip shows a face
    blendshapes: Floats32  # (n, 10, 52)


def toy(n_subjects: int = 20, seed: int = 0) -> Toy:
    """Three separable classes, a clip of each per subject; one test clip shows no face.

    The parts hold whole subjects: three folds, and a split of which a fifth is the test part.
    """
    rng = np.random.default_rng(seed)
    n = 3 * n_subjects
    subject, code = np.arange(n) // 3, np.arange(n) % 3
    blendshapes = rng.normal(size=(n, 10, landmarks.BLENDSHAPES)).astype(np.float32)
    for label in range(3):
        blendshapes[code == label, :, label] += 1.5
    split = np.array(["test", "train", "train", "val", "train"])[subject % 5]
    usable = np.ones(n, bool)
    usable[0] = False  # subject 0: in the split's test part, and in fold 1
    table = pd.DataFrame(
        {
            "video_idx": [f"{i:03}" for i in range(n)],
            "file_path": [f"clips/{i:03}.mp4" for i in range(n)],
            "label": code,
            "actual": [WORDS[k] for k in code],
            "dataset": "demo",
            "subject": [f"s{s}" for s in subject],
            "fold": subject % 3 + 1,
            "split": split,
            "table": "annotation.csv",
            "row": np.arange(n) + 2,
            "excluded": "",
        }
    )
    cells = table.assign(word=table["actual"], part=table["split"])
    table["rank"] = subsets.rank(cells, seed=0)
    return Toy(table, usable, blendshapes)


def write_toy(project: Path, made: Toy) -> None:
    """data/labels/demo.csv and data/features/demo/ of a toy project.

    Both also hold a clip without a single label, which no figure may count.
    """
    undecided = made.table.iloc[[1]].assign(
        video_idx="undecided", label=None, actual="", excluded=str(labels.Reason.NO_SINGLE_LABEL)
    )
    table = pd.concat([undecided, made.table], ignore_index=True)
    write_labels(project, table, WORDS)
    usable = np.concatenate([[True], made.usable])
    blendshapes = np.concatenate([made.blendshapes[:1], made.blendshapes])
    write_features(project, table, usable, blendshapes)


def write_labels(project: Path, table: pd.DataFrame, words: Sequence[str]) -> None:
    """data/labels/demo.csv of a corpus that labels no frames, and what stands beside it."""
    path = project / "data/labels/demo.csv"
    labels.write(path, table, words)
    labels.write_frames(path, pd.DataFrame(columns=list(labels.FRAMES)))


def write_features(
    project: Path, table: pd.DataFrame, usable: NDArray[np.bool_], blendshapes: Floats32
) -> None:
    """data/features/demo/ as the wavelet stage's contract has it; the points stand still."""
    folder = project / "data/features/demo"
    folder.mkdir(parents=True, exist_ok=True)
    shapes = blendshapes.copy()
    face = landmarks.read_clip(DEMO, 0, 1).landmarks_TPC[0]
    points = np.broadcast_to(face, (*shapes.shape[:2], *face.shape)).copy()
    shapes[~usable], points[~usable] = np.nan, np.nan
    np.save(folder / "blendshapes.npy", shapes)
    np.save(folder / "landmarks.npy", points)
    np.save(folder / "pose_free.npy", points)
    np.save(folder / "points68.npy", points[:, :, :68, :2])
    np.save(folder / "head.npy", points[:, :, 0, :1].repeat(7, axis=2))
    timing = np.where(usable[:, None, None], np.log2([0.4, 30]), np.nan).astype(np.float32)
    np.save(folder / "timing.npy", timing.repeat(blendshapes.shape[1], axis=1))
    transform = Transform(wavelet="haar", k=blendshapes.shape[1])
    np.save(folder / "functions.npy", transform.over_time(256))
    clips = table[["video_idx", "file_path"]].assign(
        usable=usable,
        reason=np.where(usable, "", "too few faces"),
        heard=False,
        frames=12,
        face_share=usable.astype(float),
        duration=0.4,
        fps=30.0,
        filled=np.where(usable, 0.0, np.nan),
    )
    write_csv(folder / "clips.csv", clips)
    write_json(
        folder / "config.json",
        asdict(transform)
        | {"blendshapes": list(NAMES), "encoder": NO_ENCODER, "voice": NO_ENCODER},
    )


def edit(config: Path, change: Callable[[str], str]) -> None:
    """Change a config.json, and leave out its checksums, as if it had been written so."""
    content = json.loads(change(config.read_text("utf-8")))
    content.pop("sha256", None)
    write_json(config, content)


def write_toy_project(project: Path) -> Toy:
    """All that the stages train and evaluate read, with small settings."""
    made = toy()
    training = TOY_TRAIN | {"partitions": ["split", 1, 2]}
    write_params(project, train=training, evaluate={"resamples": 100})
    write_toy(project, made)
    names = made.table["video_idx"]
    clips = {name: trajectory(12, seed=i) for i, name in enumerate(names)}
    write_landmarks(project, clips, unusable=(names[0],))
    for path in made.table["file_path"]:
        write_video(project / "data/raw/demo" / path)
    return made


@cache
def trained_project() -> Path:
    """A toy project after stage train. To change it, take a copy."""
    from facewave.training.__main__ import main as train  # takes seconds to load

    folder = tempfile.TemporaryDirectory(prefix="facewave-trained-")
    atexit.register(folder.cleanup)
    project = Path(folder.name)
    write_toy_project(project)
    with chdir(project):
        train()
    return project


def write_video(path: Path, n_frames: int = 12, seed: int | None = None) -> None:
    """A small clip of a moving square, before grey or what is drawn by a seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (64, 48))
    for t in range(n_frames):
        picture = np.full((48, 64, 3), 40, np.uint8)
        if seed is not None:
            picture[:] = np.random.default_rng(seed).integers(0, 255, 3)
        picture[10:30, 4 * t : 4 * t + 12] = (40, 180, 220)
        writer.write(picture)
    writer.release()
