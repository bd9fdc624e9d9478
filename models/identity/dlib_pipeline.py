r"""Describe the faces of LFW by dlib's own detector, landmarks and network, to compare with.

    python -m models.identity.dlib_pipeline lfw_folds_1_4.npz lfw_dlib.npz \
        --models face_recognition_models/models

Needs dlib (``faceattr[dlib]``) and the files of the package face_recognition_models. As the
package face_recognition does, pictures are searched at twice their size; of several faces the one
nearest to the middle counts. Pictures without a face have a descriptor of NaN.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import dlib
import numpy as np

from faceattr.analyzers.identity import DLIB_FACE

LANDMARKS = "shape_predictor_5_face_landmarks.dat"


def main() -> None:
    """Describe and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="npz with webp and offset")
    parser.add_argument("descriptors", type=Path, help="file to write")
    parser.add_argument("--models", type=Path, required=True)
    options = parser.parse_args()
    with np.load(options.data) as archive:
        webp, offset = archive["webp"], archive["offset"]
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(str(options.models / LANDMARKS))
    network = dlib.face_recognition_model_v1(str(options.models / DLIB_FACE.filename))

    descriptors = np.full((len(offset) - 1, 128), np.nan, np.float32)
    seconds = []  # of the network alone
    for row in range(len(descriptors)):
        bgr = cv2.imdecode(webp[offset[row] : offset[row + 1]], cv2.IMREAD_COLOR)
        picture = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        found = detector(picture, 1)
        if not found:
            continue
        height, width = picture.shape[:2]
        middle = dlib.point(width // 2, height // 2)
        box = min(
            found, key=lambda one: (one.center() - middle).x ** 2 + (one.center() - middle).y ** 2
        )
        chip = dlib.get_face_chip(picture, landmarks(picture, box))
        start = time.process_time()
        descriptors[row] = network.compute_face_descriptor(chip)
        seconds.append(time.process_time() - start)
    print(f"a face on {len(seconds)} of {len(descriptors)} pictures")
    print(f"{np.median(seconds) * 1e3:.1f} ms of processor time for a chip")
    np.savez(options.descriptors, descriptors=descriptors)


if __name__ == "__main__":
    main()
