"""Faces over time: sources, tracks, schedules and sinks of streams."""
