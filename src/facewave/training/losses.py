"""Losses of words, numbers and action units, and the weights of rare classes. Pure.

Words' truth is a distribution over the classes, (n, C): one-hot, smoothed, or the shares of the
votes. Of any target, the truth of a clip that lacks it is NaN.

Legend of names: n clips of a batch, C classes, U action units, B bins, T targets or columns of
numbers, O outputs and W columns of the truth of all targets.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from facewave.models import outputs
from facewave.params import Network
from facewave.targets import Target

GAMMA = 2.0  # of the focal loss, as its paper recommends
TAU = 1.0  # of logit adjustment: with this value it is consistent for the balanced error
BETA = 0.999  # of the effective number of samples
DICE = 1.5  # weight of the Dice loss beside cross-entropy
EPS = 1e-8  # added to variances and squares, whose roots and quotients have no bounded gradients
EMONET = ("rmse", "pcc", "ccc")  # what it mixes


def smooth(targets_nC: Tensor, share: float) -> Tensor:
    """Spread a share of each target evenly over all classes (Szegedy et al., 2016)."""
    return targets_nC * (1 - share) + share / targets_nC.shape[1]


def cross_entropy(logits_nC: Tensor, targets_nC: Tensor) -> Tensor:
    """Cross-entropy of each clip, (n,), in nats."""
    return -(targets_nC * functional.log_softmax(logits_nC, 1)).sum(1)


def focal(logits_nC: Tensor, targets_nC: Tensor) -> Tensor:
    """Cross-entropy with less weight on clips that are answered well already, (n,).

    -t (1 - p)**gamma log p, summed over the classes (Lin et al., 2017).
    """
    logs_nC = functional.log_softmax(logits_nC, 1)
    return -(targets_nC * (1 - logs_nC.exp()) ** GAMMA * logs_nC).sum(1)


def balanced(logits_nC: Tensor, targets_nC: Tensor, counts_C: Tensor) -> Tensor:
    """Cross-entropy of logits + tau log(prior), (n,): logit adjustment (Menon et al., 2021).

    Used without the prior, such logits answer as if all classes were equally frequent. The prior
    is that of the training clips (``counts_C``, in the order of the classes, as the logits are); a
    class without clips counts as one with one.
    """
    counts_C = counts_C.clamp(min=1)
    return cross_entropy(logits_nC + TAU * torch.log(counts_C / counts_C.sum()), targets_nC)


def multi_dice(logits_nC: Tensor, targets_nC: Tensor, weights_n: Tensor) -> Tensor:
    """The Dice loss of several classes, a number: p is the softmax, t the truth.

    Of each class 1 - (2 p t + 1) / (p + t + 1), a mean over the clips; of these the mean over the
    classes (arXiv 2403.11450, "MultiDice"). Rare classes count as much as frequent ones.
    """
    shares_nC = logits_nC.softmax(1)
    overlap_nC = (2 * shares_nC * targets_nC + 1) / (shares_nC + targets_nC + 1)
    return ((1 - overlap_nC) * weights_n[:, None]).mean(0).mean()


def class_weights(counts_C: Tensor) -> Tensor:
    """Weights by the inverse effective number of clips, (C,), with mean 1 over the clips.

    (1 - beta) / (1 - beta**count) (Cui et al., 2019). A class without clips weighs as much as the
    rarest that has some: validation clips may have it where training clips do not.
    """
    fewest = max(1, counts_C[counts_C > 0].min().item())
    inverse_C = (1 - BETA) / (1 - BETA ** counts_C.clamp(min=fewest).double())
    return inverse_C * counts_C.sum() / (inverse_C * counts_C).sum()


# Losses of numbers: values and truth (n, T), weights (n, T), which are 0 where the truth is not
# known, and how many rows are known of each column (T,), at least 1 -> (T,). Every mean of a loss
# is over the known rows; moments are those of the population in which each row counts by its
# weight. Where a row has the weight 0, whatever it holds changes nothing.


def _mse(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor, rows_T: Tensor) -> Tensor:
    return ((values_nT - truth_nT) ** 2 * weights_nT).sum(0) / rows_T


def _mae(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor, rows_T: Tensor) -> Tensor:
    return ((values_nT - truth_nT).abs() * weights_nT).sum(0) / rows_T


def _rmse(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor, rows_T: Tensor) -> Tensor:
    return (_mse(values_nT, truth_nT, weights_nT, rows_T) + EPS).sqrt()


def _moments(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor) -> tuple[Tensor, ...]:
    """Difference of the means, variances of values and of truth, and covariance, each (T,)."""
    shares_nT = weights_nT / weights_nT.sum(0).clamp(min=EPS)
    values_T, truth_T = (shares_nT * values_nT).sum(0), (shares_nT * truth_nT).sum(0)
    values_nT, truth_nT = values_nT - values_T, truth_nT - truth_T
    products = (values_nT**2, truth_nT**2, values_nT * truth_nT)
    return values_T - truth_T, *((shares_nT * product_nT).sum(0) for product_nT in products)


def _ccc(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor, rows_T: Tensor) -> Tensor:
    apart_T, values_T, truth_T, both_T = _moments(values_nT, truth_nT, weights_nT)
    return 1 - 2 * both_T / (values_T + truth_T + apart_T**2 + EPS)


def _pcc(values_nT: Tensor, truth_nT: Tensor, weights_nT: Tensor, rows_T: Tensor) -> Tensor:
    _, values_T, truth_T, both_T = _moments(values_nT, truth_nT, weights_nT)
    return 1 - both_T / ((values_T + EPS).sqrt() * (truth_T + EPS).sqrt())


# Each with the fewest rows that it takes.
_OF_NUMBERS = {"mse": (_mse, 1), "mae": (_mae, 1), "rmse": (_rmse, 1), "ccc": (_ccc, 2),
               "pcc": (_pcc, 2)}  # fmt: skip


def of_numbers(name: str, values_nT: Tensor, truth_nT: Tensor, weights_n: Tensor) -> Tensor:
    """The loss of numbers, a mean over the columns that have rows enough, 0 without any.

    Args:
        name: ``mse``; ``mae``; ``rmse``; ``ccc``: 1 - 2 cov / (var + var + (mean - mean)**2)
            (Lin, 1989), or ``pcc``: 1 - cov / (sd sd), for which it takes two rows. Moments are
            those of the batch as a population, so they say little in a small one. ``EPS`` is added
            to the denominator of ``ccc``, to the variances of ``pcc`` and to the square of
            ``rmse``, whose gradients would otherwise have no bound.
        values_nT: what is answered.
        truth_nT: NaN where it is not known: such values change nothing.
        weights_n: of the rows.
    """
    known_nT = ~truth_nT.isnan()
    values_nT, truth_nT = values_nT.where(known_nT, 0), truth_nT.where(known_nT, 0)
    loss, fewest = _OF_NUMBERS[name]
    rows_T = known_nT.sum(0)
    losses_T = loss(values_nT, truth_nT, weights_n[:, None] * known_nT, rows_T.clamp(min=1))
    enough_T = rows_T >= fewest
    return losses_T.where(enough_T, 0).sum() / enough_T.sum().clamp(min=1)


def of_bins(logits_nB: Tensor, truth_n1: Tensor, weights_n: Tensor) -> Tensor:
    """Cross-entropy of the bin that holds a number, and 1 - CCC of the bins' expectation.

    Deng et al. (FG 2020, "Multitask Emotion Recognition with Incomplete Labels").
    """
    known_n = ~truth_n1.isnan().any(1)
    logits_nB, truth_n1, weights_n = logits_nB[known_n], truth_n1[known_n], weights_n[known_n]
    bins_n = outputs.bins(truth_n1[:, 0])
    entropies_n = functional.cross_entropy(logits_nB, bins_n, reduction="none")
    entropy = (entropies_n * weights_n).sum() / max(1, len(bins_n))
    return entropy + of_numbers("ccc", outputs.expectation(logits_nB)[:, None], truth_n1, weights_n)


def of_presence(logits_nU: Tensor, truth_nU: Tensor, weights_n: Tensor) -> Tensor:
    """Binary cross-entropy, in nats, a mean over all units that are known, 0 without any.

    Args:
        logits_nU: of each unit's being there.
        truth_nU: 0, 1, or in between where nobody is sure; NaN where it is not known.
        weights_n: of the rows.
    """
    known_nU = ~truth_nU.isnan()
    losses_nU = functional.binary_cross_entropy_with_logits(
        logits_nU.where(known_nU, 0), truth_nU.where(known_nU, 0), reduction="none"
    )
    return (losses_nU * weights_n[:, None] * known_nU).sum() / known_nU.sum().clamp(min=1)


def of_words(
    name: str, logits_nC: Tensor, truth_nC: Tensor, weights_n: Tensor, counts_C: Tensor
) -> Tensor:
    """The loss of words that ``train.network.loss`` names, a mean over the rows that are known.

    Args:
        name: which.
        logits_nC: of the words.
        truth_nC: a distribution over the words, or NaN where it is not known.
        weights_n: of the rows.
        counts_C: training clips of each word.
    """
    known_n = ~truth_nC.isnan().any(1)
    logits_nC, truth_nC, weights_n = logits_nC[known_n], truth_nC[known_n], weights_n[known_n]
    if not len(logits_nC):
        return logits_nC.sum()  # 0, and so is its gradient
    match name:
        case "dice":
            return multi_dice(logits_nC, truth_nC, weights_n)
        case "cross_entropy":
            losses_n = cross_entropy(logits_nC, truth_nC)
        case "focal":
            losses_n = focal(logits_nC, truth_nC)
        case _:
            losses_n = balanced(logits_nC, truth_nC, counts_C.to(logits_nC.device))
    mean = (losses_n * weights_n).mean()
    if name == "balanced_dice":
        mean = mean + DICE * multi_dice(logits_nC, truth_nC, weights_n)
    return mean


class TaskLosses(nn.Module):
    """The losses of all targets as one number.

    Their sum, each times its weight in ``train.network.task_weights`` (1 where none stands). Where
    these are ``learnt``, it is what the likelihood of independent targets is, each with an
    uncertainty of its own: exp(-s) loss + s / 2, of numbers exp(-s) loss / 2 + s / 2, in which s,
    the logarithm of a variance, is a parameter (Kendall, Gal and Cipolla, CVPR 2018). A target that
    no clip of the batch has contributes exactly 0, and nothing to any gradient.

    ``emonet`` weighs RMSE, 1 - PCC and 1 - CCC of every number by three numbers ~ U[0, 1], drawn
    anew for each batch in training and divided by their sum; in evaluation by a third each (Toisoul
    et al., Nature Machine Intelligence 2021).

    Args:
        targets: of which.
        settings: section ``train.network``.
        counts: the training clips of each word, (C,), by target.
    """

    def __init__(
        self, targets: Sequence[Target], settings: Network, counts: Mapping[str, Tensor]
    ) -> None:
        super().__init__()
        self.targets, self.settings, self.counts = tuple(targets), settings, dict(counts)
        self.widths = outputs.widths(targets, settings.numbers == "bins")
        self.truth_widths = outputs.truth_widths(targets)
        weights = settings.task_weights
        learnt = weights == "learnt"
        self.log_variances = nn.Parameter(torch.zeros(len(targets))) if learnt else None
        fixed = {} if isinstance(weights, str) else weights
        self.weights = [fixed.get(target.name, 1.0) for target in targets]

    def forward(self, outputs_nO: Tensor, truth_nW: Tensor, weights_nT: Tensor) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            outputs_nO: of a head, divided among the targets as outputs.py says.
            truth_nW: of all targets side by side, NaN where a clip lacks it: words as
                distributions, numbers and intensities as they are learnt (scaled), presence 0 or 1.
            weights_nT: of each clip for each target.
        """
        mixture = torch.full((len(EMONET),), 1 / len(EMONET))
        if self.training and self.settings.numbers == "emonet":
            mixture = torch.rand(len(EMONET))
            mixture = mixture / mixture.sum()
        parts = zip(
            self.targets,
            outputs_nO.split(self.widths, 1),
            truth_nW.split(self.truth_widths, 1),
            weights_nT.T,
            strict=True,
        )
        losses = [self._loss(*part, mixture.tolist()) for part in parts]
        return torch.stack([self._weighed(at, loss) for at, loss in enumerate(losses)]).sum()

    def _loss(
        self,
        target: Target,
        values: Tensor,
        truth: Tensor,
        weights_n: Tensor,
        mixture: Sequence[float],
    ) -> Tensor:
        name = self.settings.numbers
        match target.kind, name:
            case "words", _:
                counts_C = self.counts[target.name]
                return of_words(self.settings.loss, values, truth, weights_n, counts_C)
            case "presence", _:
                return of_presence(values, truth, weights_n)
            case "number", "bins":
                return of_bins(values, truth, weights_n)
            case "number", "emonet":
                mixed = (of_numbers(part, values, truth, weights_n) for part in EMONET)
                return torch.stack([w * loss for w, loss in zip(mixture, mixed, strict=True)]).sum()
            case "intensity", "bins" | "emonet":
                return of_numbers("mse", values, truth, weights_n)
            case _:
                return of_numbers(name, values, truth, weights_n)

    def _weighed(self, at: int, loss: Tensor) -> Tensor:
        """A target's loss times its weight."""
        if self.log_variances is None:
            return self.weights[at] * loss
        # A loss of exactly 0 is one of no clips, of whose uncertainty there is nothing to learn.
        log_variance = self.log_variances[at] * (loss.detach() != 0)
        factor = 0.5 if self.targets[at].kind in ("number", "intensity") else 1.0
        return factor * torch.exp(-log_variance) * loss + log_variance / 2
