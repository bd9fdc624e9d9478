"""Write a table of the faces of a video, one row per face and frame, and an annotated copy.

python examples/video_to_csv.py video.mp4 faces.csv annotated.mp4
"""

from __future__ import annotations

import sys

import faceattr
from faceattr.streaming.sinks import CsvSink, VideoSink
from faceattr.streaming.sources import VideoFile


def main(video: str, table: str = "faces.csv", annotated: str = "annotated.mp4") -> None:
    """Analyze the video from start to end."""
    source = VideoFile(video)
    sinks = [CsvSink(table), VideoSink(annotated, fps=source.fps or 25)]
    for frame, _ in faceattr.stream(source, actions=["emotion"], sinks=sinks):
        print(f"\r{frame.index + 1} of {source.num_frames} frames", end="", flush=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:4])
