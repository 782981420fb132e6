"""What the study's tables and runs follow from, as keys: equal keys, equal figures.

A key hashes settings, inputs, and the modules that are used, not whole rooms: editing the language
models, a plot or the report changes none.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SOURCE = Path(__file__).parents[1]


def _modules(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{room}/{name}.py" for name in names)


_FEATURES = (
    "workspace.py",
    *_modules("labels", "schema"),
    *_modules("landmarks", "headpose", "schema"),
    *_modules("wavelets", "bases", "features", "schema", "transform"),
    *_modules("study", "clips"),
)
_CLASSIFIERS = (
    *_modules("models/classifiers", "classifier", "heads", "reduce"),
    *_modules("training", "__init__", "classifier"),
    *_modules("evaluation", "intervals"),
)
_RUNS = (
    *_FEATURES,
    *_CLASSIFIERS,
    *_modules("training", "fit", "loop", "losses", "parts"),
    *_modules("evaluation", "measures"),
    *_modules("study", "runs"),
)
# The code that each part of the study follows from, as paths below src/facewave.
CODE = {
    "runs": _RUNS,
    "leakage": (*_RUNS, *_modules("study", "leakage")),
    "removed": (*_RUNS, *_modules("study", "thinned")),
    "importance": (*_FEATURES, *_CLASSIFIERS, *_modules("study", "importance", "face_map")),
    "reconstruction": (
        *_FEATURES,
        *_modules("models/classifiers", "reduce"),
        *_modules("study", "reconstruction"),
    ),
}


def key(code: Iterable[str], *follows_from: Any) -> str:
    """A short name for what figures follow from.

    Args:
        code: paths of modules below src/facewave.
        follows_from: settings and hashes of inputs, as JSON has them.
    """
    content = json.dumps(follows_from, sort_keys=True).encode()
    for path in sorted(code):
        content += (_SOURCE / path).read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]
