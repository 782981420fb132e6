"""What every encoder is: a function of faces, and what must be known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facewave.assets import Asset
from facewave.errors import UserError

Faces = NDArray[np.uint8]  # (n, side, side, 3) RGB
# Answers (n, words + numbers) and embedding (n, width) of faces; none of a kind is (n, 0).
Seen = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A frozen network. Its weights are read when it first looks at a face, and not again.

    The same faces give the same numbers: it runs on one thread, unless ``device`` is a GPU.
    """

    name: str  # as ``load`` takes it
    side: int  # of the square pictures it takes, px
    margin: float = 0.0  # of the face's box, kept on each of its sides, in boxes
    words: tuple[str, ...] = ()  # in the order of its answers; of the seven, spelt as in the labels
    numbers: tuple[str, ...] = ()  # answered after the words: valence, arousal
    width: int = 0  # of its embedding; 0: it has none
    # JSON: the weights and our preprocessing; what it sees depends on nothing else.
    identity: dict[str, object]
    about: dict[str, str]  # licence, learnt_on, address: what a card tells of it
    device: str = "cpu"  # or cuda
    # Reads the weights; returns the function that ``__call__`` applies. Raises UserError.
    open: Callable[[], Callable[[Faces], Seen]]

    @cached_property
    def _look(self) -> Callable[[Faces], Seen]:
        look = self.open()
        answers, embedding = look(np.zeros((1, self.side, self.side, 3), np.uint8))
        expected = len(self.words) + len(self.numbers)
        if answers.shape != (1, expected) or embedding.shape != (1, self.width):
            raise UserError(
                f"encoder {self.name} gives {answers.shape[-1]} answers and {embedding.shape[-1]} "
                f"features of a face, not the {expected} ({', '.join(self.words + self.numbers)}) "
                f"and {self.width} it is known for. Its file is of another model: replace it."
            )
        return look

    def __call__(self, faces: Faces) -> Seen:
        """Look at faces.

        Args:
            faces: (n, side, side, 3) RGB.

        Returns:
            (n, words + numbers): natural logarithms of the words' probabilities, then the numbers;
            (n, width): the embedding.

        Raises:
            UserError: its weights or what runs them cannot be had, or are not what they should be.
        """
        if not len(faces):
            answers = np.zeros((0, len(self.words) + len(self.numbers)), np.float32)
            return answers, np.zeros((0, self.width), np.float32)
        return self._look(faces)


def of_asset(asset: Asset, address: str) -> dict[str, str]:
    """What a card tells of an encoder that is one published file, or several."""
    return {"licence": asset.licence, "learnt_on": asset.learnt_on, "address": address}


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log probabilities (n, words) of logits (n, words)."""
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def log_of(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log probabilities, where a probability that was rounded to 0 counts as the smallest float."""
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
