"""From which accuracy of pseudo-labels on they help, and how surely that is known. Pure.

Legend of names: n clips, R resamples, E shares of wrong pseudo-labels.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from facewave.evaluation.intervals import Estimate, Floats, resampled
from facewave.params import Evaluate
from facewave.study.scores import Answered


def turning(gains: Floats, accuracies_E: Floats) -> Floats:
    """The accuracy above which pseudo-labels gain, (...): interpolated between those tried.

    Args:
        gains: what they add to a figure, (..., E).
        accuracies_E: of the pseudo-labels, rising.

    Returns:
        The last change from loss to gain: above it there is none. Where every accuracy gains it is
        the lowest, so at most that; where the highest gains nothing it is infinite. Where a gain
        is NaN, so is the turn.
    """
    is_loss = gains <= 0
    n_tried = len(accuracies_E)
    last = n_tried - 1 - np.argmax(is_loss[..., ::-1], axis=-1)  # the last accuracy with a loss
    upper = np.minimum(last + 1, n_tried - 1)
    below, above = (np.take_along_axis(gains, at[..., None], -1)[..., 0] for at in (last, upper))
    span = np.where(above > below, above - below, 1.0)
    crossing = accuracies_E[last] - below / span * (accuracies_E[upper] - accuracies_E[last])
    crossing = np.where(last == n_tried - 1, np.inf, crossing)
    turn = np.where(is_loss.any(axis=-1), crossing, accuracies_E[0])
    return np.asarray(np.where(np.isnan(gains).any(axis=-1), np.nan, turn))


def turns(
    name: str,
    labels: Answered,
    taught: Sequence[Answered],
    accuracies: Sequence[float],
    settings: Evaluate,
) -> Estimate:
    """Where answers of models that learnt pseudo-labels become better than of one without them.

    Args:
        name: the measure.
        labels: answers of the model that learnt labels alone.
        taught: those of the others, to the same clips.
        accuracies: of the others' pseudo-labels.
        settings: the bootstrap, whose resamples turn each where they do.
    """
    order = np.argsort(accuracies)
    accuracies_E = np.asarray(accuracies, float)[order]
    curve = [partial(one.figures, [name]) for one in (labels, *(taught[at] for at in order))]

    def measure(weights: Floats | None) -> dict[str, Floats]:
        first, *others = (figures(weights)[name] for figures in curve)
        return {"turn": turning(np.stack(others, axis=-1) - first[..., None], accuracies_E)}

    drawn_R = resampled(measure, labels.group, settings.resamples, settings.seed)["turn"]
    low, high = np.quantile(drawn_R, [0.025, 0.975], method="inverted_cdf")
    return Estimate(measure(None)["turn"], low, high)
