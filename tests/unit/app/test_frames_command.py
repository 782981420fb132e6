"""``facewave extract``: files of other tools' form, a row a frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from facewave.app.frames import PARTS, extract, table
from facewave.errors import UserError
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
        assert f"{out}: 1 of 2 clips, a .{form} file each" in printed.out
        assert "truncated: 12 of 99" in printed.out + printed.err
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}
    for form, reader in read.items():
        for name in ("a", "b"):
            frames = reader(out / f"{name}.{form}")
            assert list(frames) == list(expected)
            np.testing.assert_allclose(
                frames.to_numpy(float), expected.to_numpy(float), atol=2e-6, rtol=1e-6
            )


def test_mistakes_get_a_sentence(clips: list[Path], tmp_path: Path) -> None:
    for form, parts, sentence in (
        ("xlsx", PARTS, "--format is xlsx; it is one of csv, parquet, json"),
        ("csv", ["gaze"], "--blocks names gaze; there are pose, blendshapes, points, quality"),
    ):
        with pytest.raises(UserError, match=sentence):
            extract(clips, tmp_path / "out", form, parts, 25.0)
    with pytest.raises(UserError, match=r"two clips would be written to .*a\.csv"):
        extract([clips[0], tmp_path / "other/a.mp4"], tmp_path / "out", "csv", PARTS, 25.0)
