"""Models that bring code of their own: it never runs, whatever waits on standard input."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOAD = {
    "weights": "from facewave.models.vlm.backbones import load; load('qwen2.5-vl', {folder!r})",
    "encoder": "from facewave.appearance.encoders.hub import load; load({folder!r}).open()",
    "speech": "from facewave.prompts.speech import _load; _load({folder!r}, None)",
}
CODE = "evil.Evil"


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("what", "model_type"),
    [("weights", "evil"), ("weights", "qwen2_5_vl"), ("encoder", "evil"), ("encoder", "vit"),
     ("speech", "whisper")],
)  # fmt: skip
def test_code_in_a_model_s_folder_never_runs(tmp_path: Path, what: str, model_type: str) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: pass\n")
    classes = ("AutoConfig", "AutoModel", "AutoModelForImageTextToText")
    auto: dict[str, Any] = {"auto_map": dict.fromkeys(classes, CODE)}
    write(tmp_path, "config.json", {"model_type": model_type} | auto)
    processors = ("AutoProcessor", "AutoImageProcessor", "AutoFeatureExtractor")
    auto = {"auto_map": dict.fromkeys(processors, CODE), "processor_class": "Evil"}
    for name in ("processor_config.json", "preprocessor_config.json"):
        write(tmp_path, name, auto)
    tokenizer: dict[str, Any] = {
        "auto_map": {"AutoTokenizer": [CODE, CODE]},
        "tokenizer_class": "Evil",
    }
    write(tmp_path, "tokenizer_config.json", tokenizer)
    command = f"from facewave.errors import explain\ndef load():\n    {LOAD[what]}\nexplain(load)"
    done = subprocess.run(
        [sys.executable, "-c", command.format(folder=str(tmp_path))],
        input="y\ny\ny\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not ran.exists()
    assert done.returncode == 2, done.stderr
    assert "facewave: " in done.stderr
    assert "Traceback" not in done.stderr
