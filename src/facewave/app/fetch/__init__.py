"""``facewave fetch``: open corpora from their official addresses, checked and never passed on."""
