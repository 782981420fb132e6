"""Labels that leak through networks that learnt from them before."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from facewave.errors import UserError
from facewave.files import sha256
from facewave.wavelets.schema import SEEN
from facewave.workspace import Clips

Before = list[list[str]]  # of datasets and partitions, in pairs
_LINEAGE = "lineage"  # what a file of weights calls it


@dataclass(frozen=True)
class Lineage:
    """What a network learnt from, and what the networks did that it started from.

    Attributes:
        before: datasets and partitions.
        learnt: keys of the clips whose labels it learnt (``keys``), in order.
        validated: of those that chose its epoch and fitted what is read from it.
    """

    before: Before
    learnt: Sequence[str] = ()
    validated: Sequence[str] = ()

    def beside(self, other: "Lineage") -> "Lineage":
        """What two of them know together."""
        before = [*self.before, *(pair for pair in other.before if pair not in self.before)]
        learnt, validated = {*self.learnt, *other.learnt}, {*self.validated, *other.validated}
        return Lineage(before, sorted(learnt), sorted(validated))

    def after(self, pair: list[str], learnt: Iterable[str], validated: Iterable[str]) -> "Lineage":
        """What it is after training on a dataset and partition, of which these are clips."""
        return self.beside(Lineage([pair], [*learnt], [*validated]))

    def shared(self, validated: Collection[str], tested: Collection[str]) -> set[str]:
        """Those of these clips of which it knows what it should not."""
        learnt = set(self.learnt) & {*validated, *tested}
        return learnt | (set(self.validated) & set(tested))

    def described(self) -> dict[str, str]:
        """The metadata of a file of weights."""
        return {_LINEAGE: json.dumps(asdict(self))}


NOTHING = Lineage([])


def keys(clips: Clips) -> list[str]:
    """Which clips these are: their bytes' keys, and the parts of them that rows are about.

    It is the same clip under another name, in another dataset or another part, while section
    ``landmarks`` is the same.
    """
    return keys_of(clips.index, clips.table["video_idx"])


def keys_of(index: pd.DataFrame, clips: pd.Series) -> list[str]:
    """The same of clips' names in an index of landmarks, by video_idx."""
    rows = index.loc[clips, ["key", "start", "end"]]
    return sorted(f"{key[:16]} {start:g} {end:g}" for key, start, end in rows.to_numpy() if key)


def of_file(weights: Path) -> Lineage | None:
    """What a .safetensors file that was written here says of itself; None of any other.

    Raises:
        SafetensorError: it is torn.
        TypeError, ValueError: what it says is damaged.
    """
    with safe_open(weights, "pt") as file:
        text = (file.metadata() or {}).get(_LINEAGE)
    return None if text is None else Lineage(**json.loads(text))


def of_encoder(wavelets: Mapping[str, Any]) -> Before:
    """What the frame encoder learnt from that looked at a dataset's faces, if here.

    ``wavelets`` is the features' config.json.
    """
    identity = wavelets.get("encoder", {}).get("identity") or {}
    return [list(pair) for pair in identity.get("learnt_from", [])]


def of_pseudo(clips: Clips) -> Lineage:
    """What those learnt from who gave clips their pseudo-labels, as far as it is known."""
    return Lineage(**{"before": []} | dict(clips.pseudo.lineage)) if clips.pseudo else NOTHING


def before(
    inputs: Sequence[str], wavelets: Mapping[str, Any], *others: Lineage
) -> dict[str, Before]:
    """``before`` of a model with these inputs, for its ``about``; {} if there is nothing to say.

    ``others`` are what else it learnt from: weights, or whoever labelled clips.
    """
    known = Lineage(of_encoder(wavelets) if set(SEEN) & set(inputs) else [])
    for other in others:
        known = known.beside(other)
    return {"before": known.before} if known.before else {}


def check_encoder(
    wavelets: Mapping[str, Any], clips: Clips, dataset: str, partitions: Iterable[str | int]
) -> None:
    """As ``check``, of the frame encoder that looked at a dataset's faces.

    Its clips are told by its file of weights, while that lies where it did. Else the names of
    datasets and partitions are compared, since two partitions have other test clips.
    """
    what, encoder = "the encoder of the faces", wavelets.get("encoder", {})
    weights = Path(str(encoder.get("name", "")).partition(":")[2], "model.safetensors")
    trained = (encoder.get("identity") or {}).get("trained", {})
    is_there = weights.is_file() and sha256(weights) == trained.get(weights.name)
    if lineage := of_file(weights) if is_there else None:
        check(lineage, what, clips, dataset, partitions)
        return
    known = [partition for name, partition in of_encoder(wavelets) if name == dataset]
    for partition in map(str, partitions):
        if others := [other for other in known if other != partition]:
            raise UserError(
                f"{what} learnt from partition {others[0]} of {dataset}, which has other test "
                f"clips than partition {partition}: their labels would leak. Set train.partitions: "
                f"[{others[0]}], or take one that learnt from another dataset."
            )


def check(
    lineage: Lineage, what: str, clips: Clips, dataset: str, partitions: Iterable[str | int]
) -> None:
    """Refuse a model that knows labels of clips on which it would be tested.

    Clips are compared, not names: another partition has other test parts, new folds have the old
    names, and a union tests clips of its members.

    Args:
        lineage: what it learnt from.
        what: it is, for the message.
        clips: all of the dataset that have a part.
        dataset: that is learnt from and tested.
        partitions: of it.

    Raises:
        UserError: it learnt from clips that are validated or tested on, or was validated on those
            that are tested.
    """
    for partition in partitions if lineage.learnt or lineage.validated else ():
        part = clips.parts(partition)
        val, test = (keys(clips.select(part == name)) for name in ("val", "test"))
        if shared := lineage.shared(val, test):
            named = ", ".join(f"partition {other} of {name}" for name, other in lineage.before)
            raise UserError(
                f"{what} learnt from {named}, and {len(shared)} of those clips are in the "
                f"validation or test part of partition {partition} of {dataset}: their labels "
                "would leak. Train on partitions that have them in their training parts "
                "(train.partitions), or take one that learnt from other clips."
            )
