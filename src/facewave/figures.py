"""What all figures share: their style, and a writer that gives the same bytes each time."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facewave.files import replacing

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # file names and transcripts may hold dollar signs
}


def save(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a PNG."""
    with replacing(path) as temporary:
        # Without Matplotlib's version, which would change the bytes.
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})
