"""From another tool's files to blocks and a classifier, by the real stages."""

from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tool_tables
from facewave.errors import UserError
from facewave.files import write_json
from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.landmarks.__main__ import main as extract
from facewave.params import load
from facewave.study.clips import Trajectories
from facewave.wavelets import schema
from facewave.wavelets.__main__ import main as transform
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset
from making import contents, write_params

WORDS = ("calm", "angry")
N = 12


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Twelve files of OpenFace, the actions of one class stronger; the last has no action units."""
    unknown = {"at_least": {"sharpness": 5.0}, "at_most": {"still": 3}}  # limits without effect
    write_params(tmp_path, datasets={"demo": {"tracks": {"tool": "openface"}} | unknown})
    for at in range(N):
        path = tmp_path / f"data/raw/demo/{at}.csv"
        tool_tables.openface(path, 15, failed=(4,), seed=at, action=1 + at % 2)
    path.write_text(path.read_text("utf-8").replace("AU45_r", "XX45_r"), "utf-8")
    names = [str(at) for at in range(N)]
    table = pd.DataFrame({
        "video_idx": names, "file_path": [f"{name}.csv" for name in names],
        "label": [at % 2 for at in range(N)], "actual": [WORDS[at % 2] for at in range(N)],
        "dataset": "demo", "subject": [f"s{at // 2}" for at in range(N)],
        "fold": [at // 4 + 1 for at in range(N)],
        "split": [["train", "train", "train", "train", "val", "test"][at // 2] for at in range(N)],
        "rank": np.arange(N) / N, "excluded": "",
    })  # fmt: skip
    labels.write(tmp_path / "data/labels/demo.csv", table, WORDS)
    for room in ("appearance", "voice"):
        write_json(tmp_path / f"data/{room}/demo/config.json", {"encoder": "none"})
    return tmp_path


def stages(project: Path) -> None:
    with chdir(project):
        extract("demo")
        transform("demo")


def test_a_dataset_has_the_blocks_of_its_signals(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages(project)
    printed = capsys.readouterr().out
    assert "left out: 11.csv: its columns differ from those of most files. Run openface" in printed
    assert f"demo: {N - 1} of {N} usable" in printed
    index = pd.read_csv(project / "data/landmarks/demo/index.csv")
    seen = index.iloc[0]
    assert (seen["frames"], seen["face_frames"], seen["longest_gap"]) == (15, 14, 0.034)
    assert seen["face_px"] == pytest.approx(150, rel=0.03)
    assert seen["yaw"] == pytest.approx(11.5, abs=0.5)  # 0.2 rad
    assert seen[["sharpness", "still"]].isna().all()
    features = schema.read(project / "data/features/demo")
    config = features.config
    assert config["blocks"] == ["points68", "head", "timing", "action_units", "gaze"]
    assert config["action_units"][:2] == ["AU01_r", "AU02_r"]
    assert len(config["gaze"]) == 8
    numbers = features.blocks["action_units"].shape[1]
    points = (39, 2) if config["sides"] == "merged" else (68, 2)
    assert features.blocks["points68"].shape == (N, numbers, *points)
    assert features.blocks["action_units"].shape == (N, numbers, 35)
    assert features.blocks["head"].shape == (N, numbers, 6)
    assert np.isfinite(features.blocks["points68"][: N - 1]).all()
    assert np.isnan(features.blocks["action_units"][N - 1]).all()
    # The mean over the clip, with the gap filled.
    clip = landmarks.read_row(project / "data/landmarks/demo", next(index.itertuples()))
    action = clip.signals["action_units"][clip.valid_T]
    mean = features.blocks["action_units"][0, 0]
    np.testing.assert_allclose(mean[:17], action.mean(axis=0)[:17], atol=0.15)


def test_the_same_files_give_the_same_bytes_from_the_cache(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages(project)
    before = contents(project / "data/landmarks/demo")
    for file in (project / "data/landmarks/demo").iterdir():
        file.unlink()
    capsys.readouterr()
    stages(project)
    assert "12 from the cache" in capsys.readouterr().out
    assert contents(project / "data/landmarks/demo") == before


def test_the_study_makes_the_same_numbers(project: Path) -> None:
    stages(project)
    with chdir(project):
        loaded = load()
        dataset = Dataset("demo", loaded)
        trajectories, features = Trajectories(dataset), dataset.read_features()
        names: Any = ["action_units", "points68"]
        studied = trajectories.clips(Transform.of(loaded.wavelets), names)
        for name in names:
            np.testing.assert_array_equal(studied.blocks[name], features.blocks[name])
        assert studied.wavelets == features.config
        with pytest.raises(UserError, match=r"study\.inputs names pose_free, which neither"):
            trajectories.clips(Transform.of(loaded.wavelets), ["pose_free"])


def test_no_readable_file_stops_the_stage(project: Path) -> None:
    for at in range(N):
        (project / f"data/raw/demo/{at}.csv").write_text("frame,a\n1,2\n", "utf-8")
    with chdir(project), pytest.raises(UserError, match=r"none of the 12 files.*\.csv has none"):
        extract("demo")
