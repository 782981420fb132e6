"""A network over face and voice as a model that answers.

Legend of names: T tokens of a clip's face or voice, D channels of its blocks side by side.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from facewave.errors import UserError
from facewave.models.classifiers.classifier import Reduction
from facewave.models.fusion import FACE, VOICE, Fusion, FusionConfig
from facewave.params import Block, Train, apart
from facewave.targets import Target
from facewave.training.schema import encoder_of
from facewave.training.streamed import Example, Examples, TrainedStreamed
from facewave.wavelets import moments
from facewave.wavelets.moments import Clock
from facewave.wavelets.schema import SEEN
from facewave.workspace import Clips

_KEPT = 2**29  # bytes of examples that are not read again in each epoch

Floats32 = NDArray[np.float32]


class _Tokens(Examples):
    """Face and voice of clips, each (T, D) float32; (0, D) of what a clip lacks."""

    def __init__(self, clips: Clips, inputs: Sequence[Block], config: FusionConfig) -> None:
        self.clips, self.inputs, self.config = clips, apart(inputs), config
        judged_from = clips.judged_from(inputs)
        self.has = {kind: np.char.find(judged_from, kind) >= 0 for kind in (FACE, VOICE)}
        self._kept: dict[int, Example] = {}
        self._room = _KEPT

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> Example:
        if row in self._kept:
            return self._kept[row]
        of_kind = self._numbers if self.config.tokens == "wavelets" else self._moments
        there = of_kind(row, [kind for kind, has_n in self.has.items() if has_n[row]])
        widths = {FACE: self.config.face, VOICE: self.config.voice}
        nothing = {kind: np.empty((0, width), np.float32) for kind, width in widths.items()}
        example = nothing | there
        size = sum(array.nbytes for array in example.values())
        if size <= self._room:
            self._kept[row] = example
            self._room -= size
        return example

    def _numbers(self, row: int, kinds: Sequence[str]) -> dict[str, Floats32]:
        """Each of a clip's numbers a token."""
        at = self.clips.table["at"].to_numpy()[[row]]
        return {kind: self.clips.inputs_at(at, self.inputs[kind])[0] for kind in kinds}

    def _moments(self, row: int, kinds: Sequence[str]) -> dict[str, Floats32]:
        """Each moment of a clip a token, of face and voice on one clock; NaN: not seen or heard."""
        name = self.clips.table["video_idx"].iloc[row]
        picture: Any = self.clips.index.loc[name]
        trajectory = self.clips.trajectory(name) if FACE in kinds else None
        voice = self.clips.voice(name) if VOICE in kinds else None
        ends = [one.times_T[-1] for one in (trajectory, voice) if one is not None]
        start = 0.0 if np.isnan(picture["start"]) else float(picture["start"])
        clock = Clock.of(start, max(ends, default=start), self.config.rate)
        there = {}
        if trajectory is not None:
            names = self.inputs[FACE]
            looked = self.clips.appearance(name) if set(SEEN) & set(names) else None
            sides = self.clips.wavelets["sides"]
            there[FACE] = moments.seen(names, trajectory, looked, picture, sides, clock)
        if voice is not None:
            there[VOICE] = moments.heard(self.inputs[VOICE], voice, clock)
        return there


class TrainedFusion(TrainedStreamed):
    """A network over what is seen and what is heard, which also answers by either alone."""

    type = "fusion"
    config: FusionConfig
    module: Fusion

    @property
    def encoder(self) -> str:  # type: ignore[override]
        """The frame encoder whose answers are among its inputs."""
        return encoder_of(self.inputs, self.wavelets)

    @classmethod
    def fresh(
        cls, kind: str, targets: Sequence[Target], clips: Clips, settings: Train
    ) -> "TrainedFusion":
        """A network with random weights.

        Raises:
            UserError: the features lack one of the inputs, one is no trajectory, or the features
                are more numbers than ``wavelets.k``.
        """
        fusion, network = settings.fusion, settings.network
        steps = clips.select([]).inputs(settings.inputs).shape[1]
        still = [name for name in settings.inputs if name in moments.STILL]
        if fusion.tokens == "trajectories" and still:
            raise UserError(
                f"params.yaml: train.fusion.tokens is trajectories, and {still[0]} in train.inputs "
                "does not change over a clip. Take it out, or set train.fusion.tokens: wavelets."
            )
        transform = clips.wavelets["transform"]
        if fusion.tokens == "wavelets" and transform in get_args(Reduction):
            raise UserError(
                f"params.yaml: train.fusion.tokens is wavelets, and of transform {transform} a "
                f"network would take all {steps} numbers whatever wavelets.k is. Set "
                "train.fusion.tokens: trajectories, or take another wavelets.transform."
            )
        of_kind = apart(settings.inputs)
        config = FusionConfig(
            tuple(targets),
            fusion.tokens,
            fusion.rate,
            steps if fusion.tokens == "wavelets" else 1,
            sum(clips.widths(of_kind[FACE])),
            sum(clips.widths(of_kind[VOICE])),
            network.hidden,
            network.dropout,
            fusion.layers,
            fusion.missing,
            network.numbers == "bins",
        )
        return cls(Fusion(config), config, settings.inputs, dict(clips.wavelets), {})

    @classmethod
    def rebuilt(cls, config: Mapping[str, Any]) -> tuple[FusionConfig, Fusion]:
        """A configuration as JSON gives it back, as what it was, and a network of it."""
        model = FusionConfig(**config)
        return model, Fusion(model)

    def answered_from(self, clips: Clips) -> NDArray[np.str_]:
        """Face, voice, face and voice, or the prior."""
        return clips.judged_from(self.inputs)

    def examples(self, clips: Clips) -> Examples:
        """Face and voice of clips; the network itself draws what training leaves out."""
        return _Tokens(clips, self.inputs, self.config)

    def fit_inputs(self, examples: Examples) -> None:
        """Take mean and spread of each channel from the training part, token by token or of all."""
        for kind, standardize in self.module.scales.items():
            shape = standardize.mean.shape
            count, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
            for row in range(len(examples)):
                tokens = examples[row][kind].astype(np.float64).reshape(-1, *shape)
                count += (~np.isnan(tokens)).sum(axis=0)
                total += np.nansum(tokens, axis=0)
                squares += np.nansum(tokens**2, axis=0)
            mean = total / np.maximum(count, 1)
            variance = np.maximum(squares / np.maximum(count, 1) - mean**2, 0)
            std = torch.from_numpy(np.sqrt(variance)).float()
            standardize.take(torch.from_numpy(mean).float(), std)


TRAINED = TrainedFusion
