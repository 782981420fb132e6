"""The pictures of people: which clip is drawn, and what stands below it."""

import shutil
from contextlib import chdir
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from facewave import params
from facewave.prediction import schema as prediction
from facewave.report import pictures
from facewave.report.__main__ import PICTURES, draw
from facewave.video import Clip
from facewave.workspace import Dataset
from making import (
    ABOUT,
    faces,
    toy,
    trajectory,
    write_faces,
    write_landmarks,
    write_params,
    write_toy,
    write_video,
)
from making_results import FOLDS, answers, classifiers, drawn_figures, numbers, regressors

SQUARE = (40, 180, 220)  # of the clips, BGR


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two subjects; 003 moves most, then 001; three have videos."""
    folder = tmp_path_factory.mktemp("drawn")
    made = toy(2)
    made.blendshapes[3] *= 9
    made.blendshapes[1] *= 5
    write_params(folder)
    write_toy(folder, made)
    names = made.table["video_idx"]
    write_landmarks(folder, {name: trajectory(12, seed=i) for i, name in enumerate(names)})
    write_faces(folder, names[:3])
    for name in names[:4]:
        write_video(folder / f"data/raw/demo/clips/{name}.mp4")
    return folder


def drawn(project: Path, suspects: list[dict[str, str]]) -> dict[str, Figure]:
    """The figures by their names."""
    with chdir(project), drawn_figures() as figures:
        (PICTURES / "stale").mkdir(parents=True, exist_ok=True)
        draw(Dataset("demo", params.load()), suspects, 6)
        assert {path.stem for path in PICTURES.iterdir()} == set(figures)
    return figures


def write_answers(project: Path, predicted: str = "") -> None:
    """Of 3 clips each of two folds, and of a split; clip 3 is answered wrongly."""
    rows = answers(FOLDS, 2)
    rows["video_idx"] = rows["video_idx"].str.zfill(3)
    rows["file_path"] = "clips/" + rows["video_idx"] + ".mp4"
    rows["predicted"] = rows["actual"].mask(rows["video_idx"] == "003", "sad")
    rows["predicted"] = predicted or rows["predicted"]
    prediction.write(rows, classifiers(), project / prediction.ROOT)


def test_the_liveliest_clip_of_those_answered_right_else_of_all(project: Path) -> None:
    write_answers(project)
    suspect = {"file_path": "clips/002.mp4", "table": "list.csv", "row": "7", "actual": "sad"}
    suspect |= {"suggested": "fear", "p_label": "0.1234", "p_suggested": "0.5"}
    suspect["video_idx"] = "002"
    gone = suspect | {"file_path": "gone.mp4", "video_idx": "gone"}
    found = drawn(project, [suspect, gone] * 5)
    title = found["clip"].get_suptitle()
    assert title == f"demo ({ABOUT})\nclip 001: sad, the model says sad"
    captions = [axes.get_title() for axes in found["suspects"].axes]
    assert captions[0] == "list.csv:7\nclips/002.mp4\nlabel sad (0.12)\nmodel fear (0.50)"
    texts = [text.get_text() for axes in found["suspects"].axes for text in axes.texts]
    assert texts == ["no face was cut out"] * 4
    assert len(captions) == 8  # there is no room for more
    assert found["suspects"].get_suptitle() == f"{ABOUT}\n10 labels of 6 that the models doubt"
    picture = cv2.imread(str(project / PICTURES / "clip.png"))
    assert picture is not None
    assert (np.abs(picture.astype(int) - SQUARE).max(axis=2) < 30).sum() > 100
    expected = faces(12, 30, seed=2).decode(np.array([5]))[0]  # the middle one
    for axes in found["suspects"].axes:
        for image in axes.images:
            np.testing.assert_array_equal(np.asarray(image.get_array()), expected)
    write_answers(project, "fear")  # none is right
    title = drawn(project, [])["clip"].get_suptitle()
    assert title.endswith("clip 003: happy, the model says fear")


def test_of_one_frame_there_is_no_picture_of_a_clip(project: Path, tmp_path: Path) -> None:
    still = Path(shutil.copytree(project, tmp_path / "still"))
    write_answers(still)
    assert set(drawn(still, [])) == {"clip", "suspects"}
    names = [f"{number:03}" for number in range(6)]
    write_landmarks(still, {name: trajectory(1) for name in names})
    assert set(drawn(still, [])) == {"suspects"}


def test_a_regression_and_answers_without_a_face(project: Path) -> None:
    rows = numbers(("split",), 2)
    rows["video_idx"] = rows["video_idx"].str.zfill(3)
    prediction.write(rows, regressors(), project / prediction.ROOT)
    found = drawn(project, [])
    assert set(found) == {"clip"}
    row = rows.set_index(["role", "video_idx"]).loc[("model", "003")]
    for target in ("valence", "score.stress"):
        numbers_of = (row[f"actual_{target}"], row[f"predicted_{target}"])
        assert "{} {:.2f}, the model says {:.2f}".format(target, *numbers_of) in (
            found["clip"].get_suptitle()
        )
    prediction.write(rows.assign(answered_from="frames"), regressors(), project / prediction.ROOT)
    assert drawn(project, []) == {}


def test_gaps_are_where_no_frame_shows_the_face() -> None:
    seen = trajectory(10, gaps=(0, 4, 5))
    uneven = np.arange(10) / 25 + np.linspace(0, 0.01, 10)
    even = np.arange(10) / 25
    found = [(-0.02, 0.02), (0.14, 0.22)]
    np.testing.assert_allclose(pictures.gaps(replace(seen, times_T=even)), found)
    leap = even + (even > 7.5 / 25)  # a second without frames
    np.testing.assert_allclose(pictures.gaps(replace(seen, times_T=leap)), [*found, (0.3, 1.3)])
    assert pictures.gaps(replace(trajectory(10), times_T=uneven)) == []
    assert pictures.gaps(trajectory(10, gaps=(9,)))[0][1] > seen.times_T[-1]


def test_the_time_of_curves_and_scalogram_is_one_and_gaps_are_hatched_in_both(
    tmp_path: Path,
) -> None:
    seen = trajectory(12, gaps=(3, 4))
    write_video(tmp_path / "a.mp4", 12)
    numbers_NB = np.zeros((0, seen.blendshapes_TB.shape[1]), np.float32)
    with drawn_figures() as figures:
        pictures.clip(
            seen, numbers_NB, np.zeros((0, 0), np.float32), Clip(tmp_path / "a.mp4", 25), "a clip",
            tmp_path / "clip.png",
        )  # fmt: skip
    named = {axes.get_ylabel(): axes for axes in figures["clip"].axes}
    curves, scales = named["blendshape"], named["scale"]
    for side in ("x0", "x1"):
        assert getattr(curves.get_position(), side) == getattr(scales.get_position(), side)
    assert curves.get_xlim() == scales.get_xlim()
    for axes in (curves, scales):
        (gap,) = axes.patches
        assert gap.get_hatch()
    titles = [axes.get_title() for axes in figures["clip"].axes]
    assert sum("no face" in title for title in titles) == 1


def test_long_names_stay_above_their_face(tmp_path: Path) -> None:
    text = f"{'long' * 10}.csv:7\n{'folder/' * 12}a.mp4\nlabel sad (0.12)"
    with drawn_figures() as figures:
        pictures.sheet([(None, 0.0, text)] * 4, "a sheet", tmp_path / "sheet.png")
    sheet = figures["sheet"]
    sheet.draw_without_rendering()  # at its own resolution
    boxes = [axes.title.get_window_extent() for axes in sheet.axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
