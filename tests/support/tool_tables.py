"""Miniatures of other tools' per-frame tables, in the true layout of each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facewave.landmarks.tools.libreface import WORDS
from facewave.landmarks.tools.live_link import lower
from facewave.landmarks.tools.tool import NAMES, NEUTRAL, TONGUE

OPENFACE_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
MEDIAPIPE = NAMES[:-1]
ARKIT = tuple(name for name in NAMES if name != NEUTRAL)
_FACE = np.array(  # of 68 points, by hand: jaw, brows, nose, eyes, mouth; y down
    [[-8 + i, -2 + 10 * np.sin(np.pi * i / 16)] for i in range(17)]
    + [[-6 + i, -5 - (i % 3) / 2] for i in range(5)]
    + [[2 + i, -5 - (4 - i) % 3 / 2] for i in range(5)]
    + [[0, -3 + i] for i in range(4)]
    + [[-2 + i, 1.5] for i in range(5)]
    + [[-5, -3], [-4, -3.5], [-3, -3.5], [-2, -3], [-3, -2.5], [-4, -2.5]]
    + [[2, -3], [3, -3.5], [4, -3.5], [5, -3], [4, -2.5], [3, -2.5]]
    + [[-3, 4], [-2, 3.5], [-1, 3.2], [0, 3.3], [1, 3.2], [2, 3.5], [3, 4]]
    + [[2, 5], [1, 5.5], [0, 5.6], [-1, 5.5], [-2, 5]]
    + [[-2.5, 4], [-1, 4], [0, 4], [1, 4], [2.5, 4], [1, 4.6], [0, 4.7], [-1, 4.6]],
    float,
)


def face68(seed: int = 0, x: float = 300.0, y: float = 200.0, size: float = 10.0) -> np.ndarray:
    """Points (68, 2) in pixels around (x, y), a little noisy."""
    noise = np.random.default_rng(seed).normal(0, 0.1, _FACE.shape)
    return (_FACE + noise) * size + (x, y)


def openface(
    path: Path, frames: int = 12, fps: float = 30.0, failed: Sequence[int] = (), seed: int = 0,
    faces: Sequence[tuple[int, float, float]] = ((0, 300.0, 10.0),), face_id: bool = True,
    action: float = 1.0,
) -> Path:  # fmt: skip
    """FeatureExtraction's CSV; ``faces`` are (face_id, x, size) of each row of a frame."""
    rng = np.random.default_rng(seed)
    presences = sorted((*OPENFACE_AUS, 28))
    names = ["frame", *(["face_id"] if face_id else []), "timestamp", "confidence", "success"]
    names += [f"gaze_{e}_{a}" for e in (0, 1) for a in "xyz"] + ["gaze_angle_x", "gaze_angle_y"]
    names += [f"eye_lmk_{a}_{i}" for a in "xy" for i in range(56)]
    names += [f"pose_{k}{a}" for k in "TR" for a in "xyz"]
    names += [f"{a}_{i}" for a in "xy" for i in range(68)]
    names += [f"{a}_{i}" for a in "XYZ" for i in range(68)]
    names += ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(34))]
    names += [f"AU{i:02}_r" for i in OPENFACE_AUS] + [f"AU{i:02}_c" for i in presences]
    lines = [", ".join(names)]
    for t in range(frames):
        for number, x, size in faces:
            good = t not in failed
            points = face68(seed + t, x, 200, size)
            row = [t + 1, *([number] if face_id else []), round(t / fps, 3)]
            row += [0.98 if good else 0.2, int(good)]
            row += list(rng.normal(0, 0.1, 8)) + [1.0] * 112
            row += [10.0, -20.0, 500.0, 0.1, -0.2, 0.05]
            row += list(points.T.ravel()) + [1.0] * 204 + [0.5] * 40
            row += list(action * (1 + rng.uniform(0, 1, 17))) + list(rng.integers(0, 2, 18))
            lines.append(", ".join(f"{v:g}" for v in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def py_feat(path: Path, faces: Sequence[tuple[int, float, float]], seed: int = 0) -> Path:
    """A Fex's CSV; ``faces`` are (frame, x, FaceScore) of each row."""
    rng = np.random.default_rng(seed)
    rows = []
    for frame, x, score in faces:
        points = face68(seed + frame, x).T.ravel()
        row: dict[str, Any] = {"FaceRectX": x - 80, "FaceRectY": 100.0, "FaceRectWidth": 160.0,
                               "FaceRectHeight": 200.0, "FaceScore": score}  # fmt: skip
        row |= {f"{a}_{i}": points[68 * k + i] for k, a in enumerate("xy") for i in range(68)}
        row |= {"Pitch": 1.0, "Roll": 2.0, "Yaw": -3.0}
        row |= {f"AU{i:02}": rng.uniform() for i in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 43)}
        emotions = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
        row |= {word: rng.uniform() for word in emotions}
        rows.append(row | {"input": "clip.mp4", "frame": frame, "Identity": "Person_0"})
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def libreface(path: Path, frames: Sequence[int], fps: float = 25.0) -> Path:
    """The CSV of a video, with the frames that had a face."""
    rng = np.random.default_rng(0)
    rows = []
    for frame in frames:
        row: dict[str, Any] = {"frame_idx": frame, "frame_time_in_ms": round(1000 * frame / fps, 3)}
        row |= {"pitch": 1.0, "yaw": 2.0, "roll": 3.0}
        row |= {f"lm_mp_{i}_{a}": rng.uniform() for i in range(4) for a in "xyz"}
        row |= {f"au_{i}": int(rng.integers(0, 2)) for i in (1, 2, 4, 6, 7, 10, 12)}
        row |= {f"au_{i}_intensity": rng.uniform(0, 5) for i in (1, 2, 4, 5, 6, 9, 12)}
        rows.append(row | {"facial_expression": WORDS[frame % len(WORDS)]})
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def mediapipe_json(path: Path, frames: int = 6, empty: Sequence[int] = ()) -> Path:
    """Results of the landmarker, one a frame, as a browser writes them."""
    content = [
        {
            "timestampMs": 40.0 * t,
            "faceBlendshapes": [
                {"categories": [
                    {"index": i, "score": 0.01 * i + 0.001 * t, "categoryName": name,
                     "displayName": ""}
                    for i, name in enumerate(MEDIAPIPE)
                ]}
            ] if t not in empty else [],
        }
        for t in range(frames)
    ]  # fmt: skip
    path.write_text(json.dumps(content), "utf-8")
    return path


def live_link(path: Path, frames: Sequence[int], rate: int = 60) -> Path:
    """The CSV of a take, the frames counted from 14:03:52:00."""
    turns = ["HeadYaw", "HeadPitch", "HeadRoll"]
    turns += [f"{side}Eye{turn}" for side in ("Left", "Right") for turn in ("Yaw", "Pitch", "Roll")]
    names = [name[0].upper() + name[1:] for name in ARKIT]
    assert tuple(map(lower, names)) == ARKIT
    assert TONGUE in ARKIT
    lines = [",".join(["Timecode", "BlendShapeCount", *names, *turns])]
    for frame in frames:
        code = f"14:03:{52 + frame // rate:02}:{frame % rate:02}.{frame % 1000:03}"
        values = [f"{0.001 * (frame + i):.10f}" for i in range(61)]
        lines.append(",".join([code, "61", *values]))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
