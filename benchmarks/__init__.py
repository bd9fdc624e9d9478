"""Measurements of speed, memory and accuracy; a package for each question."""
