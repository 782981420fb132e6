"""Clips as conversations: what a language model is shown and asked, and the right answer.

Legend of names: n clips, S clips shown in a conversation, K steps, D channels, T targets.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset as TorchDataset

from facewave.errors import UserError
from facewave.labels import schema as labels
from facewave.models.vlm.backbones import Backbone
from facewave.models.vlm.conversations import Turn
from facewave.models.vlm.model import Inputs, LanguageModel, append_answers
from facewave.params import Block, Language
from facewave.prompts import facts, reasons, voice_facts
from facewave.prompts.frames import draw_seed, grid, show
from facewave.prompts.speech import transcripts
from facewave.prompts.templates import drawn, question
from facewave.targets import number, truth
from facewave.workspace import Clips

_GREY = 128
_TEXTS = ("transcripts", "facts", "voices", "expressions", "reasons", "answers")


@dataclass(frozen=True, eq=False)
class PromptClips:
    """Clips with what a conversation about them needs beside their frames."""

    clips: Clips  # the clips
    inputs: Sequence[Block]  # the blocks of features that face tokens are made of
    transcripts: Sequence[str]  # "" if there is none
    facts: Sequence[str]  # what the face does, in words; "" where the prompt does not ask for it
    voices: Sequence[str]  # how the person sounds, likewise
    expressions: Sequence[str]  # what a frame encoder says of the face, likewise
    reasons: Sequence[str]  # what comes before the label in an answer; "" where there is nothing
    answers: Sequence[str]  # the right labels, "" if they are not known
    targets_nT: NDArray[np.float64]  # what is regressed, NaN if it is not known

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
            **{name: [getattr(self, name)[row] for row in rows] for name in _TEXTS},
            targets_nT=self.targets_nT[list(rows)],
        )

    def with_faces_of(self, rows: Sequence[int] | NDArray[np.int64]) -> "PromptClips":
        """The same clips, told of others' faces: numbers and facts are those of these positions."""
        others = self.table.iloc[list(rows)]
        table = self.table.assign(**{name: others[name].to_numpy() for name in ("at", "usable")})
        facts = [self.facts[row] for row in rows]
        return replace(self, clips=replace(self.clips, table=table), facts=facts)


@dataclass(frozen=True, eq=False)
class Example:
    """One conversation."""

    turns: Sequence[Turn]  # examples with answers, then the question
    # wavelet numbers of the clips; meaningless where ``faces_S`` is false.
    numbers_SKD: NDArray[np.float32]
    faces_S: NDArray[np.bool_]  # whether they have a usable face
    answer: str  # the right one, "" if it is not known
    targets_T: NDArray[np.float64]  # what is regressed
    weight: float = 1.0  # how much it counts in the loss


