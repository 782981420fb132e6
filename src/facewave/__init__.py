"""facewave: from a clip of a face, through wavelets of its trajectories, to an emotion."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facewave.app.api import Clip, Dataset, extract, load_model, predict, timeline

__version__ = "0.1.0"

# Load-bearing, and before numpy and torch are imported: OpenBLAS, MKL and ATen choose their kernels
# by the processor, and the sums of these differ in the last bit. With these settings every x86-64
# processor with AVX2 writes and trains the same bytes.
if os.uname().machine == "x86_64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")

# As a program, it may be stopped while packages are still being loaded.
if "facewave" in (Path(sys.argv[0]).name, *(arg.partition(".")[0] for arg in sys.orig_argv[1:3])):
    from facewave.errors import end_in_order

    end_in_order()

__all__ = ["Clip", "Dataset", "extract", "load_model", "predict", "timeline"]


def __getattr__(name: str) -> Any:
    """The Python interface (app/api.py), loaded when it is first used."""
    if name in __all__:
        from facewave.app import api

        return getattr(api, name)
    raise AttributeError(f"module 'facewave' has no attribute {name!r}")
