"""The synthetic demo dataset: a still portrait, animated. See ``python -m facewave.demo -h``."""
