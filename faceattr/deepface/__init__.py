"""DeepFace's own calls and result dicts, for people who switch.

Step for step what deepface 0.0.103 does, its faults included, on our detectors and engines::

    from faceattr.deepface import DeepFace

    DeepFace.analyze("photo.jpg", actions=["emotion", "age"])[0]["dominant_emotion"]

The networks run on the engine of ``FACEATTR_ENGINE`` at ``FACEATTR_PRECISION``; ``f32`` gives
deepface's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from heapq import nlargest
from typing import Any, TypeAlias

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, HeadAnalyzer
from faceattr.detectors.base import Detector
from faceattr.detectors.mtcnn.detector import SMALLEST_FACE, MtcnnDetector
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import NoFaceError, OptionError
from faceattr.images import ImageSource, describe_source, load_image
from faceattr.pipeline import CROP_PIXELS
from faceattr.streaming.sinks import VideoSink, WindowSink
from faceattr.types import Attribute, BGRImage, Detection, Estimate

Point: TypeAlias = tuple[int, int]
"""x and y in px."""


class PackageMtcnn(MtcnnDetector):
    """MTCNN as the mtcnn package has it: large pictures searched in full, small boxes kept."""

    default_threshold = 0.8

    def find(self, image: BGRImage, min_face: float | None) -> list[Detection]:
        """See the base class."""
        return super().find(image, SMALLEST_FACE)


DETECTORS: Mapping[str, Callable[[], Detector]] = {"mtcnn": PackageMtcnn}
"""What stands for deepface's detectors of these names."""

LIVE_DETECTORS = {"opencv": "haar", "mtcnn": "mtcnn", "ssd": "ssd", "yunet": "yunet"}
"""Our detectors that follow faces on streams, by deepface's names."""

BACKENDS = ("opencv", *DETECTORS, "skip")

ACTIONS = {
    "emotion": "emotion-cnn",
    "age": "age-vgg",
    "gender": "gender-vgg",
    "race": "race-vgg",
}
"""Names of deepface's actions, and of our analyzers."""

FACES, EYES = "haarcascade_frontalface_default.xml", "haarcascade_eye.xml"
SCALE_STEP, MIN_NEIGHBORS = 1.1, 10  # of both cascades
SIDE = 224  # px of the square that a face is fitted into
NUM_TOGETHER = CROP_PIXELS // SIDE**2  # faces that go through the networks at once


def analyze(
    img_path: ImageSource | list[ImageSource],
    actions: str | Sequence[str] = ("emotion", "age", "gender", "race"),
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
) -> list[Any]:
    """Return a dict for each face of an image, with what was read and where the face is.

    Args:
        img_path: As in `extract_faces`; a list or a 4-D array of images gives a list for each.
        actions: Some of `ACTIONS`.
        enforce_detection: As in `extract_faces`.
        detector_backend: As in `extract_faces`.
        align: As in `extract_faces`.
        expand_percentage: As in `extract_faces`.
        silent: Without effect, as there is no progress bar.
        anti_spoofing: As in `extract_faces`.

    Raises:
        FaceattrError: As in `extract_faces`, or the weights of an action are missing.
    """
    wanted = _check_actions(actions)
    finder = _Finder(detector_backend, enforce_detection, align, expand_percentage, anti_spoofing)
    if isinstance(img_path, list) or (isinstance(img_path, np.ndarray) and img_path.ndim == 4):
        return [_describe(finder.find(image), wanted) for image in img_path]
    return _describe(finder.find(img_path), wanted)


