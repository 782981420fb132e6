"""What importing facewave does not do: open connections, load what a stage does not need."""

import subprocess
import sys

from running import ROOT

IMPORT_ALL = """
import importlib, pkgutil, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}:
        print(event, arguments, flush=True)

sys.addaudithook(watch)
import facewave
for module in pkgutil.walk_packages(facewave.__path__, "facewave."):
    importlib.import_module(module.name)
    print("imported", module.name)
"""


def run_python(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_imports_open_no_connection() -> None:
    lines = run_python(IMPORT_ALL)
    assert all(line.startswith("imported ") for line in lines)
    assert len(lines) == len(list((ROOT / "src/facewave").rglob("*.py"))) - 1
    probe = "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n"
    program = IMPORT_ALL.partition("for module")[0].replace("import facewave\n", probe)
    assert run_python(program)[0].startswith("socket.connect ")


def test_what_follows_the_answers_loads_no_model_library() -> None:
    program = "import sys, facewave.{0}.__main__\nprint('\\n'.join(sys.modules))"
    slow = {"torch", "transformers", "sklearn", "mediapipe"}
    for room in ("evaluation", "report"):
        loaded = {name.split(".")[0] for name in run_python(program.format(room))}
        assert "pandas" in loaded
        assert not loaded & slow
