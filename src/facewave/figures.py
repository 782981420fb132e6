"""What all figures share: how they look, and that the same picture is the same bytes."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facewave.files import replacing

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # texts are people's
}


def save(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a PNG."""
    with replacing(path) as temporary:
        # Without the library's version in it: the same picture, the same bytes.
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})