class Examples(TorchDataset[Example]):
    """A conversation about each clip.

    Args:
        clips: what is asked about.
        shots: clips shown before, with answers; one too many, since no clip is shown its own.
        words: the labels.
        targets: what is regressed; none: the answer is a label.
        settings: section ``train.language``; a prompt has ``face_tokens`` placeholders.
        seed: of what is drawn: frames, answers and, in training, prompts.
        shares_nC: of the labels, from which each clip's answer is drawn, again in each epoch; None:
            the clip's own.
        weights_n: how much each clip counts in the loss; None: all the same.
        is_training: whether the prompt is drawn among ``settings.prompts`` and, where settings say
            so, the order of its labels.
    """

    def __init__(
        self,
        clips: PromptClips,
        shots: PromptClips,
        words: Sequence[str],
        targets: Sequence[str],
        settings: Language,
        seed: int,
        shares_nC: NDArray[np.float64] | None = None,
        weights_n: NDArray[np.float64] | None = None,
        is_training: bool = False,
    ) -> None:
        self._clips, self._shots, self._words = clips, shots, words
        self._targets, self._settings, self._seed = targets, settings, seed
        self._shares_nC, self._is_training = shares_nC, is_training
        self._weights_n = np.ones(len(clips.table)) if weights_n is None else weights_n
        self._blank, self._epoch = False, 0

    def __len__(self) -> int:
        return len(self._clips.table)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, in each of which all is drawn anew (Trainer calls it)."""
        self._epoch = epoch

    def blanks(self) -> "Examples":
        """The same questions with nothing to see: grey pictures, no words and no face."""
        blanks = copy(self)
        blanks._blank = True
        return blanks

    def __getitem__(self, row: int) -> Example:
        name = self._clips.table["video_idx"].iloc[row]
        others = np.flatnonzero(self._shots.table["video_idx"] != name)[: self._settings.examples]
        shots = [(self._shots, int(at)) for at in others]
        conversation = [*shots, (self._clips, row)]
        prompt = self._prompt(name)
        turns = [self._turn(clips, at, *prompt, is_last=False) for clips, at in shots]
        turns.append(self._turn(self._clips, row, *prompt, is_last=True))
        faces = [bool(clips.table["usable"].iloc[at]) for clips, at in conversation]
        faces[-1] &= not self._blank
        return Example(
            turns,
            np.stack([clips.numbers(at) for clips, at in conversation]),
            np.array(faces),
            self._answer(self._clips, row, self._word(row)),
            self._clips.targets_nT[row],
            float(self._weights_n[row]),
        )

    def _prompt(self, name: str) -> tuple[str, Sequence[str]]:
        """The template of a clip's conversation, and the labels in their order."""
        if not self._is_training:
            return self._settings.prompt, self._words
        seed = draw_seed(self._seed, self._epoch, f"prompt of {name}")
        return drawn(self._settings, self._words, seed)

    def _word(self, row: int) -> str:
        """The right label, or one drawn from its shares: on average the same loss as of these."""
        if self._shares_nC is None:
            return self._clips.answers[row]
        what = f"answer to {self._clips.table['video_idx'].iloc[row]}"
        draw = np.random.default_rng(draw_seed(self._seed, self._epoch, what))
        return labels.spoken(self._words[draw.choice(len(self._words), p=self._shares_nC[row])])

    def _answer(self, clips: PromptClips, row: int, word: str) -> str:
        """The answer to learn or to show, of a label; "" where that is not known."""
        is_plain = self._settings.reasons == "none" or not word
        return word if is_plain else reasons.answer(clips.reasons[row], word)

    def _turn(
        self, clips: PromptClips, row: int, template: str, words: Sequence[str], *, is_last: bool
    ) -> Turn:
        is_blank = is_last and self._blank
        text = question(
            template,
            words,
            self._targets,
            "" if is_blank else clips.transcripts[row],
            self._settings.face_tokens,
            "" if is_blank else clips.facts[row],
            "" if is_blank else clips.voices[row],
            "" if is_blank else clips.expressions[row],
        )
        pictures, duration = self._frames(clips.clips, clips.table.iloc[row])
        if is_blank:
            pictures = [np.full_like(picture, _GREY) for picture in pictures]
        answer = "" if is_last else self._answer(clips, row, clips.answers[row])
        return Turn(pictures, duration, text, answer)

    def _frames(self, clips: Clips, row: Any) -> tuple[list[NDArray[np.uint8]], float]:
        """A clip's pictures and the time that they are spread over, s."""
        if not self._settings.frames:
            return [], 0.0
        name = row["video_idx"]
        shown = show(
            clips.root / row["file_path"],
            str(clips.index.at[name, "key"]),
            clips.fps,
            float(row["start"]),
            float(clips.index.at[name, "duration"]),
            clips.faces(name) if self._settings.picture == "face" else None,
            self._settings,
            draw_seed(self._seed, self._epoch, name),
        )
        pictures = [grid(shown.pictures)] if self._settings.grid else list(shown.pictures)
        gaps = np.diff(shown.times_F)  # between the pictures: small in the middle third
        spread = float(gaps.mean()) * len(shown.times_F) if gaps.any() else shown.duration
        return pictures, spread


def gather(
    clips: Clips, inputs: Sequence[Block], settings: Language, targets: Sequence[str] = ()
) -> PromptClips:
    """Clips, labelled or not, as a language model sees them.

    Raises:
        UserError: speech cannot be recognised, or nobody has listened to the clips, or no encoder
            says what the prompt asks for.
    """
    return PromptClips(
        clips,
        inputs,
        transcripts(clips.table, clips.root, settings),
        *_told(clips, settings),
        reasons.of_clips(clips, settings),
        [labels.spoken(word) for word in clips.table["actual"]],
        numbers(clips.table, targets),
    )


