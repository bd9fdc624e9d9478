"""Say how the faces before a camera look, whenever that changes.

    python examples/webcam.py [SOURCE]

SOURCE is the number of a camera (0), the address of a stream, or a video. Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import faceattr


def main(source: str = "0") -> None:
    """Print each face's emotion when it changes."""
    labels: dict[int | None, str] = {}
    for frame, faces in faceattr.stream(source, actions=["emotion"]):
        for face in faces:
            emotion = face.classification("emotion")
            if labels.get(face.track_id) != emotion.label:
                labels[face.track_id] = emotion.label
                line = f"{frame.timestamp:6.1f} s  face {face.track_id} looks {emotion}"
                print(line, flush=True)  # at once, into a pipe too


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        with suppress(KeyboardInterrupt):
            main(*sys.argv[1:2])
    except faceattr.SourceError as error:
        sys.exit(f"{error}\nusage: python examples/webcam.py [SOURCE]")
    except faceattr.FaceattrError as error:
        sys.exit(str(error))
