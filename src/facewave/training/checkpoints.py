"""Where a training that was killed goes on: models/checkpoints/<partition>/<role>.safetensors.

Outside of the stage's outputs, which DVC removes before a run; gone once the stage has ended well.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facewave import models
from facewave.files import replacing

ROOT = Path("models/checkpoints")
_SHARE = 0.05  # of the time, at most, goes into writing


@dataclass(frozen=True, eq=False)
class Saved:
    """What a checkpoint holds.

    Attributes:
        tensors: by name.
        facts: what JSON can say beside.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Checkpoint:
    """One role's checkpoint: read once, written again and again.

    Args:
        path: the file.
        fingerprint: of all that decides the outcome; a file with another is as good as none.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._written, self._took = time.monotonic(), 0.0

    def read(self) -> Saved | None:
        """What was written last, None if there is nothing that fits and is whole."""
        try:
            with safe_open(self._path, "pt") as file:
                facts = json.loads((file.metadata() or {}).get("facts", "{}"))
                if facts.get("fingerprint") != self._fingerprint:
                    return None
                return Saved({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
        except (FileNotFoundError, SafetensorError):
            return None

    @property
    def due(self) -> bool:
        """Whether so much time has gone by that writing again costs little."""
        return time.monotonic() - self._written >= self._took / _SHARE

    def write(self, saved: Saved) -> None:
        """Put a new state in the old one's place."""
        started = time.monotonic()
        facts = json.dumps(saved.facts | {"fingerprint": self._fingerprint})
        with replacing(self._path) as temporary:
            save_file(saved.tensors, temporary, {"facts": facts})
        self._written = time.monotonic()
        self._took = self._written - started


def path(partition: str | int, role: str) -> Path:
    """Where a role's checkpoint lies."""
    return ROOT / str(partition) / f"{role}.safetensors"


def digest(tensors: Iterable[Tensor]) -> str:
    """The SHA-256 of tensors' shapes and values."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.contiguous().numpy().data)
    return found.hexdigest()


def fingerprint(data: str, *about: Any) -> str:
    """The SHA-256 of a digest of the data, of what can be printed, of code, versions and device."""
    here = (torch.__version__, sklearn.__version__, torch.cuda.is_available())
    found = hashlib.sha256(repr((data, about, here)).encode())
    for folder in (Path(__file__).parent, *map(Path, models.__path__)):
        for file in sorted(folder.glob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()
