"""Labelled pictures to an analyzer of one's own: what `faceattr train` does."""
