"""Readers of the files in which networks and weights are kept."""
