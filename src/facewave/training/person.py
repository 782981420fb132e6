"""The numbers of a dataset's clips, standardised by each person's other clips. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave.models.classifiers.person import Population
from facewave.params import Block
from facewave.workspace import Clips


def normalized(
    clips: Clips, names: Sequence[Block], population: Population | None
) -> NDArray[np.float32]:
    """``clips.inputs(names)``, standardised by the person's other clips if ``population`` is given.

    A clip of somebody of whom no other clip is known is standardised by the population alone.
    """
    inputs_nND = clips.inputs(names)
    if population is None:
        return inputs_nND
    at_n, subject_n = (clips.table[name].to_numpy() for name in ("at", "subject"))
    nobody_m = np.zeros(0, np.int64)
    for subject in pd.unique(subject_n):
        rows, at_m = np.flatnonzero(subject_n == subject), clips.people.get(subject, nobody_m)
        known_mND = clips.inputs_at(at_m, names)
        inputs_nND[rows] = population.standardize(inputs_nND[rows], at_n[rows], known_mND, at_m)
    return inputs_nND
