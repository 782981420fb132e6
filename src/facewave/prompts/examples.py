"""Clips as conversations: what a language model is shown and asked, and what it should answer.

Legend of names: n clips, S clips shown in a conversation, K steps, D channels, T targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from facewave.labels import schema as labels
from facewave.models.vlm.backbones import Backbone, Turn
from facewave.models.vlm.model import Inputs, append_answers
from facewave.params import Block, Language
from facewave.prompts.frames import draw_seed, grid, show
from facewave.prompts.templates import question, spoken
from facewave.prompts.transcripts import transcripts
from facewave.workspace import Clips

_GREY = 128


@dataclass(frozen=True, eq=False)
class PromptClips:
    """Clips with what a conversation about them needs beside their frames.

    Attributes:
        clips: the clips.
        inputs: the blocks of features that face tokens are made of.
        transcripts: "" where there is none.
        answers: the right answers, "" where they are not known.
        targets_nT: what is regressed, NaN where it is not known.
    """

    clips: Clips
    inputs: Sequence[Block]
    transcripts: Sequence[str]
    answers: Sequence[str]
    targets_nT: NDArray[np.float64]

    @property
    def table(self) -> pd.DataFrame:
        """The clips' rows."""
        return self.clips.table

    def numbers(self, row: int) -> NDArray[np.float32]:
        """A clip's wavelet numbers, (K, D), NaN without a usable face; (0, 0) without inputs."""
        if not self.inputs:
            return np.zeros((0, 0), np.float32)
        return self.clips.select([row]).inputs(self.inputs)[0]

    def select(self, rows: Sequence[int]) -> "PromptClips":
        """Some of the clips, by their positions."""
        return replace(
            self,
            clips=self.clips.select(rows),
            transcripts=[self.transcripts[row] for row in rows],
            answers=[self.answers[row] for row in rows],
            targets_nT=self.targets_nT[list(rows)],
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
        clips: PromptClips,
        shots: PromptClips,
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
        numbers = [clips.numbers(row) for clips, row in shown]
        return Example(
            turns,
            np.stack(numbers),
            np.array(faces),
            self._clips.answers[row],
            self._clips.targets_nT[row],
        )

    def _turn(self, clips: PromptClips, row: int, *, told: bool, blank: bool = False) -> Turn:
        line: Any = clips.table.iloc[row]
        asked = question(
            self._settings.prompt,
            self._words,
            self._targets,
            "" if blank else clips.transcripts[row],
            self._settings.face_tokens,
        )
        pictures, duration = self._look(clips.clips, line)
        if blank:
            pictures = [np.full_like(picture, _GREY) for picture in pictures]
        return Turn(pictures, duration, asked, clips.answers[row] if told else "")

    def _look(self, clips: Clips, line: Any) -> tuple[list[NDArray[np.uint8]], float]:
        """A clip's pictures and the time that they are spread over, s."""
        if not self._settings.frames:
            return [], 0.0
        found: Any = clips.index.loc[line["video_idx"]]
        shown = show(
            clips.root / line["file_path"],
            clips.fps,
            float(line["start"]),
            float(found["duration"]),
            clips.trajectory(line["video_idx"]),  # it also tells which frames there are
            self._settings,
            draw_seed(self._seed, self._epoch, line["video_idx"]),
        )
        pictures = [grid(shown.pictures)] if self._settings.grid else list(shown.pictures)
        gaps = np.diff(shown.times_F)  # the pictures' own: in the middle third they are close
        spread = float(gaps.mean()) * len(shown.times_F) if gaps.any() else shown.duration
        return pictures, spread


def gather(
    clips: Clips, inputs: Sequence[Block], settings: Language, targets: Sequence[str] = ()
) -> PromptClips:
    """Clips as a language model sees them.

    Args:
        clips: labelled or not.
        inputs: the blocks of features that face tokens are made of.
        settings: section ``train.language``; ``transcript`` and ``speech`` are used.
        targets: what is regressed (``labels.schema.targets``).

    Raises:
        UserError: the label table has no such target, or speech cannot be recognised.
    """
    return PromptClips(
        clips,
        inputs,
        transcripts(clips.table, clips.root, settings),
        [spoken(word) for word in clips.table["actual"]],
        labels.targets(clips.table, targets),
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
