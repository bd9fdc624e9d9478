"""Architectures: graphs without weights."""
