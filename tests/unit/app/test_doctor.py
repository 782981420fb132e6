"""``facewave doctor`` on machines with something wrong, each made real."""

from pathlib import Path

import pytest

from facewave.landmarks import model_file
from running import ROOT, run


def test_this_machine_is_fit() -> None:
    output = run(ROOT, "facewave", "doctor")
    for line in ("OpenCV: loads", "MediaPipe: loads", "owner of cv2: opencv-contrib-python"):
        assert f"✓ {line}" in output
    assert "✗" not in output


def test_two_owners_of_cv2_are_found(tmp_path: Path) -> None:
    info = tmp_path / "opencv_python-4.10.0.84.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: opencv-python\nVersion: 4.10.0.84\n"
    )
    output = run(ROOT, "facewave", "doctor", ok=False, env={"PYTHONPATH": str(tmp_path)})
    assert "✗ owner of cv2: several packages share the folder cv2" in output
    assert "pip uninstall -y opencv-contrib-python opencv-python &&" in output


def test_a_package_that_does_not_load_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file')"
    )
    output = run(ROOT, "facewave", "doctor", ok=False, env={"PYTHONPATH": str(tmp_path)})
    assert "✗ OpenCV: does not load: ImportError: libGL.so.1" in output
    assert "apt-get install libgl1" in output


def test_a_wrong_landmarker_is_found(tmp_path: Path) -> None:
    (tmp_path / model_file.NAME).write_bytes(b"something else")
    output = run(ROOT, "facewave", "doctor", env={"FACEWAVE_ASSETS": str(tmp_path)})
    assert "! landmarker file" in output
    assert "wrong SHA-256" in output
    assert "delete it" in output


def test_the_right_landmarker_is_recognised(landmarker: Path) -> None:
    output = run(ROOT, "facewave", "doctor", env={"FACEWAVE_ASSETS": str(landmarker.parent)})
    assert "SHA-256 as expected" in output


def test_missing_packages_are_named(tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as m\n"
        "known = m.version\n"
        "def version(name):\n"
        "    if name == 'mediapipe':\n"
        "        raise m.PackageNotFoundError(name)\n"
        "    return known(name)\n"
        "m.version = version\n"
    )
    (tmp_path / "sitecustomize.py").write_text(code)
    output = run(ROOT, "facewave", "doctor", ok=False, env={"PYTHONPATH": str(tmp_path)})
    assert "✗ packages: missing: mediapipe" in output
    assert "make setup" in output


@pytest.mark.parametrize("command", ["doctor", "results", "predict", "export-npy", "datasets"])
def test_help_says_what_each_command_is_for(command: str) -> None:
    assert command in run(ROOT, "facewave", "--help")
    assert "Usage" in run(ROOT, "facewave", command, "--help")
