"""Which detector? Accuracy on WIDER FACE against time, and far faces.

    python benchmarks/detectors.py search ../shared/data/wider
    python benchmarks/detectors.py time ../shared/data/wider
    python benchmarks/detectors.py report ../shared/data/wider

The first keeps what each detector finds; most of its time goes to dlib-cnn. The second takes three
minutes on two cores, and nothing else should run meanwhile. The third writes ``detectors.md`` and
``detectors.png`` from both. They need ``pip install 'faceattr[bench]'``.

Two tables say which detector to choose; two more watch what the detectors promise: that a
confidence is a probability, that boxes are framed alike, and that emotions do not depend on
who found the face. The numbers in `faceattr.detectors` that make it so come from the same
pictures, by the columns of the table "calibration".
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from operator import eq
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import crop_faces
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.boxes import Boxes, overlaps
from faceattr.detectors import detectors
from faceattr.detectors.base import Detector
from faceattr.detectors.landmarks import LandmarkFinder
from faceattr.detectors.yunet import YUNET
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.evaluation.tables import Table
from faceattr.types import BGRImage, Detection
from faceattr.weights import fetch

SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "mtcnn": {},
    "yunet": {},
    "ssd": {},
    "haar": {},
    "dlib-hog": {},
    "dlib-cnn": {},
    "yunet, min_face=20": {"min_face": 20},
    "ssd, min_face=20": {"min_face": 20},
}
"""What is measured: the name of a detector, with its options."""

LOW = 0.02  # threshold at which curves are nearly complete
SAME_FACE = 0.5  # overlap of a detection with an annotated face, as WIDER FACE asks for
SMALLEST = (20, 50)  # px, longer sides from which on faces count
SIZES = ((640, 480), (1280, 720), (1920, 1080))  # px, of the pictures that are timed
TIMED = 10  # pictures
MOST_ROUNDS, MOST_SECONDS = 15, 2.5  # of timing one detector in one size

FAR_NAMES = ("mtcnn", "yunet", "ssd", "haar", "dlib-hog")
FAR_SIZES = (16, 24, 32)  # px, longer sides of faces in a picture of 3840×2160
FAR_SEARCHES: Mapping[str, Mapping[str, Any]] = {"": {}, ", tile_size=1024": {"tile_size": 1024}}
CELL = (540, 640)  # px, rows and columns of that picture for each face

READABLE = 40  # px, smallest face whose emotions are compared

LABELS = {"OpenCV's YuNet": ("right", (-7, 3)), "yunet, min_face=20": ("right", (4, -11))}
"""Labels of the plot that would hide another on the right: aligned side, offset in points."""

Detect: TypeAlias = Callable[[BGRImage], Sequence[Detection]]
Found: TypeAlias = Mapping[int, Sequence[Detection]]
"""What was found in pictures, by their place in the list of truths."""


class Truth(NamedTuple):
    """A picture and the faces in it.

    Attributes:
        path: Of the picture.
        boxes: (N, 4) px.
        valid: (N,) whether a face counts; the annotators could not judge the others.
    """

    path: Path
    boxes: Boxes
    valid: NDArray[np.bool_]


class Looks(NamedTuple):
    """A detector, twice.

    Attributes:
        curious: Gives faces however unsure.
        usual: Gives those that a user sees.
    """

    curious: Detect
    usual: Detect


@dataclass(frozen=True)
class Contestant:
    """Something that finds faces.

    Attributes:
        name: In tables.
        load: Makes it ready.
        threshold: Confidence from which on a user sees a face.
    """

    name: str
    load: Callable[[], Looks]
    threshold: float


def main() -> None:
    """Do one part of the measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=("search", "time", "report"))
    parser.add_argument("wider", type=Path, help="images/ and wider_face_val_bbx_gt.txt")
    parser.add_argument("--output", type=Path, default=Path("runs/detectors"), metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="search or time these only")
    options = parser.parse_args()

    truths = read_wider(options.wider)
    if options.part == "report":
        report(options.output, truths)
        return
    engine = create_engine()
    for one in (*ours(engine), *others()):
        if options.only is None or one.name in options.only:
            detector = one.load()
            timed = options.part == "time"
            measured = seconds(detector, truths) if timed else search(detector, truths)
            keep(options.output / options.part / f"{one.name}.pickle", measured)


