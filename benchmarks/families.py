"""Which wavelet family loses least: ``python benchmarks/families.py DATASET [--k 10]``.

Reads data/landmarks/DATASET as stage wavelet does, so from the repository's root after
``dvc repro extract``. Every discrete family of PyWavelets, with open and with periodic ends, in
mode approximation: the share of the variance over time, and of the squared velocity, that K numbers
leave unexplained, median over clips, in percent; sorted by the mean of the shares of variance.
Families whose filters are too long for K functions with open ends are left out there.
"""

import argparse
from pathlib import Path
from typing import get_args

import pywt

from facewave import params
from facewave.landmarks import schema as landmarks
from facewave.params import Boundary
from facewave.wavelets.__main__ import measured_of
from facewave.wavelets.features import channels, unusable
from facewave.wavelets.information import Moving, moving, race, summary
from facewave.wavelets.transform import Transform


def clips(dataset: str) -> list[Moving]:
    """The clips that the stage measures."""
    folder, settings = Path("data/landmarks") / dataset, params.load().wavelets
    index = landmarks.read_index(folder)
    reasons = [unusable(row, settings.max_gap_s) for row in index.to_dict("records")]
    index["usable"] = [not reason for reason in reasons]
    found = []
    for row in index.loc[sorted(measured_of(index))].itertuples():
        trajectory = landmarks.read_row(folder, row)
        found.append(moving(channels(trajectory, row), trajectory.times_T, row.file_path))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Which wavelet family loses least.")
    parser.add_argument("dataset")
    parser.add_argument("--k", type=int, default=10, help="numbers per channel")
    given = parser.parse_args()
    seen = clips(given.dataset)
    racing = {
        f"{family} {boundary}": Transform("approximation", family, boundary, given.k)
        for family in pywt.wavelist(kind="discrete")
        if family not in ("db1", "bior1.1", "rbio1.1")  # haar by other names
        for boundary in get_args(Boundary)
    }
    lost = summary(race(seen, racing, [given.k]))
    table = lost.pivot(index="contender", columns="block")[["variance_median", "velocity_median"]]
    order = table["variance_median"].mean(axis=1).sort_values(kind="stable").index
    blocks = list(seen[0].moments)
    print(f"{given.dataset}: {len(seen)} clips, K = {given.k}; unexplained variance | velocity, %")
    print(f"{'':20} " + " ".join(f"{block:>16}" for block in blocks))
    for name in order:
        cells = [
            f"{table.loc[name, ('variance_median', block)]:7.2f} |"
            f"{table.loc[name, ('velocity_median', block)]:7.2f}"
            for block in blocks
        ]
        print(f"{name:20} " + " ".join(cells))
    print(f"{len(racing) - len(order)} have no place for so few functions")


if __name__ == "__main__":
    main()
