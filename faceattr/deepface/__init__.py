"""DeepFace's own calls and result dicts, for people who switch.

Step for step what deepface 0.0.103 does, its faults included, on our detectors and engines::

    from faceattr.deepface import DeepFace

    DeepFace.analyze("photo.jpg", actions=["emotion", "age"])[0]["dominant_emotion"]

The networks run on the engine of ``FACEATTR_ENGINE`` at ``FACEATTR_PRECISION``; ``f32`` gives
deepface's numbers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from faceattr.arguments import explained
from faceattr.deepface.crops import Extraction, to_color
from faceattr.deepface.detection import (
    FINDERS,
    LIVE_DETECTORS,
    SUBSTITUTES,
    check_backend,
    load_finder,
)
from faceattr.deepface.differences import DeepFaceWarning, warn_once
from faceattr.deepface.models import Models, choose_models, suggesting_builtin
from faceattr.deepface.results import ACTIONS, BUILTIN, check_actions, describe, reader_of
from faceattr.errors import OptionError
from faceattr.images import ImageSource

__all__ = [
    "DeepFace",
    "DeepFaceWarning",
    "analyze",
    "build_model",
    "extract_faces",
    "find",
    "represent",
    "stream",
    "verify",
]


@explained
def analyze(
    img_path: ImageSource | list[ImageSource],
    actions: str | Sequence[str] = ("emotion", "age", "gender", "race"),
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
    *,
    models: Models | None = None,
) -> list[Any]:
    """Return a dict for each face of an image: its attributes, and where it is.

    Args:
        img_path: As in `extract_faces`; a list or a 4-D array of images gives a list for each.
        actions: Some of ``"emotion"``, ``"age"``, ``"gender"``, ``"race"``.
        enforce_detection: As in `extract_faces`.
        detector_backend: As in `extract_faces`.
        align: As in `extract_faces`.
        expand_percentage: As in `extract_faces`.
        silent: Without effect, as there is no progress bar.
        anti_spoofing: As in `extract_faces`.
        models: ``"deepface"`` for its networks, whose weights are downloaded, or ``"builtin"`` for
            those that ship with faceattr, which have no race; None for the environment variable
            ``FACEATTR_DEEPFACE_MODELS``, else deepface's.

    Raises:
        FaceattrError: As in `extract_faces`, or the weights of an action are missing.
    """
    chosen = choose_models(models)
    wanted = check_actions(actions, chosen)
    extraction = Extraction(
        detector_backend, enforce_detection, align, expand_percentage, anti_spoofing
    )
    if isinstance(img_path, list) or (isinstance(img_path, np.ndarray) and img_path.ndim == 4):
        return [describe(extraction.cut_faces(image), wanted, chosen) for image in img_path]
    return describe(extraction.cut_faces(img_path), wanted, chosen)


@explained
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
        detector_backend: ``"opencv"``, ``"mtcnn"``, ``"yunet"``, ``"ssd"`` or ``"dlib"`` as in
            deepface, but for ``"ssd"``'s weights, which are OpenCV's in 8 bits, and for the eyes
            of ``"dlib"``, which OpenCV's cascade finds unless deepface's file for them is there;
            ``"skip"`` to take the whole image for a face. For deepface's other detectors the
            nearest of ours is taken, with a `DeepFaceWarning`: ``mtcnn`` for ``"fastmtcnn"``,
            ``yunet`` for ``"retinaface"``, ``"mediapipe"``, ``"centerface"`` and the YOLOs.
        enforce_detection: Whether to raise if no face is found, or take the whole image for one.
        align: Whether to rotate each face until its eyes are level.
        expand_percentage: By how much to widen and heighten the boxes.
        grayscale: The same as ``color_face="gray"``.
        color_face: ``"rgb"``, ``"bgr"`` or ``"gray"``.
        normalize_face: Give float64 in [0, 1] instead of uint8.
        anti_spoofing: Not offered; must be False.
        max_faces: Keep only the largest ones; None for all.

    Raises:
        NoFaceError: No face is found, and detection is enforced.
        ImageError: The image cannot be read.
        OptionError: An argument has a value that it cannot have here.
    """
    extraction = Extraction(
        detector_backend, enforce_detection, align, expand_percentage, anti_spoofing, max_faces
    )
    color = "gray" if grayscale else color_face
    return [
        {
            "face": to_color(face.image, color, normalize=normalize_face),
            "facial_area": face.region,
            "confidence": face.confidence,
        }
        for face in extraction.cut_faces(img_path)
    ]


