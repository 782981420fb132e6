"""Clips as conversations: what a language model is shown and asked, and what it should answer.

Legend of names: n clips, S clips shown in a conversation, K steps, D channels, T targets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from facewave.labels import schema as labels
from facewave.landmarks import schema as landmarks
from facewave.models.vlm.backbones import Backbone, Turn
from facewave.models.vlm.model import Inputs, append_answers
from facewave.params import Dataset, Language, Train
from facewave.prompts.frames import draw_seed, grid, show
from facewave.prompts.templates import question, spoken

_GREY = 128


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips to show.

    Attributes:
        table: rows of the label table, with ``usable`` and ``at`` (wavelets.schema.join).
        root: the corpus's folder.
        fps: of clips that are folders of pictures.
        trajectories: the folder of their landmarks.
        index: where in it each clip lies, by video_idx (landmarks.schema.INDEX).
        numbers: ``at`` -> (K, D), NaN for a clip without a usable face.
        transcripts: of the rows, "" where there is none.
        answers: what is right to say of the rows, "" where that is not known.
        targets_nT: what is regressed of the rows, NaN where it is not known.
    """

    table: pd.DataFrame
    root: Path
    fps: float
    trajectories: Path
    index: pd.DataFrame
    numbers: Callable[[int], NDArray[np.float32]]
    transcripts: Sequence[str]
    answers: Sequence[str]
    targets_nT: NDArray[np.float64]

    def of(self, rows: Sequence[int]) -> "Clips":
        """Some of the clips, by their positions."""
        at = list(rows)
        return replace(
            self,
            table=self.table.iloc[at],
            transcripts=[self.transcripts[row] for row in at],
            answers=[self.answers[row] for row in at],
            targets_nT=self.targets_nT[at],
        )


@dataclass(frozen=True, eq=False)
class Example:
    """One conversation.

    Attributes:
        turns: examples with answers, then the question.
        numbers_SKD: of the shown clips; of no use where ``faces_S`` is false.
        faces_S: which have a usable face.
        answer: the right one, "" if it is not known.
        targets_T: what is regressed.
    """

    turns: Sequence[Turn]
    numbers_SKD: NDArray[np.float32]
    faces_S: NDArray[np.bool_]
    answer: str
    targets_T: NDArray[np.float64]


class Examples(TorchDataset[Example]):
    """A conversation about each clip.

    Args:
        clips: what is asked about.
        shots: clips shown with their answers before; one too many, since no clip is shown its own.
        words: the labels.
        targets: what is regressed; none: the answer is a label.
        settings: section ``train.language``; ``face_tokens`` counts places in the prompt.
        seed: of frames drawn by chance.
        blank: grey pictures, no words, no face: what is said when there is nothing to see.
    """

    def __init__(
        self,
        clips: Clips,
        shots: Clips,
        words: Sequence[str],
        targets: Sequence[str],
        settings: Language,
        seed: int,
        blank: bool = False,
    ) -> None:
        self._clips, self._shots, self._words = clips, shots, words
        self._targets, self._settings, self._seed = targets, settings, seed
        self._blank = blank
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._clips.table)

    def set_epoch(self, epoch: int) -> None:
        """Frames drawn by chance are others in every epoch (accelerate calls this)."""
        self._epoch = epoch

    def blanks(self) -> "Examples":
        """The same questions with nothing to see."""
        return Examples(
            self._clips,
            self._shots,
            self._words,
            self._targets,
            self._settings,
            self._seed,
            blank=True,
        )

    def __getitem__(self, row: int) -> Example:
        own = self._clips.table["video_idx"].iloc[row]
        others = [shot for shot, name in enumerate(self._shots.table["video_idx"]) if name != own][
            : self._settings.examples
        ]
        turns = [self._turn(self._shots, shot, told=True) for shot in others]
        turns.append(self._turn(self._clips, row, told=False, blank=self._blank))
        shown = [(self._shots, shot) for shot in others] + [(self._clips, row)]
        faces = [bool(clips.table["usable"].iloc[at]) for clips, at in shown]
        faces[-1] &= not self._blank
        numbers = [clips.numbers(int(clips.table["at"].iloc[at])) for clips, at in shown]
        return Example(
            turns,
            np.stack(numbers),
            np.array(faces),
            self._clips.answers[row],
            self._clips.targets_nT[row],
        )

    def _turn(self, clips: Clips, row: int, *, told: bool, blank: bool = False) -> Turn:
        line: Any = clips.table.iloc[row]
        asked = question(
            self._settings.prompt,
            self._words,
            self._targets,
            "" if blank else clips.transcripts[row],
            self._settings.face_tokens,
        )
        pictures, duration = self._look(clips, line)
        if blank:
            pictures = [np.full_like(picture, _GREY) for picture in pictures]
        return Turn(pictures, duration, asked, clips.answers[row] if told else "")

    def _look(self, clips: Clips, line: Any) -> tuple[list[NDArray[np.uint8]], float]:
        """A clip's pictures and the time that they are spread over, s."""
        if not self._settings.frames:
            return [], 0.0
        found: Any = clips.index.loc[line["video_idx"]]
        trajectory = None  # it also tells which frames there are
        if not pd.isna(found["row_group"]):
            trajectory = landmarks.read_row(clips.trajectories, found)
        shown = show(
            clips.root / line["file_path"],
            clips.fps,
            float(line["start"]),
            float(found["duration"]),
            trajectory,
            self._settings,
            draw_seed(self._seed, self._epoch, line["video_idx"]),
        )
        pictures = [grid(shown.pictures)] if self._settings.grid else list(shown.pictures)
        gaps = np.diff(shown.times_F)  # the pictures' own: in the middle third they are close
        spread = float(gaps.mean()) * len(shown.times_F) if gaps.any() else shown.duration
        return pictures, spread


