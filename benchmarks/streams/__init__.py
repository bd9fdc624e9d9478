"""Videos and live views: speed, age of frames, memory, flicker."""
