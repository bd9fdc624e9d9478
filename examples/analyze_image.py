"""Print the emotion of each face of a picture and save an annotated copy.

    python examples/analyze_image.py photo.jpg annotated.jpg

Without arguments it takes scikit-image's photograph of an astronaut.
"""

from __future__ import annotations

import sys

import cv2

import faceattr
from faceattr.drawing import draw_faces


def main(picture: str | None = None, annotated: str = "annotated.jpg") -> None:
    """Analyze the picture and write the annotated copy."""
    image = faceattr.load_image(picture or astronaut())
    faces = faceattr.analyze(image, actions=["emotion"])
    for face in faces:
        emotion = face.attributes["emotion"]
        print(f"{emotion} at {tuple(round(value) for value in face.bbox)}")
    cv2.imwrite(annotated, draw_faces(image, faces))


def astronaut() -> str:
    """Return the path of a photograph in the public domain (pip install scikit-image)."""
    from skimage import data

    return f"{data.__path__[0]}/astronaut.png"


if __name__ == "__main__":
    main(*sys.argv[1:3])
