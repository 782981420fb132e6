"""For people: the ``facewave`` command."""
