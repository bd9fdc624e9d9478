"""Measure how much the answers to a face change with what should not change them.

    python -m models.stability pictures/ lfw.npz --videos street.mp4 talk.mp4

The same faces are read at full, half and quarter size, from JPEG files of quality 30, mirrored,
and by the landmarks of MTCNN instead of the default detector's. Against the answer at full size:
the median and the 95th percentile of the change in age and in the probability of the label. Of
each face of a video: how often its label is each, and how far its age spreads. Writes the tables
into the cards of both built-in models, and stability.json beside them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.boxes import iou
from faceattr.evaluation.tables import Table
from faceattr.images import ImageSource, find_images, load_image
from faceattr.pipeline import Pipeline
from faceattr.streaming.sources import VideoFile
from faceattr.types import BGRImage, Face
from models import figures

HERE = Path(__file__).parent
CARDS = ("emotion", "age_gender")
ACTIONS = ("emotion", "age", "gender")
SMALLEST_FACE = 60  # px of the longer side of a face at full size
MIN_IOU = 0.4  # of the same face in the changed picture
SEED, MOST = 0, 400  # pictures of a set
STEP = 5  # frames from one look to the next

Pair: TypeAlias = tuple[Face, Face | None]
"""A face, and the same in a changed picture; None if it was not found there."""


class Change(NamedTuple):
    """What is done to a picture.

    Attributes:
        apply: Returns the changed picture.
        scale: Its size relative to the picture before.
        mirrors: Whether left and right change places.
    """

    apply: Callable[[BGRImage], BGRImage]
    scale: float = 1.0
    mirrors: bool = False

    def boxes_before(self, faces: Sequence[Face], width: int) -> NDArray[np.float64]:
        """Return the (N, 4) boxes that faces of the changed picture have in the one before.

        Args:
            faces: Found in the changed picture.
            width: Of the picture before, in pixels.
        """
        boxes = np.array([face.bbox for face in faces], np.float64).reshape(-1, 4) / self.scale
        return np.abs((width, 0, width, 0) - boxes)[:, [2, 1, 0, 3]] if self.mirrors else boxes


def shrunken(image: BGRImage, scale: float) -> BGRImage:
    """Return the picture at another size."""
    size = [max(round(side * scale), 1) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def compressed(image: BGRImage) -> BGRImage:
    """Return the picture as a JPEG file of quality 30 has it."""
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


SAME = Change(lambda image: image)
CHANGES: Mapping[str, Change] = {
    "half size": Change(partial(shrunken, scale=1 / 2), scale=1 / 2),
    "quarter size": Change(partial(shrunken, scale=1 / 4), scale=1 / 4),
    "JPEG 30": Change(compressed),
    "mirrored": Change(lambda image: np.ascontiguousarray(image[:, ::-1]), mirrors=True),
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="+", help="folders, or npz with webp and offset")
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    first, other = (Pipeline(ACTIONS, detector=name) for name in ("yunet", "mtcnn"))
    tables = [
        stability(first, other, load_pictures(path), title=f"changes of answers, {path.name}")
        for path in options.data
    ]
    tables += [labels_of(first, path) for path in options.videos]
    notes = {one.title: {"header": one.header, "rows": one.rows} for one in tables}
    for card in CARDS:
        figures.write_card(HERE / card, notes, figures.markdown(tables), section="stability")


def load_pictures(path: Path) -> list[ImageSource]:
    """Return the pictures of a folder, or some of those in an npz file."""
    if path.is_dir():
        return list(find_images([path]))
    with np.load(path) as archive:
        webp, offset = archive["webp"].tobytes(), archive["offset"].tolist()
    rows = np.random.default_rng(SEED).permutation(len(offset) - 1)[:MOST]
    return [webp[offset[row] : offset[row + 1]] for row in rows]


def stability(
    pipeline: Pipeline, other: Pipeline, pictures: Sequence[ImageSource], *, title: str
) -> Table:
    """Return how much the answers change with each change of the pictures.

    Args:
        pipeline: Reads emotion and age.
        other: The same with another detector.
        pictures: What to change.
        title: Title of the table.
    """
    seen: dict[str, list[Pair]] = {}
    for image in map(load_image, pictures):
        faces = [face for face in pipeline.analyze(image) if longer_side(face) >= SMALLEST_FACE]
        for name, change in CHANGES.items():
            found = pipeline.analyze(change.apply(image))
            seen.setdefault(name, []).extend(pairs(faces, found, change, image.shape[1]))
        found = other.analyze(image)
        seen.setdefault("MTCNN's landmarks", []).extend(pairs(faces, found, SAME, image.shape[1]))
    header = ["change", "faces", "found", "age, median", "age, 95 %", "probability, median"]
    header += ["probability, 95 %", "same emotion", "same gender"]
    return Table(title, header, [_row(name, faces) for name, faces in seen.items()])


def longer_side(face: Face) -> float:
    """Return the longer side of a face's box in pixels."""
    x1, y1, x2, y2 = face.bbox
    return max(x2 - x1, y2 - y1)


