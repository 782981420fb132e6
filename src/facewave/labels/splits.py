"""Folds and the 80/10/10 split: by subject, stratified, made once, stored and kept.

Clips of one subject (or, where nobody is named, one clip) stay together. What is stored wins over
what would be drawn, so a clip that is added moves no other clip to another part; only another
seed or number of folds draws anew.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import StratifiedGroupKFold
from typing_extensions import TypedDict

from facewave.errors import UserError
from facewave.files import write_json

SHARES: dict[Any, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
_TENTHS = 10


class _Stored(TypedDict):
    """What the file holds: the parts of each group, and what they were drawn with."""

    seed: int
    folds: int
    fold: dict[str, int]
    split: dict[str, Literal["train", "val", "test"]]


def assign(kept: pd.DataFrame, store: Path, folds: int, seed: int) -> pd.DataFrame:
    """Fold (1..folds; official ones stay) and split of each clip, remembered in ``store``.

    Args:
        kept: video_idx, subject, label, fold of the clips that are not excluded.
        store: JSON file of the groups' parts; read if it fits ``folds`` and ``seed``, else made.
        folds: how many to make where there are no official ones.
        seed: of the drawing.

    Returns:
        Columns fold (Int64) and split, with ``kept``'s index.

    Raises:
        UserError: fewer groups than folds, or than three parts need.
    """
    groups = kept["subject"].where(kept["subject"] != "", "clip " + kept["video_idx"])
    stored = _load(store)
    if stored.get("seed") != seed or stored.get("folds") != folds:
        stored = {"seed": seed, "folds": folds, "fold": {}, "split": {}}
    if bad := [n for n in stored["fold"].values() if not 1 <= n <= folds]:
        raise UserError(
            f"{store} is damaged (there is no fold {bad[0]}). Restore it with git, or delete it to "
            "draw new folds."
        )
    without = kept["fold"].isna()
    official = not without.all()
    if official and without.any():
        first = kept.loc[without, "video_idx"].iloc[0]
        raise UserError(
            f"clip {first} has no fold, and {(~without).sum()} others have one. Give every clip "
            "its official fold, or none."
        )
    fold = {} if official else _complete(stored["fold"], kept["label"], groups, folds, seed)
    split = _complete(stored["split"], kept["label"], groups, None, seed)
    write_json(store, {"seed": seed, "folds": folds, "fold": fold, "split": split})
    return pd.DataFrame(
        {
            "fold": kept["fold"] if official else groups.map(fold).astype("Int64"),
            "split": groups.map(split),
        }
    )


def _complete(
    stored: dict[str, Any], labels: pd.Series, groups: pd.Series, folds: int | None, seed: int
) -> dict[str, Any]:
    """Parts of all groups: the stored ones, drawn ones if nothing is stored, greedy for new ones.

    ``folds`` None means the split into train, val and test.
    """
    parts = dict(stored) or _draw(labels, groups, folds, seed)
    shares = SHARES if folds is None else {k: 1 / folds for k in range(1, folds + 1)}
    sizes = groups.value_counts()
    held = {part: sum(sizes.get(g, 0) for g, p in parts.items() if p == part) for part in shares}
    for group in sorted(set(groups) - set(parts)):  # to the part that lacks most of its share
        part = max(shares, key=lambda p: shares[p] * len(groups) - held[p])
        parts[group] = part
        held[part] += sizes[group]
    return dict(sorted(parts.items()))


def _draw(labels: pd.Series, groups: pd.Series, folds: int | None, seed: int) -> dict[str, Any]:
    n_groups = groups.nunique()
    largest_class = int(max(labels.value_counts(), default=0))
    wanted = folds or max(len(SHARES), min(_TENTHS, n_groups, largest_class))
    if min(n_groups, largest_class) < wanted:
        few = f"{n_groups} subjects" if n_groups < wanted else f"{largest_class} clips of one word"
        raise UserError(
            f"{few} cannot fill {wanted} parts that share none. Lower labels.folds, or add clips."
        )
    cut = StratifiedGroupKFold(wanted, shuffle=True, random_state=seed)
    number = np.zeros(len(labels), int)
    with warnings.catch_warnings():
        # A word with fewer clips than parts is no mistake: the parts without it have none to test.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for k, (_, test) in enumerate(cut.split(labels, labels, groups), start=1):
            number[test] = k
    by_group = dict(zip(groups, number.tolist(), strict=True))
    if folds:
        return by_group
    return {group: {1: "test", 2: "val"}.get(k, "train") for group, k in by_group.items()}


def _load(store: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(store.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{store} is damaged ({error}). Restore it with git, or delete it to draw new folds."
        ) from None
    try:
        return TypeAdapter(_Stored).validate_python(content, strict=True)
    except ValidationError as error:
        raise UserError(
            f"{store} is damaged ({error.error_count()} wrong entries). Restore it with git, or "
            "delete it to draw new folds."
        ) from None