def gather(
    table: pd.DataFrame,
    entry: Dataset,
    settings: Train,
    numbers: Callable[[int], NDArray[np.float32]],
    transcripts: Sequence[str],
) -> Clips:
    """Labelled clips as a language model is shown them.

    Args:
        table: rows with ``at`` and ``usable`` (wavelets.schema.join).
        entry: the dataset's.
        settings: section ``train``.
        numbers: ``at`` -> (K, D).
        transcripts: of the rows.

    Raises:
        UserError: the table has no such target.
    """
    targets = settings.language.targets if settings.is_regression else []
    trajectories = Path("data/landmarks") / settings.dataset
    return Clips(
        table,
        Path(entry.root),
        entry.fps,
        trajectories,
        landmarks.read_index(trajectories).set_index("video_idx"),
        numbers,
        transcripts,
        [spoken(word) for word in table["actual"]],
        labels.targets(table, targets),
    )


def choose_shots(table: pd.DataFrame, count: int, words: Sequence[str]) -> list[int]:
    """Positions of the rows to show as examples: of the classes in turn, in the order of ``rank``.

    Args:
        table: the training part.
        count: how many; fewer come if there are fewer.
        words: the classes; without any, the rows count as one class.
    """
    order = np.argsort(table["rank"].to_numpy(), kind="stable")
    names = table["actual"].to_numpy()
    queues = [[int(at) for at in order if names[at] == word] for word in words]
    queues = queues or [[int(at) for at in order]]
    chosen: list[int] = []
    while len(chosen) < count and any(queues):
        chosen += [queue.pop(0) for queue in queues if queue]
    return chosen[:count]


def collate(
    backbone: Backbone, examples: Sequence[Example], *, faces: bool, answered: bool
) -> Inputs:
    """A batch: the backbone's inputs and ``LanguageModel``'s.

    Args:
        backbone: whose processor reads the conversations.
        examples: at least one.
        faces: whether the model has face tokens.
        answered: with the right answers behind the prompts, and ``labels``.
    """
    inputs = backbone.inputs([one.turns for one in examples])
    if faces:
        inputs["numbers_nSKD"] = torch.from_numpy(np.stack([one.numbers_SKD for one in examples]))
        inputs["faces_nS"] = torch.from_numpy(np.stack([one.faces_S for one in examples]))
    if answered:
        answers = [backbone.answer_ids(one.answer) for one in examples]
        inputs = append_answers(inputs, answers, backbone.processor.tokenizer.pad_token_id)
    return inputs
