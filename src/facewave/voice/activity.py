"""Whether somebody speaks, by Silero VAD: a network of 1.2 MB for speech in any language.

github.com/snakers4/silero-vad. Only the model file of its package is read; the package is never
imported. The graph takes frames of 32 ms, each after the last 4 ms of the one before, and the state
of its recurrent layer.

Legend of names: S samples, T rows, F frames.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewave import assets
from facewave.assets import Asset
from facewave.errors import UserError
from facewave.voice.signals import HOP

ASSET = Asset(
    name="silero_vad/silero_vad_16k_sequence.onnx",
    title="the voice activity detector of silero-vad",
    sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
    size=1_246_165,
    licence="MIT",
    learnt_on="recordings that its makers have not published",
    package="silero-vad==6.2.3",
    member="silero_vad/data/silero_vad_16k_sequence.onnx",
)
_FRAME, _BEFORE = 512, 64  # samples
_STATE = (1, 1, 128)
_DIGITS = 3  # kept: processors differ in later ones


def speaking(sound_S: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probability of speech every ``HOP`` samples of a piece of sound at 16 kHz.

    Raises:
        MissingAssetError: the model cannot be had.
        UserError: ONNX Runtime does not load.
    """
    n_rows, n_frames = -(-len(sound_S) // HOP), -(-len(sound_S) // _FRAME)
    whole_S = np.pad(sound_S, (_BEFORE, n_frames * _FRAME - len(sound_S)))
    frames_FS = np.lib.stride_tricks.sliding_window_view(whole_S, _BEFORE + _FRAME)[::_FRAME]
    state = np.zeros(_STATE, np.float32)
    inputs = {"input": np.ascontiguousarray(frames_FS), "h": state, "c": state}
    speaking_F = _session().run(["speech_probs"], inputs)[0].reshape(-1)
    return speaking_F[np.arange(n_rows) * HOP // _FRAME].round(_DIGITS)


@cache
def _session() -> Any:
    path = assets.get(ASSET)
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"{ASSET.title} needs ONNX Runtime, which does not load ({error}): make setup, or pip "
            "install onnxruntime."
        ) from None
    onnxruntime.disable_telemetry_events()  # of its builds for Windows
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors, which are raised as well
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
