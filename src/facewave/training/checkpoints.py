"""What of a training run that was killed need not be done again: models/checkpoints/.

A finished role is trained again only if something that it follows from has changed. The folder
lies outside the stage's outputs and is not shared.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sklearn
import torch
from torch import Tensor

from facewave.files import sha256, write_json

ROOT = Path("models/checkpoints")
_FILES = ("config.json", "model.safetensors")


class Finished:
    """The record of one finished role.

    Args:
        partition: the role's.
        role: its name.
        model: the folder of the trained model.
        fingerprint: of all that the model follows from.
    """

    def __init__(self, partition: str | int, role: str, model: Path, fingerprint: str) -> None:
        self._path = ROOT / str(partition) / f"{role}.json"
        self._model, self._fingerprint = model, fingerprint

    def __bool__(self) -> bool:
        """Whether the model is there as this fingerprint once left it."""
        try:
            record = json.loads(self._path.read_bytes())
            return bool(record == self._record())
        except (FileNotFoundError, ValueError):
            return False

    def write(self) -> None:
        """Record that the model is finished."""
        write_json(self._path, self._record())

    def _record(self) -> dict[str, str]:
        files = {name: sha256(self._model / name) for name in _FILES}
        return {"fingerprint": self._fingerprint, **files}


def remove_all_but(partitions: Iterable[str], root: Path) -> None:
    """Remove the folders of partitions that are no longer trained."""
    kept = set(partitions)
    for path in root.iterdir() if root.exists() else ():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)


def digest(tensors: Iterable[Tensor]) -> str:
    """The SHA-256 of tensors' shapes and values."""
    hashed = hashlib.sha256()
    for tensor in tensors:
        hashed.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        hashed.update(tensor.contiguous().numpy().data)
    return hashed.hexdigest()


def fingerprint(data: str, code: Iterable[Path], *settings: Any) -> str:
    """The SHA-256 of a digest of the data, of code, of whatever has a repr, versions and device.

    Args:
        data: what ``digest`` gives.
        code: files and folders of the modules that the outcome follows from.
        settings: the rest.
    """
    environment = (torch.__version__, sklearn.__version__, torch.cuda.is_available())
    hashed = hashlib.sha256(repr((data, settings, environment)).encode())
    for path in code:
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            hashed.update(file.read_bytes())
    return hashed.hexdigest()
