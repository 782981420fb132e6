"""Several roles that answer as one.

Legend of names: n clips, M members, C classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from facewave.errors import UserError
from facewave.training import cards, schema, untrained
from facewave.training.schema import Trained, classification
from facewave.training.untrained import Given
from facewave.workspace import Clips

# What a probability counts as at least: a class that one member does not know stays possible.
_LEAST = 1e-4
_DECIMALS = 4  # of the weights


class TrainedEnsemble(Trained):
    """Roles of the same partition, whose answers become one.

    ``mean`` and ``weighted``: the softmax of the (weighted) mean of the members' log probabilities,
    a logarithmic opinion pool (Genest and Zidek, "Combining probability distributions", Statistical
    Science 1, 1986). ``vote``: the class that most members answer, and of several the one with the
    highest mean log probability; the probabilities are the shares of the votes. A member that only
    has the class frequencies to answer from counts where no other one saw a face.

    Args (others as in ``Trained``):
        members: role -> model.
        fingerprints: role -> ``schema.fingerprint`` of its folder.
        by: mean, weighted or vote.
        weights_M: of the members, not negative, adding up to 1.
    """

    type = "ensemble"
    kind = "ensemble"
    targets = ()

    def __init__(
        self,
        members: dict[str, Trained],
        fingerprints: dict[str, str],
        by: str,
        weights_M: Sequence[float] | NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.members, self.fingerprints, self.by = members, fingerprints, by
        self.weights_M = np.array(weights_M, float)
        first, *others = members.values()
        if any(other.classes != first.classes for other in others) or len(weights_M) != len(
            members
        ):
            raise ValueError("the members do not fit each other or their weights")
        self.classes = first.classes
        self.inputs = tuple(dict.fromkeys(name for m in members.values() for name in m.inputs))
        self.encoder = next(filter(None, (member.encoder for member in members.values())), "")
        self.normalizes = any(member.normalizes for member in members.values())
        self.wavelets, self.about = wavelets, about

    def taken(self, clips: Clips) -> NDArray[np.float32]:
        """What its members take, side by side."""
        members = [member for member in self.members.values() if member.inputs]
        return np.concatenate([member.taken(clips) for member in members], axis=2)

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers by the members that saw a face, or else by all."""
        tables = [member.answer(clips) for member in self.members.values()]
        sees_nM = np.stack([table["answered_from"] == "face" for table in tables], axis=1)
        counts_nM = sees_nM | ~sees_nM.any(axis=1, keepdims=True)
        logs_nMC = _logs(tables, self.classes)
        weights_nM = counts_nM * self.weights_M
        if not (weights_nM.sum(axis=1) > 0).all():  # all that saw a face have weight 0
            weights_nM = np.where(weights_nM.sum(axis=1, keepdims=True) > 0, weights_nM, counts_nM)
        weights_nM = weights_nM / weights_nM.sum(axis=1, keepdims=True)
        pooled_nC = np.einsum("nm,nmc->nc", weights_nM, logs_nMC)
        probabilities_nC, ranked_nC = softmax(pooled_nC, axis=1), pooled_nC
        if self.by == "vote":
            answers_nM = np.stack([table["predicted"] for table in tables], axis=1)
            votes_nMC = answers_nM[:, :, None] == np.array(self.classes, object)
            probabilities_nC = np.einsum("nm,nmc->nc", weights_nM, votes_nMC.astype(float))
            n_votes_nC = np.einsum("nm,nmc->nc", counts_nM.astype(int), votes_nMC.astype(int))
            is_first_nC = n_votes_nC == n_votes_nC.max(axis=1, keepdims=True)
            ranked_nC = np.where(is_first_nC, pooled_nC, -np.inf)
        predicted = np.array(self.classes, object)[ranked_nC.argmax(axis=1)]
        answered_from = np.where(sees_nM.any(axis=1), "face", "prior")
        return classification(clips, answered_from, predicted, self.classes, probabilities_nC)

    def describe(self) -> dict[str, Any]:
        """The members with their weights, and what each of them says of itself."""
        described = {role: member.describe() for role, member in self.members.items()}
        return {
            "kind": self.kind,
            "by": self.by,
            "weights": dict(zip(self.members, self.weights_M.tolist(), strict=True)),
            "transductive": any(about.get("transductive") for about in described.values()),
            "members": described,
            "about": self.about,
        } | ({"normalized": cards.NORMALIZED} if self.normalizes else {})

    def save(self, path: Path) -> None:
        """Write the folder: which folders beside it have the members, and the weights."""
        config = {
            "members": [
                {"folder": f"../{role}", "fingerprint": self.fingerprints[role]}
                for role in self.members
            ],
            "by": self.by,
        }
        untrained.write(path, self, config, {"weights": self.weights_M})

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
        weights_M = untrained.read_numbers(path, {"weights": len(members)})["weights"]
        made = (config["by"], weights_M, config["wavelets"], config["about"])
        return cls(members, made_of, *made)


def learn(given: Given) -> TrainedEnsemble:
    """Load the members, which are made before, and weigh them.

    ``weighted`` finds the weights with the lowest cross-entropy on the validation part, a convex
    problem (the pool is a log-linear model of them); without validation they are equal.
    """
    settings = given.settings.ensemble
    roles: list[str] = list(settings.roles)
    members = {role: schema.load(given.folder / role) for role in roles}
    weights_M = np.full(len(members), 1 / len(members))
    val = given.clips.select(given.is_val_n)
    if settings.by == "weighted" and len(val):
        tables = [member.answer(val) for member in members.values()]
        codes_n = val.table["label"].to_numpy(np.int64)
        weights_M = fit_weights(_logs(tables, given.classes), codes_n)
    made_of = {role: schema.fingerprint(given.folder / role) for role in members}
    made = (made_of, settings.by, weights_M, dict(given.clips.wavelets), given.about)
    return TrainedEnsemble(members, *made)


def fit_weights(logs_nMC: NDArray[np.float64], codes_n: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weights (M,) with the lowest cross-entropy; not negative, adding up to 1, 4 digits."""
    n, n_members, _ = logs_nMC.shape

    def loss(weights_M: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        pooled_nC = log_softmax(np.einsum("m,nmc->nc", weights_M, logs_nMC), axis=1)
        excess_nC = np.exp(pooled_nC)
        excess_nC[np.arange(n), codes_n] -= 1
        gradient_M = np.einsum("nc,nmc->m", excess_nC, logs_nMC) / n
        return float(-pooled_nC[np.arange(n), codes_n].mean()), gradient_M

    optimum = minimize(
        loss,
        np.full(n_members, 1 / n_members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={"type": "eq", "fun": lambda weights_M: weights_M.sum() - 1},
    )
    weights_M = np.clip(optimum.x, 0, 1).round(_DECIMALS)
    return weights_M / weights_M.sum()


def _logs(tables: Sequence[pd.DataFrame], classes: Sequence[str]) -> NDArray[np.float64]:
    """The members' log probabilities, (n, M, C)."""
    names = [f"p_{name}" for name in classes]
    probabilities = [table[names].to_numpy(np.float64) for table in tables]
    return np.log(np.maximum(np.stack(probabilities, axis=1), _LEAST))


TRAINED = TrainedEnsemble
