"""A streamed network before its training on one partition: where it starts, and its parts.

Legend of names: n clips, W columns of the truth of all targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from facewave.errors import UserError
from facewave.params import Train
from facewave.targets import Target
from facewave.training import checkpoints, leaks, parts
from facewave.training.loop import Report
from facewave.training.schema import Which
from facewave.training.streamed import TrainedStreamed
from facewave.training.streamed_trainer import Part, fit
from facewave.workspace import Clips


@dataclass(frozen=True, eq=False)
class Known:
    """Clips and what is known of them, (n, W) float32, NaN where nothing is."""

    clips: Clips
    truth_nW: Tensor

    @classmethod
    def of(cls, clips: Clips, targets: Sequence[Target], settings: Train, which: Which) -> "Known":
        """Clips with their labels, pseudo-labels or both, or with ``soft_labels`` their votes."""
        truth_nW = parts.truth_of(clips, targets, settings.network.soft_labels, which)
        return cls(clips, torch.from_numpy(truth_nW).float())

    def labelled(self) -> "Known":
        """Those of which anything is known."""
        known_n = ~self.truth_nW.isnan().all(1)
        return Known(self.clips.select(known_n.numpy()), self.truth_nW[known_n])

    def taught(self, teacher: TrainedStreamed, temperature: float) -> "Known":
        """All of them, with the teacher's answers where nothing is known (``parts.taught``)."""
        answers_nW = teacher.answers(self.clips, temperature)
        return replace(self, truth_nW=self.truth_nW.where(~self.truth_nW.isnan(), answers_nW))

    def described(self, trained: TrainedStreamed) -> list[str]:
        """All that they teach a model, as texts that change with it."""
        tensors = [self.truth_nW, torch.from_numpy(self.clips.quality(trained.inputs))]
        if trained.inputs:
            tensors.append(torch.from_numpy(np.ascontiguousarray(trained.taken(self.clips))))
        names = self.clips.table["video_idx"].to_csv(index=False)
        return [checkpoints.digest(tensors), names, self.clips.origins().to_csv()]


@dataclass(frozen=True, eq=False)
class Run:
    """A training that is ready to start."""

    trained: TrainedStreamed  # the model, to be trained in place
    train: Known  # the labelled clips of its training part, also by pseudo-labels if it learns them
    learnt: Known  # what it learns from: these, or what a teacher says of others as well
    rows: pd.DataFrame  # of all that it has learnt from then, a first stage's among them
    val: Known  # its validation part, may be empty
    whole: pd.DataFrame  # rows of the whole training part, whatever the budget
    settings: Train  # section ``train``

    def fit(self, folder: Path, report: Report = lambda epoch, figures: None) -> None:
        """Train, resuming from the checkpoint in ``folder``.

        Raises:
            UserError: it diverged, or the GPU's memory is too small.
        """
        trained, settings = self.trained, self.settings
        both = (self.learnt, self.val)
        quality = (torch.from_numpy(one.clips.quality(trained.inputs)) for one in both)
        shown = trained.shown(self.learnt.clips, settings)
        learning = Part(shown, self.learnt.truth_nW, next(quality))
        validating = Part(trained.examples(self.val.clips), self.val.truth_nW, next(quality))
        trained.fit_inputs(shown)
        handling = trained.handling(settings)
        fit(trained.module, learning, validating, settings, handling, folder, report)


def prepare(
    of_kind: type[TrainedStreamed],
    kind: str,
    targets: Sequence[Target],
    clips: Clips,
    partition: str | int,
    settings: Train,
    teacher: TrainedStreamed | None = None,
    which: Which = "both",
    start: TrainedStreamed | None = None,
) -> Run:
    """Build a network, and collect what it is trained on.

    Nothing is read but clips and weights, so that it serves tables whose pseudo-labels somebody
    else has filled in. Two stages are two runs::

        first = prepare(..., which="labels")
        first.fit(folder)
        second = prepare(..., which="pseudo", start=first.trained)
        second.fit(another_folder)

    Both validate by the same labels. The second goes on from all weights of the first, which stays
    as it is, with an optimizer, a schedule and a calibration of its own. It is the best of its own
    epochs, never the start: where pseudo-labels only harm, it is worse than the first.

    Args:
        of_kind: the class of such models.
        kind: of network.
        targets: what it is asked.
        clips: all that have a part, whether they can be judged or not; ``table`` may have
            pseudo-labels (``workspace.Clips``).
        partition: on which it is trained.
        settings: section ``train`` as it holds for the network.
        teacher: says what nobody has labelled.
        which: what it learns: labels, pseudo-labels or both (``parts.truth_of``).
        start: a network of the same kind, dataset, partition and settings, from whose weights it
            starts, to learn pseudo-labels.

    Raises:
        UserError: its weights cannot be had or know labels of clips on which it would be tested,
            or there is nothing to train on.
    """
    torch.manual_seed(settings.seed)
    trained = of_kind.fresh(kind, targets, clips, settings)
    leaks.check(
        trained.lineage, "what train.vision.weights names", clips, settings.dataset, [partition]
    )
    known = [trained.lineage] + ([leaks.of_pseudo(clips)] if which != "labels" else [])
    if before := leaks.before(trained.inputs, trained.wavelets, *known):
        trained.about |= before
    if start:
        trained.module.load_state_dict(start.module.state_dict())
        known.append(start.lineage)
    judged = clips.select(trained.judged(clips))
    part = judged.parts(partition)
    is_learnt_n = parts.is_learnt_from(judged, part, targets, settings)
    everything = Known.of(judged.select(is_learnt_n), targets, settings, which)
    val = Known.of(judged.select((part == "val").to_numpy()), targets, settings, "labels")
    val = val.labelled()
    train = everything.labelled()
    learnt = everything.taught(teacher, settings.teacher.temperature) if teacher else train
    if not len(learnt.clips):
        labelled = " with a pseudo-label" if which == "pseudo" else ""
        raise UserError(
            f"partition {partition} of {settings.dataset} has no training clip{labelled} that "
            f"{kind} can judge. metrics/clean, extract, crop and listen say why clips were left out"
            f"{', metrics/pseudo.json which pseudo-labels teach' if labelled else ''}."
        )
    trained.lineage = reduce(leaks.Lineage.beside, known).after(
        [settings.dataset, str(partition)], leaks.keys(learnt.clips), leaks.keys(val.clips)
    )
    whole = judged.select((part == "train").to_numpy()).table
    rows = learnt.clips.table
    if start:  # and what that has learnt
        both = Known.of(everything.clips, targets, settings, "both")
        rows = both.labelled().clips.table
    return Run(trained, train, learnt, rows, val, whole, settings)
