"""facewave: from a clip of a face, through wavelets of its trajectories, to an emotion."""

import os
import platform

__version__ = "0.1.0"

# Load-bearing, and before numpy is imported: OpenBLAS chooses its kernels by the processor, whose
# sums differ in the last bit. With this, every x86-64 with AVX2 writes the same bytes.
if platform.machine() == "x86_64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
