"""What a study has made before and need not make again: tables and runs with the same key.

A key hashes what figures follow from: settings, inputs, and the modules that compute them, not
whole rooms. Editing the language models, a plot or the report changes no key.
"""

import ast
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from facewave.files import read_csv, sha256, write_csv, write_json
from facewave.study.scores import MEASURES

OUT = Path("metrics/study")
RUNS, KEYS = OUT / "runs.csv", OUT / "keys.json"
_SOURCE = Path(__file__).parents[1]
_TEXTS = [f"{part}{name}_by_fold" for name in MEASURES for part in ("", "val_")]  # "50.00" stays so
# Not hashed, since no figure follows from them: settings, texts, files, what models share, plots.
_UNHASHED = (
    *("params", "errors", "files", "training/schema", "prediction/schema"),
    *("study/teaching_plots", "study/pseudo_plots"),
)


def code(*modules: str, lazily: bool = False) -> str:
    """The hash of some modules of the study and of all that they import at their top level.

    ``lazily``: also of what is imported inside functions.
    """
    paths: set[Path] = set()
    waiting = [f"study/{module}" for module in modules]
    while waiting:
        path = _SOURCE / f"{(name := waiting.pop())}.py"
        if path in paths or name in _UNHASHED or not path.exists():
            continue
        paths.add(path)
        tree = ast.parse(path.read_bytes())
        for node in ast.walk(tree) if lazily else tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facewave"):
                imported = str(node.module).replace(".", "/").removeprefix("facewave").lstrip("/")
                waiting += [imported, *(f"{imported}/{n.name}".lstrip("/") for n in node.names)]
    return key(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)))


def key(*follows_from: Any) -> str:
    """A short name for what figures follow from: settings and hashes, as JSON has them."""
    content = json.dumps(follows_from, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def table(name: str, made_from: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table of the study: the present one if it was made under the same key, else a new one."""
    path = OUT / f"{name}.csv"
    try:
        keys = dict(json.loads(KEYS.read_text("utf-8")))
    except (FileNotFoundError, TypeError, ValueError):
        keys = {}
    if not path.exists() or keys.get(name) != [made_from, sha256(path)]:
        write_csv(path, make())
        write_json(KEYS, dict(sorted((keys | {name: [made_from, sha256(path)]}).items())))
    return read_csv(path)


def runs() -> dict[str, dict[str, Any]]:
    """The rows of runs.csv by their keys; none if the file is no table.

    Truncated lines, or those that git has put between two versions, are no runs.
    """
    types = dict.fromkeys(("k", "n", "groups", "folds"), "Int64")  # integers, whatever is missing
    try:
        rows = read_csv(RUNS, (*_TEXTS, "key"), types)
    except (FileNotFoundError, TypeError, ValueError):  # pandas' own errors are ValueErrors
        return {}
    return {row["key"]: row for row in rows.to_dict("records")} if "key" in rows else {}


save_runs = partial(write_csv, RUNS)
