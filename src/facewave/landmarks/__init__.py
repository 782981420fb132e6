"""Stage extract: clips -> data/landmarks/<dataset>/, 478 points and 52 blendshapes per frame."""
