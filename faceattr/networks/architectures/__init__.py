"""The graphs of networks, without weights."""