def keep(path: Path, measured: Any) -> None:
    """Write what was measured into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(measured))


def kept(folder: Path, name: str) -> Any:
    """Read what was measured of a contestant."""
    return pickle.loads((folder / f"{name}.pickle").read_bytes())


def report(output: Path, truths: Sequence[Truth]) -> None:
    """Write tables and plot of what was measured."""
    engine = create_engine()
    contestants = [*ours(engine), *others()]
    found: dict[str, Found] = {one.name: kept(output / "search", one.name) for one in contestants}
    times = {one.name: kept(output / "time", one.name) for one in contestants}
    tables = [
        accuracy_table(contestants, truths, found, times),
        far_table(engine, truths),
        calibration_table(truths, found),
        emotion_table(engine, contestants, truths, found),
    ]
    text = "\n".join(f"{table.title}\n\n{table.to_markdown()}" for table in tables)
    (output / "detectors.md").write_text(f"{circumstances(truths)}\n\n{text}")
    plot(output / "detectors.png", truths, found, times)
    print(text)


# Contestants


def ours(engine: Engine) -> Iterator[Contestant]:
    """Yield the detectors of faceattr."""
    for name, options in SEARCHES.items():
        kind = detectors.get(name.partition(",")[0])

        def load(kind: type[Detector] = kind, options: Mapping[str, Any] = options) -> Looks:
            curious, usual = kind(threshold=LOW, **options), kind(**options)
            for detector in (curious, usual):
                detector.load(engine)
            return Looks(curious.detect, usual.detect)

        yield Contestant(name, load, kind.default_threshold)


def others() -> Iterator[Contestant]:
    """Yield the mtcnn package and OpenCV's own call of YuNet, as their readers use them."""
    yield Contestant("the mtcnn package", _load_package, threshold=0.8)
    yield Contestant("OpenCV's YuNet", _load_opencv, threshold=0.6)


def _load_package() -> Looks:
    from mtcnn import MTCNN  # type: ignore[import-untyped]

    package = MTCNN()

    def look(image: BGRImage, **options: float) -> list[Detection]:
        faces = package.detect_faces(image[..., ::-1], **options)
        return [_of_package(face) for face in faces]

    return Looks(lambda image: look(image, threshold_onet=LOW), look)


def _load_opencv() -> Looks:
    def look(image: BGRImage, threshold: float) -> list[Detection]:
        reader.setInputSize(image.shape[1::-1])
        reader.setScoreThreshold(threshold)
        _, rows = reader.detect(image)
        return [] if rows is None else [_of_opencv(row) for row in rows]

    reader = cv2.FaceDetectorYN.create(str(fetch(YUNET)), "", (1, 1))
    return Looks(lambda image: look(image, LOW), lambda image: look(image, 0.6))


def _of_package(face: Mapping[str, Any]) -> Detection:
    x, y, width, height = face["box"]
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    landmarks = np.array([face["keypoints"][name] for name in names], np.float32)
    return Detection((x, y, x + width, y + height), float(face["confidence"]), landmarks)


def _of_opencv(row: NDArray[np.float32]) -> Detection:
    x, y, width, height = row[:4].tolist()
    return Detection((x, y, x + width, y + height), float(row[14]), row[4:14].reshape(5, 2))


# Pictures


def read_wider(folder: Path) -> list[Truth]:
    """Return the pictures of a folder of WIDER FACE and the faces annotated in them."""
    lines = iter((folder / "wider_face_val_bbx_gt.txt").read_text().splitlines())
    truths = []
    for name in lines:
        count = int(next(lines))
        rows = np.array([next(lines).split() for _ in range(max(count, 1))], float)[:count]
        boxes = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
        truths.append(Truth(folder / "images" / name, boxes, rows[:, 7] == 0))
    return truths


def read(truth: Truth) -> BGRImage:
    """Return the picture."""
    image = cv2.imread(str(truth.path))
    if image is None:
        raise FileNotFoundError(truth.path)
    return np.asarray(image)


def search(detector: Looks, truths: Sequence[Truth]) -> Found:
    """Return all that is found, however unsure."""
    return {place: detector.curious(read(truth)) for place, truth in enumerate(truths)}


