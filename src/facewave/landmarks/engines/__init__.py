"""Engines: what finds faces and their landmarks in pictures, and which one params.yaml names."""

from facewave.landmarks.engines.engine import Engine
from facewave.params import EngineName


def get(name: EngineName) -> Engine:
    """The engine of this name; its libraries are loaded now."""
    if name == "litert":
        from facewave.landmarks.engines import litert

        return Engine(litert.Landmarker, litert.Lookout)
    from facewave.landmarks.engines import mediapipe

    return Engine(mediapipe.Landmarker, mediapipe.Lookout)
