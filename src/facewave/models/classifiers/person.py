"""Numbers standardised by the same person's other clips. Pure: no labels, no files.

How a face looks at rest and how strongly it moves differs from person to person. Where few clips
of a person are known, their mean and variance are shrunken towards the population's, as James and
Stein's estimator does (Efron and Morris, "Data analysis using Stein's estimator and its
generalizations", JASA 70, 1975): the population counts like ``KAPPA`` clips.

Legend of names: n clips to standardise, m clips that are known, N steps, D channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewave.models.classifiers.classifier import Floats, moments, moves

# Clips that the population counts like: chosen among training folds, where 1 and 2 are best and
# alike (docs/benchmarks.md).
KAPPA = 2.0


@dataclass(frozen=True, eq=False)
class Population:
    """What clips of somebody unknown are standardised by, and everybody's are shrunken towards.

    Attributes:
        mean_ND: of the training clips.
        variance_ND: of the training clips (moments of all of them, not estimates).
    """

    mean_ND: Floats
    variance_ND: Floats

    @classmethod
    def of(cls, inputs_nND: NDArray[np.floating]) -> "Population":
        """The moments of training clips, of each number over those that have it; 0 without any."""
        return cls(*moments(inputs_nND))

    def standardize(
        self,
        inputs_nND: NDArray[np.float32],
        at_n: NDArray[np.int64],
        known_mND: NDArray[np.float32],
        at_m: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Standardise clips of one person, each by the others that are known of that person.

        With k other clips of mean a and variance v about it, the mean is (k a + KAPPA M) /
        (k + KAPPA) and the variance (k v + KAPPA V) / (k + KAPPA), M and V being the population's.
        A channel that hardly moves in the population becomes 0 (``classifier.moves``).

        Args:
            inputs_nND: the clips.
            at_n: which clips they are; none is among its own others.
            known_mND: all clips that are known of the person, NaN in what one lacks.
            at_m: which clips those are.

        Returns:
            (n, N, D), NaN where the clips are.
        """
        # About the population's mean, so that little is lost in the differences.
        about_mND = known_mND.astype(np.float64) - self.mean_ND
        has_mND = ~np.isnan(about_mND)
        about_mND[~has_mND] = 0.0
        clips_ND = has_mND.sum(axis=0)
        sum_ND, squares_ND = about_mND.sum(axis=0), (about_mND**2).sum(axis=0)
        row_of = {at: row for row, at in enumerate(at_m.tolist())}
        scale_ND = moves(self.mean_ND, np.sqrt(self.variance_ND)).astype(np.float64)
        standardized_nND = np.empty_like(inputs_nND)
        for row, at in enumerate(at_n.tolist()):
            others_ND, total_ND, total_squares_ND = clips_ND, sum_ND, squares_ND
            if at in row_of:
                itself_ND = about_mND[row_of[at]]
                others_ND = clips_ND - has_mND[row_of[at]]
                total_ND, total_squares_ND = sum_ND - itself_ND, squares_ND - itself_ND**2
            # k v is the sum of squares about the person's own mean.
            within_ND = total_squares_ND - total_ND**2 / np.maximum(others_ND, 1)
            within_ND = np.where(others_ND, np.maximum(within_ND, 0), 0.0)
            mean_ND = self.mean_ND + total_ND / (others_ND + KAPPA)
            variance_ND = (within_ND + KAPPA * self.variance_ND) / (others_ND + KAPPA)
            spread_ND = np.sqrt(np.where(scale_ND > 0, variance_ND, 1.0))
            standardized_nND[row] = scale_ND * (inputs_nND[row] - mean_ND) / spread_ND
        return standardized_nND

    def tensors(self) -> dict[str, Floats]:
        """What rebuilds it, by name."""
        return {"population.mean": self.mean_ND, "population.variance": self.variance_ND}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "Population":
        """Rebuild it from ``tensors``; a KeyError if one is missing."""
        return cls(tensors["population.mean"], tensors["population.variance"])
