"""Several roles that answer as one.

Legend of names: n clips, M members, C words of a target, W answers of all targets.
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
from facewave.params import apart
from facewave.targets import Target, split
from facewave.training import cards, schema, untrained
from facewave.training.schema import Trained, answers_of
from facewave.training.untrained import Given, Untrained
from facewave.workspace import Clips

# What a probability counts as at least: a class that one member does not know stays possible.
_LEAST = 1e-4
_DECIMALS = 4  # of the weights


class TrainedEnsemble(Untrained):
    """Roles of the same partition, whose answers become one.

    Of words, ``mean`` and ``weighted`` take the softmax of the (weighted) mean of the members' log
    probabilities, a logarithmic opinion pool (Genest and Zidek, "Combining probability
    distributions", Statistical Science 1, 1986). ``vote``: the word that most members answer, and
    of several the one with the highest mean log probability; the probabilities are the shares of
    the votes. Of numbers, and of probabilities of units, it is the (weighted) mean. A member counts
    for the targets that it knows; one that only has the class frequencies to answer from counts
    where no other one saw a face or heard a voice.

    Args (others as in ``Untrained``):
        members: role -> model.
        fingerprints: role -> ``schema.fingerprint`` of its folder.
        kind: what params.yaml calls it, or ``STUDENTS``.
        by: mean, weighted or vote.
        weights_M: of the members, not negative, adding up to 1.
    """

    type = "ensemble"

    def __init__(
        self,
        members: dict[str, Trained],
        fingerprints: dict[str, str],
        kind: str,
        by: str,
        weights_M: Sequence[float] | NDArray[np.float64],
        wavelets: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.members, self.fingerprints, self.kind, self.by = members, fingerprints, kind, by
        self.weights_M = np.array(weights_M, float)
        first, *others = members.values()
        differs = any(other.targets != first.targets for other in others)
        if differs or len(weights_M) != len(members):
            raise ValueError("the members do not fit each other or their weights")
        self.targets = first.targets
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
        """Answers by the members that saw a face or heard a voice, or else by all."""
        tables = [member.answer(clips) for member in self.members.values()]
        judges_nM = _judges(tables)
        answers, words = [], {}
        for target in self.targets:
            answers_nMC = np.stack([table[list(target.numbers)] for table in tables], axis=1)
            knows_nM = ~np.isnan(answers_nMC).any(axis=2)
            counts_nM = knows_nM & judges_nM
            counts_nM |= knows_nM & ~counts_nM.any(axis=1, keepdims=True)
            weights_nM = counts_nM * self.weights_M
            if not weights_nM.any(axis=1).all():  # all that judge have weight 0
                weights_nM = np.where(weights_nM.any(axis=1, keepdims=True), weights_nM, counts_nM)
            with np.errstate(invalid="ignore"):  # NaN where no member knows the target
                weights_nM = weights_nM / weights_nM.sum(axis=1, keepdims=True)
            if target.is_words:
                said_nM = np.stack([table[target.predicted] for table in tables], axis=1)
                answer_nC, words[target.name] = self._pooled(
                    target, answers_nMC, said_nM, weights_nM, counts_nM
                )
            else:
                answer_nC = np.einsum("nm,nmc->nc", weights_nM, np.nan_to_num(answers_nMC))
            answers.append(answer_nC)
        answered_from = _together([table["answered_from"] for table in tables])
        margins_nW = np.where((answered_from != "prior")[:, None], self.margin_W, np.nan)
        answers_nW = np.concatenate(answers, axis=1)
        return answers_of(clips, answered_from, self.targets, answers_nW, margins_nW, words)

    def _pooled(
        self,
        target: Target,
        answers_nMC: NDArray[np.float64],
        said_nM: NDArray[np.object_],
        weights_nM: NDArray[np.float64],
        counts_nM: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
        """The probabilities of a target's words, (n, C), and the word that is answered, (n,)."""
        pooled_nC = np.einsum("nm,nmc->nc", weights_nM, np.nan_to_num(_logs(answers_nMC)))
        probabilities_nC, ranked_nC = softmax(pooled_nC, axis=1), pooled_nC
        if self.by == "vote":
            votes_nMC = said_nM[:, :, None] == np.array(target.names, object)
            probabilities_nC = np.einsum("nm,nmc->nc", weights_nM, votes_nMC.astype(float))
            n_votes_nC = np.einsum("nm,nmc->nc", counts_nM.astype(int), votes_nMC.astype(int))
            is_first_nC = n_votes_nC == n_votes_nC.max(axis=1, keepdims=True)
            ranked_nC = np.where(is_first_nC, pooled_nC, -np.inf)
        return probabilities_nC, np.array(target.names, object)[ranked_nC.argmax(axis=1)]

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
            "kind": self.kind,
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
        targets = untrained.targets_of(config)
        numbers = untrained.read_numbers(path, targets, {"weights": len(members)})
        made = (config["kind"], config["by"], numbers["weights"])
        model = cls(members, made_of, *made, config["wavelets"], config["about"])
        model.margin_W = numbers["margin"]
        return model


def learn(given: Given) -> TrainedEnsemble:
    """Load the members that params.yaml names, which are made before, and weigh them.

    ``weighted`` finds the weights with the lowest cross-entropy of the first target of words on
    those validation clips that all members judge, a convex problem (the pool is a log-linear model
    of them); without such a target, or without such clips, they are equal.
    """
    settings = given.settings.ensemble
    return _make(given, list(settings.roles), "ensemble", settings.by)


def of_students(given: Given) -> TrainedEnsemble:
    """The mean of the students."""
    return _make(given, schema.students(given.settings), schema.STUDENTS, "mean")


def of_face_and_voice(given: Given) -> TrainedEnsemble:
    """The two classifiers of late fusion; where a clip lacks one of both, the other answers."""
    roles, by = list(apart(given.settings.inputs)), given.settings.late_fusion.by
    return _make(given, roles, schema.LATE_FUSION, by)


def _make(given: Given, roles: Sequence[str], kind: str, by: str) -> TrainedEnsemble:
    members = {role: schema.load(given.folder / role) for role in roles}
    weights_M = np.full(len(members), 1 / len(members))
    val, truth_nW = given.clips.select(given.is_val_n), given.truth_nW[given.is_val_n]
    of_words = [at for at, target in enumerate(given.targets) if target.is_words]
    if by == "weighted" and of_words and len(val):
        target = given.targets[of_words[0]]
        truth_nC = split(given.targets, truth_nW)[of_words[0]]
        known_n = ~np.isnan(truth_nC).any(axis=1)
        tables = [member.answer(val) for member in members.values()]
        answers_nMC = np.stack([table[list(target.numbers)] for table in tables], axis=1)
        known_n &= ~np.isnan(answers_nMC).any(axis=(1, 2)) & _judges(tables).all(axis=1)
        if known_n.any():
            logs_nMC, codes_n = _logs(answers_nMC[known_n]), truth_nC[known_n].argmax(axis=1)
            weights_M = fit_weights(logs_nMC, codes_n)
    made_of = {role: schema.fingerprint(given.folder / role) for role in members}
    wavelets = dict(given.clips.wavelets)
    model = TrainedEnsemble(members, made_of, kind, by, weights_M, wavelets, given.about)
    return untrained.with_margins(model, given)


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


def _judges(tables: Sequence[pd.DataFrame]) -> NDArray[np.bool_]:
    """Which members have more than the class frequencies to answer from, (n, M)."""
    return np.stack([table["answered_from"] != "prior" for table in tables], axis=1)


def _together(answered_from: "Sequence[pd.Series[str]]") -> NDArray[np.str_]:
    """What members answer from, as one: face, voice, face and voice, or prior."""
    face_n, voice_n = (
        np.any([column.str.contains(sense) for column in answered_from], axis=0)
        for sense in ("face", "voice")
    )
    chosen = [face_n & voice_n, face_n, voice_n]
    return np.select(chosen, ["face and voice", "face", "voice"], "prior")


def _logs(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of probabilities, none below that of ``_LEAST``."""
    return np.log(np.maximum(probabilities.astype(np.float64), _LEAST))


TRAINED = TrainedEnsemble
