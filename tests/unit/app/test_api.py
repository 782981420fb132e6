"""The Python interface, as its documentation shows it."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import facewave as fw
from facewave.app import api
from facewave.errors import UserError
from making import REPOSITORY, trained_project

CLIP = REPOSITORY / "data/raw/demo/clips/21.mp4"


@pytest.mark.usefixtures("encoder")
def test_the_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    found = doctest.testmod(api, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 7
    assert not found.failed


def test_a_clip_knows_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    clip = fw.extract(CLIP)
    assert isinstance(clip, fw.Clip)
    assert clip.landmarks.shape == (29, 478, 3)
    assert clip.pose.shape == (29, 4, 4)
    assert clip.valid.all()
    assert clip.blendshapes.shape == (29, 52)
    np.testing.assert_array_equal(clip.blendshapes.index, clip.times)
    np.testing.assert_array_equal(clip.frames["jawOpen"], clip.blendshapes["jawOpen"])
    assert clip.quality["face_frames"] == 29
    for options, shape in (
        ({}, (7, 32)),
        ({"transform": "energy", "k": 10}, (7, 32)),  # as many as there are octaves
        ({"transform": "approximation", "wavelet": "bior3.1", "k": 10, "sides": "apart"}, (10, 52)),
    ):
        assert clip.features(**options)["blendshapes"].shape == shape  # type: ignore[arg-type]
    with pytest.raises(UserError, match="transform: it should be 'approximation'"):
        clip.features(transform="fourier")  # type: ignore[arg-type]
    plot = clip.plot()
    assert plot._repr_png_() == clip.plot()._repr_png_()
    assert plot._repr_png_().startswith(b"\x89PNG")
    axes = plot.axes[0]
    assert len(axes.lines) == 6
    assert axes.get_title() == "21.mp4"
    with pytest.raises(AttributeError, match="no attribute 'exract'"):
        fw.exract  # noqa: B018


def test_models_answer_and_are_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = trained_project()
    (tmp_path / "data").mkdir()
    for name in ("models", "params.yaml"):
        (tmp_path / name).symlink_to(project / name)
    (tmp_path / "data/trajectories").symlink_to(REPOSITORY / "data/trajectories")
    monkeypatch.chdir(tmp_path)
    clips = [CLIP, CLIP.with_name("30.mp4")]
    answers = fw.predict(clips, model="models/trained/split/logistic", window=0.5, hop=0.25)
    assert answers["file"].unique().tolist() == list(map(str, clips))
    assert answers.index.tolist() == list(range(len(answers)))
    of_one = answers[answers["file"] == str(CLIP)]
    assert of_one["start"].isna().tolist() == [True] + [False] * 4  # of 1.2 s
    assert fw.load_model("models/trained/split/logistic").kind == "logistic"
    assert fw.Dataset("demo").name == "demo"
    assert str(fw.Dataset("demo").labels) == "data/labels/demo.csv"


def test_it_works_in_any_folder_and_is_imported_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, facewave as fw\n"
        "assert not {'numpy', 'pandas', 'torch', 'cv2'} & set(sys.modules)\n"
        "try:\n    fw.extract('nowhere.mp4')\n"
        "except Exception as error:\n    print(error)\n"
        "from facewave import params\nprint(params.for_clips().faces.side)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, text=True)
    assert "nowhere.mp4 is not here" in output
    assert output.splitlines()[-1] == "224"
