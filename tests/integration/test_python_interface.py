"""The Python interface as people use it: in a notebook, in a script, with the light install."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from facewave.errors import EXTRAS
from making import trained_project
from running import ROOT

CLIP = ROOT / "data/raw/demo/clips/21.mp4"
NOTEBOOK = ROOT / "docs/notebooks/facewave.ipynb"
# The light install: what the extras bring cannot be imported.
LIGHT = f"""
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(EXTRAS)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
COMMAND = LIGHT + "from facewave.app.cli import run\nrun()"


def python(folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words], cwd=folder, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.usefixtures("landmarker", "encoder")
def test_the_notebook_runs_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(NOTEBOOK.read_text("utf-8"))
    assert not [cell for cell in content["cells"] if cell.get("outputs")]  # none is committed
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}})
    client.execute()
    shown: list[dict[str, Any]] = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    texts = "\n".join(data["text/plain"] for data in shown)
    assert "['21.mp4', '22.mp4', '23.mp4']" in texts
    assert "21.mp4: 29 frames, 1.21 s, a face in 100% of them" in texts
    assert "'blendshapes': (7, 32)" in texts
    assert texts.count(" face ") + texts.count(" face\n") >= 3  # answered_from
    assert [data for data in shown if "image/png" in data]


@pytest.mark.usefixtures("landmarker")
def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"print('once')\nimport facewave as fw\nprint(fw.extract({str(CLIP)!r}))\n")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "once",
        f"Clip({CLIP}: 29 frames, 1.21 s, a face in 100% of them)",
    ]


def test_the_light_install_suffices_for_clips(
    encoder: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEWAVE_ASSETS", str(encoder.parents[1]))
    for words in (
        "--help", "--version", "datasets", "datasets show ravdess",
        f"extract {CLIP} --out frames", f"predict {CLIP}", f"trajectories {CLIP}", f"draw {CLIP}",
    ):  # fmt: skip
        done = python(shipped, COMMAND, *words.split())
        assert done.returncode == 0, (words, done.stderr)
        assert "light install" not in done.stderr
    written = {"frames/21.csv", "21.trajectories.png", "21.seen.mp4"}
    assert {name for name in written if (shipped / name).is_file()} == written
    program = f"import facewave as fw\nprint(fw.extract({str(CLIP)!r}).features()['head'].shape)"
    assert python(shipped, LIGHT + program).stdout == "(7, 7)\n"


def test_the_light_install_detects_new_clips(landmarker: Path) -> None:
    program = (
        LIGHT + "from pathlib import Path\nfrom facewave import params\n"
        "from facewave.landmarks.detect import detect\n"
        f"clip, model = Path({str(CLIP)!r}), Path({str(landmarker)!r})\n"
        "seen = detect(clip, model, 25.0, params.for_clips().landmarks)\n"
        "print(len(seen.people), seen.people[0].trajectory().valid_T.mean())"
    )
    assert python(ROOT, program).stdout == "1 1.0\n"


def test_what_an_extra_brings_is_told() -> None:
    workspace, model = trained_project(), "models/trained/split/logistic"
    done = python(workspace, COMMAND, "predict", str(CLIP), "--model", model)
    assert done.returncode == 2
    sentence = 'this needs torch, which the light install leaves out: pip install "facewave[train]"'
    assert done.stderr.splitlines()[-1] == f"facewave: {sentence}"
    program = LIGHT + f"import facewave as fw\ntry:\n    fw.load_model({model!r})\n"
    done = python(workspace, f"{program}except Exception as error:\n    print(error)")
    assert done.stdout == f"{sentence}\n"
