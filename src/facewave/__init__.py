"""facewave: from a clip of a face, through wavelets of its trajectories, to an emotion."""

__version__ = "0.1.0"
