"""``facewave app``: a local page where a clip is dropped and looked at."""
