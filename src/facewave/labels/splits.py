"""Folds, the 80/10/10 split and validation: the official ones, else drawn once and kept.

Drawn parts share no subject and no source (no clip, where neither is named), are stratified by
word, and are stored. Stored parts win over what would be drawn, so an added clip moves no other;
only another seed or another number of folds draws again. Clips without a word that is sure are
placed after the others, beside the clips of the same people and films; those without any label are
not drawn, and train where nobody of theirs is tested. Of few clips fewer folds are drawn, or none,
and a split without validation or without a test part (``shortage`` says so).
"""

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from facewave.errors import UserError
from facewave.files import write_json
from facewave.labels.schema import groups, owners

Part = int | Literal["train", "val", "test"]
SHARES: dict[Part, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
CARVED: dict[Part, float] = {"train": 0.9, "val": 0.1}  # of what an official test part leaves
_TENTHS = 10
_FEWEST_FOLDS = 3  # test, validation, train
_ADVICE = "Restore it with git, or delete it to draw new folds."


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class _Stored:
    """The content of the store: the part of each owner, and the settings of the drawing."""

    seed: int
    folds: int
    fold: dict[str, int]
    split: dict[str, Literal["train", "val", "test"]]
    carved: dict[str, Literal["train", "val"]]


def assign(
    kept: pd.DataFrame,
    store: Path,
    folds: int,
    seed: int,
    ambiguous: pd.DataFrame | None = None,
    unlabelled: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fold, split and validation of each clip, remembered in ``store``.

    Official folds (column ``fold``) stay, with a tenth set aside to validate when it is not tested,
    and an 80/10/10 split is drawn beside them. An official split (column ``part``) stays, and a
    tenth of its training part validates unless it has a validation part; no folds are drawn. Else
    folds and split are drawn.

    Args:
        kept: dataset, video_idx, subject, source, actual, quadrant, and fold or part, of the clips
            that are not excluded; official folds or parts are given for all clips of a dataset.
        store: JSON file of the groups' parts; read if it fits ``folds`` and ``seed``, else made.
        folds: how many to make where there are no official ones; fewer if the clips do not suffice,
            and none if they do not suffice for three.
        seed: of the drawing.
        ambiguous: further rows with the same columns, official parts or not. They do not change
            where the others are. One that would tie clips of different parts together has none:
            its split is "".
        unlabelled: the same, of rows that have nothing to be tested on. They are where their people
            and films are, else they train; nothing of them is stored.

    Returns:
        Columns fold (Int64), split and validation (boolean), with the index of ``kept``, then that
        of ``ambiguous`` and of ``unlabelled``. Where folds are official, a row without one, of
        nobody in any, has none.

    Raises:
        UserError: there is nothing to train on, or a damaged store.
    """
    stored = _load(store)
    if stored is None or (stored.seed, stored.folds) != (seed, folds):
        stored = _Stored(seed, folds, {}, {}, {})
    if bad := [number for number in stored.fold.values() if not 1 <= number <= folds]:
        raise UserError(f"{store} is damaged (there is no fold {bad[0]}). {_ADVICE}")
    clips = _clips(kept)
    in_parts = bool((kept["part"] != "").any())
    in_folds = bool(kept["fold"].notna().any())
    carves = (in_folds or in_parts) and not (kept["part"] == "val").any()
    n_folds = min(folds, _most_parts(clips))
    if stored.fold:
        n_folds = max(_FEWEST_FOLDS, *stored.fold.values())
    equal: dict[Part, float] = {k: 1 / n_folds for k in range(1, n_folds + 1)}
    draws = {
        "fold": (n_folds >= _FEWEST_FOLDS and not in_parts and not in_folds, equal),
        "split": (not in_parts, SHARES),
        "carved": (carves, CARVED),
    }
    if carves and (kept["part"] == "test").all():
        raise UserError("every clip is in the official test part: there is none to train on.")
    parts = asdict(stored)
    for rows in (kept, *([] if ambiguous is None else [_with_official(kept, ambiguous)])):
        clips = _clips(rows)
        for name, (is_drawn, shares) in draws.items():
            if is_drawn and len(rows):  # what is not drawn now is kept as it is stored
                drawn = clips[rows["part"] != "test"] if name == "carved" else clips
                parts[name] = _complete(dict(parts[name]), drawn, shares, seed)
    write_json(store, parts)

    others = [further for further in (ambiguous, unlabelled) if further is not None]
    rows = _with_official(kept, *others) if others else kept
    clips = _clips(rows)
    aside = clips["owner"].map(parts["carved"] if carves else {}).astype(object)
    aside = aside.where(rows["part"] != "test")
    official = rows["part"].where(rows["part"] != "train", aside.fillna("train"))
    validation = pd.Series(pd.NA, rows.index, dtype="boolean")
    if in_folds:
        validates = (aside if carves else rows["part"]) == "val"
        validation = validates & rows["fold"].notna()  # without a fold a row trains
    fold = clips["owner"].map(parts["fold"]) if draws["fold"][0] else rows["fold"]
    placed = pd.DataFrame(
        {
            "fold": fold.astype("Int64"),
            "split": official
            if in_parts
            else clips["owner"].map(lambda owner: parts["split"].get(owner, "train")),
            "validation": validation.astype("boolean"),
        }
    )
    places = placed.groupby(clips["group"])
    torn = pd.concat([places[name].transform("nunique", dropna=False) for name in placed], axis=1)
    torn = (torn > 1).any(axis=1) & ~placed.index.isin(kept.index)
    placed.loc[torn, "split"] = ""
    placed.loc[torn, ["fold", "validation"]] = pd.NA
    return placed


def _clips(rows: pd.DataFrame) -> pd.DataFrame:
    """What drawing needs of each clip: its class, its owner and its group."""
    strata = rows["dataset"] + " " + rows["actual"].where(rows["actual"] != "", rows["quadrant"])
    return pd.DataFrame({"strata": strata, "owner": owners(rows), "group": groups(rows)})


def _with_official(kept: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    """All rows; the others in the official fold and part of their group, where they lack one.

    Where the parts are official, what is in none trains.
    """
    rows = pd.concat([kept, *others])
    names = groups(rows)
    of_group = kept.groupby(names[kept.index])[["fold", "part"]].first()
    rows["fold"] = rows["fold"].fillna(names.map(of_group["fold"]))
    if (kept["part"] != "").any():
        part = names.map(of_group["part"]).fillna("train")
        rows["part"] = rows["part"].where(rows["part"] != "", part)
    return rows


def shortage(kept: pd.DataFrame, folds: int, store: Path) -> str:
    """What to know where fewer than ``folds`` folds are drawn, with what to do; "" where all are.

    ``kept`` is as for ``assign``, with the folds that it gives; ``store`` is its store.
    """
    n_folds = kept["fold"].nunique()
    is_official = (kept["part"] != "").any() or kept["validation"].notna().any()
    if is_official or n_folds >= folds:
        return ""
    clips = pd.DataFrame({"strata": kept["actual"], "group": groups(kept)})
    n_groups, largest = clips["group"].nunique(), int(clips["strata"].value_counts().max())
    kinds = clips["group"].str.partition(" ")[0].unique()
    named = " or ".join(f"{kind}s" for kind in ("subject", "source", "clip") if kind in kinds)
    has = (
        f"the clips are of {n_groups} {named}"
        if named != "clips"
        else f"there are {n_groups} clips"
    )
    has += f", and at most {largest} clips have the same word"
    if n_folds:
        known = ", ".join(map(str, range(1, n_folds + 1)))
        return (
            f"{n_folds} folds instead of {folds}, because {has}. Set train.partitions to "
            f"[split, {known}]; once there are more clips, delete {store} to draw {folds}."
        )
    return (
        f"no folds, only a split, because {has}, and {_FEWEST_FOLDS} folds (test, "
        "validation, train) need as many of both. Set train.partitions to [split], or add clips."
    )


def _most_parts(clips: pd.DataFrame) -> int:
    """How many parts can be drawn that share no group, each with a clip of the largest class."""
    return min(clips["group"].nunique(), int(max(clips["strata"].value_counts(), default=0)))


def _complete(
    stored: dict[str, Part], clips: pd.DataFrame, shares: dict[Part, float], seed: int
) -> dict[str, Part]:
    """The parts of all owners: as stored, with what is missing placed or drawn by groups.

    ``clips`` has the strata, owner and group of each clip, ``shares`` each part's share of them.
    """
    owners = dict(zip(clips["owner"], clips["group"], strict=True))
    parts: dict[str, Part] = {}  # of the groups
    for owner, group in owners.items():
        if owner in stored:
            parts.setdefault(group, stored[owner])
    if not parts:
        parts = _draw(clips, shares, seed)
    # Each new group goes where its classes are furthest below their share.
    sizes = pd.crosstab(clips["group"], clips["strata"])  # clips of each group and class
    placed = sizes.index.map(parts.get)
    held = {part: sizes[placed == part].sum().to_numpy(float) for part in shares}
    wanted = {part: share * sizes.sum().to_numpy(float) for part, share in shares.items()}
    newcomers = [name for name in sizes.index if name not in parts]
    for name in np.random.default_rng(seed).permutation(newcomers).tolist():
        count = sizes.loc[name].to_numpy(float)
        part = max(shares, key=lambda p: float(count @ (wanted[p] - held[p])))
        parts[name] = part
        held[part] += count
    return dict(sorted(({owner: parts[group] for owner, group in owners.items()} | stored).items()))


def _draw(clips: pd.DataFrame, shares: dict[Part, float], seed: int) -> dict[str, Part]:
    """The part of each group: folds, or tenths of which one tests, one validates, the others train.

    Of two parts one trains and the other tests (or validates, where nothing tests); one trains.
    """
    cuts = min(_TENTHS if "train" in shares else len(shares), _most_parts(clips))
    labels, names = clips["strata"], clips["group"]
    number = np.zeros(len(clips), int)
    if cuts > 1:
        # Where every clip is its own group both give the same kind of folds, and this one in
        # seconds.
        alone = names.nunique() == len(names)
        kind = StratifiedKFold if alone else StratifiedGroupKFold
        cut = kind(cuts, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A word with fewer clips than parts is no mistake: some parts have none of it.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            numbered = cut.split(labels, labels, None if alone else names)
            for k, (_, held_out) in enumerate(numbered, start=1):
                number[held_out] = k
    drawn = dict(zip(names, number.tolist(), strict=True))
    if "train" not in shares:
        return dict(drawn)
    tenths: dict[int, Part] = {1: "test", 2: "val"} if "test" in shares else {2: "val"}
    if cuts < len(shares):
        tenths.pop(2)
    return {name: tenths.get(k, "train") for name, k in drawn.items()}


def _load(store: Path) -> _Stored | None:
    try:
        return TypeAdapter(_Stored).validate_json(store.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        wrong = f"{error.error_count()} wrong entries"
        raise UserError(f"{store} is damaged ({wrong}). {_ADVICE}") from None
