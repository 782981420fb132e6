"""Which frames are cut out, what is stored of them, and that a stage does it once."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from facewave import params, pool
from facewave.errors import UserError
from facewave.faces import align, crop, schema
from facewave.faces.__main__ import main
from facewave.faces.schema import KIND
from facewave.landmarks import schema as landmarks
from facewave.workspace import Dataset, Stored
from making import (
    REPOSITORY,
    contents,
    in_turn,
    trajectory,
    write_landmarks,
    write_params,
    write_video,
)

SETTINGS = params.load(REPOSITORY / "params.yaml").faces


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips of 12 frames: a face throughout, in some frames, in none; parts of a fourth."""
    write_params(tmp_path)
    gaps = {"1": (), "2": (0, 1, 2, *range(4, 12)), "3": tuple(range(12)), "4": (), "5": ()}
    clips = {name: trajectory(12, seed=0, gaps=gap) for name, gap in gaps.items()}
    write_landmarks(tmp_path, clips, parts={"4": (0.1, 0.3)})
    for name in gaps:
        write_video(tmp_path / f"data/raw/demo/clips/{name}.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("facewave.pool.each", in_turn)
    return tmp_path


def dataset() -> Dataset:
    return Dataset("demo", params.load())


def read(name: str) -> schema.Faces | None:
    faces: schema.Faces | None = Stored(dataset().faces, "faces").read(name)
    return faces


def test_the_first_frame_with_a_face_stands_for_each_part_of_a_second() -> None:
    times = np.arange(10) / 10
    for valid, expected in (
        ([1] * 10, [0, 2, 4, 6, 8]),
        ([0, 1, 0, 0, 1, 1, 0, 1, 1, 0], [1, 2, 4, 7, 8]),
        ([0] * 10, [0, 2, 4, 6, 8]),
    ):
        assert crop.chosen(times, np.array(valid, bool), 5).tolist() == expected
    assert crop.chosen(times, np.ones(10, bool), 1000).tolist() == [*range(10)]
    assert crop.chosen(times, np.ones(10, bool), 0.1).tolist() == [0]
    assert crop.chosen(np.array([0.0, 3.0]), np.ones(2, bool), 5).tolist() == [0, 1]


def test_faces_are_cut_out_of_the_frames_that_the_landmarks_are_of(project: Path) -> None:
    main("demo")
    seen = landmarks.read_clip(project / "data/landmarks/demo/part-00000.parquet", 0, 1)
    whole = read("1")
    assert whole is not None
    rows = crop.chosen(seen.times_T, seen.valid_T, SETTINGS.fps)
    np.testing.assert_array_equal(whole.frames_F, seen.frames_T[rows])
    np.testing.assert_array_equal(whole.times_F, seen.times_T[rows])
    assert whole.valid.all()
    pictures = whole.decode(np.arange(len(rows)))
    assert {picture.shape for picture in pictures} == {(224, 224, 3)}
    video = cv2.VideoCapture(str(project / "data/raw/demo/clips/1.mp4"))
    frames = [video.read()[1] for _ in range(12)]
    for row, picture, square in zip(rows, pictures, whole.squares_F5, strict=True):
        rgb = cv2.cvtColor(frames[row], cv2.COLOR_BGR2RGB)
        expected = align.cut(rgb, square[:4], SETTINGS.margin, SETTINGS.side)
        assert np.abs(picture.astype(int) - expected).mean() < 3  # JPEG
        assert square[4] == pytest.approx(align.brightness(rgb, square[:4]), abs=1e-6)
    part, some, none = read("4"), read("2"), read("3")
    assert part is not None
    assert some is not None
    assert none is not None
    assert ((part.times_F >= 0.1) & (part.times_F < 0.3)).all()
    assert 0 < len(part) < len(whole)
    assert some.frames_F[0] == 3
    assert some.valid.tolist() == [True] + [False] * (len(some) - 1)
    assert np.isnan(some.squares_F5[1:]).all()
    assert len(none) == len(whole)
    assert not none.valid.any()
    summary = json.loads((project / "metrics/crop/demo.json").read_text("utf-8"))
    assert (summary["clips"], summary["problems"]) == (5, {})
    assert summary["faces"] == 3 * len(whole) + 1
    assert schema.read_config(dataset().faces)["side"] == 224


def test_a_second_run_cuts_nothing_and_gives_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main("demo")
    first = contents(project / "data/faces")
    monkeypatch.setattr(pool, "each", None)
    main("demo")
    assert contents(project / "data/faces") == first
    monkeypatch.setattr(pool, "each", in_turn)
    write_params(project, faces={"side": 96})
    main("demo")
    face = read("1")
    assert face is not None
    assert face.decode(np.array([0]))[0].shape == (96, 96, 3)
    keys = {crop.key("a", SETTINGS), crop.key("b", SETTINGS)}
    others: dict[str, Any] = {
        "fps": 1.0, "align": "points", "margin": 0.5, "side": 96, "quality": 1,
    }  # fmt: skip
    for name, value in others.items():
        keys.add(crop.key("a", replace(SETTINGS, **{name: value})))
    assert len(keys) == 7


def test_what_goes_wrong_with_a_clip_is_told_and_the_others_are_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def each(
        work: Callable[..., None], tasks: Iterable[Any], limit: float, processes: int | None = None
    ) -> Iterator[tuple[str, str]]:
        for name, arguments in tasks:
            if arguments[1].clip.stem == "2":
                yield name, "it took longer than 600 s"
            else:
                yield from in_turn(work, [(name, arguments)], limit)

    monkeypatch.setattr(pool, "each", each)
    main("demo")
    assert "no faces: clips/2.mp4: it took longer than 600 s" in capsys.readouterr().out
    assert read("2") is None
    assert read("1") is not None
    index = KIND.read_index(dataset().faces)
    assert index.loc["2", "problem"] == "it took longer than 600 s"
    (project / "data/raw/demo/clips/2.mp4").unlink()
    monkeypatch.setattr(pool, "each", in_turn)
    with pytest.raises(FileNotFoundError, match=r"2\.mp4"):
        main("demo")


def test_a_picture_that_cannot_be_decoded_is_no_face(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 90, np.uint8))
    (folder / "1.png").write_bytes(b"no picture")
    seen = replace(trajectory(4), times_T=np.arange(4) / 10)
    with landmarks.shard(tmp_path / "a.parquet", seen.names) as writer:
        writer.add(seen)
        writer.end_clip("a", landmarks.ClipFacts(10, 64, 48, 4), {})
    source = crop.Source(folder, "a", tmp_path / "a.parquet", 0, 1)
    (faces,) = crop.faces(source, 10.0, replace(SETTINGS, fps=10.0))
    assert faces.valid.tolist() == [True, False, True, True]
    assert np.isnan(faces.squares_F5[1]).all()
    assert faces.decode(np.array([0]))[0].mean() == pytest.approx(90, abs=1)


