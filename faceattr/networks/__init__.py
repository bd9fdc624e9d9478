"""The graphs of networks."""
