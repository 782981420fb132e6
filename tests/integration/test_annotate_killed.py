"""``facewave annotate``, killed."""

import shutil
from pathlib import Path

import pytest

from facewave.app.annotate import PROMPT, annotate
from language_project import killed, second_dataset, write_project
from making import contents

TRACK = Path("data/tracks/demo/captions.csv")


def test_a_killed_run_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(tmp_path)
    second_dataset(tmp_path)
    monkeypatch.chdir(tmp_path)
    arguments = ["annotate", "demo", "--examples-of", "other", "--examples", "2"]
    count = killed(tmp_path, tmp_path / TRACK, *arguments)
    assert 0 < count < 21
    before = TRACK.read_bytes()
    annotate("demo", "captions", None, PROMPT, "other", 2, None)
    assert f"{TRACK} has {count - count % 2} of 21 clips already" in capsys.readouterr().out
    assert TRACK.read_bytes().startswith(before)
    resumed = contents(Path("data/tracks"))
    shutil.rmtree("data/tracks")
    annotate("demo", "captions", None, PROMPT, "other", 2, None)
    assert contents(Path("data/tracks")) == resumed
