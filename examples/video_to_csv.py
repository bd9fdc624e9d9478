"""Write a table of the faces of a video, one row per face and frame, and an annotated copy.

python examples/video_to_csv.py video.mp4 faces.csv annotated.mp4
"""

from __future__ import annotations

import sys

import faceattr


def main(video: str, table: str = "faces.csv", annotated: str = "annotated.mp4") -> None:
    """Analyze the video from start to end."""
    source = faceattr.VideoFile(video)
    sinks = [faceattr.CsvSink(table), faceattr.VideoSink(annotated, fps=source.fps or 25)]
    num_faces = 0
    for _, faces in faceattr.stream(source, actions=["emotion"], sinks=sinks):
        num_faces += len(faces)
    print(f"{num_faces} rows in {table}, a copy in {annotated}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/video_to_csv.py VIDEO [TABLE.csv [ANNOTATED.mp4]]")
    try:
        main(*sys.argv[1:4])
    except faceattr.FaceattrError as error:
        sys.exit(str(error))
