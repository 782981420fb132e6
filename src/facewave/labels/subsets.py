"""A stratified order of a corpus's clips: every slice of it is a stratified subset."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def rank(table: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Each clip's position, in [0, 1), in the order.

    The clips of each word are spread evenly over [0, 1), and so are those of the word in each
    fold and part, so that any slice has words, folds and parts in their proportions. Rows about
    one file have one position.

    Args:
        table: file_path, dataset, and what to stratify by: word, fold and part. A file's place
            among its like depends on its name and the seed alone.
        seed: of the order.

    Returns:
        (n,), in the order of ``table``.
    """
    files = table["dataset"] + "/" + table["file_path"]
    rows = table.assign(file=files)[~files.duplicated()]
    work = pd.DataFrame({"file": rows["file"].to_numpy()})
    work["key"] = work["file"].map(lambda name: _uniform(name, seed))
    work["word"] = (rows["dataset"] + " " + rows["word"]).to_numpy()
    work["cell"] = work["word"] + [
        f" {fold} {part}" for fold, part in zip(rows["fold"], rows["part"], strict=True)
    ]
    # Systematic sampling: within its cell a clip has an even place, shifted by the cell's own draw.
    cell = work.groupby("cell")["key"]
    shift = work["cell"].map(lambda name: _uniform(name, seed))
    place = (cell.rank(method="first") - 1 + shift) / cell.transform("size")
    word = place.groupby(work["word"])
    order = (word.rank(method="first") - 0.5) / word.transform("size")
    return files.map(dict(zip(work["file"], order, strict=True))).to_numpy(float)


def _uniform(name: str, seed: int) -> float:
    """A number in [0, 1) that a name and a seed fix."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
