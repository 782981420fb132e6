"""What a killed training run need not do again: models/checkpoints/.

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
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facewave.files import replacing, sha256, write_json

ROOT = Path("models/checkpoints")


class Finished:
    """The record of a finished role; true while the model is as the same fingerprint left it."""

    def __init__(self, partition: str | int, role: str, model: Path, fingerprint: str) -> None:
        self._path = ROOT / str(partition) / f"{role}.json"
        self._model, self._fingerprint = model, fingerprint

    def __bool__(self) -> bool:
        try:
            return bool(json.loads(self._path.read_bytes()) == self._record())
        except (FileNotFoundError, ValueError):
            return False

    def write(self) -> None:
        """Record that the model is finished."""
        write_json(self._path, self._record())

    def _record(self) -> dict[str, str]:
        files = ("config.json", "model.safetensors", "README.md")
        hashes = {name: sha256(self._model / name) for name in files}
        return {"fingerprint": self._fingerprint, **hashes}


def remove_all_but(names: Iterable[str], folder: Path) -> None:
    """Remove the subfolders with other names."""
    kept = set(names)
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)


def digest(tensors: Iterable[Tensor]) -> str:
    """The SHA-256 of the tensors' shapes, types and values."""
    hashed = hashlib.sha256()
    for tensor in tensors:
        hashed.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        hashed.update(tensor.contiguous().numpy().data)
    return hashed.hexdigest()


def fingerprint(data: str, code: Iterable[Path], *settings: Any) -> str:
    """The SHA-256 of all that a model follows from, and of the versions of torch and scikit-learn.

    ``data`` is what ``digest`` returns; ``code`` are files and folders of modules; settings count
    by their repr.
    """
    environment = (torch.__version__, sklearn.__version__, torch.cuda.is_available())
    hashed = hashlib.sha256(repr((data, settings, environment)).encode())
    for path in code:
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            hashed.update(f"{file.name} {sha256(file)}".encode())
    return hashed.hexdigest()


def save_state(path: Path, state: Any) -> None:
    """Write what a training goes on from: tensors, numbers and texts in dicts and lists."""
    tensors: dict[str, Tensor] = {}

    def told(value: Any) -> Any:
        if isinstance(value, Tensor):
            name = str(len(tensors))
            tensors[name] = value.detach().cpu().contiguous()
            return {"tensor": name}
        if isinstance(value, dict):  # of numbers, too, as an optimizer's: JSON's have texts alone
            return {"dict": [[key, told(item)] for key, item in value.items()]}
        return [told(item) for item in value] if isinstance(value, list | tuple) else value

    written = json.dumps(told(state))
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"state": written})


def load_state(path: Path) -> Any:
    """What ``save_state`` was given, on the CPU; None if it is not there, or damaged."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            return file.get_tensor(value["tensor"])
        return {key: read(item) for key, item in value["dict"]}

    try:
        with safe_open(path, framework="pt") as file:
            return read(json.loads(file.metadata()["state"]))
    except (FileNotFoundError, SafetensorError):
        return None
