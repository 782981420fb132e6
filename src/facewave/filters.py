"""Filters over the moments of a clip, which need not be evenly spaced. Pure."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIECE = 1e-9  # of a second: moments that are as far away as the filter reaches are in it

Floats = NDArray[np.float64]


def filtered(
    time_w: Floats,
    values_w: Floats,
    width_s: float,
    average: Callable[..., Any] = np.nanmedian,
    causal: bool = False,
) -> Floats:
    """What stands at each moment, averaged over those that are near it; fewer near the ends.

    Args:
        time_w: of the moments (s), rising.
        values_w: at them, (w, ...).
        width_s: how wide the filter is; of 0 it changes nothing.
        average: np.nanmedian or np.nanmean.
        causal: the filter ends at the moment, so that nothing follows from later ones; else the
            moment is in its middle.
    """
    if not width_s or not len(time_w):
        return values_w
    before, after = (width_s, 0.0) if causal else (width_s / 2, width_s / 2)
    first_w = np.searchsorted(time_w, time_w - before - _PIECE)
    last_w = np.searchsorted(time_w, time_w + after + _PIECE, "right")
    near_wk = first_w[:, None] + np.arange((last_w - first_w).max())
    inside_wk = near_wk < last_w[:, None]
    chosen = values_w[np.where(inside_wk, near_wk, 0)]
    inside = inside_wk.reshape(*inside_wk.shape, *(1,) * (values_w.ndim - 1))
    averaged: Floats = average(np.where(inside, chosen, np.nan), axis=1)
    return averaged
