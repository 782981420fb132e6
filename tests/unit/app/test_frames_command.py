"""``facewave extract``: files of other tools' form, a row a frame."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from facewave.app import frames as frames_of_clips
from facewave.app.frames import PARTS, extract, table
from facewave.errors import UserError
from facewave.files import write_csv
from facewave.landmarks import cache
from facewave.landmarks.schema import ClipFacts
from making import NAMES, REPOSITORY, SETTINGS, remember, trajectory

FACTS = ClipFacts(25.0, 640, 480, 12)
SEEN = trajectory(12, seed=1, gaps=(3, 4))


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two clips in the cache of detections, the second one cut off."""
    monkeypatch.chdir(REPOSITORY)
    for name, facts in (("a", FACTS), ("b", replace(FACTS, problem="truncated: 12 of 99"))):
        (tmp_path / f"{name}.mp4").write_text(f"known by its hash {name}")
        remember(cache.key(tmp_path / f"{name}.mp4", 25.0, SETTINGS), SEEN, facts)
    return [tmp_path / "a.mp4", tmp_path / "b.mp4"]


def test_every_frame_is_a_row_and_only_the_face_is_missing() -> None:
    frames = table(SEEN, FACTS)
    assert frames["frame"].tolist() == list(range(1, 13))
    np.testing.assert_allclose(frames["timestamp"], SEEN.times_T, atol=1e-6)
    assert frames["success"].tolist() == SEEN.valid_T.astype(int).tolist()
    always = ["frame", "timestamp", "success", "confidence", "faces"]
    assert list(frames)[:5] == always
    assert list(frames)[11 : 11 + len(NAMES)] == list(NAMES)
    values = frames.drop(columns=always)
    assert values[~SEEN.valid_T].isna().all(axis=None)
    assert values[SEEN.valid_T].drop(columns="sharpness").notna().all(axis=None)
    np.testing.assert_array_equal(frames["jawOpen"], SEEN.blendshapes_TB[:, NAMES.index("jawOpen")])
    points = SEEN.landmarks_TPC * [640, 480, 640]
    for axis, letter in enumerate("xyz"):
        found = frames[f"{letter}_477"]
        np.testing.assert_allclose(found, points[:, 477, axis], atol=1e-3)
    np.testing.assert_allclose(frames["face_x"], points[..., 0].min(axis=1), atol=1e-3)
    width = np.ptp(points[..., 0], axis=1)
    np.testing.assert_allclose(frames["face_width"], width, atol=2e-3)
    for part in PARTS:
        assert set(table(SEEN, FACTS, [part])) < set(frames)
    assert list(table(SEEN, FACTS, [])) == always
    nobody = replace(trajectory(3, gaps=(0, 1, 2)), names=())
    assert table(nobody, FACTS, ["blendshapes"]).shape == (3, 5 + len(NAMES))


def test_the_pose_is_in_openface_s_axes_and_units() -> None:
    pose = np.tile(np.eye(4, dtype=np.float32), (12, 1, 1))
    pose[:, :3, 3] = 1, 2, -30  # cm: to the right, up, away
    turns = [(0.3, 0.0, 0.0), (0.0, 0.4, 0.0), (0.0, 0.0, 0.5), (0.1, -0.2, 0.3)]
    for t, turn in enumerate(turns):
        pose[t, :3, :3] = Rotation.from_euler("XYZ", turn).as_matrix()
    frames = table(replace(trajectory(12), pose_T44=pose), FACTS, ["pose"])
    moved = frames[["pose_Tx", "pose_Ty", "pose_Tz"]].to_numpy()
    np.testing.assert_allclose(moved, [[10, -20, 300]] * 12, atol=1e-3)
    turned = frames[["pose_Rx", "pose_Ry", "pose_Rz"]].to_numpy()
    # Turning about x stays; y and z point the other way.
    np.testing.assert_allclose(turned[:4], np.array(turns) * [1, -1, -1], atol=1e-5)
    np.testing.assert_allclose(turned[4:], 0, atol=1e-6)


