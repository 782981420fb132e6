"""What all models that answer to a prompt have in common, wherever they run.

Legend of names: n clips, C classes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facewave import params
from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.params import Language
from facewave.prompts.examples import Examples, PromptClips, gather
from facewave.targets import CLASSES
from facewave.training.schema import LENIENTLY, Trained, answers_of, encoder_of
from facewave.workspace import Clips, Dataset


class Prompted(Trained):
    """What answers to a prompt about a clip.

    Attributes (others as in ``Trained``):
        settings: the prompt, the frames and the way of answering.
        shots: the clips that are shown as examples, by video_idx.
    """

    settings: Language
    shots: tuple[str, ...]

    def _prompt(self, settings: Language, shots: Sequence[str]) -> None:
        """Set how it is prompted, and what it needs for that; ``inputs`` are known."""
        self.settings, self.shots = settings, tuple(shots)
        self.encoder = encoder_of(self.inputs, self.wavelets)
        if "{expression}" in settings.prompt:
            self.encoder = self.wavelets["encoder"]["name"]
        self.needs_face = not settings.frames
        self.needs_pictures = bool(settings.frames) and settings.picture == "face"
        self.needs_transcript = settings.transcript != "none"
        self.needs_voice = "{voice}" in settings.prompt

    def answer(self, clips: Clips) -> pd.DataFrame:
        """Answers from face and frames; of a clip without a usable face, from its frames."""
        settings = replace(self.settings, wordings=[], reasons="none")  # they are for learning
        return self.answer_prompted(gather(clips, self.inputs, settings))

    @abstractmethod
    def answer_prompted(self, prompted: PromptClips) -> pd.DataFrame:
        """Answers to clips with what is told of them, as ``answer`` gives them."""

    def _examples(self, prompted: PromptClips, targets: Sequence[str] = ()) -> Examples:
        """The conversations about clips."""
        shots = self._shown if self.shots else prompted.select([])
        return Examples(prompted, shots, self.classes, targets, self.settings, seed=0)

    def _answered_from(self, clips: Clips) -> NDArray[np.str_]:
        usable = clips.table["usable"].to_numpy(bool)
        return np.where(usable, "face", "frames" if self.settings.frames else "words")

    def _by_shares(
        self, clips: Clips, shares_nC: NDArray[np.floating], leniently: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Answers by probabilities of the classes; without any (0 or NaN) "" is predicted.

        ``leniently`` are the words that written answers name when they are read so.
        """
        is_answered_n = np.any(shares_nC > 0, axis=1)
        likeliest_n = np.array(self.classes, object)[np.nan_to_num(shares_nC).argmax(axis=1)]
        shares_nC = np.where(is_answered_n[:, None], shares_nC, 1 / len(self.classes))
        words = {CLASSES: np.where(is_answered_n, likeliest_n, "")}
        answered_from = self._answered_from(clips)
        table = answers_of(clips, answered_from, self.targets, shares_nC, words=words)
        return table if leniently is None else table.assign(**{LENIENTLY: leniently})

    @cached_property
    def _shown(self) -> PromptClips:
        """The clips that are shown as examples, from the dataset that the model learnt from."""
        dataset = Dataset(str(self.about["dataset"]), params.load())
        features = dataset.read_features()
        self.check(features, dataset.name)
        clips = dataset.clips(labels.single_label(dataset.read_labels()), features)
        rows = pd.Index(clips.table["video_idx"]).get_indexer(list(self.shots))
        if (rows < 0).any():
            raise UserError(
                f"{dataset.name} lacks clips that the model shows as examples. Train it again: "
                "dvc repro train"
            )
        return gather(clips.select(rows), self.inputs, self.settings)
