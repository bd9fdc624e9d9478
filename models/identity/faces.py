r"""Cut the faces of LFW and UTKFace as the analyzer `identity` is served them.

    python -m models.identity.faces lfw_folds_1_4.npz lfw_faces.npz
    python -m models.identity.faces utkface_112.npz utkface_faces.npz --with-room

The default detector finds the faces, of several in a picture the one nearest to its middle. The
other recipes of this folder read what this one writes: `crops` (N, 150, 150, 3) in RGB, the `row`
of each in the data set, and the set's labels. Pictures without a face are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from faceattr.alignment import crop_faces
from faceattr.analyzers.identity import CROP
from faceattr.detectors import detectors
from faceattr.detectors.base import LoadedDetector
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.options import SearchOptions
from faceattr.types import BGRImage, Detection
from models.crops import with_room

PICTURES = ("webp", "offset")


def main() -> None:
    """Cut and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with webp, offset, and labels")
    parser.add_argument("faces", type=Path, help="file to write")
    parser.add_argument("--with-room", action="store_true", help="where faces fill the pictures")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with np.load(options.data) as archive:
        arrays = {name: archive[name] for name in archive.files}
    webp, offset = arrays["webp"].tobytes(), arrays["offset"].tolist()
    detector = LoadedDetector(
        detectors.create(options.detector),
        create_engine(threads=options.threads),
        SearchOptions(),
    )
    crops, rows = [], []
    for row in range(len(offset) - 1):
        picture = load_image(webp[offset[row] : offset[row + 1]])
        if options.with_room:
            picture, _ = with_room(picture)
        found = detector.detect(picture)
        if found:
            crops.append(crop_faces(picture, [nearest_to_middle(found, picture)], CROP)[0])
            rows.append(row)
    print(f"a face on {len(rows)} of {len(offset) - 1} pictures")
    labels = {name: array for name, array in arrays.items() if name not in PICTURES}
    np.savez(options.faces, crops=np.array(crops), row=np.array(rows), **labels)


def nearest_to_middle(found: list[Detection], picture: BGRImage) -> Detection:
    """Return the face whose box is nearest to the middle of the picture."""
    middle = np.array(picture.shape[1::-1]) / 2

    def distance(one: Detection) -> float:
        x1, y1, x2, y2 = one.bbox
        return float(np.hypot(*(((x1 + x2) / 2, (y1 + y2) / 2) - middle)))

    return min(found, key=distance)


if __name__ == "__main__":
    main()