def seconds(detector: Looks, truths: Sequence[Truth]) -> list[float]:
    """Return the mean time of a picture in each size; the median of several rounds."""
    pictures = [read(truth) for truth in truths[:: len(truths) // TIMED]]
    times = []
    for size in SIZES:
        images = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pictures]
        rounds: list[float] = []
        while len(rounds) < 2 or (len(rounds) < MOST_ROUNDS and sum(rounds) < MOST_SECONDS):
            began = time.perf_counter()
            for image in images:
                detector.usual(image)
            rounds.append(time.perf_counter() - began)
        times.append(float(np.median(rounds[1:])) / len(images))
    return times


# Accuracy


class Judged(NamedTuple):
    """Detections of many pictures, the surest first, as far as they count.

    Attributes:
        hits: (N,) whether each is the first on a face that counts; others are false.
        num_faces: Faces that count.
        num_pictures: Pictures that were searched.
    """

    hits: NDArray[np.bool_]
    num_faces: int
    num_pictures: int

    @property
    def average_precision(self) -> float:
        """Area under the curve of precision over recall, its dents filled from the right."""
        precision = np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        return float(best_from_here[self.hits].sum() / self.num_faces)

    @property
    def recall(self) -> float:
        """Share of faces found at the threshold with one false detection per picture."""
        allowed = np.cumsum(~self.hits) <= self.num_pictures
        return float(self.hits[allowed].sum() / self.num_faces)


def judge(truths: Sequence[Truth], found: Found, smallest: float) -> Judged:
    """Compare what was found with what is there, by the protocol of WIDER FACE.

    A detection belongs to the face that it overlaps most, if by half or more. Faces below
    a size and those that the annotators could not judge are no misses, and what is found on
    them is neither right nor false.
    """
    confidences, hits, num_faces = [], [], 0
    for place, detections in found.items():
        truth = truths[place]
        detections = sorted(detections, key=lambda one: one.confidence, reverse=True)
        counts = truth.valid & (_longer_sides(truth.boxes) >= smallest)
        num_faces += int(counts.sum())
        free = counts.copy()
        for detection, face in zip(detections, faces_of(detections, truth.boxes), strict=True):
            if face is not None and not counts[face]:
                continue
            confidences.append(detection.confidence)
            hits.append(face is not None and bool(free[face]))
            if face is not None:
                free[face] = False
    order = np.argsort(-np.array(confidences), kind="stable")
    return Judged(np.array(hits, bool)[order], num_faces, len(found))


def faces_of(
    detections: Sequence[Detection], boxes: Boxes, same: float = SAME_FACE
) -> list[int | None]:
    """Return the row of the box that each detection overlaps most; None if by less than same."""
    if not len(boxes) or not detections:
        return [None] * len(detections)
    overlap = overlaps(np.array([one.bbox for one in detections], float), boxes)
    return [
        int(face) if row[face] >= same else None
        for row, face in zip(overlap, overlap.argmax(axis=1), strict=True)
    ]


def _longer_side(detection: Detection) -> float:
    x1, y1, x2, y2 = detection.bbox
    return max(x2 - x1, y2 - y1)


def _longer_sides(boxes: Boxes) -> NDArray[np.float64]:
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)


def accuracy_table(
    contestants: Sequence[Contestant],
    truths: Sequence[Truth],
    found: Mapping[str, Found],
    times: Mapping[str, Sequence[float]],
) -> Table:
    """Return accuracy and time of each."""
    header = ["detector"]
    header += [f"AP ≥ {size} px" for size in SMALLEST]
    header += [f"recall ≥ {size} px" for size in SMALLEST]
    header += [f"{width}×{height}" for width, height in SIZES]
    rows = []
    for one in contestants:
        judged = [judge(truths, found[one.name], size) for size in SMALLEST]
        num_pictures = judged[0].num_pictures
        part_of_them = f" (on {num_pictures} of {len(truths)} pictures)"
        rows.append(
            [
                one.name + (part_of_them if num_pictures < len(truths) else ""),
                *(f"{100 * part.average_precision:.1f}" for part in judged),
                *(f"{100 * part.recall:.1f}" for part in judged),
                *(f"{1000 * duration:.0f} ms" for duration in times[one.name]),
            ]
        )
    return Table(
        "Accuracy in percent on faces from a size on, recall at one false detection per picture, "
        "and mean time of a picture.",
        header,
        rows,
    )


# Far faces


def far_table(engine: Engine, truths: Sequence[Truth]) -> Table:
    """Return how many of the small faces in a picture of 3840×2160 px each finds."""
    pictures = [far_picture(truths, size) for size in FAR_SIZES]
    rows = []
    for name in FAR_NAMES:
        for suffix, options in FAR_SEARCHES.items():
            row = [name + suffix]
            for size, (image, boxes) in zip(FAR_SIZES, pictures, strict=True):
                detector = detectors.get(name)(min_face=0.75 * size, **options)
                detector.load(engine)
                detections = detector.detect(image)
                faces = [face for face in faces_of(detections, boxes) if face is not None]
                row.append(f"{len(set(faces))} of {len(boxes)} (+{len(detections) - len(faces)})")
            rows.append(row)
    return Table(
        "Faces of some px found in a picture of 3840×2160 by `min_face` of 3/4 of that, "
        "others found (+).",
        [
            "detector",
            *(f"{size} px" for size in FAR_SIZES),
        ],
        rows,
    )


