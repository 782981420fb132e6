"""Facts about the clips' files for cleaning: whether they exist, open, and have copies."""

import hashlib
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from facewave.files import sha256
from facewave.labels.cleaning import FileFact
from facewave.pictures import files_of
from facewave.video import Clip


def inspect(root: Path, paths: list[str]) -> dict[str, FileFact]:
    """Whether each clip exists and opens, and which clips have the same bytes."""
    by_size = defaultdict(list)
    opened = {}
    for path in tqdm(paths, desc=f"clean {root}", unit="clip"):
        if exists(root / path):
            opened[path] = inspect_clip(root / path)
            if not opened[path].problem:
                files = files_of(root / path)
                by_size[len(files), sum(file.stat().st_size for file in files)].append(path)
    # Only clips of equal size can be copies, so few must be read.
    suspects = [path for same_size in by_size.values() if len(same_size) > 1 for path in same_size]
    twins = {path: _digest(root / path) for path in suspects}
    missing = FileFact(exists=False)
    return {path: replace(opened.get(path, missing), twin=twins.get(path, "")) for path in paths}


def exists(path: Path) -> bool:
    """Whether a file or folder exists; Path.exists raises for names that are too long."""
    return os.path.exists(path)  # noqa: PTH110


def inspect_clip(path: Path) -> FileFact:
    """Whether an existing clip can be opened; its content is checked by stage extract."""
    files = files_of(path)
    if files and not files[0].is_file():
        return FileFact(exists=True, problem="not a file")
    return FileFact(exists=True, problem=Clip(path, fps=0.0).problem)


def _digest(path: Path) -> str:
    """Equal for clips with the same bytes in the same order."""
    return hashlib.sha256("".join(map(sha256, files_of(path))).encode()).hexdigest()
