"""Analyzers to files that other programs run: what `faceattr export` does."""
