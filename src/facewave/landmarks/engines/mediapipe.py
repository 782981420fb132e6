"""The engine ``mediapipe``, the reference: MediaPipe's FaceLandmarker following a single face.

In VIDEO mode, its results read as arrays. Of several faces it takes one and never tells of others.

The public call makes a Python object of each of 478 points and 52 blendshapes in every frame, which
takes a tenth to a fifth of its time. Here the same native call is made and its result copied from
memory. Where MediaPipe's private names for that are missing, the public call does all the work.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Self

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from facewave.landmarks.engines.engine import Face, Sighting


class Landmarker:
    """Follows one face of a clip, as ``engine.Landmarker`` says.

    ``model`` is its file's bytes, as native code opens paths of its own.
    """

    def __init__(self, model: bytes) -> None:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            running_mode=vision.RunningMode.VIDEO,
            num_faces=1,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self._inner = vision.FaceLandmarker.create_from_options(options)
        self._native = _native_call(self._inner)
        self.names: tuple[str, ...] = ()
        self._track = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()

    def look(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Sighting]:
        """The face in a picture (height, width, 3), RGB, if any; ``milliseconds`` must increase."""
        faces = self._detect(picture, milliseconds)
        self._track += not faces
        return [Sighting(self._track, face) for face in faces]

    def _detect(self, picture: NDArray[np.uint8], milliseconds: int) -> list[Face]:
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
        if self._native and self.names:
            return self._native(image, milliseconds)
        result = self._inner.detect_for_video(image, milliseconds)
        if result.face_blendshapes:
            self.names = tuple(shape.category_name for shape in result.face_blendshapes[0])
        return [
            Face(
                np.array([(point.x, point.y, point.z) for point in points], np.float32),
                np.array([shape.score for shape in shapes], np.float32),
                pose.astype(np.float32),
            )
            for points, shapes, pose in zip(
                result.face_landmarks,
                result.face_blendshapes,
                result.facial_transformation_matrixes,
                strict=True,
            )
        ]


def _native_call(landmarker: Any) -> Callable[[mp.Image, int], list[Face]] | None:
    """Detection by MediaPipe's private native call, as in 0.10.33 to 0.10.35; None without it."""
    try:
        from mediapipe.tasks.python.components.containers.category_c import CategoryC
        from mediapipe.tasks.python.components.containers.landmark_c import NormalizedLandmarkC
        from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

        coordinates = _reader(NormalizedLandmarkC, NormalizedLandmarkC.x.offset, 3)
        scores = _reader(CategoryC, CategoryC.score.offset, 1)
        handle, library = landmarker._handle, landmarker._lib
        detect, free = library.MpFaceLandmarkerDetectForVideo, library.MpFaceLandmarkerCloseResult
        pixel = np.zeros((1, 1, 3), np.uint8)
        _ = mp.Image(image_format=mp.ImageFormat.SRGB, data=pixel)._image_ptr
    except (ImportError, AttributeError):
        return None

    def call(image: mp.Image, milliseconds: int) -> list[Face]:
        result = FaceLandmarkerResultC()
        detect(handle, image._image_ptr, None, milliseconds, ctypes.byref(result))
        try:
            faces = []
            for i in range(result.face_landmarks_count):
                points, shapes = result.face_landmarks[i], result.face_blendshapes[i]
                landmarks_PC = coordinates(points.landmarks, points.landmarks_count)
                blendshapes_B = scores(shapes.categories, shapes.categories_count)[:, 0]
                pose_44 = result.facial_transformation_matrixes[i].to_numpy().astype(np.float32)
                faces.append(Face(landmarks_PC, blendshapes_B, pose_44))
            return faces
        finally:
            free(ctypes.byref(result))

    return call


def _reader(structure: Any, offset: int, width: int) -> Callable[[Any, int], NDArray[np.float32]]:
    """A function that copies ``width`` floats of each of n C structures in a row, (n, width)."""
    fields: Any = {"names": ["v"], "formats": [f"({width},)f4"], "offsets": [offset]}
    layout = np.dtype(fields | {"itemsize": ctypes.sizeof(structure)})

    def read(pointer: Any, count: int) -> NDArray[np.float32]:
        memory: Any = ctypes.c_char * (count * layout.itemsize)
        address = ctypes.addressof(pointer.contents)
        return np.frombuffer(memory.from_address(address), layout)["v"].copy()

    return read
