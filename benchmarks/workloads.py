"""Pictures and a video to work on, made of what the user has.

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
from faceattr.alignment import CropSpec, crop_faces
from faceattr.analyzers import analyzers
from faceattr.types import BGRImage, Detection

Seen: TypeAlias = tuple[Path, BGRImage, list[Detection]]
"""A picture, and the faces in it."""

NUM_PICTURES = 200
NUM_FRAMES, FPS = 300, 25
FRAME = (640, 360)  # px, of a video that is made of a picture
TILE = CropSpec(size=(320, 320), mode="box", margin=0.4)  # of a face among several


def main() -> None:
    """Make what is missing, and print all paths."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--video", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    seen = [look(path) for path in options.pictures]
    alone = [one for one in seen if len(one[2]) == 1]
    if not alone:
        raise SystemExit("no picture shows exactly one face; give one that does")
    pairs = [path for path, _, faces in seen if len(faces) == 2]
    two, sixteen = options.folder / "two.jpg", options.folder / "sixteen.jpg"
    cv2.imwrite(str(two), mosaic(alone, rows=1, columns=2))
    cv2.imwrite(str(sixteen), mosaic(alone, rows=4, columns=4))
    video = options.folder / "video.mp4"
    write_video(video, frames_of(options.video) if options.video else pan(alone[0][1]))
    files: dict[str, Any] = {
        "one": str(alone[0][0]),
        "little": str(min(alone, key=lambda one: one[1].size)[0]),
        "two": str(pairs[0] if pairs else two),
        "sixteen": str(sixteen),
        "many": [str(path) for path in islice(cycle(options.pictures), NUM_PICTURES)],
        "video": str(video),
    }
    sizes = {name: size_of(files[name]) for name in ("one", "little", "two", "sixteen")}
    num_faces = sum(len(faces) for _, _, faces in seen)
    files |= {"sizes": sizes, "pictures": len(seen), "faces": num_faces}
    print(json.dumps({**files, "analyzers": list(analyzers)}))


def look(path: Path) -> Seen:
    """Return a picture and its faces."""
    image = faceattr.load_image(path)
    return path, image, faceattr.detect(image)


def size_of(path: str) -> tuple[int, int]:
    """Return width and height of a picture."""
    height, width = faceattr.load_image(path).shape[:2]
    return width, height


def mosaic(alone: Sequence[Seen], *, rows: int, columns: int) -> BGRImage:
    """Return one picture with a face in each cell, every second round mirrored."""
    tiles = [crop_faces(image, faces, TILE)[0] for _, image, faces in alone]
    both = [*tiles, *(one[:, ::-1] for one in tiles)]
    chosen = list(islice(cycle(both), rows * columns))
    return np.vstack([np.hstack(chosen[row * columns :][:columns]) for row in range(rows)])


def frames_of(path: Path) -> Iterator[BGRImage]:
    """Yield the frames of a video again and again."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
        yield read[1]
    if not frames:
        raise SystemExit(f"{path} has no frames")
    yield from cycle(frames)


def pan(image: BGRImage) -> Iterator[BGRImage]:
    """Yield views of a picture that sways to and fro."""
    height, width = image.shape[:2]
    scale = max(FRAME[0] / width, FRAME[1] / height)
    for step in cycle(np.linspace(0, 2 * np.pi, 100, endpoint=False)):
        x, y = 20 * np.sin(step), 10 * np.cos(step)
        matrix = np.array([[scale, 0, x], [0, scale, y]])
        yield np.asarray(
            cv2.warpAffine(image, matrix, FRAME, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


def write_video(path: Path, frames: Iterator[BGRImage]) -> None:
    """Write so many frames."""
    first = next(frames)
    size = first.shape[1], first.shape[0]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    for frame in (first, *islice(frames, NUM_FRAMES - 1)):
        writer.write(frame)
    writer.release()


if __name__ == "__main__":
    main()
