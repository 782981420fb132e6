"""MediaPipe's three models run by LiteRT, with a graph of our own between them.

It gives what MediaPipe's FaceLandmarker gives in VIDEO mode, in less time: MediaPipe's graph costs
as much as the models. Which model sees what follows face_landmarker_graph.cc and
face_landmarks_detector_graph.cc of MediaPipe 0.10.35; the modules beside this one have the parts.
"""

import io
import zipfile
from functools import lru_cache
from typing import Self

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from scipy.special import expit

from facewave.landmarks.engines import detector, geometry, regions
from facewave.landmarks.engines.engine import Face
from facewave.landmarks.engines.regions import Region
from facewave.landmarks.engines.smoothing import OneEuro

_SIDE = 256  # pixels that the landmark model sees
_LEAST_PRESENCE = 0.5  # min_face_presence_confidence: FaceLandmarkerOptions
_SAME = 0.5  # overlap of two regions of one face: min_tracking_confidence
_SUPPRESSED = 0.5  # overlap of two boxes of one face: face_detector_graph_options.proto
_SUPPRESSED_ALONE = 0.3  # the same for the detector alone: FaceDetectorOptions
_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66,
    67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144,
    145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173,
    176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283, 284,
    285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332,
    334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
])  # fmt: skip
"""The points that blendshapes are told from: face_blendshapes_graph.cc."""
NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft",
    "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The blendshapes, in the model's order: face_blendshapes_graph.cc."""


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
    """What the landmarker's file has, loaded; it keeps nothing of the pictures it is shown."""

    def __init__(self, model: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(model)) as files:
            self._detector = _Model(files.read("face_detector.tflite"))
            self._landmarks = _Model(files.read("face_landmarks_detector.tflite"))
            self._blendshapes = _Model(files.read("face_blendshapes.tflite"))
            metadata = files.read("geometry_pipeline_metadata_landmarks.binarypb")
        self._face = geometry.read(metadata)

    def detect(self, picture: NDArray[np.uint8], overlap: float) -> list[Region]:
        """The regions of the faces that the detector finds, the best first."""
        square = regions.whole(picture.shape[1], picture.shape[0])
        seen = square.cut(picture, detector.SIDE, cv2.BORDER_CONSTANT)
        values = seen.astype(np.float32) * np.float32(2 / 255) - 1  # the model's metadata
        answers, logits = self._detector(values)
        corner, side = (square.x - square.width / 2, square.y - square.height / 2), square.width
        boxes_N4, points_NKC = detector.decode(answers[0], logits[0, :, 0], overlap)
        return [
            regions.of_detection(box * side + (corner * 2), points * side + corner)
            for box, points in zip(boxes_N4, points_NKC, strict=True)
        ]

    def landmarks(self, picture: NDArray[np.uint8], region: Region) -> NDArray[np.float32] | None:
        """The face's points in a region, (478, 3), in pixels; None if there is no face."""
        seen = region.cut(picture, _SIDE, cv2.BORDER_REPLICATE)
        points, presence, _ = self._landmarks(seen.astype(np.float32) * np.float32(1 / 255))
        if expit(presence.item()) <= _LEAST_PRESENCE:
            return None
        aspect = picture.shape[1] / picture.shape[0]
        return region.project(points.reshape(-1, 3), _SIDE, aspect)

    def describe(self, points_PC: NDArray[np.float32], width: int, height: int) -> Face | None:
        """A face of these points, in pixels; None if it is too small to have a pose."""
        (blendshapes_B,) = self._blendshapes(points_PC[_POINTS, :2])
        landmarks_PC = (points_PC / np.array([width, height, width])).astype(np.float32)
        pose_44 = geometry.pose(landmarks_PC, width, height, self._face)
        return None if pose_44 is None else Face(landmarks_PC, blendshapes_B, pose_44)


@lru_cache(maxsize=1)
def load(model: bytes) -> Models:
    """The models of a landmarker's file, loaded once in a process."""
    return Models(model)


class Landmarker:
    """Follows up to ``faces`` faces through one clip, as ``engine.Landmarker`` says.

    Each face is looked for where it was in the frame before; the detector runs while there are
    fewer than ``faces``. Only a single face is smoothed.
    """

    def __init__(self, model: bytes, faces: int) -> None:
        self._models, self._faces = load(model), faces
        self._tracked: list[Region] = []
        self._smooth = OneEuro()
        self.names: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Face]:
        """The faces in a picture (height, width, 3), RGB; ``milliseconds`` must increase."""
        height, width = picture.shape[:2]
        places = self._tracked
        if len(places) < self._faces:
            found = self._models.detect(picture, _SUPPRESSED)[: self._faces]
            places = regions.associate(places, found, _SAME)[: self._faces]
        seen = [self._models.landmarks(picture, region) for region in places]
        points = [points_PC for points_PC in seen if points_PC is not None]
        self._tracked = [regions.of_landmarks(points_PC) for points_PC in points]
        if not points:
            self._smooth = OneEuro()
        elif self._faces == 1:
            points = [self._smooth(points[0], milliseconds)]
        faces = [self._models.describe(points_PC, width, height) for points_PC in points]
        self.names = NAMES if points else self.names
        return [face for face in faces if face is not None]


class Lookout:
    """Tells whether a picture shows more than one face, as ``engine.Lookout`` says.

    What the detector takes for a second face must have landmarks too, which hands do not.
    """

    def __init__(self, model: bytes) -> None:
        self._models = load(model)

    def several(self, picture: NDArray[np.uint8]) -> bool:
        """Whether a picture (height, width, 3), RGB, shows two faces or more."""
        if len(self._models.detect(picture, _SUPPRESSED_ALONE)) < 2:
            return False
        places = self._models.detect(picture, _SUPPRESSED)[:2]
        return sum(self._models.landmarks(picture, region) is not None for region in places) > 1
