"""``facewave predict`` with a model on a server, here and elsewhere."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chat_server import NAME, serving
from facewave.app.cli import app
from facewave.errors import UserError
from facewave.landmarks import cache
from facewave.landmarks.schema import ClipFacts
from facewave.params import load
from facewave.prompts import connections
from facewave.prompts.protocol import Identity
from facewave.prompts.server import ALLOWED
from facewave.training import schema
from facewave.training.served import Served
from language_project import write_project
from making import SETTINGS, remember, trajectory

CLIP = Path("data/raw/demo/clips/003.mp4")


def test_a_clip_is_shown_to_another_machine_only_if_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(ALLOWED, "")
    monkeypatch.setattr(connections, "_BACKOFF_S", 0.0)
    write_project(tmp_path)
    seen = trajectory(12, seed=4, gaps=tuple(range(12)))  # so that whole frames are shown
    remember(cache.key(CLIP, 25.0, SETTINGS), seen, ClipFacts(30.0, 64, 48, 12))
    settings = replace(load().train.language, face_tokens=0, prompt="{labels}?{facts}", frames=1)
    about = {"dataset": "demo", "partition": "1", "learnt": [], "validated": []}
    call = ["predict", str(CLIP), "--json", "--model", "models/served"]
    with serving() as server:
        # An address of this machine that does not say so.
        settings.server.__dict__["address"] = server.address.replace("127.0.0.1", "0.0.0.0")
        schema.save(Served(Identity(NAME), ("sad", "happy"), settings, {}, (), about),
                    Path("models/served"))  # fmt: skip
        refused = CliRunner().invoke(app, call)
        assert isinstance(refused.exception, UserError)
        assert "would be sent to http://0.0.0.0" in str(refused.exception)
        assert server.asked == []
        result = CliRunner().invoke(app, [*call, "--allow-upload"])
        [record] = json.loads(result.stdout)
        assert record["predicted"] in ("sad", "happy")
        assert record["p_sad"] + record["p_happy"] == pytest.approx(1, abs=2e-4)
        [body] = server.bodies
        assert body["messages"][0]["content"][-1]["text"].startswith("sad, happy?")
        server.refuses = lambda _: 500
        longer = CliRunner().invoke(app, [*call, "--window", "0.2", "--hop", "0.2"])
        windows = json.loads(longer.stdout)[0]["windows"]
        told = [(window["reason"], window["predicted"], window["p_sad"]) for window in windows]
        assert told[1:] == [("the model gave none of its labels", "", None)] * 2
