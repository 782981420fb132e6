"""``facewave annotate`` with a model on a server."""

import json
from pathlib import Path

import pandas as pd
import pytest

from chat_server import NAME, serving
from facewave.app.annotate import PROMPT, annotate
from facewave.prompts import connections
from language_project import settings, write_project

TRACK = Path("data/tracks/demo/captions.csv")


def test_a_server_describes_clips_and_those_that_fail_are_asked_about_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(connections, "_BACKOFF_S", 0.0)
    write_project(tmp_path)
    with serving() as server:
        at = {"address": server.address, "model": "", "parallel": 1}
        settings(tmp_path, mode="zero_shot", frames=1, server=at)
        server.writes = "The brows\nrise."
        server.refuses = lambda _: 500 * (len(server.answered) == 3)
        annotate("demo", "captions", "served", PROMPT, None, 0, 5)
        rows = pd.read_csv(TRACK, dtype=str)
        assert rows["text"].tolist() == ["The brows rise."] * 3
        [question] = {body["messages"][0]["content"][-1]["text"] for body in server.bodies}
        assert question == PROMPT
        server.refuses = lambda _: 0
        annotate("demo", "captions", "served", PROMPT, None, 0, 5)
        again = pd.read_csv(TRACK, dtype=str)
        assert len(again) == 8
        assert rows["video_idx"].isin(again["video_idx"]).all()
    about = json.loads(TRACK.with_suffix(".json").read_text())
    assert about["model"] == {"kind": "served", "weights": NAME}
