"""Weights that the hub's cache has are found without a connection."""

import json
import os
import subprocess
import sys
from pathlib import Path

from facewave.models.vlm.families import FAMILIES

COMMIT = "0123456789abcdef0123456789abcdef01234567"

OFFLINE = """
import json, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}:
        print(event, arguments, flush=True)

sys.addaudithook(watch)
from facewave.errors import UserError
from facewave.models.vlm.backbones import load

def told(weights):
    try:
        return load("smolvlm", weights).revision
    except UserError as error:
        return str(error)

load("tiny-smolvlm", "hub")
print(json.dumps({weights: told(weights) for weights in sys.argv[1:]}))
"""


def test_what_the_hub_has_given_once_is_found_offline_by_its_commit(tmp_path: Path) -> None:
    """The hub's own cache, as it lies on the disk; in a process of its own, which calls nobody."""
    stored = tmp_path / "hub" / "models--me--tiny"
    for part in FAMILIES["smolvlm"].tiny():
        part.save_pretrained(stored / "snapshots" / COMMIT)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(COMMIT)
    asked = ["me/tiny", f"me/tiny@{COMMIT}", "me/tiny@other", "nobody/nothing", "hub", "a b"]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *asked],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [only] = done.stdout.splitlines()  # no connection
    found = json.loads(only)
    assert found["me/tiny"] == found[f"me/tiny@{COMMIT}"] == COMMIT
    for weights in ("me/tiny@other", "nobody/nothing", "hub", "a b"):
        source = "HuggingFaceTB" if weights == "hub" else weights.partition("@")[0]
        assert found[weights].startswith(f"the weights of {source}")
        assert "Connect to the internet once, or name a folder" in found[weights]
