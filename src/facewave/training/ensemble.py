"""Several roles that answer as one (combination.py says how)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.params import apart
from facewave.targets import Target
from facewave.training import cards, combination, schema, untrained
from facewave.training.combination import Combination, Stacking
from facewave.training.schema import Trained
from facewave.training.untrained import Given, Untrained
from facewave.workspace import Clips


class TrainedEnsemble(Untrained):
    """Roles of the same partition, whose answers become one.

    Args (others as in ``Untrained``):
        members: role -> model.
        fingerprints: role -> ``schema.fingerprint`` of its folder.
        kind: what params.yaml calls it, or ``STUDENTS``.
        combined: how, and all that was chosen of it on validation clips.

    Raises:
        ValueError: the members were asked different things, or are not as many as the weights.
    """

    type = "ensemble"

    def __init__(
        self,
        members: dict[str, Trained],
        fingerprints: dict[str, str],
        kind: str,
        combined: Combination,
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.members, self.fingerprints, self.kind = members, fingerprints, kind
        self.combined, self.targets = combined, combined.targets
        differs = any(member.targets != self.targets for member in members.values())
        if differs or len(combined.weights_M) != len(members):
            raise ValueError("the members do not fit each other or their weights")
        unknown_W = np.full(sum(target.width for target in self.targets), np.nan)
        self.prior_W, self.margin_W = unknown_W, unknown_W.copy()
        self.inputs = tuple(dict.fromkeys(name for m in members.values() for name in m.inputs))
        self.encoder = next(filter(None, (member.encoder for member in members.values())), "")
        self.needs_pictures = any(member.needs_pictures for member in members.values())
        self.normalizes = any(member.normalizes for member in members.values())
        self.wavelets, self.about = wavelets, about

    def knows(self, target: Target) -> bool:
        """What any of its members knows."""
        return any(
            member.knows(target) if isinstance(member, Untrained) else True
            for member in self.members.values()
        )

    def taken(self, clips: Clips) -> NDArray[np.float32]:
        """What its members take, side by side."""
        members = [member for member in self.members.values() if member.inputs]
        return np.concatenate([member.taken(clips) for member in members], axis=2)

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers to whole files: with a median filter, moments follow from their neighbours."""
        tables = [member.answer(clips) for member in self.members.values()]
        return self.combined.together(clips, tables, self.margin_W)

    def describe(self) -> dict[str, Any]:
        """The members with their weights, and what each of them says of itself."""
        described = {role: member.describe() for role, member in self.members.items()}
        return {
            "kind": self.kind,
            "by": self.combined.by,
            "weights": dict(zip(self.members, self.combined.weights_M.tolist(), strict=True)),
            "median_s": self.combined.median_s,
            "transductive": any(about.get("transductive") for about in described.values()),
            "members": described,
            "about": self.about,
        } | ({"normalized": cards.NORMALIZED} if self.normalizes else {})

    def save(self, path: Path) -> None:
        """Write the folder: which folders beside it have the members, and what was chosen."""
        config = {
            "members": [
                {"folder": f"../{role}", "fingerprint": self.fingerprints[role]}
                for role in self.members
            ],
            "kind": self.kind,
            "by": self.combined.by,
            "median_s": self.combined.median_s,
        }
        numbers = {"weights": self.combined.weights_M}
        if stacking := self.combined.stacking:
            numbers |= {"coefficients": stacking.coefficients_CF}
            numbers |= {"intercepts": stacking.intercepts_C}
        untrained.write(path, self, config, numbers)

    @classmethod
    def load(cls, path: Path, config: dict[str, Any]) -> "TrainedEnsemble":
        """Rebuild it from its folder and its members'.

        Raises:
            UserError: a member is missing, damaged, or not the one that the ensemble was made of.
        """
        made_of = {Path(at["folder"]).name: at["fingerprint"] for at in config["members"]}
        members = {role: schema.load(path.parent / role) for role in made_of}
        for role, expected in made_of.items():
            if schema.fingerprint(path.parent / role) != expected:
                raise UserError(
                    f"{path.parent / role} is not what the ensemble in {path} was made of. Make "
                    "it again: dvc repro -f train"
                )
        targets = untrained.targets_of(config)
        first = combination.first_of_words(targets)
        shapes: dict[str, tuple[int, ...]] = {"weights": (len(members),)}
        if first and config["by"] == "stacking":
            shapes |= {"coefficients": (first.width, len(members) * first.width)}
            shapes |= {"intercepts": (first.width,)}
        numbers = untrained.read_numbers(path, targets, shapes)
        stacking = None
        if "intercepts" in shapes:
            stacking = Stacking(numbers["coefficients"], numbers["intercepts"])
        combined = Combination(
            config["by"], targets, numbers["weights"], stacking, config["median_s"]
        )
        about = (config["wavelets"], config["about"])
        model = cls(members, made_of, config["kind"], combined, *about)
        model.margin_W = numbers["margin"]
        return model


def learn(given: Given) -> TrainedEnsemble:
    """Load the members that params.yaml names, which are made before, and combine them."""
    settings = given.settings.ensemble
    roles = [schema.role_of(kind, given.settings) for kind in settings.roles]
    return _make(given, roles, "ensemble", settings.by, settings.median_s)


def of_students(given: Given) -> TrainedEnsemble:
    """The mean of the students."""
    return _make(given, schema.students(given.settings), schema.STUDENTS, "mean")


def of_face_and_voice(given: Given) -> TrainedEnsemble:
    """The two classifiers of late fusion; where a clip lacks one of both, the other answers."""
    roles, by = list(apart(given.settings.inputs)), given.settings.late_fusion.by
    return _make(given, roles, schema.LATE_FUSION, by)


def _make(
    given: Given, roles: Sequence[str], kind: str, by: str, median_s: float | str = 0.0
) -> TrainedEnsemble:
    members = {role: schema.load(given.folder / role) for role in roles}
    chooses = by in combination.CHOSEN or median_s == "learnt"
    is_asked_n = given.is_val_n & chooses
    val, truth_nW = given.clips.select(is_asked_n), given.truth_nW[is_asked_n]
    tables = [member.answer(val) for member in members.values()]
    combined = combination.fit(by, median_s, given.targets, val, truth_nW, tables)
    made_of = {role: schema.fingerprint(given.folder / role) for role in members}
    wavelets = dict(given.clips.wavelets)
    named = [member.kind if role == schema.MODEL else role for role, member in members.items()]
    before = [pair for m in members.values() for pair in m.about.get("before", [])]
    about = given.about | {"answers_by": combined.text(named)}
    if before := given.about.get("before", []) + before:
        about["before"] = [list(pair) for pair in dict.fromkeys(map(tuple, before))]
    model = TrainedEnsemble(members, made_of, kind, combined, wavelets, about)
    return untrained.with_margins(model, given)


TRAINED = TrainedEnsemble