def extract_faces(
    img_path: ImageSource,
    detector_backend: str = "opencv",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    grayscale: bool = False,
    color_face: str = "rgb",
    normalize_face: bool = True,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
) -> list[dict[str, Any]]:
    """Return a dict for each face of an image: ``face``, ``facial_area`` and ``confidence``.

    Args:
        img_path: Path, http(s) URL, base64 text, binary file or BGR array.
        detector_backend: One of `BACKENDS`; ``"skip"`` takes the whole image for a face.
        enforce_detection: If nobody is found, raise; else take the whole image for a face.
        align: Turn each face until its eyes are level.
        expand_percentage: How much wider and higher than found the boxes shall be.
        grayscale: The same as ``color_face="gray"``.
        color_face: ``"rgb"``, ``"bgr"`` or ``"gray"``.
        normalize_face: Give float64 in [0, 1] instead of uint8.
        anti_spoofing: Is not offered.
        max_faces: Keep only the largest ones; None for all.

    Raises:
        NoFaceError: Nobody is found, and detection is enforced.
        ImageError: The image cannot be read.
        OptionError: An argument has a value that it cannot have here.
    """
    finder = _Finder(
        detector_backend, enforce_detection, align, expand_percentage, anti_spoofing, max_faces
    )
    color = "gray" if grayscale else color_face
    return [
        {
            "face": _convert(face.crop, color, normalize=normalize_face),
            "facial_area": face.region,
            "confidence": face.confidence,
        }
        for face in finder.find(img_path)
    ]


def build_model(model_name: str, task: str = "facial_recognition") -> None:
    """Make ready what the first call of `analyze` would have to load.

    Args:
        model_name: ``"Emotion"``, ``"Age"``, ``"Gender"``, ``"Race"``, or one of `BACKENDS`.
        task: ``"facial_attribute"`` of the former, ``"face_detector"`` of the latter.

    Raises:
        OptionError: There is no such model here.
        WeightsError: The weights of the model are missing.
    """
    if task == "facial_attribute" and model_name.lower() in ACTIONS:
        _analyzer(model_name.lower())
    elif task == "face_detector" and model_name in BACKENDS:
        if model_name in DETECTORS:
            _detector(model_name)
    else:
        raise OptionError(
            f"there is no model {model_name!r} for the task {task!r}; faceattr offers "
            f"{', '.join(map(str.capitalize, ACTIONS))} for 'facial_attribute' and "
            f"{', '.join(BACKENDS)} for 'face_detector'"
        )


def stream(
    db_path: str = "",
    model_name: str = "VGG-Face",
    detector_backend: str = "opencv",
    distance_metric: str = "cosine",
    enable_face_analysis: bool = True,
    source: int | str = 0,
    time_threshold: int = 5,
    frame_threshold: int = 5,
    anti_spoofing: bool = False,
    output_path: str | None = None,
    debug: bool = False,
) -> None:
    """Watch a camera; the picture is held for a while when a face has been looked at.

    Shows a window until q is pressed, or writes a video. Nobody is recognized: what deepface
    does with a folder of known faces is not offered.

    Args:
        db_path: Must be empty.
        model_name: Without effect, as nobody is recognized.
        detector_backend: Name of a detector of deepface's that faceattr has.
        distance_metric: Without effect, as nobody is recognized.
        enable_face_analysis: Whether to read emotion, age and gender.
        source: Number of a camera, address of a stream, or path of a video.
        time_threshold: Seconds for which the picture is held.
        frame_threshold: Frames in a row in which a face must be seen first.
        anti_spoofing: Is not offered.
        output_path: Of a video to write instead of the window.
        debug: Without effect.

    Raises:
        OptionError: What is asked for is not offered.
        FaceattrError: The source cannot be opened, or there is no display.
    """
    from faceattr.streaming.analysis import (  # SciPy takes a moment, for streams only
        LiveAnalysis,
        play,
    )
    from faceattr.streaming.sources import open_source

    if db_path:
        raise OptionError("faceattr recognizes nobody; leave db_path empty")
    if anti_spoofing:
        raise OptionError("anti_spoofing is not offered by faceattr; leave it out")
    if detector_backend not in LIVE_DETECTORS:
        raise OptionError(
            f"detector_backend is {detector_backend!r}; on streams it can be "
            f"{', '.join(LIVE_DETECTORS)}"
        )
    live = LiveAnalysis(
        [ACTIONS[action] for action in ("emotion", "age", "gender") if enable_face_analysis],
        detector=LIVE_DETECTORS[detector_backend],
        freeze="frame",
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
    )
    frames = open_source(source)
    sink = VideoSink(output_path, fps=frames.fps or 25) if output_path else WindowSink()
    for _ in play(live, frames, [sink]):
        pass


