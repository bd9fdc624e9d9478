"""Write a table of the faces of a video, one row per face and frame, and an annotated copy.

python examples/video_to_csv.py VIDEO [TABLE.csv [ANNOTATED.mp4]]
"""

from __future__ import annotations

import sys

import faceattr


def main(video: str, table: str = "faces.csv", annotated: str = "annotated.mp4") -> None:
    """Analyze the video from start to end, and say for how much of the time a face looked how."""
    source = faceattr.VideoFile(video)
    summary = faceattr.TrackTable()
    sinks = [
        faceattr.CsvSink(table),
        faceattr.VideoSink(annotated, fps=source.fps or 25, sound=video),
        summary,
    ]
    for _ in faceattr.stream(source, actions=["emotion"], sinks=sinks):
        pass  # each frame and its faces, for other uses
    for track_id, attributes in summary.summaries.items():
        print(f"face {track_id}: {attributes.get('emotion', 'not read')}")
    print(f"wrote {table} and {annotated}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:4])
    except faceattr.FaceattrError as error:
        sys.exit(str(error))
