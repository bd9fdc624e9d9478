"""Detectors: accuracy on WIDER FACE against time."""
