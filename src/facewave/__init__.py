"""facewave: from a clip of a face, through wavelets of its trajectories, to an emotion."""

import os

__version__ = "0.1.0"

# Load-bearing, and before numpy and torch are imported: OpenBLAS, MKL and ATen choose their kernels
# by the processor, and the sums of these differ in the last bit. With these settings every x86-64
# processor with AVX2 writes and trains the same bytes.
if os.uname().machine == "x86_64":
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
