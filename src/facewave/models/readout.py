"""What reads a network's outputs, whatever the network looks at: (n, O) -> (n, W).

The outputs of all targets stand side by side (outputs.py). Probabilities of words and of units have
temperatures, numbers have a scale and a prediction interval; all are held as buffers.

Legend of names: n clips, T targets, O outputs and W answers of all targets.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facewave.models import outputs
from facewave.targets import Target


class Majority(nn.Module):
    """The same answer whatever the input: the floor.

    Of words it is the training part's frequencies, of numbers its mean, of units their shares.
    """

    answer: Tensor

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self.register_buffer("answer", torch.zeros(sum(outputs.truth_widths(targets))))

    @property
    def prior(self) -> "Majority":
        """What answers for clips that cannot be judged."""
        return self

    @property
    def margin(self) -> Tensor:
        """Half the width of each answer's prediction interval, (W,): unknown."""
        return torch.full_like(self.answer, torch.nan)

    def fit(self, truth_nW: Tensor) -> None:
        """Take frequencies, each word counted one up so that none has probability 0, and means."""
        widths = outputs.truth_widths(self.targets)
        answers = []
        for target, truth in zip(self.targets, truth_nW.double().split(widths, 1), strict=True):
            if target.is_words:
                counts = truth.nansum(0) + 1
                answers.append(counts / counts.sum())
            else:
                answers.append(truth.nanmean(0).nan_to_num())
        self.answer.copy_(torch.cat(answers))

    def answers(self, inputs_nND: Tensor) -> Tensor:
        """(n, ...) -> (n, W)."""
        return self.answer.expand(len(inputs_nND), -1)


class Readout(nn.Module):
    """A network that answers all targets, without what gives its outputs.

    ``prior`` answers for clips that the network cannot judge. ``temperature`` divides the logits of
    words and units (1 for numbers). A number is its output times ``scale`` plus ``centre``, and
    within ``margin`` of the truth as often as conformal.py says (NaN: nobody knows).
    """

    temperature: Tensor
    centre: Tensor
    scale: Tensor
    margin: Tensor

    def __init__(self, kind: str, targets: Sequence[Target], binned: bool) -> None:
        super().__init__()
        self.kind, self.targets, self.binned = kind, tuple(targets), binned
        self.prior = Majority(targets)
        n_answers = sum(outputs.truth_widths(targets))
        self.register_buffer("temperature", torch.ones(len(targets)))
        self.register_buffer("centre", torch.zeros(n_answers))
        self.register_buffer("scale", torch.ones(n_answers))
        self.register_buffer("margin", torch.full((n_answers,), torch.nan))

    def read(self, outputs_nO: Tensor, softened: float = 1.0) -> Tensor:
        """What outputs say, (n, O) -> (n, W).

        Probabilities of words add up to 1; their logits are divided by ``softened``, too. Numbers
        are within their target's bounds.
        """
        parts = outputs_nO.split(outputs.widths(self.targets, self.binned), 1)
        widths = outputs.truth_widths(self.targets)
        scales, centres = self.scale.split(widths), self.centre.split(widths)
        answers = []
        for t, (target, part) in enumerate(zip(self.targets, parts, strict=True)):
            match target.kind:
                case "words":
                    answers.append((part / (self.temperature[t] * softened)).softmax(1))
                case "presence":
                    answers.append((part / self.temperature[t]).sigmoid())
                case _:
                    if target.kind == "number" and self.binned:
                        part = outputs.expectation(part)[:, None]
                    values = part * scales[t] + centres[t]
                    answers.append(values.clamp(target.low, target.high) if target.low is not None
                                   else values)  # fmt: skip
        return torch.cat(answers, 1)
