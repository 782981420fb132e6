"""Engines: what follows the faces of a clip and finds their landmarks; params.yaml names one."""

from facewave.errors import extras
from facewave.landmarks.engines.engine import Landmarker
from facewave.landmarks.engines.tracker import Models
from facewave.params import EngineName


def landmarker(
    name: EngineName, model: bytes, smooth: bool, models: Models | None = None
) -> Landmarker:
    """The engine of this name for one clip; ``model`` is the content of the landmarker's file.

    ``smooth`` is whether points are smoothed over time, which MediaPipe's always are; ``models``
    answer in place of LiteRT's.

    Raises:
        UserError: MediaPipe is chosen, which the light install leaves out.
    """
    if name == "litert":
        from facewave.landmarks.engines import litert, tracker

        return tracker.Tracker(models or litert.load(model), smooth)
    with extras():
        from facewave.landmarks.engines import mediapipe
    return mediapipe.Landmarker(model)
