"""File formats of networks and weights."""