@explained
def build_model(
    model_name: str, task: str = "facial_recognition", *, models: Models | None = None
) -> None:
    """Load what the first call of `analyze` would have to load.

    Args:
        model_name: ``"Emotion"``, ``"Age"``, ``"Gender"`` or ``"Race"``; or the name of a detector
            as in `extract_faces`.
        task: ``"facial_attribute"`` for the former, ``"face_detector"`` for the latter.
        models: As in `analyze`.

    Raises:
        OptionError: faceattr has no such model.
        WeightsError: The weights of the model are missing.
    """
    if task == "facial_attribute" and model_name.lower() in ACTIONS:
        chosen = choose_models(models)
        with suggesting_builtin():
            reader_of(check_actions(model_name.lower(), chosen), chosen).load()
    elif task == "face_detector" and model_name in {*FINDERS, *SUBSTITUTES}:
        check_backend(model_name)
        load_finder(model_name, os.getpid())
    else:
        raise OptionError(
            f"there is no model {model_name!r} for the task {task!r}; faceattr offers "
            f"{', '.join(map(str.capitalize, ACTIONS))} for 'facial_attribute' and "
            f"{', '.join(FINDERS)} for 'face_detector'"
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
    *,
    models: Models | None = None,
) -> None:
    """Analyze a camera or video; hold the picture for a while after a face was analyzed.

    Shows a window until q is pressed, or writes a video. Nobody is recognized: faceattr does not
    compare the faces with a folder of known ones.

    Args:
        db_path: Without effect, but for a `DeepFaceWarning`, as nobody is recognized.
        model_name: Without effect, as nobody is recognized.
        detector_backend: As in `extract_faces`, but for ``"skip"``; our detectors of these names
            search the frames.
        distance_metric: Without effect, as nobody is recognized.
        enable_face_analysis: Whether to read emotion, age and gender.
        source: Number of a camera, address of a stream, or path of a video.
        time_threshold: Seconds for which the picture is held.
        frame_threshold: Frames in a row in which a face must be seen first.
        anti_spoofing: Not offered; must be False.
        output_path: Video file to write instead of showing a window.
        debug: Without effect.
        models: As in `analyze`.

    Raises:
        OptionError: faceattr does not offer what is asked for.
        FaceattrError: The source cannot be opened, or there is no display.
    """
    from faceattr.streaming.analysis import LiveAnalysis, play  # SciPy takes a moment
    from faceattr.streaming.sinks import VideoSink, WindowSink
    from faceattr.streaming.sources import open_source

    if db_path:
        warn_once(
            "db_path is without effect: DeepFace.stream of faceattr recognizes nobody, but reads "
            "the attributes of every face"
        )
    if anti_spoofing:
        raise OptionError("anti_spoofing is not offered by faceattr; leave it out")
    if detector_backend not in LIVE_DETECTORS:
        raise OptionError(
            f"detector_backend is {detector_backend!r}; on streams it can be "
            f"{', '.join(LIVE_DETECTORS)}"
        )
    check_backend(detector_backend)
    analyzers = BUILTIN if choose_models(models) == "builtin" else ACTIONS
    live = LiveAnalysis(
        [analyzers[action] for action in ("emotion", "age", "gender") if enable_face_analysis],
        detector=LIVE_DETECTORS[detector_backend],
        freeze="frame",
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
    )
    frames = open_source(source)
    sink = VideoSink(output_path, fps=frames.fps or 25) if output_path else WindowSink()
    with suggesting_builtin():
        for _ in play(live, frames, [sink]):
            pass


def verify(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an `OptionError`: faceattr does not recognize faces yet."""
    _refuse("verify")


def find(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an `OptionError`: faceattr does not recognize faces yet."""
    _refuse("find")


def represent(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise an `OptionError`: faceattr does not recognize faces yet."""
    _refuse("represent")


def _refuse(name: str) -> NoReturn:
    raise OptionError(
        f"DeepFace.{name} is not offered yet, as faceattr does not recognize faces; use deepface "
        "itself for it, and faceattr for analyze, extract_faces and stream"
    )


class DeepFace:
    """These functions under the name that deepface's users import."""

    analyze = staticmethod(analyze)
    build_model = staticmethod(build_model)
    extract_faces = staticmethod(extract_faces)
    find = staticmethod(find)
    represent = staticmethod(represent)
    stream = staticmethod(stream)
    verify = staticmethod(verify)
