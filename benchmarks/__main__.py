"""Measure faceattr beside its peers, as ``python -m benchmarks.peers`` does."""

from benchmarks.peers.__main__ import main

if __name__ == "__main__":
    main()
