"""A model on a server, killed while it answers, and resumed without asking again."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chat_server import serving
from facewave.prediction.__main__ import main as predict
from facewave.training.__main__ import main as train
from language_project import settings, write_project
from making import contents


def test_a_killed_run_asks_about_no_clip_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "cache"))

    def kept() -> int:
        """Answers; what is being written begins with a dot."""
        return len([*Path("cache/served").glob("*/[!.]*.json")])

    with serving() as server:
        write_project(tmp_path)
        at = {"address": server.address, "model": "", "parallel": 2}
        settings(tmp_path, "served", [1], mode="zero_shot", frames=1, server=at)
        train()
        command = [sys.executable, "-m", "facewave.prediction"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 200
        while kept() < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        n_kept, n_before = kept(), len(server.bodies)
        predict()
        assert f"{n_kept} of them from the cache" in capsys.readouterr().err
        texts = [json.dumps(body, sort_keys=True) for body in server.bodies]
        again = [text for text in texts[n_before:] if text in texts[:n_before]]
        assert len(again) == n_before - n_kept <= 2  # those that were under way
        assert len(set(texts)) == kept() == len(texts) - len(again) > n_kept
        answers = contents(Path("data/answers"))
        predict()
        assert (contents(Path("data/answers")), len(server.bodies)) == (answers, len(texts))
