"""A frozen speech encoder of transformers: wav2vec 2.0, HuBERT, WavLM, the encoder of Whisper.

One of its hidden states is the block ``speech``. Each has a frame every 20 ms; rows between two
frames are interpolated linearly. What it hears at a moment depends on the piece of sound that it is
given, up to 28 s. Weights are read from safetensors files alone, and no code is run.

Legend of names: S samples, T rows, F frames, E channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor

from facewave import hub, on_torch
from facewave.errors import UserError
from facewave.params import Block
from facewave.params import Voice as Settings
from facewave.sound import RATE
from facewave.voice.signals import HOP

Floats = NDArray[np.float32]
VERSION = 1  # of what is done before and after the network: raise it with every change
_LEAST = 1600  # samples that any of them takes; shorter pieces are continued by silence
_UNUSED = {"masked_spec_embed"}  # in training alone
_ADVICE = (
    "Name a wav2vec2, HuBERT, WavLM or Whisper of the Hugging Face hub in voice.encoder "
    "(params.yaml) and connect to the internet once, or a folder with config.json, "
    "preprocessor_config.json and safetensors files."
)


@dataclass(frozen=True, eq=False)
class Encoder:
    """A frozen network. Its weights are read when it first hears something, and not again.

    The same sound gives the same numbers: it runs on one thread, unless there is a GPU.
    """

    name: str
    layer: int
    pinned: hub.Pinned
    extractor: Any  # transformers': what is done to samples before the network

    @property
    def width(self) -> int:
        """Channels, E."""
        return int(self.pinned.config.hidden_size)

    @property
    def device(self) -> str:
        """Where it runs: cpu or cuda."""
        return on_torch.device()

    @property
    def identity(self) -> dict[str, object]:
        """JSON: the weights, the layer, our processing; what is heard depends on nothing else."""
        return self.pinned.identity | {"layer": self.layer, "version": VERSION}

    @property
    def frames(self) -> tuple[int, float]:
        """Samples from frame to frame, and the sample in the middle of the first."""
        config = self.pinned.config
        if config.model_type == "whisper":  # its second convolution skips every other spectrum
            return 2 * int(self.extractor.hop_length), 0.0
        seen = 1
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            seen = (seen - 1) * stride + kernel
        return prod(config.conv_stride), (seen - 1) / 2

    @cached_property
    def _hear(self) -> Callable[[Floats], Floats]:
        device = self.device
        with hub.explained(self.name, _ADVICE):
            network, absent = hub.network(self.pinned, self.pinned.config)
        hub.require_complete(self.name, absent - _UNUSED)
        if self.pinned.config.model_type == "whisper":
            network = network.get_encoder()
        with on_torch.enough_memory():
            network.to(device).eval()

        def hear(sound_S: Floats) -> Floats:
            inputs = self.extractor(sound_S, sampling_rate=RATE, return_tensors="pt")
            name = self.extractor.model_input_names[0]
            with on_torch.repeatable():
                output = network(inputs[name].to(device), output_hidden_states=True)
                states_FE: Floats = output.hidden_states[self.layer][0].cpu().numpy()
            return states_FE

        return hear

    def __call__(self, sound_S: Floats) -> dict[Block, Floats]:
        """Block ``speech`` (T, E) of a piece of sound at 16 kHz, a row every ``HOP`` samples.

        Raises:
            UserError: the weights cannot be read, or the GPU's memory is too small.
        """
        n_rows = -(-len(sound_S) // HOP)
        states_FE = self._hear(np.pad(sound_S, (0, max(0, _LEAST - len(sound_S)))))
        step, middle = self.frames
        at_T = np.clip((np.arange(n_rows) * HOP - middle) / step, 0, len(states_FE) - 1)
        before_T = at_T.astype(int)
        after_T = np.minimum(before_T + 1, len(states_FE) - 1)
        share_T1 = (at_T - before_T)[:, None].astype(np.float32)
        return {"speech": states_FE[before_T] * (1 - share_T1) + states_FE[after_T] * share_T1}


def load(settings: Settings) -> Encoder:
    """The encoder that section ``voice`` of params.yaml names.

    Raises:
        UserError: there is none, it is no encoder of speech at 16 kHz, or it has no such layer.
    """
    name = settings.encoder
    with hub.explained(name, _ADVICE):
        pinned = hub.pin(name)
        extractor = AutoFeatureExtractor.from_pretrained(pinned.source, **pinned.options)
        is_speech = pinned.config.model_type == "whisper" or pinned.config.conv_kernel
        if not is_speech or extractor.sampling_rate != RATE:
            raise ValueError(f"it is no encoder of sound at {RATE} samples a second")
        n_layers = pinned.config.num_hidden_layers
    if not -n_layers - 1 <= settings.layer <= n_layers:
        raise UserError(
            f"params.yaml: voice.layer is {settings.layer}, but {name} has the hidden states 0 to "
            f"{n_layers} (or -1, the last, to {-n_layers - 1})."
        )
    return Encoder(name, settings.layer, pinned, extractor)
