"""The picture of what K numbers lose."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from facewave import figures

_TITLES = {"blendshapes": "blendshapes", "landmarks": "landmarks", "pose_free": "pose-free points"}
_LIMITS = {"variance": (0.1, 120), "velocity": (1, 400)}
_GREY = {"block": ":", "uniform": "--", "dct": "-.", "pca": "-"}
_LEFT_OUT = ("mean", "approximation sym4", "pyramid db2", "largest db2")  # of the picture alone


def curves(kept: pd.DataFrame, title: str, path: Path) -> None:
    """Unexplained variance and velocity over K: wavelets in colour, rivals in grey.

    Args:
        kept: as ``information.summary`` gives it, the configured transform first.
        title: of the whole.
        path: the PNG.
    """
    kept = kept[~kept["contender"].isin(_LEFT_OUT)]
    with mpl.rc_context(figures.STYLE):
        figure = Figure((10, 6.2), layout="constrained")
        axes_of = figure.subplots(len(_LIMITS), len(_TITLES), sharex=True, sharey="row")
        for row, measure in zip(axes_of, _LIMITS, strict=True):
            for axes, block in zip(row, _TITLES, strict=True):
                of_block = kept[kept["block"] == block]
                for number, (name, line) in enumerate(of_block.groupby("contender", sort=False)):
                    grey = _GREY.get(str(name).split()[0])
                    look = {"color": "0.45", "ls": grey} if grey else {"color": f"C{number}"}
                    middle = line[f"{measure}_median"]
                    axes.plot(line["k"], middle, lw=1 + 1.2 * (number == 0), label=name, **look)
                    if number == 0:
                        low, high = line[f"{measure}_low"], line[f"{measure}_high"]
                        axes.fill_between(line["k"], low, high, color="C0", alpha=0.15, lw=0)
                axes.set_xscale("log", base=2)
                axes.set_xticks([4, 8, 16, 32, 64], ["4", "8", "16", "32", "64"])
                axes.set_yscale("log")
                axes.set_ylim(_LIMITS[measure])
                axes.yaxis.set_major_formatter("{x:g}")
            row[0].set_ylabel(f"{measure} left unexplained (%)")
        for top, bottom, title_of_block in zip(*axes_of, _TITLES.values(), strict=True):
            top.set_title(title_of_block, fontsize=9)
            bottom.set_xlabel("numbers per trajectory")
        handles, labels = axes_of[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
        figure.suptitle(
            f"What K numbers lose of {title}\nmedian over clips; band: quartiles of the first",
            fontsize=10,
        )
        figures.save(figure, path)
