"""MediaPipe's three models run by LiteRT, which answer for the engine ``litert`` (``tracker``)."""

import io
import zipfile
from functools import lru_cache

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from facewave.landmarks.engines import geometry
from facewave.landmarks.engines.geometry import Canonical
from facewave.landmarks.engines.tracker import ModelName

FILES: dict[ModelName, str] = {
    "detector": "face_detector.tflite",
    "landmarks": "face_landmarks_detector.tflite",
    "blendshapes": "face_blendshapes.tflite",
}


class _Model:
    """One .tflite file, on one thread."""

    def __init__(self, content: bytes) -> None:
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [out["index"] for out in self._interpreter.get_output_details()]

    def __call__(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs, in the file's order; ``values`` are the input without its first axis."""
        self._interpreter.set_tensor(self._input, values[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class Models:
    """The models of a landmarker's file; they keep nothing of what they are asked.

    Attributes:
        canonical: the standard face of the same file.
    """

    def __init__(self, model: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(model)) as files:
            self._models = {name: _Model(files.read(file)) for name, file in FILES.items()}
        self.canonical = read_canonical(model)

    def __call__(self, name: ModelName, inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs of a model, in its file's order, for n inputs (n, ...): each (n, ...)."""
        answers = [self._models[name](values) for values in inputs]
        return [np.stack(output).reshape(len(inputs), -1) for output in zip(*answers, strict=True)]


def read_canonical(model: bytes) -> Canonical:
    """The standard face in a landmarker's file."""
    with zipfile.ZipFile(io.BytesIO(model)) as files:
        return geometry.read(files.read("geometry_pipeline_metadata_landmarks.binarypb"))


@lru_cache(maxsize=1)
def load(model: bytes) -> Models:
    """The models of a landmarker's file, loaded once in a process."""
    return Models(model)