def far_picture(truths: Sequence[Truth], size: int) -> tuple[BGRImage, Boxes]:
    """Return a picture of 3840×2160 with portraits so small that their faces have that size.

    Returns:
        The picture, and the (N, 4) boxes of the faces.
    """
    portraits = [truth for truth in truths if len(truth.boxes) == 1 and truth.valid[0]]
    height, width = CELL
    canvas = np.full((2160, 3840, 3), 128, np.uint8)
    corners = [(x, y) for y in range(0, 2160, height) for x in range(0, 3840, width)]
    boxes = []
    for number, (x, y) in enumerate(corners):
        portrait = portraits[number % len(portraits)]
        scale = size / _longer_sides(portrait.boxes)[0]
        image = cv2.resize(read(portrait), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = image[:height, :width]
        canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
        boxes.append(portrait.boxes[0] * scale + (x, y, x, y))
    return canvas, np.array(boxes)


# What detectors promise


def calibration_table(truths: Sequence[Truth], found: Mapping[str, Found]) -> Table:
    """Return how far boxes and confidences are from what they should be.

    The columns say what a box's `Framing` and a confidence's `Logistic` would have to be to
    make good for it: 0, 0, 1, 1 and 0, 1 are right.
    """
    rows = [
        [
            name,
            *(f"{value:.2f}" for value in framing(truths, answers)),
            *(f"{value:.2f}" for value in logistic(truths, answers)),
        ]
        for name, answers in found.items()
    ]
    return Table(
        "What would make good for the framing of boxes, and for the log-odds of a face by its "
        "confidence: 0, 0, 1, 1 and 0, 1 are right.",
        ["detector", "right", "down", "wider", "higher", "even", "slope"],
        rows,
    )


def framing(truths: Sequence[Truth], found: Found) -> list[float]:
    """Return how boxes would have to move and grow to be as annotated, in the median."""
    changes = []
    for place, detections in found.items():
        truth = truths[place]
        sure = [one for one in detections if one.confidence >= 0.5]
        for detection, face in zip(sure, faces_of(sure, truth.boxes, 0.3), strict=True):
            if face is not None and truth.valid[face]:
                box, true = np.reshape(detection.bbox, (2, 2)), truth.boxes[face].reshape(2, 2)
                sides = box[1] - box[0]
                shift = (true.mean(axis=0) - box.mean(axis=0)) / sides
                changes.append([*shift, *((true[1] - true[0]) / sides)])
    return np.median(changes or [[np.nan] * 4], axis=0).tolist()


def logistic(truths: Sequence[Truth], found: Found) -> list[float]:
    """Return the log-odds at which a find is as often a face as not, and the slope there."""
    rows, hits = [], []
    for place, detections in found.items():
        truth = truths[place]
        counts = truth.valid & (_longer_sides(truth.boxes) >= SMALLEST[0] / 2)
        for detection, face in zip(detections, faces_of(detections, truth.boxes, 0.4), strict=True):
            if face is None or counts[face]:
                share = np.clip(detection.confidence, 1e-6, 1 - 1e-6)
                rows.append([1.0, float(np.log(share / (1 - share)))])
                hits.append(face is not None)
    inputs, target = np.array(rows).reshape(-1, 2), np.array(hits, float)
    weights = np.array([0.0, 1.0])
    for _ in range(30):  # Newton's steps; a little ridge, for where all are faces
        share = 1 / (1 + np.exp(-np.clip(inputs @ weights, -50, 50)))
        slope = inputs.T @ (target - share) - 1e-3 * weights
        bend = (inputs.T * (share * (1 - share))) @ inputs + 1e-3 * np.eye(2)
        weights = weights + np.linalg.solve(bend, slope)
    return [float(-weights[0] / weights[1]), float(weights[1])]


class Emotions:
    """Reads emotions as `faceattr.analyze` does, or with other landmarks.

    Args:
        engine: What runs the networks.
    """

    def __init__(self, engine: Engine) -> None:
        self._analyzer = EmotionAnalyzer()
        self._analyzer.load(engine)
        self._finder = LandmarkFinder(engine)

    def read(self, image: BGRImage, detections: Sequence[Detection]) -> list[str | None]:
        """Return the emotion of each face."""
        if not detections:
            return []
        crops = crop_faces(image, detections, self._analyzer.crop)
        return [read.label for read in self._analyzer.predict(crops)]

    def read_each_way(
        self, image: BGRImage, detections: Sequence[Detection]
    ) -> dict[str, list[str | None]]:
        """Return them by the detector's own landmarks, borrowed ones, and those of a mean face."""
        bare = [replace(one, landmarks=None) for one in detections]
        has_own = all(one.landmarks is not None for one in detections)
        return {
            "own": self.read(image, detections if has_own else []),
            "borrowed": self.read(image, self._finder.complete(image, bare)),
            "mean": self.read(image, bare),
        }


def emotion_table(
    engine: Engine,
    contestants: Sequence[Contestant],
    truths: Sequence[Truth],
    found: Mapping[str, Found],
) -> Table:
    """Return how often the emotion of a face is that by MTCNN's box and landmarks."""
    emotions, mtcnn = Emotions(engine), detectors.get("mtcnn")()
    mtcnn.load(engine)
    control = "mtcnn, picture at 9/10"
    agreements: dict[str, dict[str, list[bool]]] = {}
    for place, truth in enumerate(truths):
        image = read(truth)
        references = [one for one in mtcnn.detect(image) if _longer_side(one) >= READABLE]
        boxes = np.array([one.bbox for one in references]).reshape(-1, 4)
        expected = emotions.read(image, references)
        seen = {one.name: visible(one, found[one.name].get(place, ())) for one in contestants}
        for name, detections in {control: detect_smaller(mtcnn, image, 0.9), **seen}.items():
            faces = faces_of(detections, boxes)
            both = [one for one, face in zip(detections, faces, strict=True) if face is not None]
            labels = [expected[face] for face in faces if face is not None]
            ways = agreements.setdefault(name, {})
            for way, answers in emotions.read_each_way(image, both).items():
                ways.setdefault(way, []).extend(map(eq, answers, labels))
    rows = [
        [name, str(len(ways["mean"])), *(_percent(ways[way]) for way in ways)]
        for name, ways in agreements.items()
    ]
    return Table(
        f"Same emotion as by MTCNN's box and landmarks, on faces of {READABLE} px or more that "
        "both find: by the detector's own landmarks, borrowed ones, and those of a mean face.",
        ["detector", "faces", "own", "borrowed", "mean"],
        rows,
    )


def visible(contestant: Contestant, detections: Sequence[Detection]) -> list[Detection]:
    """Return those that a user sees."""
    return [one for one in detections if one.confidence >= contestant.threshold]


def detect_smaller(detector: Detector, image: BGRImage, scale: float) -> list[Detection]:
    """Return the faces of a picture as they are found in a smaller one."""
    found = detector.detect(cv2.resize(image, None, fx=scale, fy=scale))
    return [
        replace(
            one,
            bbox=tuple(np.divide(one.bbox, scale).tolist()),
            landmarks=None if one.landmarks is None else one.landmarks / np.float32(scale),
        )
        for one in found
    ]


def _percent(hits: Sequence[bool]) -> str:
    return f"{100 * np.mean(hits):.1f}" if hits else "–"


# Report


def circumstances(truths: Sequence[Truth]) -> str:
    """Say when, where and on what was measured."""
    return (
        f"{date.today()}, {os.cpu_count()} cores of {_processor()}, Python "
        f"{platform.python_version()}, OpenCV {cv2.__version__}; {len(truths)} pictures of WIDER "
        f"FACE val, {sum(len(truth.boxes) for truth in truths)} faces."
    )


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # Linux only, like the benchmarks
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def plot(
    path: Path,
    truths: Sequence[Truth],
    found: Mapping[str, Found],
    times: Mapping[str, Sequence[float]],
) -> None:
    """Draw accuracy over time at 640×480 into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for name, answers in found.items():
        point = 1000 * times[name][0], 100 * judge(truths, answers, SMALLEST[0]).average_precision
        is_ours = name in SEARCHES
        axes.plot(
            *point, "o", color="C0" if is_ours else "C1", fillstyle="full" if is_ours else "none"
        )
        side, offset = LABELS.get(name, ("left", (7, 0)))
        axes.annotate(
            name,
            point,
            xytext=offset,
            textcoords="offset points",
            horizontalalignment=side,
            verticalalignment="center",
            fontsize=9,
        )
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.1)
    axes.set_xticks([10, 100, 1000], ["10", "100", "1000"])
    axes.set_xlabel(f"time of a picture of {SIZES[0][0]}×{SIZES[0][1]} px [ms]")
    axes.set_ylabel(f"average precision on faces ≥ {SMALLEST[0]} px [%]")
    axes.grid(which="both", alpha=0.3)
    figure.savefig(path)


if __name__ == "__main__":
    main()
