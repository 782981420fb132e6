"""A MATLAB structure as JSON: ``python -m facewave.labels.structure FILE NAME FIELD...``.

A process of its own (apart.py). SciPy reads no pickles and runs no code of the file.
"""

import warnings
import zlib
from struct import error as struct_error
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from facewave.labels import apart

_DAMAGE = (  # what SciPy says of files that are none, cut off or changed
    OSError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError,
    RuntimeError, struct_error, zlib.error, MatReadError,
)  # fmt: skip


def fields(path: str, name: str, *chosen: str) -> list[list[str] | list[float]]:
    """The chosen fields of the structure ``name``, each with a value an entry, text or number.

    An empty cell is "".

    Raises:
        ValueError: a field holds something else; or any of ``_DAMAGE``.
    """
    with warnings.catch_warnings(action="ignore"):
        structure = loadmat(path, variable_names=[name])[name][0, 0]
        return [_values(structure[field].ravel()) for field in chosen]


def _values(field: Any) -> list[str] | list[float]:
    if field.dtype != object:
        return [float(value) for value in field]
    cells = [np.asarray(cell) for cell in field]
    if any(cell.dtype.kind != "U" for cell in cells):
        raise ValueError("a cell holds no text")
    return [str(cell.item()) if cell.size else "" for cell in cells]


if __name__ == "__main__":
    apart.answer(fields, *_DAMAGE)