class DeepFace:
    """These functions under the name that deepface's users import."""

    analyze = staticmethod(analyze)
    build_model = staticmethod(build_model)
    extract_faces = staticmethod(extract_faces)
    stream = staticmethod(stream)


# Pictures to faces


@dataclass(frozen=True, slots=True)
class _Area:
    """Where a face lies in a picture, in px.

    Attributes:
        x: Of its left side.
        y: Of its upper side.
        w: Its width.
        h: Its height.
        confidence: What the detector says, on its own scale.
        left_eye: The subject's own left eye; None if it is unknown.
        right_eye: The subject's own right eye; None if it is unknown.
    """

    x: int
    y: int
    w: int
    h: int
    confidence: float = 0.0
    left_eye: Point | None = None
    right_eye: Point | None = None


@dataclass(frozen=True, slots=True)
class _Face:
    """A face cut out of a picture.

    Attributes:
        crop: (H, W, 3) BGR uint8, of any size.
        region: Where it was, in deepface's words.
        confidence: With two decimals.
    """

    crop: BGRImage
    region: dict[str, Any]
    confidence: float


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds faces with the options of `extract_faces`, and cuts them out."""

    detector_backend: str
    enforce_detection: bool
    align: bool
    expand_percentage: int
    anti_spoofing: bool
    max_faces: int | None = None

    def __post_init__(self) -> None:
        if self.detector_backend not in BACKENDS:
            raise OptionError(
                f"detector_backend is {self.detector_backend!r}; faceattr offers "
                f"{', '.join(BACKENDS)}"
            )
        if self.anti_spoofing:
            raise OptionError("anti_spoofing is not offered by faceattr; leave it out")

    def find(self, source: ImageSource) -> list[_Face]:
        """Return the faces of an image in the detector's order, or else the whole as one."""
        image = load_image(source)
        if self.detector_backend != "skip":
            faces = self._detect(image)
            if faces:
                return faces
            if self.enforce_detection:
                raise NoFaceError(
                    f"{describe_source(source)}: no face found; try another detector_backend, or "
                    "enforce_detection=False to take the whole image for a face"
                )
        height, width = image.shape[:2]
        return [_Face(image, _region(_Area(0, 0, width, height), image.shape), 0.0)]

    def _detect(self, image: BGRImage) -> list[_Face]:
        height, width = image.shape[:2]
        border = (width // 2, height // 2) if self.align else (0, 0)
        padded = _cut(image, -border[0], -border[1], width + border[0], height + border[1])
        areas = _search(padded, self.detector_backend)
        if self.max_faces is not None and self.max_faces < len(areas):
            areas = nlargest(self.max_faces, areas, key=lambda area: area.w * area.h)
        if self.expand_percentage > 0:
            areas = [_expand(area, padded.shape, self.expand_percentage) for area in areas]
        if self.detector_backend != "opencv":  # which looks before the box grows
            areas = [_with_eyes(area, padded) for area in areas]
        cut = _cut_level if self.align else _cut_area
        return [
            _Face(cut(padded, area), _region(area, image.shape, border), round(area.confidence, 2))
            for area in areas
        ]


def _cut(image: BGRImage, x1: int, y1: int, x2: int, y2: int) -> BGRImage:
    """Return a part of the image, black where it reaches outside."""
    height, width = image.shape[:2]
    inside = image[max(y1, 0) : y2, max(x1, 0) : x2]
    around = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
    return np.asarray(cv2.copyMakeBorder(inside, *around, cv2.BORDER_CONSTANT))


def _search(image: BGRImage, backend: str) -> list[_Area]:
    if backend == "opencv":
        return list(_search_with_cascade(image))
    detections = _detector(backend).detect(image)
    areas = [_to_area(detection, image.shape) for detection in detections]
    return [area for area in areas if area.w > 0 and area.h > 0]


def _search_with_cascade(image: BGRImage) -> Iterator[_Area]:
    """Yield the faces in OpenCV's order, which depends on its number of threads."""
    boxes, _, scores = _cascade(FACES).detectMultiScale3(
        image, SCALE_STEP, MIN_NEIGHBORS, outputRejectLevels=True
    )
    for box, score in zip(boxes, scores, strict=True):
        x, y, w, h = map(int, box)
        yield _with_eyes(_Area(x, y, w, h, (100 - float(score)) / 100), image)


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + name)  # threads cannot share one


