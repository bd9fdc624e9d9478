"""Make pictures and a video to work on from the user's own.

    python workloads.py FOLDER PICTURE... [--video FILE]

prints the files by what they show: ``one`` face, a ``little`` picture of one, ``two`` faces,
``sixteen`` in one picture, all pictures in turn as ``many``, and a ``video``. It runs in
faceattr's environment.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

import faceattr
from benchmarks.media import pan, write_video
from faceattr.alignment import CropSpec, crop_faces
from faceattr.types import BGRImage, Detection

Searched: TypeAlias = tuple[Path, BGRImage, list[Detection]]
"""An image file, the image, and the faces in it."""

NUM_PICTURES = 200
TILE = CropSpec(size=(320, 320), mode="box", margin=0.4)  # one face of a mosaic


def main() -> None:
    """Make what is missing, and print all paths."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--video", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    searched = [search(path) for path in options.pictures]
    portraits = [one for one in searched if len(one[2]) == 1]
    if not portraits:
        raise SystemExit("no picture shows exactly one face; give one that does")
    pairs = [path for path, _, faces in searched if len(faces) == 2]
    two, sixteen = options.folder / "two.jpg", options.folder / "sixteen.jpg"
    cv2.imwrite(str(two), mosaic(portraits, rows=1, columns=2))
    cv2.imwrite(str(sixteen), mosaic(portraits, rows=4, columns=4))
    video = options.folder / "video.mp4"
    write_video(video, frames_of(options.video) if options.video else pan(portraits[0][1]))
    files: dict[str, Any] = {
        "one": str(portraits[0][0]),
        "little": str(min(portraits, key=lambda one: one[1].size)[0]),
        "two": str(pairs[0] if pairs else two),
        "sixteen": str(sixteen),
        "many": [str(path) for path in islice(cycle(options.pictures), NUM_PICTURES)],
        "video": str(video),
    }
    sizes = {name: size_of(files[name]) for name in ("one", "little", "two", "sixteen")}
    num_faces = sum(len(faces) for _, _, faces in searched)
    files |= {"sizes": sizes, "pictures": len(searched), "faces": num_faces}
    print(json.dumps(files))


def search(path: Path) -> Searched:
    """Return an image and its faces."""
    image = faceattr.load_image(path)
    return path, image, faceattr.detect(image)


def size_of(path: str) -> tuple[int, int]:
    """Return width and height of an image in pixels."""
    height, width = faceattr.load_image(path).shape[:2]
    return width, height


def mosaic(portraits: Sequence[Searched], *, rows: int, columns: int) -> BGRImage:
    """Return one image with a face in each cell; every second round of faces is mirrored."""
    tiles = [crop_faces(image, faces, TILE)[0] for _, image, faces in portraits]
    both = [*tiles, *(one[:, ::-1] for one in tiles)]
    chosen = list(islice(cycle(both), rows * columns))
    return np.vstack([np.hstack(chosen[row * columns :][:columns]) for row in range(rows)])


def frames_of(path: Path) -> Iterator[BGRImage]:
    """Yield the frames of a video in a loop."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
        yield read[1]
    if not frames:
        raise SystemExit(f"{path} has no frames")
    yield from cycle(frames)


if __name__ == "__main__":
    main()
