"""Cut UTKFace's training pictures as faceattr serves them, for train.py.

    python -m models.age_gender.crops utkface_112.npz crops.npz

Each picture is cut twice: as it is, and by the landmarks that MTCNN finds on it, with room
around it, by the analyzers' own `CropSpec`. So the network is trained on what it will be served.
Pictures that occur twice with other ages or genders are left out. Prints where the landmarks lie,
to compare with the template of that `CropSpec`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import crop_faces, resize_crops
from faceattr.analyzers.age_gender import CROP
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.mtcnn.detector import MtcnnDetector
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.types import BGRImage

TRAINING = 0  # value of `split`
ROOM = 32  # px around a picture of 112, so that faces are found that fill it
SMALLEST_FACE = 40  # px


def main() -> None:
    """Cut and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with webp, offset, age, gender, split")
    parser.add_argument("crops", type=Path, help="file to write")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with np.load(options.data) as archive:
        arrays = {name: archive[name] for name in archive.files}
    rows = consistent_rows(arrays["dup_group"], arrays["age"], arrays["gender"])
    rows = rows[arrays["split"][rows] == TRAINING]
    webp, offset = arrays["webp"].tobytes(), arrays["offset"]

    detector = LoadedDetector(
        MtcnnDetector(min_face=SMALLEST_FACE, max_faces=1), create_engine(threads=options.threads)
    )
    crops = np.empty((len(rows), 2, *CROP.size, 3), np.uint8)
    places = []
    for pair, row in zip(crops, rows, strict=True):
        picture = load_image(webp[offset[row] : offset[row + 1]])
        pair[:] = resize_crops([picture], CROP).crops
        for face in detector.detect(with_room(picture)):
            pair[1:] = crop_faces(with_room(picture), [face], CROP)
            places.append((np.asarray(face.landmarks) - ROOM) / picture.shape[0])
    np.savez(options.crops, crops=crops, age=arrays["age"][rows], gender=arrays["gender"][rows])
    print(f"{len(rows)} pictures, a face found on {len(places)}; median of its landmarks:")
    print(np.median(places, axis=0).round(3).tolist())


def consistent_rows(
    groups: NDArray[np.int_], age: NDArray[np.int_], gender: NDArray[np.int_]
) -> NDArray[np.intp]:
    """Return the first row of each group of equal pictures whose labels agree."""
    facts = np.column_stack([groups, age, gender])
    _, first = np.unique(groups, return_index=True)
    said = np.unique(facts, axis=0)[:, 0]
    agreeing, counts = np.unique(said, return_counts=True)
    return np.sort(first[np.isin(groups[first], agreeing[counts == 1])])


def with_room(picture: BGRImage) -> BGRImage:
    """Return the picture with its border repeated around it."""
    return np.asarray(cv2.copyMakeBorder(picture, ROOM, ROOM, ROOM, ROOM, cv2.BORDER_REPLICATE))


if __name__ == "__main__":
    main()
