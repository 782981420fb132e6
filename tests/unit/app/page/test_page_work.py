import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest
from tqdm import tqdm

from facewave.app.page import offered, work
from facewave.app.page.work import Task, Telling
from facewave.errors import UserError
from facewave.files import write_json


def told(to: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in to.getvalue().splitlines()]


def test_progress_bars_become_messages() -> None:
    to = io.StringIO()
    stream: Any = Telling(to)
    for _ in tqdm(range(4), "follow faces", file=stream, mininterval=0, unit="part"):
        pass
    stages = told(to)
    assert {one["stage"] for one in stages} == {"follow faces"}
    assert [one["share"] for one in stages] == [0.0, 0.25, 0.5, 0.75, 1.0]
    to.truncate(0)
    to.seek(0)
    stream.length_s = 8.0
    with tqdm(desc="look", unit="s", file=stream, mininterval=0) as bar:
        for _ in range(2):
            bar.update(2)
    print("a note: 50 of them", file=stream)
    assert [one["share"] for one in told(to)] == [0.0, 0.25, 0.5]


def test_what_goes_wrong_is_a_sentence_with_the_persons_name_for_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task("answer", str(tmp_path), "clip.mp4", "me.mp4", ["untrained"], False, 60.0)
    for error, sentence in [
        (UserError(f"{tmp_path}/clip.mp4: no frame can be decoded."),
         "me.mp4: no frame can be decoded."),
        (MemoryError(), "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (RuntimeError("stream 0 is strange"), "cannot be looked at: stream 0 is strange"),
    ]:  # fmt: skip

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(work, "_do", fail)
        assert sentence in work._failed(task, Telling(io.StringIO()))
    monkeypatch.setattr(work, "_do", lambda *_: None)
    assert work._failed(task, Telling(io.StringIO())) == ""


def test_models_are_offered_that_can_answer_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in offered.models()] == ["untrained", "untrained/fer", "untrained/rules"]
    assert [one.default for one in offered.models()] == [True, False, False]
    configs: dict[str, dict[str, Any]] = {
        "model": {"type": "classifier", "kind": "linear", "inputs": ["blendshapes", "mel"],
                  "about": {"dataset": "ours", "synthetic": True}},
        "network": {"type": "face_network", "kind": "resnet18", "inputs": [], "about": {}},
        "majority": {"type": "classifier", "kind": "majority", "inputs": []},
        "others": {"type": "classifier", "kind": "linear", "inputs": ["action_units"]},
        "served": {"type": "served", "kind": "served", "inputs": []},
    }  # fmt: skip
    for role, config in configs.items():
        (tmp_path / "models/trained/split" / role).mkdir(parents=True)
        write_json(tmp_path / "models/trained/split" / role / "config.json", config)
    (tmp_path / "models/trained/split/broken").mkdir()
    (tmp_path / "models/trained/split/broken/config.json").write_text("{")
    trained = offered.models()[3:]
    assert [(one.id, one.synthetic) for one in trained] == [
        ("split/model", True), ("split/network", False)
    ]  # fmt: skip
    assert "learnt from ours" in trained[0].line
    for name in ("../../etc", "split/served", "", "/etc/passwd"):
        with pytest.raises(UserError, match="no model"):
            offered.choose(name)
