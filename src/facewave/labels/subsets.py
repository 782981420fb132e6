"""A stratified order of a corpus's clips, of which every slice is a stratified subset."""

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def rank(table: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Each clip's place, in [0, 1), in the order.

    The clips of each word are spread evenly over [0, 1), and so are those of the word in each
    fold and part, so that any slice has words, folds and parts in their proportions.

    Args:
        table: video_idx, dataset, and what to stratify by: word, fold and part. A clip's place
            among its like depends on its id and the seed alone.
        seed: of the order.

    Returns:
        (n,), in the order of ``table``.
    """
    key = (table["dataset"] + "/" + table["video_idx"]).map(lambda name: _uniform(name, seed))
    work = pd.DataFrame({"key": key.to_numpy()})
    work["word"] = (table["dataset"] + " " + table["word"]).to_numpy()
    work["cell"] = work["word"] + [
        f" {fold} {part}" for fold, part in zip(table["fold"], table["part"], strict=True)
    ]
    # Systematic sampling: within its cell a clip has an even place, shifted by the cell's own draw.
    cell = work.groupby("cell")["key"]
    shift = work["cell"].map(lambda name: _uniform(name, seed))
    place = (cell.rank(method="first") - 1 + shift) / cell.transform("size")
    word = place.groupby(work["word"])
    return ((word.rank(method="first") - 0.5) / word.transform("size")).to_numpy()


def _uniform(name: str, seed: int) -> float:
    """A number in [0, 1) that a name and a seed fix."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
