"""What networks have in common whose inputs are read while they train: pictures, trajectories.

Legend of names: n clips, T moments of a clip, O outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from facewave.models.readout import Readout
from facewave.targets import Target


class Streamed(Readout, ABC):
    """A network over what a clip has of one or several kinds, each of any length.

    A batch is keyword arguments: of each kind, its name -> (n, T, ...), padded with zeros to the
    longest clip's T, and ``<name>_there`` -> (n, T) bool, whether a clip has something there.
    """

    def __init__(self, kind: str, targets: Sequence[Target], binned: bool) -> None:
        super().__init__(kind, targets, binned)

    @property
    def trunk(self) -> nn.Module | None:
        """What may come pretrained, and then learns later and more slowly than the rest."""
        return None

    @abstractmethod
    def forward(self, **batch: Tensor) -> Tensor:
        """A batch -> (n, O), the same for a clip whatever stands beside it in evaluation."""
