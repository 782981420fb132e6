"""What Dockerfile promises. No image is built: that needs a daemon and a network."""

import json
import re
from fnmatch import fnmatch

from facewave import assets
from running import ROOT

_LINES = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text("utf-8"), flags=re.M)
STEPS = [
    (step.split(maxsplit=1)[0], step.split(maxsplit=1)[1])
    for step in _LINES.replace("\\\n", " ").splitlines()
    if step
]


def steps(kind: str) -> list[str]:
    return [words for name, words in STEPS if name == kind]


def test_everything_is_pinned() -> None:
    (base,) = steps("FROM")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base)
    installs = [part for step in steps("RUN") for part in re.findall(r"pip install [^&]*", step)]
    assert len(installs) == 2
    assert "PIP_CONSTRAINT=requirements.txt" in next(s for s in steps("RUN") if "pip" in s)
    for name in ("fer", "silero-vad"):  # by the versions of requirements.txt
        assert re.search(rf"^{name}==", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
        assert name in installs[1]


def test_nothing_comes_from_the_network_unchecked() -> None:
    assert steps("ADD") == []
    commands = " ".join(steps("RUN"))
    assert not re.search(r"\b(curl|wget|git)\b|https?://", commands)
    assert "assets.get(assets.LANDMARKER)" in commands
    # Where the download puts it is where the server looks.
    copied = steps("WORKDIR")[0]
    environment = dict(pair.split("=") for step in steps("ENV") for pair in step.split())
    assert environment["FACEWAVE_ASSETS"] == f"{copied}/{assets.LANDMARKER.home.parent}"


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    patterns = [
        line.strip()
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    copied = [source for step in steps("COPY") for source in step.split()[:-1]]
    assert {"src", "requirements.txt"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists(), source
    for name in [path.name for path in ROOT.iterdir()]:
        ignored = False
        for pattern in patterns:  # the last one that fits counts
            if fnmatch(name, pattern.removeprefix("!").removeprefix("**/")):
                ignored = not pattern.startswith("!")
        assert ignored == (name not in copied), name


def test_the_server_is_nobody_and_tells_how_it_is() -> None:
    names = [name for name, _ in STEPS]
    (user,) = steps("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)  # numbers, which an orchestrator can check
    assert "RUN" not in names[names.index("USER") :]
    assert steps("ENTRYPOINT") == ['["facewave"]']
    assert json.loads(steps("CMD")[0])[:3] == ["app", "--host", "0.0.0.0"]
    (health,) = steps("HEALTHCHECK")
    (port,) = steps("EXPOSE")
    assert f"'127.0.0.1', {port}" in health
    compile(json.loads(health.partition("CMD ")[2])[2], "HEALTHCHECK", "exec")
