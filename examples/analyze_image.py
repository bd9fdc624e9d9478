"""Print the emotion of each face of a picture and save an annotated copy.

    python examples/analyze_image.py photo.jpg annotated.jpg

Without arguments it takes scikit-image's photograph of an astronaut.
"""

from __future__ import annotations

import sys

import cv2

import faceattr


def main(picture: str | None = None, annotated: str = "annotated.jpg") -> None:
    """Analyze the picture and write the annotated copy."""
    image = faceattr.load_image(picture or astronaut())
    faces = faceattr.analyze(image, actions=["emotion"])
    for face in faces:
        x1, y1, x2, y2 = (round(value) for value in face.bbox)
        print(f"{face.text('emotion')} at {x1}, {y1} to {x2}, {y2}")
    if not cv2.imwrite(annotated, faceattr.draw_faces(image, faces)):
        sys.exit(f"{annotated}: cannot be written")


def astronaut() -> str:
    """Return the path of a photograph in the public domain (pip install scikit-image)."""
    from skimage import data

    return f"{data.__path__[0]}/astronaut.png"


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except faceattr.FaceattrError as error:
        sys.exit(str(error))
