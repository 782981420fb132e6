"""MediaPipe's FaceLandmarker in VIDEO mode, its answers read as arrays.

The public call makes a Python object of each of 478 points and 52 blendshapes, in every frame; most
of what it takes beside the inference. Here the same native call is made and its answer copied from
memory at once. The names with an underscore are MediaPipe's own: they are as in 0.10.33 to 0.10.35,
which pyproject.toml asks for, and the tests compare both ways bit by bit.
"""

import ctypes
import io
import zipfile
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.components.containers.category_c import CategoryC
from mediapipe.tasks.python.components.containers.landmark_c import NormalizedLandmarkC
from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC
from numpy.typing import NDArray

_POINT = np.dtype(
    {
        "names": ["xyz"],
        "formats": ["(3,)f4"],
        "offsets": [NormalizedLandmarkC.x.offset],
        "itemsize": ctypes.sizeof(NormalizedLandmarkC),
    }
)
_SHAPE = np.dtype(
    {
        "names": ["score"],
        "formats": ["f4"],
        "offsets": [CategoryC.score.offset],
        "itemsize": ctypes.sizeof(CategoryC),
    }
)


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """One face in one frame: landmarks (478, 3), blendshapes (52,), pose (4, 4), all float32."""

    landmarks_PC: NDArray[np.float32]
    blendshapes_B: NDArray[np.float32]
    pose_44: NDArray[np.float32]


class Landmarker:
    """Follows up to ``faces`` faces through one clip; use it in a ``with`` block.

    Attributes:
        names: the blendshapes' names, once a face was seen.
    """

    def __init__(self, model: bytes, faces: int) -> None:
        """Load the landmarker from its file's bytes: native code opens paths of its own."""
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self._inner = vision.FaceLandmarker.create_from_options(options)
        self.names: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        """The landmarker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Free what native code holds."""
        self._inner.close()

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Face]:
        """The faces in a frame.

        Args:
            picture: (height, width, 3), RGB.
            milliseconds: its time, later than that of the frame before.
        """
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
        answer = FaceLandmarkerResultC()
        library = self._inner._lib
        library.MpFaceLandmarkerDetectForVideo(
            self._inner._handle, image._image_ptr, None, milliseconds, ctypes.byref(answer)
        )
        try:
            return [self._face(answer, i) for i in range(answer.face_landmarks_count)]
        finally:
            library.MpFaceLandmarkerCloseResult(ctypes.byref(answer))

    def _face(self, answer: Any, i: int) -> Face:
        points, shapes = answer.face_landmarks[i], answer.face_blendshapes[i]
        if not self.names:
            some = shapes.categories[: shapes.categories_count]
            self.names = tuple(shape.category_name.decode() for shape in some)
        return Face(
            _copy(points.landmarks, points.landmarks_count, _POINT)["xyz"],
            _copy(shapes.categories, shapes.categories_count, _SHAPE)["score"],
            answer.facial_transformation_matrixes[i].to_numpy().astype(np.float32),
        )


def _copy(pointer: Any, count: int, layout: np.dtype[Any]) -> NDArray[Any]:
    """The fields of so many structures in a row."""
    address = ctypes.addressof(pointer.contents)
    memory: Any = (ctypes.c_char * (count * layout.itemsize)).from_address(address)
    return np.frombuffer(memory, layout).copy()


class Lookout:
    """Tells whether a picture shows more than one face.

    The landmarker's own face detector looks first, at a fifth of the landmarker's price; what it
    takes for a second face must then have landmarks too: hands do not. Pictures are looked at one
    by one, so that a process needs one of these for all its clips.
    """

    def __init__(self, model: bytes) -> None:
        """Load both from the landmarker's file, a zip archive."""
        detector = zipfile.ZipFile(io.BytesIO(model)).read("face_detector.tflite")
        self._detector = vision.FaceDetector.create_from_options(
            vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=detector))
        )
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=model), num_faces=2
            )
        )

    def several(self, picture: NDArray[np.uint8]) -> bool:
        """Whether a picture (height, width, 3), RGB, shows two faces or more."""
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
        if len(self._detector.detect(image).detections) < 2:
            return False
        return len(self._landmarker.detect(image).face_landmarks) > 1
