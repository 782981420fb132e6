"""Other tools' tables as trajectories: their layouts, dropped frames, several faces, mistakes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tool_tables
from facewave.app.frames import _WRITERS, PARTS, table
from facewave.errors import UserError
from facewave.landmarks import schema
from facewave.landmarks.headpose import POSE
from facewave.landmarks.schema import ClipFacts
from facewave.landmarks.tools.tool import NAMES
from facewave.landmarks.tracks import read
from facewave.params import Tracks
from making import trajectory
from tool_tables import ARKIT, MEDIAPIPE, face68
from trajectories import assert_equal

OPENFACE = Tracks(tool="openface")


def test_openface_s_columns_are_blocks_and_failed_frames_show_no_face(tmp_path: Path) -> None:
    clip, facts = read(tool_tables.openface(tmp_path / "a.csv", failed=(3, 4)), OPENFACE, "center")
    written = pd.read_csv(tmp_path / "a.csv", skipinitialspace=True)
    assert clip.valid_T.tolist() == [t not in (3, 4) for t in range(12)]
    assert clip.faces_T.tolist() == clip.valid_T.astype(int).tolist()
    assert (facts.width, facts.height, facts.declared_frames) == (1, 1, 12)
    assert facts.fps == pytest.approx(30, rel=0.001)
    np.testing.assert_allclose(clip.times_T, written["timestamp"])
    widths = {name: len(names) for name, names in clip.layout.channels.items()}
    assert widths == {"action_units": 35, "gaze": 8, "points68": 136, "head": 6}
    for block, names in clip.layout.channels.items():
        expected = written[list(names)].to_numpy(np.float32)
        np.testing.assert_allclose(clip.signals[block][clip.valid_T], expected[clip.valid_T])
        assert np.isnan(clip.signals[block][~clip.valid_T]).all()
    assert clip.layout.absent == {"sharpness_T", "landmarks_TPC", "blendshapes_TB"}
    assert clip.landmarks_TPC.shape == (12, 478, 3)
    assert clip.landmarks_TPC.strides == (0, 0, 0)  # it takes no memory
    assert clip[clip.valid_T].landmarks_TPC.strides == (0, 0, 0)


def test_what_facewave_extract_wrote_comes_back(tmp_path: Path) -> None:
    """The same blendshapes, points (in pixels) and pose, from each of its forms."""
    pose = trajectory(12, seed=1, gaps=(3, 4))
    turned = read(tool_tables.openface(tmp_path / "of.csv"), OPENFACE, "center")[0].pose_T44
    seen = replace(pose, pose_T44=np.where(pose.valid_T[:, None, None], turned, np.nan))
    seen = replace(seen, times_T=np.arange(12) / 25)
    assert set(seen.names) == set(MEDIAPIPE)
    for form, write in _WRITERS.items():
        write(tmp_path / f"a.{form}", table(seen, ClipFacts(25.0, 640, 480, 12), PARTS))
        clip, facts = read(tmp_path / f"a.{form}", Tracks(tool="mediapipe"), "center")
        assert facts.fps == pytest.approx(25)
        np.testing.assert_array_equal(clip.valid_T, seen.valid_T)
        np.testing.assert_array_equal(clip.frames_T, seen.frames_T)
        np.testing.assert_allclose(clip.times_T, seen.times_T, atol=1e-6)
        order = [seen.names.index(name) for name in clip.names]
        np.testing.assert_allclose(clip.blendshapes_TB, seen.blendshapes_TB[:, order], atol=2e-6)
        pixels = seen.landmarks_TPC * [640, 480, 640]
        np.testing.assert_allclose(clip.landmarks_TPC, pixels, atol=2e-3)
        np.testing.assert_allclose(clip.pose_T44, seen.pose_T44, atol=1e-4)
        assert clip.layout.channels == {"head": POSE}
        assert clip.layout.absent == {"sharpness_T"}


def test_frames_that_a_tool_dropped_are_there_without_a_face(tmp_path: Path) -> None:
    kept = [2, 3, 6, 7, 8, 12]
    libreface = Tracks(tool="libreface")
    clip, _ = read(tool_tables.libreface(tmp_path / "a.csv", kept), libreface, "center")
    assert np.flatnonzero(clip.valid_T).tolist() == kept
    assert len(clip.times_T) == 13
    np.testing.assert_allclose(clip.times_T, np.arange(13) / 25, atol=1e-9)
    widths = {name: len(names) for name, names in clip.layout.channels.items()}
    assert widths == {"action_units": 14, "head": 3, "other": 8}
    np.testing.assert_array_equal(clip.signals["other"][kept], np.eye(8)[np.array(kept) % 8])
    # By times alone.
    shown = [t for t in range(150) if t not in (3, 4, 7, *range(80, 100))]
    take = tool_tables.live_link(tmp_path / "take.csv", shown)
    clip, _ = read(take, Tracks(tool="live-link"), "center")
    assert np.flatnonzero(clip.valid_T).tolist() == shown
    np.testing.assert_allclose(clip.times_T, np.arange(150) / 60, atol=0.003)
    short = tool_tables.live_link(tmp_path / "short.csv", range(20))
    for fps, expected in ((None, 60), (30.0, 30)):
        clip, facts = read(short, Tracks(tool="live-link", fps=fps), "center")
        assert facts.fps == pytest.approx(expected, rel=0.01)
    assert clip.names == ARKIT
    assert {name: len(names) for name, names in clip.layout.channels.items()} == {
        "head": 3,
        "gaze": 6,
    }
    assert clip.blendshapes_TB[10, 0] == pytest.approx(0.010)
    # Each fifth frame was looked at: none is missing but 15.
    faces = [(frame, 300.0, 0.9) for frame in (0, 5, 10, 20)]
    looked = tool_tables.py_feat(tmp_path / "fex.csv", faces)
    clip, facts = read(looked, Tracks(tool="py-feat", fps=25.0), "center")
    assert clip.frames_T.tolist() == [0, 5, 10, 15, 20]
    assert clip.valid_T.tolist() == [True, True, True, False, True]
    np.testing.assert_allclose(clip.times_T, np.arange(5) / 5)
    assert facts.fps == pytest.approx(5)
    # Few frames with a face have a common step by chance.
    for kept, last in (([0, 10, 15, 30], 30), ([0, 12], 12)):
        clip, _ = read(tool_tables.libreface(tmp_path / "few.csv", kept), libreface, "center")
        assert np.flatnonzero(clip.valid_T).tolist() == kept
        np.testing.assert_allclose(clip.times_T, np.arange(last + 1) / 25, atol=1e-9)


def test_a_row_without_face_and_time_is_a_frame_without_a_face(tmp_path: Path) -> None:
    columns = Tracks(tool="columns", time="t", blocks={"other": ["a"]})
    for tracks in (columns, replace(columns, frame="n")):
        rows = "n,t,a\n0,,\n1,0.1,1\n2,,\n3,0.3,1\n4,0.4,1\n5,,\n"
        (tmp_path / "a.csv").write_text(rows, "utf-8")
        clip, _ = read(tmp_path / "a.csv", tracks, "center")
        assert clip.valid_T.tolist() == [False, True, False, True, True, False]
        np.testing.assert_allclose(clip.times_T, np.arange(6) / 10)


def test_a_take_may_last_over_midnight(tmp_path: Path) -> None:
    take = tool_tables.live_link(tmp_path / "take.csv", range(120))
    later = take.read_text("utf-8").replace("14:03:52", "23:59:59").replace("14:03:53", "00:00:00")
    expected, _ = read(take, Tracks(tool="live-link", fps=60.0), "center")
    take.write_text(later, "utf-8")
    clip, _ = read(take, Tracks(tool="live-link", fps=60.0), "center")
    np.testing.assert_allclose(clip.times_T, expected.times_T, atol=1e-9)


def test_any_separator_and_decimal_comma_is_read(tmp_path: Path) -> None:
    path = tool_tables.openface(tmp_path / "a.csv", failed=(3,))
    text, expected = path.read_text("utf-8"), read(path, OPENFACE, "center")[0]
    for separator, decimal in ((";", ","), (";", "."), ("\t", "."), ("\t", ",")):
        written = text.replace(", ", separator).replace(".", decimal)
        path.write_text(written, "utf-8")
        assert_equal(read(path, OPENFACE, "center")[0], expected)


def test_the_landmarker_s_own_results_are_read(tmp_path: Path) -> None:
    results = tool_tables.mediapipe_json(tmp_path / "a.json", empty=(0, 2))
    clip, facts = read(results, Tracks(tool="mediapipe"), "center")
    assert clip.valid_T.tolist() == [False, True, False, True, True, True]
    assert clip.names == MEDIAPIPE
    assert facts.fps == pytest.approx(25)
    assert clip.blendshapes_TB[3, 2] == pytest.approx(0.023)
    content = json.loads(results.read_text("utf-8"))
    in_python = [
        {"timestamp_ms": one["timestampMs"], "face_blendshapes": [
            [{"category_name": c["categoryName"], "score": c["score"]} for c in face["categories"]]
            for face in one["faceBlendshapes"]]}
        for one in content
    ]  # fmt: skip
    (tmp_path / "b.json").write_text(json.dumps(in_python), "utf-8")
    assert_equal(read(tmp_path / "b.json", Tracks(tool="mediapipe"), "center")[0], clip)


def test_one_of_several_faces_is_followed_by_the_rule(tmp_path: Path) -> None:
    """A small face in the middle, which comes late, and a large one at the side."""
    of_two = tool_tables.openface(
        tmp_path / "a.csv", faces=((0, 100.0, 12.0), (1, 500.0, 5.0), (2, 900.0, 5.0))
    )
    for whose, x in (("center", 500), ("largest", 100), ("longest", 100)):
        clip, _ = read(of_two, OPENFACE, whose)
        assert clip.valid_T.all()
        assert clip.faces_T.tolist() == [3] * 12
        xs = clip.signals["points68"][:, :68].mean(axis=1)
        np.testing.assert_allclose(xs, x, atol=10, err_msg=whose)
    # Without numbers, by where they are; a doubtful face counts for nothing.
    people = ((100.0, 0.9), (400.0, 0.3), (700.0, 0.9))
    faces = [(t, x, score) for t in range(9) for x, score in people if t < 6 or x > 100]
    fex = tool_tables.py_feat(tmp_path / "fex.csv", faces)
    clip, _ = read(fex, Tracks(tool="py-feat", fps=25.0), "longest")
    np.testing.assert_allclose(clip.signals["points68"][:, :68].mean(axis=1), 700, atol=10)
    assert clip.faces_T.tolist() == [2] * 6 + [1] * 3


def test_any_table_can_be_described(tmp_path: Path) -> None:
    frames = pd.DataFrame({"t": np.arange(5) / 10, "smile": np.arange(5.0), "brow": 1.0, "x": "a"})
    frames.to_csv(tmp_path / "a.csv", index=False)
    tracks = Tracks(tool="columns", time="t", blocks={"action_units": ["smile", "br*"]})
    clip, _ = read(tmp_path / "a.csv", tracks, "center")
    assert clip.layout.channels == {"action_units": ("smile", "brow")}
    assert clip.signals["action_units"][:, 0].tolist() == [0, 1, 2, 3, 4]
    points = pd.DataFrame([face68(t).T.ravel() for t in range(5)])
    points.columns = [f"{axis}{i}" for axis in "XY" for i in range(68)]
    points.assign(n=range(5)).to_csv(tmp_path / "b.csv", index=False)
    tracks = Tracks(tool="columns", frame="n", fps=50.0, blocks={"points68": ["X*", "Y*"]})
    clip, facts = read(tmp_path / "b.csv", tracks, "center")
    assert facts.fps == pytest.approx(50)
    np.testing.assert_allclose(clip.signals["points68"], points, rtol=1e-6)


def test_mistakes_name_file_row_and_remedy(tmp_path: Path) -> None:
    path = tool_tables.openface(tmp_path / "a.csv")
    sound = path.read_text("utf-8")
    lines = sound.splitlines()
    header = [name.strip() for name in lines[0].split(",")]

    def with_cell(row: int, name: str, value: str) -> str:
        cells = lines[row - 1].split(", ")
        cells[header.index(name)] = value
        return "\n".join([*lines[: row - 1], ", ".join(cells), *lines[row:]])

    openface, columns = {"tool": "openface"}, {"tool": "columns", "time": "t"}
    for content, entry, sentence in (
        ("", openface, r"a\.csv: no table"),
        (lines[0], openface, r"a\.csv: no table, or one without rows"),
        ("\0\1\2", openface, r"a\.csv"),
        (sound.replace("frame,", "bild,").replace("timestamp", "zeit"), openface,
         r"a\.csv has no column frame or timestamp.*tracks in params\.yaml"),
        ("frame,timestamp\n1,0\n2,1\n", openface, r"a\.csv has none of the columns that openface"),
        (with_cell(5, "AU04_r", "much"), openface, r"a\.csv, row 5: AU04_r is 'much', not a"),
        (with_cell(6, "timestamp", "0.01"), openface, r"a\.csv, row 6: the time 0\.01 s does not"),
        (with_cell(7, "frame", "2"), openface, r"a\.csv, row 7: the time"),
        (with_cell(13, "frame", "999999"), openface, r"a\.csv: its 12 frames have numbers"),
        (with_cell(13, "frame", "1.5"), openface, r"a\.csv, row 13: frame is 1\.5"),
        (with_cell(6, "timestamp", ""), openface, r"a\.csv, row 6: there is no time"),
        ("t,a\n0,1\n40,2\n80,1\n", columns | {"blocks": {"other": ["a"]}},
         r"a\.csv: its frames are 40 s apart.*divide milliseconds by 1000"),
        ("bild,zeit\n1,0\n", openface, r"a\.csv has none of the columns.*Correct tracks"),
        ("t,a\n0,1\n0,2\n1,1\n", columns | {"blocks": {"other": ["a"]}},
         r"a\.csv, row 3: the second row of its frame, and nothing tells whose"),
        ("t,a\n0,1\n", columns | {"blocks": {"pose_free": ["a"]}}, "blocks names pose_free"),
        ("t,a\n0,1\n", columns, r"tracks\.blocks is empty"),
        ("t,a\n0,1\n", {"tool": "columns"}, "need time: or frame:"),
        ("t,a\n0,1\n", columns | {"blocks": {"points68": ["a"]}}, "points68 has 1 columns"),
        (sound, openface | {"time": "timestamp"}, "are for tool: columns"),
        ("frame,jawOpen\n0,1\n", {"tool": "mediapipe", "fps": 25.0}, "lacks the blendshape"),
    ):  # fmt: skip
        path.write_text(content, "utf-8")
        with pytest.raises(UserError, match=sentence):
            read(path, Tracks(**entry), "center")
    fex = tool_tables.py_feat(tmp_path / "fex.csv", [(0, 1.0, 0.9), (1, 1.0, 0.9)])
    with pytest.raises(UserError, match=r"fex\.csv numbers its frames.*tracks\.fps"):
        read(fex, Tracks(tool="py-feat"), "center")
    word = tool_tables.libreface(tmp_path / "l.csv", [0, 1])
    word.write_text(word.read_text("utf-8").replace("Happiness", "joy"), "utf-8")
    with pytest.raises(UserError, match=r"l\.csv, row 3: facial_expression is 'joy'"):
        read(word, Tracks(tool="libreface"), "center")
    take = tool_tables.live_link(tmp_path / "take.csv", [0, 1])
    take.write_text(take.read_text("utf-8").replace("14:03:52:01", "noon"), "utf-8")
    with pytest.raises(UserError, match=r"take\.csv, row 3: Timecode is 'noon"):
        read(take, Tracks(tool="live-link"), "center")
    rows = take.read_text("utf-8").splitlines()
    take.write_text("\n".join([*rows[:2], "," + rows[2].partition(",")[2]]), "utf-8")
    with pytest.raises(UserError, match=r"take\.csv, row 3: Timecode is 'nan"):
        read(take, Tracks(tool="live-link"), "center")
    table = pd.read_csv(tool_tables.libreface(tmp_path / "l.csv", [0, 1]))
    damaged = table.to_parquet()
    for content in (damaged[:-20] + damaged[-8:], damaged[:40] + bytes(40) + damaged[80:]):
        (tmp_path / "l.parquet").write_bytes(content)
        with pytest.raises(UserError, match=r"l\.parquet: no table can be read"):
            read(tmp_path / "l.parquet", Tracks(tool="libreface"), "center")
    (tmp_path / "r.json").write_text('[{"faceBlendshapes": [{"categories": [{}]}]}]', "utf-8")
    with pytest.raises(UserError, match=r"r\.json: no results of MediaPipe"):
        read(tmp_path / "r.json", Tracks(tool="mediapipe"), "center")


def test_shards_keep_the_columns_that_there_are(tmp_path: Path) -> None:
    clip, facts = read(tool_tables.openface(tmp_path / "a.csv", failed=(5,)), OPENFACE, "center")
    schema.write_clip(tmp_path / "a", facts, [clip[:7], clip[7:]], clip.names, clip.layout)
    assert_equal(schema.read_clip(tmp_path / "a"), clip)
    assert schema.read_layout(tmp_path / "a") == clip.layout
    assert not {"landmarks", "blendshapes"} & set(pd.read_parquet(tmp_path / "a"))
    assert len(NAMES) == 53