def test_files_of_all_forms_say_the_same(
    clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, expected = tmp_path / "out", table(SEEN, FACTS)
    for form in ("csv", "parquet", "json"):
        assert extract(clips[:1], out, form, PARTS, 25.0)
        first = (out / f"a.{form}").read_bytes()
        assert not extract(clips, out, form, PARTS, 25.0)
        assert (out / f"a.{form}").read_bytes() == first
        printed = capsys.readouterr()
        assert f"{out}: 1 of 2 clips, a .{form} file each (1 of them written before)" in printed.out
        assert "truncated: 12 of 99" in printed.out + printed.err
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}
    for form, reader in read.items():
        for name in ("a", "b"):
            frames = reader(out / f"{name}.{form}")
            assert list(frames) == list(expected)
            np.testing.assert_allclose(
                frames.to_numpy(float), expected.to_numpy(float), atol=2e-6, rtol=1e-6
            )


def test_of_several_people_the_chosen_or_all_are_written(clips: list[Path], tmp_path: Path) -> None:
    key = cache.key(clips[0], 25.0, SETTINGS)
    people = [{"center": c, "largest": 1 - c, "longest": 1.0} for c in (0.3, 0.9, 0.5)]
    for number, length in enumerate((5, 6, 7)):
        remember(cache.of_person(key, number), trajectory(length), FACTS, people)
    for whose, lengths in (
        (None, {"a.csv": 6}),  # as params.yaml says: center
        ("largest", {"a.csv": 5}),
        ("all", {"a.csv": 6, "a.2.csv": 7, "a.3.csv": 5}),
    ):
        out = tmp_path / str(whose)
        assert extract(clips[:1], out, "csv", PARTS, 25.0, whose)
        assert {file.name: len(pd.read_csv(file)) for file in out.iterdir()} == lengths


def test_mistakes_get_a_sentence(clips: list[Path], tmp_path: Path) -> None:
    for form, parts, sentence in (
        ("xlsx", PARTS, "--format is xlsx; it is one of csv, parquet, json"),
        ("csv", ["gaze"], "--blocks names gaze; there are pose, blendshapes, points, quality"),
    ):
        with pytest.raises(UserError, match=sentence):
            extract(clips, tmp_path / "out", form, parts, 25.0)
    with pytest.raises(UserError, match="--whose is me; it is one of center, largest, longest"):
        extract(clips, tmp_path / "out", "csv", PARTS, 25.0, "me")
    with pytest.raises(UserError, match=r"a\.mp4 and .*a\.mov would both be written to .*a\.csv"):
        extract([clips[0], tmp_path / "a.mov"], tmp_path / "out", "csv", PARTS, 25.0)


def test_what_is_whole_is_not_written_again(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    written: list[str] = []

    def write(path: Path, frames: pd.DataFrame) -> None:
        written.append(path.name)
        write_csv(path, frames)

    def names(parts: Sequence[str] = PARTS) -> list[str]:
        written.clear()
        extract(clips, out, "csv", parts, 25.0)
        return list(written)

    monkeypatch.setitem(frames_of_clips._WRITERS, "csv", write)

    assert names() == ["a.csv", "b.csv"]
    whole = (out / "b.csv").read_bytes()
    assert names() == []
    assert names(["quality", "points", "blendshapes", "pose"]) == []  # the same columns
    for damage in (whole[:-9], b""):
        (out / "b.csv").write_bytes(damage)
        assert names() == ["b.csv"]
        assert (out / "b.csv").read_bytes() == whole
    (out / "a.csv").unlink()
    assert names() == ["a.csv"]
    assert names(["pose"]) == ["a.csv", "b.csv"]  # made with other settings
    (out / "a.csv").write_bytes(whole)  # of another clip, or of other columns
    assert names(["pose"]) == ["a.csv"]
    clips[0].write_text("another clip of this name")
    remember(cache.key(clips[0], 25.0, SETTINGS), trajectory(5), FACTS)
    assert names(["pose"]) == ["a.csv"]
    assert len(pd.read_csv(out / "a.csv")) == 5


def test_many_clips_are_written_by_processes(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = []

    def run(work: Any, given: Any, *_: Any) -> dict[str, str]:
        tasks.extend(given)
        return {name: work(*arguments) or "" for name, arguments in given}

    monkeypatch.setattr(frames_of_clips, "_FEW", 1)
    monkeypatch.setattr("facewave.pool.run", run)
    assert not extract(clips, tmp_path / "out", "csv", PARTS, 25.0)
    assert [Path(name).name for name, _ in tasks] == ["a.csv", "b.csv"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.csv", "b.csv"]
