"""Cut the faces of a data set's training pictures as faceattr serves them, for the recipes.

    python -m models.crops emotion rafdb.npz rafdb_crops.npz
    python -m models.crops age utkface_112.npz utkface_crops.npz
    python -m models.crops teacher fer2013.npz large/fer2013.npz

Each picture is cut twice: as it is, and by the landmarks that the default detector finds on it,
with room around it, by the analyzer's own `CropSpec`. So a network is trained on what it will be
served. Pictures on which no face is found are left out with --only-found, which suits pictures
that show more than the face; then both crops are the one by landmarks. Left out are also pictures
of other splits than the first, those that occur twice with different labels, and with
--leave-out-tenth those that measure the network, as the set has no other split. Prints where the
landmarks lie, to compare with the template of that `CropSpec`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec, crop_faces, resize_crops
from faceattr.analyzers.age_gender import AgeAnalyzer
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.yunet import YunetDetector
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.options import SearchOptions
from faceattr.types import BGRImage, Crops

TEACHER_CROP = CropSpec(
    size=(117, 117),  # at dlib's scale the face fills such a crop
    color="rgb",
    template=(  # between those of the two networks that ship
        (0.310, 0.335),
        (0.690, 0.335),
        (0.495, 0.557),
        (0.330, 0.727),
        (0.665, 0.727),
    ),
)
SPECS: Mapping[str, CropSpec] = {
    "emotion": EmotionAnalyzer.crop,
    "age": AgeAnalyzer.crop,
    "teacher": TEACHER_CROP,
}
TRAINING = 0  # value of `split`
TENTH = 10  # pictures of which the first measures, in a set without another split
LABELS = ("label", "age", "gender")
ENLARGED = 3  # times, of FER2013's pictures
ROOM = 0.3  # of the picture's side, around it, so that faces are found that fill it


def main() -> None:
    """Cut and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("analyzer", choices=SPECS)
    parser.add_argument("data", type=Path, help="npz with webp and offset, or images, and labels")
    parser.add_argument("crops", type=Path, help="file to write")
    parser.add_argument("--side", type=int, help="of a crop in pixels, if not as usual")
    parser.add_argument("--only-found", action="store_true", help="where a face is found")
    parser.add_argument("--leave-out-tenth", action="store_true", help="those that measure")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    with np.load(options.data) as archive:
        arrays = {name: archive[name] for name in archive.files}
    rows = training_rows(arrays)
    if options.leave_out_tenth:
        rows = rows[rows % TENTH != 0]
    spec = SPECS[options.analyzer]
    if options.side:
        spec = replace(spec, size=(options.side, options.side))
    picture_of = pictures_in(arrays)

    detector = LoadedDetector(
        YunetDetector(), create_engine(threads=options.threads), SearchOptions(max_faces=1)
    )
    crops = np.empty((len(rows), 2, *spec.size, spec.channels), np.uint8)
    found = np.zeros(len(rows), bool)
    places = []
    for index, row in enumerate(rows):
        picture = picture_of(row)
        crops[index] = resize_crops([picture], spec).crops
        large, room = with_room(picture)
        for face in detector.detect(large):
            found[index] = True
            crops[index, 0 if options.only_found else 1 :] = crop_faces(large, [face], spec)
            places.append((np.asarray(face.landmarks) - room) / picture.shape[1::-1])
    kept = found if options.only_found else np.ones(len(rows), bool)
    labels = {name: arrays[name][rows][kept] for name in LABELS if name in arrays}
    np.savez(options.crops, crops=crops[kept], row=rows[kept], **labels)
    print(f"{len(rows)} pictures, a face found on {found.sum()}; median of its landmarks:")
    print(np.median(places, axis=0).round(3).tolist())


def load_crops(path: Path) -> Crops:
    """Return (N, 2, H, W, C) crops of a set's training pictures.

    Args:
        path: What was written here; or FER2013, whose pictures are crops for ``emotion`` as they
            are, twice the same.
    """
    with np.load(path) as data:
        if "crops" in data:
            crops: Crops = data["crops"]
            return crops
        images = data["images"][data["split"] == TRAINING][:, None, ..., None]
        return np.repeat(images, 2, axis=1)


def pictures_in(arrays: Mapping[str, NDArray[Any]]) -> Callable[[int], BGRImage]:
    """Return what gives the picture of a row.

    FER2013's pictures are enlarged, as a detector finds no faces in pictures so small.
    """
    if "images" in arrays:
        images = arrays["images"]
        return lambda row: load_image(cv2.resize(images[row], None, fx=ENLARGED, fy=ENLARGED))
    webp, offset = arrays["webp"].tobytes(), arrays["offset"]
    return lambda row: load_image(webp[offset[row] : offset[row + 1]])


def training_rows(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.intp]:
    """Return the rows of the first split; of equal pictures the first, if their labels agree.

    Args:
        arrays: Labels, `split` if there are several, and `dup_group`, the same number for equal
            pictures, if there are such.
    """
    num_rows = len(arrays["images"]) if "images" in arrays else len(arrays["offset"]) - 1
    split = arrays.get("split", np.zeros(num_rows, np.int_))
    groups = arrays.get("dup_group", np.arange(num_rows))
    labels = [arrays[name] for name in LABELS if name in arrays]
    rows = consistent_rows(groups, *labels)
    rows = rows[split[rows] == TRAINING]
    return rows[~np.isin(groups[rows], groups[split != TRAINING])]


def consistent_rows(groups: NDArray[np.int_], *labels: NDArray[np.int_]) -> NDArray[np.intp]:
    """Return the first row of each group of equal pictures whose labels agree."""
    facts = np.column_stack([groups, *labels])
    _, first = np.unique(groups, return_index=True)
    said = np.unique(facts, axis=0)[:, 0]
    agreeing, counts = np.unique(said, return_counts=True)
    return np.sort(first[np.isin(groups[first], agreeing[counts == 1])])


def with_room(picture: BGRImage) -> tuple[BGRImage, int]:
    """Return the picture with its border repeated around it, and the pixels of that border."""
    room = round(ROOM * max(picture.shape[:2]))
    large = cv2.copyMakeBorder(picture, room, room, room, room, cv2.BORDER_REPLICATE)
    return np.asarray(large), room


if __name__ == "__main__":
    main()
