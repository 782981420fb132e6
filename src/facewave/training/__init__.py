"""Stage train: features and labels -> models/trained/<partition>/<role>/."""

import os

# Load-bearing, and before torch is imported: MKL and ATen choose their kernels by the processor,
# whose sums differ in the last bit. With these, every x86-64 with AVX2 trains the same bytes.
os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
