"""Facts about the clips' files for cleaning: whether they exist, open, and have copies."""

import hashlib
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from facewave.files import sha256
from facewave.labels.cleaning import FileFact
from facewave.pictures import TRACKS, files_of, is_pictures
from facewave.video import Clip


def inspect(root: Path, paths: list[str]) -> dict[str, FileFact]:
    """Whether each clip exists and opens, its frame rate, and which clips have the same bytes."""
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
    if not files:
        return FileFact(exists=True, problem="a folder without pictures")
    if not files[0].is_file():
        return FileFact(exists=True, problem="not a file")
    if not any(file.stat().st_size for file in files):
        return FileFact(exists=True, problem="0 bytes")
    if path.suffix.lower() in TRACKS:
        return FileFact(exists=True)  # another tool's table, which stage extract reads
    clip = Clip(path, fps=0.0)
    if not clip.opened:
        what = "picture" if is_pictures(path) else "video"
        problem = f"not a {what}, or its header is damaged or cut off"
        return FileFact(exists=True, problem=problem)
    if is_pictures(path):
        return FileFact(exists=True)
    frames = clip.frames()
    problem = "" if next(frames, None) else "no frame can be decoded"
    frames.close()
    return FileFact(exists=True, problem=problem, fps=clip.fps)


def _digest(path: Path) -> str:
    """Equal for clips with the same bytes in the same order."""
    return hashlib.sha256("".join(map(sha256, files_of(path))).encode()).hexdigest()
