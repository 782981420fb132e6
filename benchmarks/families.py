"""Which wavelet reconstructs best: ``python benchmarks/families.py DATASET [--k 10]``.

Reads data/landmarks/DATASET, so run it from the repository's root after ``dvc repro extract``. For
every discrete wavelet of PyWavelets, with open and with periodic ends, as an approximation: the
share of the variance over time, and of the squared velocity, that K numbers leave unexplained,
median over clips, in percent; sorted by the mean share of variance. Wavelets whose filters are too
long for K functions with open ends are left out there.
"""

import argparse
from typing import get_args

import pywt

from facewave import params
from facewave.params import Boundary
from facewave.study.clips import Trajectories
from facewave.study.reconstruction import moments_of, race, summary
from facewave.wavelets.transform import Transform
from facewave.workspace import Dataset


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Which wavelet loses least.")
    parser.add_argument("dataset")
    parser.add_argument("--k", type=int, default=10, help="numbers per channel")
    arguments = parser.parse_args()
    loaded = params.load()
    dataset = Dataset(arguments.dataset, loaded)
    clips = moments_of(Trajectories(dataset))
    racing = {
        f"{wavelet} {boundary}": Transform("approximation", wavelet, boundary, arguments.k)
        for wavelet in pywt.wavelist(kind="discrete")
        if wavelet not in ("db1", "bior1.1", "rbio1.1")  # haar by other names
        for boundary in get_args(Boundary)
    }
    lost = summary(race(clips, racing, [arguments.k]))
    table = lost.pivot(index="contender", columns="block")[["variance_median", "velocity_median"]]
    order = table["variance_median"].mean(axis=1).sort_values(kind="stable").index
    blocks = list(clips[0].moments)
    print(f"{arguments.dataset}: {len(clips)} clips, K = {arguments.k}; unexplained", end=" ")
    print("variance | velocity, %")
    print(f"{'':20} " + " ".join(f"{block:>16}" for block in blocks))
    for name in order:
        cells = [
            f"{table.loc[name, ('variance_median', block)]:7.2f} |"
            f"{table.loc[name, ('velocity_median', block)]:7.2f}"
            for block in blocks
        ]
        print(f"{name:20} " + " ".join(cells))
    print(f"{len(racing) - len(order)} cannot have so few functions")


if __name__ == "__main__":
    main()