def pairs(
    faces: Sequence[Face], found: Sequence[Face], change: Change, width: int
) -> Iterator[Pair]:
    """Yield each face with the one that lies in its place in the changed picture, or None.

    Args:
        faces: Of the picture before.
        found: Of the changed picture.
        change: What was done.
        width: Of the picture before, in pixels.
    """
    boxes = change.boxes_before(found, width)
    for face in faces:
        overlaps = iou(np.array([face.bbox]), boxes)[0]
        best = int(overlaps.argmax()) if found else -1
        yield face, found[best] if found and overlaps[best] >= MIN_IOU else None


def _row(name: str, faces: Sequence[Pair]) -> list[str]:
    both = [(face, other) for face, other in faces if other is not None]
    years = [abs(face.estimate("age").value - other.estimate("age").value) for face, other in both]
    chances = [_change_of_label(face, other) for face, other in both]
    cells = [name, str(len(faces)), f"{len(both) / max(len(faces), 1):.0%}"]
    for values, digits in ((years, 1), (chances, 3)):
        cells += [f"{np.percentile(values, percent):.{digits}f}" for percent in (50, 95)]
    for attribute in ("emotion", "gender"):
        same = [
            face.classification(attribute).label == other.classification(attribute).label
            for face, other in both
        ]
        cells.append(f"{np.mean(same):.1%}")
    return cells


def _change_of_label(face: Face, other: Face) -> float:
    """Return how much the probability of a face's emotion changes."""
    before = face.classification("emotion")
    return abs(before.confidence - other.classification("emotion").scores[before.label])


def labels_of(pipeline: Pipeline, path: Path) -> Table:
    """Return how often each face of a video has each label, and how its age spreads.

    Every fifth frame is read alone, without smoothing; a face is the one that lies where it lay.
    """
    tracks: list[list[Face]] = []
    with VideoFile(path) as frames:
        for frame in frames:
            if frame.index % STEP:
                continue
            for face in pipeline.analyze(frame.image):
                _track_of(face, tracks).append(face)
    rows = []
    for number, faces in enumerate(tracks, start=1):
        labels = [face.classification("emotion").label for face in faces]
        names, counts = np.unique(labels, return_counts=True)
        shares = [f"{names[i]} {counts[i] / len(faces):.0%}" for i in np.argsort(-counts)]
        changes = np.mean(np.array(labels[1:]) != np.array(labels[:-1])) if len(faces) > 1 else 0
        years = [face.estimate("age").value for face in faces]
        women = np.mean([face.classification("gender").label == "woman" for face in faces])
        age = f"{np.mean(years):.1f} ± {np.std(years):.1f}"
        looks = [str(number), str(len(faces)), ", ".join(shares), f"{changes:.1%}"]
        rows.append([*looks, age, f"{women:.0%}"])
    header = ["face", "looks", "emotions", "label changes", "age", "woman"]
    return Table(f"the faces of {path.name}", header, rows)


def _track_of(face: Face, tracks: list[list[Face]]) -> list[Face]:
    """Return the faces before this one, a new list if there are none where it lies."""
    for track in tracks:
        if iou(np.array([track[-1].bbox]), np.array([face.bbox]))[0, 0] >= MIN_IOU:
            return track
    tracks.append([])
    return tracks[-1]


if __name__ == "__main__":
    main()
