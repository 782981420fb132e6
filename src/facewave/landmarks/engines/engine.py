"""What every engine has: something that follows faces, and something that looks for a second."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """One face in one frame: landmarks (478, 3), blendshapes (52,), pose (4, 4), all float32."""

    landmarks_PC: NDArray[np.float32]
    blendshapes_B: NDArray[np.float32]
    pose_44: NDArray[np.float32]


class Landmarker(Protocol):
    """Follows faces through one clip; use it in a ``with`` block.

    ``names`` has the blendshapes' names, once a face was seen.
    """

    names: tuple[str, ...]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Face]:
        """The faces in a picture (height, width, 3), RGB; ``milliseconds`` must increase."""
        ...


class Lookout(Protocol):
    """Tells whether a picture shows more than one face; one instance serves all clips."""

    def several(self, picture: NDArray[np.uint8]) -> bool:
        """Whether a picture (height, width, 3), RGB, shows two faces or more."""
        ...


class Engine(NamedTuple):
    """Both, made of the landmarker's file as bytes.

    Attributes:
        landmarker: of the file, and how many faces it follows at most.
        lookout: of the file.
    """

    landmarker: Callable[[bytes, int], Landmarker]
    lookout: Callable[[bytes], Lookout]
