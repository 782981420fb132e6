"""The house's plan, held: who may import whom, what is never called, and that stages are rooms."""

import ast
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from running import ROOT

SOURCE = ROOT / "src"
PACKAGE = SOURCE / "facewave"
# In the order in which data flows; a room imports upstream, that is to the left.
# workspace is a module: the handle of a dataset, made of the schemas before it.
ROOMS = ("labels", "landmarks", "models", "faces", "appearance", "voice", "wavelets", "pseudo",
         "workspace", "prompts", "training", "prediction", "evaluation", "study", "report",
         "app")  # fmt: skip
BESIDE = "demo"  # makes the demo's clips: before the pipeline, and no part of it
SHARED = {"facewave"} | {
    f"facewave.{name}"
    for name in ("assets", "cluster", "errors", "figures", "files", "filters", "functionals",
                 "hashes", "hub", "marks", "on_torch", "params", "parsing", "pictures",
                 "plane", "pool", "shards", "sound", "targets", "unreadable", "validation",
                 "video")
}  # fmt: skip
# Pure, and of use downstream.
GEOMETRY = {"facewave.landmarks.headpose", "facewave.faces.align", "facewave.wavelets.moments"}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's dotted name."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES}


def imported(source: str, package: str, modules: set[str] = MODULES) -> set[str]:
    """The modules that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules else base)
    return found


def imports_of(path: Path) -> set[str]:
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    return imported(path.read_text("utf-8"), package)


def room_of(module: str) -> str:
    """The room of a module of facewave, "" for the shared ones."""
    return "" if module in SHARED else module.split(".")[1]


def may_import(room: str, target: str) -> bool:
    """Whether a room may import a module of facewave."""
    there = room_of(target)
    if room == "" and target == "facewave.app.api":  # the package's own names
        return True
    if there in ("", room) or room == "app":
        return True
    if there == "workspace":  # every room finds its dataset there, but for the pure modules
        return room not in ("", "models", BESIDE)
    if room in ("", BESIDE) or there not in ROOMS or ROOMS.index(there) >= ROOMS.index(room):
        return False
    # The study does again what the rooms before it do, under other settings. What follows the
    # answers needs no model: a plot never asks one again.
    pure = there in ("models", "prompts") and room not in ("evaluation", "report")
    return room == "study" or pure or target in {f"facewave.{there}.schema", *GEOMETRY}


def test_the_rooms_are_those_of_the_plan() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == {*ROOMS, BESIDE} - {"workspace"}
    modules = {name_of(path) for path in PACKAGE.glob("*.py")}
    assert modules == SHARED | {"facewave.workspace"}


def test_rooms_import_only_what_they_may() -> None:
    wrong = {
        f"{name_of(path)} imports {target}"
        for path in FILES
        for target in imports_of(path)
        if target.split(".")[0] == "facewave" and not may_import(room_of(name_of(path)), target)
    }
    assert wrong == set()


def test_the_rules_refuse_what_they_should() -> None:
    allowed = ["training labels.schema", "training prompts.examples", "training workspace",
               "prediction models.classifiers.classifier", "prediction training.schema",
               "evaluation prediction.schema", "wavelets workspace", "workspace wavelets.schema",
               "study training.fit", "study evaluation.intervals", "app training.fit",
               "demo assets"]  # fmt: skip
    refused = [" labels.schema", " workspace", "labels landmarks.schema", "models workspace",
               "models prompts.templates", "models wavelets.schema", "wavelets demo.clips",
               "workspace landmarks.cache", "workspace training.schema", "prompts landmarks.cache",
               "training labels.cleaning", "training labels", "evaluation study.grid",
               "evaluation models.classifiers.classifier", "report study.grid",
               "report prompts.examples", "report evaluation.measures", "demo landmarks.schema",
               "demo workspace"]  # fmt: skip
    for pair in allowed + refused:
        room, _, target = pair.partition(" ")
        assert may_import(room, f"facewave.{target}") == (pair in allowed), pair


def test_imports_are_found_in_every_form() -> None:
    for source, expected in (
        ("import facewave.labels.schema", {"facewave.labels.schema"}),
        ("from facewave.labels import schema as s", {"facewave.labels.schema"}),
        ("from facewave.labels.schema import COLUMNS", {"facewave.labels.schema"}),
        ("def f():\n    from facewave import params as p", {"facewave.params"}),
        ("from . import schema", {"facewave.labels.schema"}),
        ("from ..landmarks import schema", {"facewave.landmarks.schema"}),
        ("from .schema import COLUMNS", {"facewave.labels.schema"}),
    ):
        assert imported(source, "facewave.labels") == expected


# transformers loads a backbone's weights from a folder or its cache: that takes a path.
LOADS = PACKAGE / "models/vlm/backbones.py"


def test_models_touch_no_files() -> None:
    libraries = {"pathlib", "os", "io", "json", "tempfile", "shutil", "pandas", "pyarrow", "csv"}
    for path in {*(PACKAGE / "models").rglob("*.py")} - {LOADS}:
        roots = {name.split(".")[0] for name in imports_of(path)}
        assert roots & libraries == set(), path
        assert "facewave.files" not in imports_of(path), path
        assert not re.search(r"\bopen\(", path.read_text("utf-8")), path


# The handle is made of these two rooms' schemas: they place what they write themselves.
FIRST = ("labels", "landmarks")
ELSEWHERE = ("data/answers", "data/raw/demo")  # of all datasets; what the demo's maker writes


def data_paths(source: str) -> list[str]:
    """Texts that are paths below data/."""
    found = re.findall(r"""(?<!"")["'](data/[^\s"']*)["']|\bPath\(["'](data)["']\)""", source)
    return [path or data for path, data in found if not (path or data).startswith(ELSEWHERE)]


def test_only_the_workspace_builds_paths_below_data() -> None:
    found = {
        name_of(path): lines
        for path in FILES
        if room_of(name_of(path)) not in FIRST and (lines := data_paths(path.read_text("utf-8")))
    }
    assert list(found) == ["facewave.workspace"]
    assert "from facewave.workspace import DATA" not in "".join(map(Path.read_text, FILES))
    for source in ('Path("data")', 'f"data/labels/{name}.csv"', 'open("data/features/demo/a.npy")'):
        assert data_paths(source), source
    assert not data_paths('"""data/labels/ has them."""\nPath("data/answers")\n"database"')


def offences(source: str) -> list[str]:
    """What runs foreign code, hides a mismatch or swallows a bug, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import() | ast.ImportFrom():
                names = {alias.name for alias in node.names}
                module = getattr(node, "module", None) or ""
                if (module, names) != ("pickle", {"UnpicklingError"}):  # what torch.load raises
                    names.add(module)
                bad = {name.split(".")[0] for name in names} & {"pickle", "dill", "cloudpickle"}
                if getattr(node, "module", "") in {"torch", "joblib"}:
                    bad |= {"load"} & names
                found += [f"{node.lineno}: import {name}" for name in bad]
            case ast.Call():
                called = ast.unparse(node.func)
                options = {word.arg for word in node.keywords}
                if called == "joblib.load" or (
                    called == "torch.load" and "weights_only" not in options
                ):
                    found.append(f"{node.lineno}: {called}")
                for word in node.keywords:
                    value = word.value.value if isinstance(word.value, ast.Constant) else "?"
                    if (
                        (word.arg == "allow_pickle" and value is not False)
                        or (word.arg == "trust_remote_code" and value is not False)
                        or (word.arg == "weights_only" and value is not True)
                        or (word.arg == "strict" and value is False and called != "zip")
                    ):
                        found.append(f"{node.lineno}: {ast.unparse(word)}")
            case ast.ExceptHandler():
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                broad = {None, "Exception", "BaseException"}
                if broad & {kind and ast.unparse(kind) for kind in kinds}:
                    found.append(f"{node.lineno}: broad except")
    return found


def test_nothing_forbidden_is_called() -> None:
    found = [f"{path}:{line}" for path in FILES for line in offences(path.read_text("utf-8"))]
    assert found == []


def test_what_is_forbidden_is_found_and_what_is_allowed_passes() -> None:
    for source in (
        "import pickle",
        "from pickle import loads",
        "from pickle import UnpicklingError, loads",
        "from torch import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=choice)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=choice)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "model.load_state_dict(weights, strict=False)",
        "try:\n    f()\nexcept:\n    pass",
        "try:\n    f()\nexcept Exception as error:\n    pass",
        "try:\n    f()\nexcept (OSError, Exception):\n    pass",
    ):
        assert offences(source) != [], source
    for source in (
        "zip(a, b, strict=False)",
        "from pickle import UnpicklingError",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "json.load(file)",
        "try:\n    f()\nexcept (OSError, ValueError):\n    pass",
    ):
        assert offences(source) == [], source


CONTENT: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
# But for `list`, which depends on nothing: it runs every time.
STAGES = {name: stage.get("do", stage) for name, stage in CONTENT.items() if name != "list"}


def test_a_stage_of_one_dataset_depends_on_nothing_of_another() -> None:
    for name, stage in CONTENT.items():
        each = stage.get("do", {})
        assert name == "report" or "datasets" not in stage.get("do", stage).get("params", [])
        for param in each.get("params", []):
            assert not param.startswith("datasets") or param == "datasets.${key}", (name, param)
        for path in (*each.get("deps", []), *outputs(each)):
            assert path.startswith("src/") or "${key}" in path, (name, path)


def test_no_model_is_asked_after_predict_and_no_language_model_by_classifiers() -> None:
    asking = [name for name, stage in STAGES.items() if "models/trained" in stage["deps"]]
    assert asking == ["predict", "study"]
    code = re.compile(r"src/facewave/(models|training|prompts)\b|data/raw|models/")
    for name in ("evaluate", "report"):
        assert [dep for dep in STAGES[name]["deps"] if code.match(dep)] == []
    languages = re.compile(r"(src/)?facewave[./](models$|models[./]vlm|prompts|training[./]lang)")
    study = {path.name: imports_of(path) for path in (PACKAGE / "study").glob("*.py")}
    asks = {name for name, modules in study.items() if any(map(languages.match, modules))}
    assert asks == {"language.py"}
    classifiers = [*(PACKAGE / "models/classifiers").glob("*.py")]
    classifiers += [PACKAGE / "training" / f"{name}.py"
                    for name in ("classifier", "fit", "loop", "losses", "parts")]  # fmt: skip
    for path in classifiers:
        assert [module for module in imports_of(path) if languages.match(module)] == [], path


def room_run_by(stage: dict[str, Any]) -> str:
    match = re.search(r"\bpython -m facewave\.(\w+)(?:\.listing)?( \$\{key\})?$", stage["cmd"])
    assert match, stage["cmd"]
    return match[1]


def outputs(stage: dict[str, Any]) -> list[str]:
    listed = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in listed]


def test_every_room_with_a_command_is_one_stage() -> None:
    runnable = [room for room in ROOMS if (PACKAGE / room / "__main__.py").exists()]
    assert list(dict.fromkeys(room_run_by(stage) for stage in STAGES.values())) == runnable


BASICS = {f"facewave{name}" for name in ("", ".params", ".parsing", ".errors", ".files")}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_its_room_and_on_what_that_imports(name: str) -> None:
    stage = STAGES[name]
    assert f"src/facewave/{room_run_by(stage)}" in stage["deps"]
    for dep in stage["deps"]:
        assert "${" in dep or not dep.startswith("src/") or (ROOT / dep).exists(), dep
    files = [path for path in FILES if room_of(name_of(path)) == room_run_by(stage)]
    ours = {
        f"src/{module.replace('.', '/')}.py"
        for module in set().union(*map(imports_of, files)) - BASICS
        if module.split(".")[0] == "facewave"
    }
    covered = tuple(dep.removesuffix(".py") for dep in stage["deps"])
    assert [module for module in ours if not module.startswith(covered)] == []


def test_the_study_depends_on_all_that_its_trainings_run() -> None:
    """It does again what other rooms do; so it depends on what they import, inside functions, too.

    But for the basics, and for what packages alone have (``__init__.py`` without code).
    """
    paths, waiting = {name_of(path): path for path in FILES}, ["facewave.study.__main__"]
    followed: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in paths and module not in followed:
            followed.add(module)
            waiting += imports_of(paths[module])
    assert {f"facewave.training.{name}" for name in ("budget", "reinforcement")} <= followed
    covered = tuple(dep.removesuffix(".py") for dep in STAGES["study"]["deps"])
    sources = {name: f"src/{name.replace('.', '/')}" for name in followed - BASICS}
    missing = [name for name, source in sources.items() if not source.startswith(covered)]
    assert [name for name in missing if paths[name].name != "__init__.py"] == []


def test_who_gathers_what_can_be_learnt_depends_on_pseudo_labels() -> None:
    """``Dataset.clips`` reads them where no rows are named."""
    gathers = re.compile(r"\.clips\((features=features)?\)")
    rooms = {room_of(name_of(path)) for path in FILES if gathers.search(path.read_text("utf-8"))}
    taught = {name for name, stage in STAGES.items() if "data/pseudo" in stage["deps"]}
    assert {name for name, stage in STAGES.items() if room_run_by(stage) in rooms} == taught
    assert taught == {"train", "predict", "study"}
    assert all("src/facewave/pseudo/schema.py" in STAGES[name]["deps"] for name in taught)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_sections_that_exist(name: str) -> None:
    sections = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    named = {param.split(".")[0] for param in STAGES[name]["params"]}
    assert named <= set(sections)
    own = {room_run_by(STAGES[name]), name} & set(sections)
    assert own or name in ("predict", "report"), "no section has the stage's name or its room's"
    assert own <= named


def test_no_two_stages_write_one_place() -> None:
    written = [path for stage in STAGES.values() for path in outputs(stage)]
    assert len(written) == len(set(written))
    assert all(path.split("/")[0] in {"data", "models", "metrics"} for path in written)
    assert not [path for path in written if path.startswith("data/raw")]


# Put together, so that this file does not hold what it looks for.
PRIVATE = re.compile(r"(?<![\w.}$])/(?:" + "|".join(["home", "Users", "root", "work"]) + r")/[\w.]")


@pytest.mark.skipif(
    not shutil.which("git") or not (ROOT / ".git").exists(), reason="no git checkout here"
)
def test_no_path_of_somebodys_machine_is_in_a_file() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    assert PACKAGE / "params.py" in files
    contents = {path.name: path.read_bytes() for path in files}
    texts = {name: text.decode("utf-8", "replace")
             for name, text in contents.items() if b"\0" not in text[:8000]}  # fmt: skip
    assert [name for name, text in texts.items() if PRIVATE.search(text)] == []
    for folder in ("home", "Users", "root", "work"):
        assert PRIVATE.search(f'root: "/{folder}/me/data"')
        assert not PRIVATE.search(f"data/{folder}/a https://host/{folder}/a")