def test_pictures_of_a_folder_may_differ_in_size(tmp_path: Path) -> None:
    """A white face in the same place of a broad and of a high picture."""
    folder, middle = tmp_path / "clip", np.array([0.5, 0.75])
    folder.mkdir()
    for number, (width, height) in enumerate(((640, 480), (480, 640))):
        picture = np.zeros((height, width, 3), np.uint8)
        spot = (middle * [width, height]).astype(int).tolist()
        cv2.ellipse(picture, spot, (width // 8, height // 8), 0, 0, 360, (255, 255, 255), -1)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    seen = replace(trajectory(2), times_T=np.array([0.0, 1.0]))
    around = np.linspace(0, 2 * np.pi, seen.landmarks_TPC.shape[1])
    seen.landmarks_TPC[..., :2] = middle + np.stack([np.cos(around), np.sin(around)], 1) / 8
    with landmarks.shard(tmp_path / "a.parquet", seen.names) as writer:
        writer.add(seen)
        writer.end_clip("a", landmarks.ClipFacts(1, 640, 480, 2), {})
    source = crop.Source(folder, "a", tmp_path / "a.parquet", 0, 1)
    (faces,) = crop.faces(source, 1.0, replace(SETTINGS, fps=1.0))
    assert faces.squares_F5[:, 2] == pytest.approx([160, 160], abs=1)
    assert faces.squares_F5[:, 0] == pytest.approx([320, 240], abs=1)
    assert (faces.squares_F5[:, 4] > 0.4).all()


def test_what_the_folder_has_fills_the_cache(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    main("demo")
    before = contents(project / "data/faces")
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "elsewhere"))  # as on another machine
    monkeypatch.setattr(pool, "each", None)
    main("demo")
    assert contents(project / "data/faces") == before
    assert len(list((tmp_path / "elsewhere/faces").rglob("*.parquet"))) == 5


def test_an_index_that_is_not_there_or_damaged_is_one_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="dvc repro crop"):
        KIND.read_index(dataset().faces)
    with pytest.raises(UserError, match="dvc repro crop"):
        schema.read_config(dataset().faces)
    main("demo")
    pd.DataFrame({"video_idx": ["1"]}).to_csv(dataset().faces / "index.csv")
    with pytest.raises(UserError, match="column 'file_path' is missing"):
        KIND.read_index(dataset().faces)
