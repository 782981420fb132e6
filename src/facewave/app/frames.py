"""``facewave extract CLIPS --out DIR``: what is seen of clips, one file a clip, one row a frame.

Columns are named as OpenFace names its own where both have the same (Baltrusaitis et al., FG 2018),
so that what reads one reads the other; a frame without the face is a row whose values are missing.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from facewave import params
from facewave.app.inputs import outputs
from facewave.app.seen import see
from facewave.errors import UserError
from facewave.files import cache_folder, replacing, sha256, write_csv
from facewave.landmarks import cache, headpose
from facewave.landmarks.schema import (
    BLENDSHAPES,
    ClipFacts,
    Trajectory,
    read_clip,
    read_facts,
)

Part = Literal["pose", "blendshapes", "points", "quality"]
PARTS: tuple[Part, ...] = ("pose", "blendshapes", "points", "quality")
_VERSION = 1  # of what ``table`` gives and how it is written: raise it when either changes
_FEW = 8  # clips that are written sooner than processes start


def extract(
    clips: Sequence[Path],
    out: Path,
    form: str,
    parts: Sequence[str],
    fps: float,
    whose: str | None = None,
) -> bool:
    """Write a file of each clip below ``out`` (inputs.outputs).

    Where all people are wanted, the others' files have 2, 3 and so on before their ending.

    What is cached is not detected again, and a file that is whole and was made with the same
    settings is not written again, so a run that was killed resumes.

    Args:
        clips: videos, pictures and folders of pictures.
        out: the folder, made if missing.
        form: csv, parquet or json.
        parts: some of ``PARTS``.
        fps: of pictures.
        whose: as landmarks.whose, instead of params.yaml's.

    Returns:
        Whether every clip could be read.

    Raises:
        UserError: the form, a part or ``whose`` is unknown, or two clips have one name.
    """
    if form not in _WRITERS:
        raise UserError(f"--format is {form}; it is one of {', '.join(_WRITERS)}.")
    if strange := [part for part in parts if part not in PARTS]:
        raise UserError(f"--blocks names {strange[0]}; there are {', '.join(PARTS)}.")
    if whose not in (None, *get_args(params.Whose)):
        raise UserError(f"--whose is {whose}; it is one of {', '.join(get_args(params.Whose))}.")
    files = outputs(clips, out, f".{form}")
    settings = params.for_clips()
    if whose:
        landmarks = replace(settings.landmarks, whose=cast(params.Whose, whose))
        settings = replace(settings, landmarks=landmarks)
    seen = see(clips, fps, settings)
    problems: dict[Path, str] = {}
    tasks: list[tuple[str, tuple[Path, _Made]]] = []
    kept = 0
    for clip, key, file in zip(clips, seen.keys, files, strict=True):
        if problem := seen.problems.get(key, "") or read_facts(cache.place(key)).problem:
            problems[clip] = problem
        if key in seen.problems:
            continue
        for number, person in enumerate([key, *seen.others.get(key, ())], start=1):
            target = file if number == 1 else file.with_suffix(f".{number}{file.suffix}")
            made_of = _Made(person, form, tuple(sorted(set(parts))))
            if not made_of.is_whole(target):
                tasks.append((str(target), (target.absolute(), made_of)))
            elif number == 1:
                kept += not problem
    if len(tasks) > _FEW:
        from facewave import pool

        failed = pool.run(_write, tasks, settings.landmarks.time_limit_s, "local", "write")
        problems |= {Path(file): problem for file, problem in failed.items() if problem}
    else:
        for _, arguments in tasks:
            _write(*arguments)
    for clip, problem in problems.items():
        print(f"{clip}: {problem}")
    told = f" ({kept} of them written before)" if kept else ""
    print(f"{out}: {len(clips) - len(problems)} of {len(clips)} clips, a .{form} file each{told}")
    return not problems


@dataclass(frozen=True)
class _Made:
    """What a file follows from: nothing else decides its bytes.

    Their SHA-256 is kept in the cache under that of these settings, so that a file which is whole
    is known wherever it lies, and not made again.
    """

    key: str  # of the clip's trajectory in the cache
    form: str
    parts: tuple[str, ...]
    version: int = _VERSION

    @property
    def _kept(self) -> Path:
        name = hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()
        return cache_folder("frames") / name[:2] / name

    def is_whole(self, file: Path) -> bool:
        """Whether the file has these very bytes."""
        return (
            file.is_file()
            and self._kept.is_file()
            and (sha256(file) == self._kept.read_text("ascii"))
        )

    def remember(self, file: Path) -> None:
        """Keep the SHA-256 of the file, which has just been written."""
        with replacing(self._kept) as temporary:
            temporary.write_text(sha256(file), "ascii")


def _write(file: Path, made_of: _Made) -> None:
    place = cache.place(made_of.key)
    frames = table(read_clip(place), read_facts(place), made_of.parts)
    _WRITERS[made_of.form](file, frames)
    made_of.remember(file)


def table(trajectory: Trajectory, facts: ClipFacts, parts: Sequence[str] = PARTS) -> pd.DataFrame:
    """A clip's trajectory, a row per frame that was looked at, NaN without the face.

    Returns:
        frame (from 1, in the source), timestamp (s), success (1: the followed face is there) and
        confidence (1 or 0 as well: the landmarker gives none), faces (how many were seen); and by
        part, pose: pose_Tx to pose_Tz (mm) and pose_Rx to pose_Rz (rad; R = Rx Ry Rz) in OpenFace's
        axes; blendshapes by their names, in [0, 1]; points: x_0 to z_477 (pixels, z on x's scale);
        quality: sharpness, face_x, face_y, face_width and face_height (pixels).
    """
    success = trajectory.valid_T.astype(int)
    columns: dict[str, object] = {
        "frame": trajectory.frames_T + 1,
        "timestamp": trajectory.times_T.round(6),
        "success": success,
        "confidence": success.astype(float),
        "faces": trajectory.faces_T,
    }
    size = np.array([facts.width, facts.height, facts.width], np.float32)
    points_TPC = trajectory.landmarks_TPC * size
    if "pose" in parts:
        columns |= dict(
            zip(headpose.POSE, headpose.to_openface(trajectory.pose_T44).round(5).T, strict=True)
        )
    if "blendshapes" in parts:
        # Where no face was seen, nobody has named them.
        names = trajectory.names or [f"blendshape_{at}" for at in range(BLENDSHAPES)]
        columns |= dict(zip(names, trajectory.blendshapes_TB.T, strict=True))
    if "points" in parts:
        columns |= {
            f"{axis}_{point}": points_TPC[:, point, at].round(3)
            for at, axis in enumerate("xyz")
            for point in range(points_TPC.shape[1])
        }
    if "quality" in parts:
        low_T2, high_T2 = points_TPC[..., :2].min(axis=1), points_TPC[..., :2].max(axis=1)
        columns |= {
            "sharpness": trajectory.sharpness_T,
            "face_x": low_T2[:, 0].round(3),
            "face_y": low_T2[:, 1].round(3),
            "face_width": (high_T2 - low_T2)[:, 0].round(3),
            "face_height": (high_T2 - low_T2)[:, 1].round(3),
        }
    return pd.DataFrame(columns)


def _write_parquet(path: Path, frames: pd.DataFrame) -> None:
    with replacing(path) as temporary:
        frames.to_parquet(temporary, index=False)


def _write_json(path: Path, frames: pd.DataFrame) -> None:
    with replacing(path) as temporary:
        frames.to_json(temporary, orient="records", double_precision=6)


_WRITERS: dict[str, Callable[[Path, pd.DataFrame], None]] = {
    "csv": write_csv,
    "parquet": _write_parquet,
    "json": _write_json,
}
