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
_FEATURES = (
    "workspace.py",
    *(f"labels/{name}.py" for name in ("schema",)),
    *(f"landmarks/{name}.py" for name in ("headpose", "schema")),
    *(f"wavelets/{name}.py" for name in ("bases", "features", "schema", "transform")),
    "study/clips.py",
)
_ANSWERS = (
    *_FEATURES,
    *(f"models/classifiers/{name}.py" for name in ("classifier", "heads", "reduce")),
    *(f"training/{name}.py" for name in ("__init__", "classifier", "fit", "loop", "losses")),
    "training/parts.py",
    *(f"evaluation/{name}.py" for name in ("intervals", "measures")),
    "study/runs.py",
)
# The code that each part of the study follows from, as paths below src/facewave.
CODE = {
    "runs": _ANSWERS,
    "leakage": (*_ANSWERS, "study/leakage.py"),
    "removed": (*_ANSWERS, "study/thinned.py"),
    "importance": (*_ANSWERS, "study/importance.py", "study/face_map.py"),
    "reconstruction": (*_FEATURES, "models/classifiers/reduce.py", "study/reconstruction.py"),
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