def _with_eyes(area: _Area, image: BGRImage) -> _Area:
    """Look for the eyes of a face if they are unknown."""
    if area.left_eye is not None:
        return area
    gray = cv2.cvtColor(_cut_area(image, area), cv2.COLOR_BGR2GRAY)
    eyes = _cascade(EYES).detectMultiScale(gray, SCALE_STEP, MIN_NEIGHBORS)
    if len(eyes) < 2:
        return area
    first, second = nlargest(2, eyes, key=lambda eye: eye[2] * eye[3])
    right, left = (first, second) if first[0] < second[0] else (second, first)
    return replace(area, left_eye=_center(left, area), right_eye=_center(right, area))


def _center(eye: Sequence[int], area: _Area) -> Point:
    x, y, w, h = map(int, eye)
    return area.x + int(x + w / 2), area.y + int(y + h / 2)


@cache
def _detector(backend: str) -> Detector:
    detector = DETECTORS[backend]()
    detector.load(create_engine(precision="f32"))  # one px more or less is another crop
    return detector


def _to_area(detection: Detection, shape: tuple[int, ...]) -> _Area:
    """Round as the mtcnn package does: corner and size of the box, up to the last px."""
    height, width = shape[:2]
    box = np.clip(detection.bbox, 0, np.tile((width - 1, height - 1), 2))
    x, y, w, h = _round([*box[:2], *(box[2:] - box[:2])])
    if detection.landmarks is None:
        return _Area(x, y, w, h, detection.confidence)
    right, left = ((x, y) for x, y in _round(detection.landmarks[:2]))  # the viewer's left first
    return _Area(x, y, w, h, detection.confidence, left, right)


def _round(values: Any) -> Any:
    return np.rint(values).astype(int).tolist()


def _expand(area: _Area, shape: tuple[int, ...], percentage: int) -> _Area:
    height, width = shape[:2]
    w, h = (side + int(side * percentage / 100) for side in (area.w, area.h))
    x, y = max(0, area.x - int((w - area.w) / 2)), max(0, area.y - int((h - area.h) / 2))
    return replace(area, x=x, y=y, w=min(width - x, w), h=min(height - y, h))


def _cut_area(image: BGRImage, area: _Area) -> BGRImage:
    return image[area.y : area.y + area.h, area.x : area.x + area.w]