def _told(clips: Clips, settings: Language) -> tuple[list[str], list[str], list[str]]:
    """Facts, voices and expressions of clips, as far as the prompt asks for them."""
    names, nothing = clips.table["video_idx"], [""] * len(clips)
    moves, voices, expressions = nothing, nothing, nothing
    templates = "".join(settings.prompts)
    if "{facts}" in templates:
        moves = facts.of_clips(clips, settings.facts)
    if "{voice}" in templates:
        if not (clips.stored_voice and clips.stored_voice.config.channels):
            raise UserError(
                "params.yaml: a prompt of train.language has {voice}, and stage listen has heard "
                "no clip: metrics/listen tells why. Take {voice} out, or give the clips their "
                "sound."
            )
        voices = [voice_facts.told(clips.voice(name), settings.facts) for name in names]
    if "{expression}" in templates:
        words = clips.encoder().words
        if not words:
            raise UserError(
                "params.yaml: a prompt of train.language has {expression}, and appearance.encoder "
                "names no encoder that answers in words. Name one, fer say, or take {expression} "
                "out."
            )
        parts = settings.facts.parts
        seen = (clips.appearance(name) for name in names)
        expressions = [facts.expressed(appearance, words, parts) for appearance in seen]
    return moves, voices, expressions


def numbers(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """The truth of targets that are numbers (targets.py), (n, T), NaN where a row has none."""
    columns = [truth(number(name), table) for name in names]
    return np.concatenate([np.empty((len(table), 0)), *columns], axis=1)


def choose_shots(table: pd.DataFrame, count: int, words: Sequence[str]) -> list[int]:
    """Positions of at most ``count`` rows to show: by class in turn, in the order of ``rank``.

    Without classes (``words``) the rows count as one.
    """
    order = np.argsort(table["rank"].to_numpy(), kind="stable").tolist()
    names = table["actual"].tolist()
    queues = [[at for at in order if names[at] == word] for word in words] or [order]
    return [at for turn in zip_longest(*queues) for at in turn if at is not None][:count]


@dataclass(frozen=True, eq=False)
class Collator:
    """Makes a model's inputs of examples; it can be sent to another process, as the model cannot.

    With the truth they are what a loss is computed from: ``labels``, the answers' tokens, and
    ``weights_n``; or of a regression ``targets_nT``.
    """

    backbone: Backbone  # without its model
    takes_faces: bool
    truth: Literal["", "words", "numbers"]

    @classmethod
    def of(cls, model: LanguageModel, *, answered: bool = False) -> "Collator":
        """That of a model; ``answered``: with the truth."""
        truth: Literal["words", "numbers"] = "words" if model.head is None else "numbers"
        backbone = replace(model.backbone, model=None)
        return cls(backbone, model.faces is not None, truth if answered else "")

    def __call__(self, examples: Sequence[Example]) -> Inputs:
        """The inputs for one or more examples."""
        inputs = self.backbone.inputs([example.turns for example in examples])
        if self.takes_faces:
            inputs["numbers_nSKD"] = torch.from_numpy(np.stack([e.numbers_SKD for e in examples]))
            inputs["faces_nS"] = torch.from_numpy(np.stack([e.faces_S for e in examples]))
        if self.truth == "words":
            answers = [self.backbone.answer_ids(example.answer) for example in examples]
            inputs = append_answers(inputs, answers, self.backbone)
            inputs["weights_n"] = torch.tensor([example.weight for example in examples])
        elif self.truth == "numbers":
            targets_nT = np.stack([example.targets_T for example in examples])
            inputs["targets_nT"] = torch.from_numpy(targets_nT).float()
        return inputs


def collate(model: LanguageModel, examples: Sequence[Example], *, answered: bool = False) -> Inputs:
    """What a model takes of one or more examples (``Collator``)."""
    return Collator.of(model, answered=answered)(examples)
