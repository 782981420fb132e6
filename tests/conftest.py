"""What several tests need: a reproduced clone; landmarker and real clips, where there are any."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from facewave.landmarks import model_file
from running import clone, run

settings.register_profile("no deadline", deadline=None)  # machines are shared
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def landmarker() -> Path:
    """The landmarker's file."""
    path = model_file.find()
    if path is None:
        pytest.skip(f"no landmarker: set {model_file.ASSETS} to the folder of {model_file.NAME}")
    return path.resolve()


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """A folder of real face clips, which are not part of the project."""
    folder = os.environ.get("FACEWAVE_TEST_CLIPS")
    if not folder:
        pytest.skip("no real clips: set FACEWAVE_TEST_CLIPS to their folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of detections of the test's own: the user's is neither read nor written."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACEWAVE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of what is in the working tree, reproduced without a landmarker."""
    folder = tmp_path_factory.mktemp("clone") / "facewave"
    clone(folder)
    nothing = {"FACEWAVE_ASSETS": "", "FACEWAVE_CACHE": str(tmp_path_factory.mktemp("cache"))}
    output = run(folder, "dvc", "repro", env=nothing)
    assert " 0 detected now" in output
    return folder


@pytest.fixture
def workspace(project: Path, tmp_path: Path) -> Path:
    """A copy of the reproduced project that a test may change."""
    folder = tmp_path / "workspace"
    shutil.copytree(project, folder, symlinks=True)
    return folder
