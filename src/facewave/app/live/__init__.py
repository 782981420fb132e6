"""``facewave live``: answers while a camera runs."""
