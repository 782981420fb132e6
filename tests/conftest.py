"""What several tests need: a reproduced clone; landmarker and real clips, where there are any."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from facewave import assets
from facewave.appearance.encoders import fer
from running import QUICK, ROOT, clone, commit, offline, run

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads cost tiny models more than they bring

# No deadlines: machines are shared. Examples follow from the test alone, so that what passed here
# passes everywhere; `make fuzz` looks for others.
settings.register_profile("quick", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=200, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def landmarker() -> Path:
    """The landmarker's file."""
    path = assets.find(assets.LANDMARKER)
    if path is None:
        pytest.skip(f"no landmarker: set {assets.ASSETS} to the folder of {assets.LANDMARKER.name}")
    return path.resolve()


@pytest.fixture(scope="session")
def encoder() -> Path:
    """The file of the encoder fer."""
    path = assets.find(fer.ASSET)
    if path is None:
        pytest.skip(f"no encoder: set {assets.ASSETS} to the folder of {fer.ASSET.name}")
    return path.resolve()


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """A folder of real face clips, which are not part of the project."""
    folder = os.environ.get("FACEWAVE_TEST_CLIPS")
    if not folder:
        pytest.skip("no real clips: set FACEWAVE_TEST_CLIPS to their folder")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache for fixtures that outlive a test: the user's is neither read nor written."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FACEWAVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FACEWAVE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the working tree with small settings, reproduced without a landmarker; committed.

    There is no network, and attempts to reach it are noted beside it (test_smoke.py).

    It is made once for all processes of tests, so no test may change it or run DVC in it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, reproduced = shared / "clone/facewave", shared / "clone/reproduced"
    with FileLock(shared / "clone.lock"):
        if not reproduced.exists():
            shutil.rmtree(shared / "clone", ignore_errors=True)
            clone(folder, **QUICK)
            env = {"FACEWAVE_ASSETS": "", "FACEWAVE_CACHE": str(shared / "clone/cache")}
            output = run(folder, "dvc", "repro", env=env | offline(shared / "clone/attempts"))
            commit(folder, "reproduced")
            reproduced.write_text(output)
    return folder


@pytest.fixture
def workspace(project: Path, tmp_path: Path) -> Path:
    """A copy of the reproduced project that a test may change."""
    folder = tmp_path / "workspace"
    shutil.copytree(project, folder, symlinks=True)
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the demo's shipped trajectories, which we are in; without a landmarker."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "data/trajectories").symlink_to(ROOT / "data/trajectories")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACEWAVE_ASSETS", "")
    return folder