def _cut_level(image: BGRImage, area: _Area) -> BGRImage:
    """Turn the picture about the middle of the face until the eyes are level, and cut it there."""
    x, y = area.w // 2, area.h // 2  # px on each side, for what is turned into the box
    around = _cut(image, area.x - x, area.y - y, area.x + area.w + x, area.y + area.h + y)
    if area.left_eye is not None and area.right_eye is not None:
        height, width = around.shape[:2]
        dx, dy = np.subtract(area.left_eye, area.right_eye).tolist()
        angle = math.degrees(math.atan2(dy, dx))
        turn = cv2.getRotationMatrix2D((width // 2, height // 2), angle, 1.0)
        around = cv2.warpAffine(around, turn, (width, height), flags=cv2.INTER_CUBIC)
    return around[y : y + area.h, x : x + area.w]


def _region(area: _Area, shape: tuple[int, ...], border: Point = (0, 0)) -> dict[str, Any]:
    """Return deepface's ``facial_area``: the area in the picture of that shape, in its border."""
    height, width = shape[:2]
    x, y = max(0, area.x - border[0]), max(0, area.y - border[1])
    return {
        "x": x,
        "y": y,
        "w": min(width - x - 1, area.w),
        "h": min(height - y - 1, area.h),
        "left_eye": _visible(area.left_eye, shape, border),
        "right_eye": _visible(area.right_eye, shape, border),
    }


def _visible(eye: Point | None, shape: tuple[int, ...], border: Point) -> Point | None:
    """Return where the eye is in the picture, None if it is in the border."""
    if eye is None:
        return None
    x, y = eye[0] - border[0], eye[1] - border[1]
    return (x, y) if 0 <= x < shape[1] and 0 <= y < shape[0] else None


def _convert(crop: BGRImage, color: str, *, normalize: bool) -> NDArray[Any]:
    match color:
        case "bgr":
            face: NDArray[Any] = crop
        case "rgb":
            face = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        case "gray":
            face = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        case _:
            raise OptionError(f"color_face is {color!r}; it can be 'rgb', 'bgr' or 'gray'")
    return _normalize(face) if normalize else face


def _normalize(face: NDArray[np.uint8]) -> NDArray[np.float64]:
    return face / 255 if face.max() > 1 else face.astype(np.float64)


# Faces to what is read off them


def _check_actions(actions: str | Sequence[str]) -> list[str]:
    wanted = [actions] if isinstance(actions, str) else list(actions or ())
    if not wanted or not ACTIONS.keys() >= set(wanted):
        raise OptionError(f"actions is {actions!r}; it can be some of {', '.join(ACTIONS)}")
    return wanted


def _describe(faces: Sequence[_Face], actions: Sequence[str]) -> list[dict[str, Any]]:
    """Return deepface's result dict of each face."""
    results: list[dict[str, Any]] = []
    for start in range(0, len(faces), NUM_TOGETHER):
        results += _describe_together(faces[start : start + NUM_TOGETHER], actions)
    return results


def _describe_together(faces: Sequence[_Face], actions: Sequence[str]) -> list[dict[str, Any]]:
    crops = np.stack([_fit(face.crop) for face in faces])
    results = [{"region": face.region, "face_confidence": face.confidence} for face in faces]
    for action, attributes in zip(actions, _read(crops, actions), strict=True):
        for result, attribute in zip(results, attributes, strict=True):
            result.update(_entries(action, attribute))
    return results


def _fit(crop: BGRImage) -> NDArray[np.float32]:
    """Return the crop in the middle of a black square, in [0, 255] but not rounded."""
    height, width = crop.shape[:2]
    factor = min(SIDE / height, SIDE / width)
    size = max(int(width * factor), 1), max(int(height * factor), 1)
    fitted = cv2.resize(_normalize(crop), size) * 255
    columns, rows = SIDE - size[0], SIDE - size[1]
    left, top = columns // 2, rows // 2
    return np.pad(fitted, ((top, rows - top), (left, columns - left), (0, 0))).astype(np.float32)


def _read(crops: NDArray[Any], actions: Sequence[str]) -> Iterator[Sequence[Attribute]]:
    """Yield the attributes of all crops, action by action; a trunk runs once for all heads."""
    features = cache(lambda trunk: trunk(crops))
    for action in actions:
        analyzer = _analyzer(action)
        if isinstance(analyzer, HeadAnalyzer):
            yield analyzer.predict_from(features(analyzer.trunk))
        else:
            yield analyzer.predict(_small_and_gray(crops))


@cache
def _analyzer(action: str) -> Analyzer:
    analyzer = analyzers.get(ACTIONS[action])()
    analyzer.load(_engine())
    return analyzer


@cache
def _engine() -> Engine:
    return create_engine()


def _small_and_gray(crops: NDArray[Any]) -> NDArray[Any]:
    """Return (N, 48, 48, 1) crops, as the emotion network wants them."""
    grays = [cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (48, 48)) for crop in crops]
    return np.stack(grays)[..., None]


def _entries(action: str, attribute: Attribute) -> dict[str, Any]:
    if isinstance(attribute, Estimate):
        return {action: int(attribute.value)}
    is_gender = action == "gender"  # with capitals, and as the network gives it
    total = 1.0 if is_gender else sum(attribute.scores.values())
    percent = {
        label.capitalize() if is_gender else label: 100 * score / total
        for label, score in attribute.scores.items()
    }
    return {action: percent, f"dominant_{action}": max(percent, key=percent.__getitem__)}
