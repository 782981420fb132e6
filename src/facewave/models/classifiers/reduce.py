"""K numbers for a trajectory's N, by a choice that is learnt from training clips. Pure.

Legend of names: n clips, N numbers per channel as the wavelet stage wrote them, K kept, C channels.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def moments(numbers_nNC: NDArray[np.floating]) -> Floats:
    """Sums over each clip's channels of products of numbers, (n, N, N)."""
    numbers = np.asarray(numbers_nNC, np.float64)
    return numbers @ numbers.transpose(0, 2, 1)


def largest(moments_nNN: Floats, k: int) -> Floats:
    """Keep a decomposition's coarsest number and the K - 1 positions that carry the most energy.

    They are the same for all clips and channels; every clip counts the same, however much it moves.
    The moments are of coefficients of orthonormal functions, the first of which is a mean; K is at
    most N. Returns (K, N) rows of the identity, positions rising.
    """
    energy_nN = moments_nNN.diagonal(axis1=1, axis2=2).copy()
    energy_nN[:, 0] = 0
    energy_N = _shares(energy_nN, energy_nN.sum(axis=1))
    energy_N[0] = np.inf
    chosen = np.sort(np.argsort(-energy_N, kind="stable")[:k])
    return np.eye(len(energy_N))[chosen]


def principal(moments_nNN: Floats, k: int) -> Floats:
    """Keep a channel's mean and the K - 1 leading directions of its movement around it.

    Temporal PCA (Pearson, 1901): no other K - 1 directions that are the same for all clips and
    channels explain more of these clips; every clip counts the same, however much it moves. The
    moments are of values at equal distances in time; K is at most N. Returns (K, N) orthonormal
    rows, each with its largest entry positive.
    """
    size = moments_nNN.shape[1]
    centre_NN = np.eye(size) - 1 / size
    moving_nNN = centre_NN @ moments_nNN @ centre_NN
    whole_NN = _shares(moving_nNN, np.trace(moving_nNN, axis1=1, axis2=2))
    # The mean comes first, by far; movement adds up to 0 over time, so it is orthogonal to it.
    whole_NN += (1 + np.trace(whole_NN)) / size
    rows = np.linalg.eigh(whole_NN)[1][:, ::-1][:, :k].T
    largest_entries = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return rows * np.sign(largest_entries)


def _shares(parts_n: Floats, wholes_n: Floats) -> Floats:
    """The sum over clips of parts / whole; a clip that stands still has none."""
    return np.tensordot(np.divide(1, wholes_n, out=0 * wholes_n, where=wholes_n > 0), parts_n, 1)
