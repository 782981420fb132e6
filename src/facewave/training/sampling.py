"""In which order clips are learnt, and how often, so that what is labelled is balanced. Pure.

Over- and under-sampling over bins of valence and arousal is that of Deng et al. (FG 2020,
"Multitask Emotion Recognition with Incomplete Labels").

Legend of names: n clips, W columns of the truth of all targets, G groups.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Sampler

from facewave.models import outputs
from facewave.prompts.frames import draw_seed
from facewave.targets import Target

_PLANE = ("valence", "arousal")


class Order(Sampler[int]):
    """In which order an epoch shows n clips: each once, or as often as ``draws_n`` says.

    It follows from the seed and ``epoch`` alone, so that all processes have the same, and so has a
    run that resumes.
    """

    def __init__(self, n: int, draws_n: Tensor | None, seed: int) -> None:
        self._n, self._draws_n, self._seed, self.epoch = n, draws_n, seed, 0

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(draw_seed(self._seed, self.epoch, "order"))
        if self._draws_n is None:
            drawn = torch.randperm(self._n, generator=generator)
        else:
            drawn = self._draws_n.multinomial(self._n, replacement=True, generator=generator)
        yield from drawn.tolist()


def weights(targets: Sequence[Target], truth_nW: Tensor) -> Tensor:
    """How often to draw each clip, (n,) float64: above 1 is over-, below 1 under-sampling.

    The clips of a target are in groups: of words, the foremost; of numbers, 20 bins between their
    bounds, or where there are none between the least and the largest; of valence and arousal
    together, the 20 x 20 cells of their plane, and of clips that have one of them alone, its bins;
    of each unit, present (a probability above 0.5, an intensity above 0) and absent. All groups
    that occur are drawn equally often where there is one target. A clip's weight is the mean over
    the targets that it has, where valence and arousal count as one, and of units over those that it
    has: of several targets, groups are drawn equally often only as far as no clip has two.

    Args:
        targets: what is learnt.
        truth_nW: of all targets side by side, NaN where it is not known, in the targets' own units.

    Returns:
        Weights with mean 1; a clip without any target has 0.
    """
    plane, shares = [], []
    truths = truth_nW.double().split(outputs.truth_widths(targets), 1)
    for target, truth in zip(targets, truths, strict=True):
        known_n = ~truth.isnan().any(1)
        match target.kind:
            case "words":
                shares.append(_even(truth.nan_to_num().argmax(1), known_n))
            case "number":
                bins_n = _bins(truth[:, 0], target.low, target.high)
                if target.name in _PLANE:
                    plane.append((bins_n + 1) * known_n)  # 0: not known
                else:
                    shares.append(_even(bins_n, known_n))
            case _:
                above = 0.5 if target.kind == "presence" else 0.0
                units = truth.T
                even = [_even((unit > above).long(), ~unit.isnan()) for unit in units]
                shares.append(_mean(even))
    if plane:
        cells_n = sum(bins_n * (outputs.BINS + 1) ** at for at, bins_n in enumerate(plane))
        shares.append(_even(cells_n, cells_n > 0))
    share_n = _mean(shares).nan_to_num()
    return share_n * len(share_n)


def _bins(values_n: Tensor, low: float | None, high: float | None) -> Tensor:
    """Bins between bounds, (n,); of a value that is not known, any."""
    known = values_n[~values_n.isnan()]
    if not len(known):
        return torch.zeros_like(values_n, dtype=torch.int64)
    least = known.min() if low is None else low
    largest = known.max() if high is None else high
    return outputs.bins((2 * (values_n - least) / (largest - least) - 1).nan_to_num())


def _even(groups_n: Tensor, known_n: Tensor) -> Tensor:
    """Each clip's share, of 1 in all, so that the groups that occur have the same; or NaN, (n,)."""
    _, group_n, counts_G = groups_n[known_n].unique(return_inverse=True, return_counts=True)
    shares_n = torch.full(groups_n.shape, torch.nan, dtype=torch.float64)
    shares_n[known_n] = 1 / (len(counts_G) * counts_G[group_n].double())
    return shares_n


def _mean(shares: Sequence[Tensor]) -> Tensor:
    """The mean of those shares that each clip has, of 1 in all; NaN where it has none, (n,)."""
    mean_n = torch.stack(list(shares)).nanmean(0)
    return mean_n / mean_n.nansum()
