"""Damaged and strange files through the real stages: none stops the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from running import ROOT

RANDOM = 60
SOUND = ["1.mp4", "2.mp4", "3.mp4", "4.mp4"]


def damaged(rng: np.random.Generator, content: bytes) -> bytes:
    """Cut off, with bits flipped, with a stretch overwritten or left out, or doubled."""
    data = bytearray(content)
    at, to = np.sort(rng.integers(0, len(data), 2)).tolist()
    match int(rng.integers(0, 6)):
        case 0:
            return bytes(data[:to])
        case 1:
            for place in rng.integers(0, len(data), int(rng.integers(1, 40))).tolist():
                data[place] ^= 1 << int(rng.integers(0, 8))
        case 2:  # in the header, where sizes and counts are
            for place in rng.integers(0, 3000, int(rng.integers(1, 30))).tolist():
                data[place] = int(rng.integers(0, 256))
        case 3:
            data[at : min(to, at + 5000)] = bytes(min(to, at + 5000) - at)
        case 4:
            del data[at : min(to, at + 5000)]
        case _:
            data[at:at] = data[at:to]
    return bytes(data)


def strange(folder: Path, good: bytes) -> list[str]:
    """Write files of every other kind; return their names."""
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"this is not a video\n" * 50,
        "zeros.mp4": bytes(20_000),
        "ünïcødé 视频.mp4": good + b"1",
        "two words & 'quotes' \"\".mp4": good + b"2",
        "-dash.mp4": good + b"3",
        "no_suffix": good + b"4",
        "wrong_suffix.avi": good + b"5",
        "picture.png": b"no picture",
        "playlist.m3u8": b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    rng = np.random.default_rng(0)
    sizes = {"one_frame.mp4": (64, 48, 1), "odd.mp4": (63, 47, 12), "tiny.mp4": (2, 2, 12)}
    for name, (width, height, frames) in (sizes | {"8k.mp4": (7680, 4320, 2)}).items():
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(folder / name), codec, 25, (width, height))
        for _ in range(frames):
            writer.write(rng.integers(0, 256, (height, width, 3), np.uint8))
        writer.release()
    (folder / "link.mp4").symlink_to("1.mp4")
    (folder / "dangling.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder.mp4").mkdir()
    others = ("link.mp4", "dangling.mp4", "pipe.mp4", "folder.mp4", "not_there.mp4")
    return [*contents, *sizes, "8k.mp4", *others, "x" * 300 + ".mp4"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose dataset `wild` has the files, in a table of its own."""
    folder = tmp_path / "data/raw/wild"
    folder.mkdir(parents=True)
    demo = ROOT / "data/raw/demo/clips"
    good = [(demo / name).read_bytes() for name in SOUND]
    for name, content in zip(SOUND, good, strict=True):
        (folder / name).write_bytes(content)
    rng = np.random.default_rng(0)
    names = list(SOUND)
    for i in range(RANDOM):
        names.append(f"damaged {i}.mp4")
        (folder / names[-1]).write_bytes(damaged(rng, good[i % len(good)]))
    names += strange(folder, good[0])
    words = ["happy", "sad"]
    table = pd.DataFrame({"clip": names, "word": [words[i % 2] for i in range(len(names))]})
    table.to_csv(folder / "t.csv", index=False)
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((ROOT / "params.yaml").read_text("utf-8"))
    content["datasets"] = {
        "wild": {
            "reader": "table",
            "root": "data/raw/wild",
            "about": "damaged files",
            "table": "t.csv",
            "columns": {"file_path": "clip", "actual": "word"},
            "words": words,
        }
    }
    content["train"]["dataset"] = "wild"
    content["landmarks"]["time_limit_s"] = 60
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    return tmp_path


def test_no_damaged_file_stops_the_run(project: Path, landmarker: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "FACEWAVE_CACHE": str(tmp_path / "cache"),
        "FACEWAVE_ASSETS": str(landmarker.parent),
    }
    for room in ("labels", "landmarks"):
        done = subprocess.run(
            [sys.executable, "-m", f"facewave.{room}", "wild"],
            cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Traceback" not in done.stderr
    labels = pd.read_csv(project / "data/labels/wild.csv", keep_default_na=False)
    index = pd.read_csv(project / "data/landmarks/wild/index.csv", keep_default_na=False)
    assert len(labels) >= RANDOM + 20
    # Every file is accounted for: left out with a reason, or looked at.
    looked_at = labels[labels["excluded"] == ""]["video_idx"].tolist()
    assert index["video_idx"].tolist() == looked_at
    out = labels[labels["excluded"] != ""]
    assert (out["note"] != "").all()
    assert (index["usable"] | (index["reason"] != "")).all()
    # What is sound came through whole.
    judged = index.set_index("video_idx")
    assert judged.loc[SOUND, "usable"].all()
    assert judged.loc[["ünïcødé 视频.mp4", "-dash.mp4", "no_suffix"], "usable"].all()
    counts = json.loads((project / "metrics/extract/wild.json").read_text("utf-8"))
    assert counts["clips"] == len(index)
