"""What every engine has: something that follows the faces of a clip, picture by picture."""

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


class Sighting(NamedTuple):
    """A face in a frame.

    Attributes:
        track: what follows it without a break; another face, or the same after a break, has
            another number.
        face: as it is seen.
        shot: in which it is, from 0, where the engine looks for cuts.
    """

    track: int
    face: Face
    shot: int = 0


class Landmarker(Protocol):
    """Follows the faces of one clip; use it in a ``with`` block.

    ``names`` has the blendshapes' names, once a face was seen.
    """

    names: tuple[str, ...]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Sighting]:
        """The faces in a picture (height, width, 3), RGB; ``milliseconds`` must increase."""
        ...
