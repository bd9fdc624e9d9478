"""DeepFace's own calls and result dicts, for people who switch.

Step for step what deepface 0.0.103 does, its faults included, on our detectors and engines::

    from faceattr.deepface import DeepFace

    DeepFace.analyze("photo.jpg", actions=["emotion", "age"])[0]["dominant_emotion"]

The networks run on the engine of ``FACEATTR_ENGINE`` at ``FACEATTR_PRECISION``; ``f32`` gives
deepface's numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from faceattr.arguments import explained
from faceattr.deepface.crops import Extraction, to_color
from faceattr.deepface.descriptors import MODEL, check_model, load_network
from faceattr.deepface.detection import (
    FINDERS,
    LIVE_DETECTORS,
    SUBSTITUTES,
    check_backend,
    load_finder,
)
from faceattr.deepface.differences import DeepFaceWarning, refuse, warn_once
from faceattr.deepface.distances import Metric
from faceattr.deepface.models import Models, choose_models, suggesting_builtin
from faceattr.deepface.recognition import represent_image, verify_images
from faceattr.deepface.results import ACTIONS, BUILTIN, check_actions, describe, reader_of
from faceattr.deepface.search import Search, find_people
from faceattr.errors import GalleryError, OptionError
from faceattr.images import ImageSource
from faceattr.recognition.gallery import Gallery

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
        img_path: As in `extract_faces`.
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

    def describe_image(image: ImageSource) -> list[dict[str, Any]]:
        return describe(extraction.cut_faces(image), wanted, chosen)

    return _each(describe_image, img_path)


def _each(
    function: Callable[[ImageSource], list[dict[str, Any]]],
    source: ImageSource | list[ImageSource],
) -> list[Any]:
    """Return the result for an image, or a list of those for several."""
    if isinstance(source, list):
        return list(map(function, source))
    if isinstance(source, np.ndarray) and source.ndim == 4:
        return list(map(function, source))
    return function(source)


@explained
def extract_faces(
    img_path: ImageSource | list[ImageSource],
    detector_backend: str = "opencv",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    grayscale: bool = False,
    color_face: str = "rgb",
    normalize_face: bool = True,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
) -> list[Any]:
    """Return a dict for each face of an image: ``face``, ``facial_area`` and ``confidence``.

    Args:
        img_path: Path, http(s) URL, base64 text, binary file or BGR array; a list or a 4-D array of
            images gives a list for each.
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

    def describe_faces(image: ImageSource) -> list[dict[str, Any]]:
        return [
            {
                "face": to_color(face.image, color, normalize=normalize_face),
                "facial_area": face.region,
                "confidence": face.confidence,
            }
            for face in extraction.cut_faces(image)
        ]

    return _each(describe_faces, img_path)


@explained
def build_model(
    model_name: str, task: str = "facial_recognition", *, models: Models | None = None
) -> None:
    """Load what the first call would have to load.

    Args:
        model_name: ``"Dlib"``; ``"Emotion"``, ``"Age"``, ``"Gender"`` or ``"Race"``; or the name of
            a detector as in `extract_faces`.
        task: What it does: ``"facial_recognition"``, ``"facial_attribute"``, ``"face_detector"``.
        models: As in `analyze`.

    Raises:
        OptionError: faceattr has no such model.
        WeightsError: The weights of the model are missing.
    """
    chosen = choose_models(models)
    if task == "facial_recognition" and model_name == MODEL:
        load_network(chosen, os.getpid())
    elif task == "facial_attribute" and model_name.lower() in ACTIONS:
        with suggesting_builtin():
            reader_of(check_actions(model_name.lower(), chosen), chosen).load()
    elif task == "face_detector" and model_name in {*FINDERS, *SUBSTITUTES}:
        check_backend(model_name)
        load_finder(model_name, os.getpid())
    else:
        raise OptionError(
            f"there is no model {model_name!r} for the task {task!r}; faceattr offers {MODEL} for "
            f"'facial_recognition', {', '.join(map(str.capitalize, ACTIONS))} for "
            f"'facial_attribute' and {', '.join(FINDERS)} for 'face_detector'"
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

    Shows a window until q is pressed, or writes a video. People are recognized in another way than
    by deepface, as a `DeepFaceWarning` says: by a `Gallery`, whose scores are as strict for one
    group of people as for another.

    Args:
        db_path: Folder with a folder for each person, which holds pictures of them. Their
            descriptors are kept there, in ``faceattr-gallery.npz``. Without such folders nobody
            is recognized, with a `DeepFaceWarning`.
        model_name: Without effect.
        detector_backend: As in `extract_faces`, but for ``"skip"``; our detectors of these names
            search the frames.
        distance_metric: Without effect.
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
    from faceattr.streaming.sources import open_source, paced_for

    if anti_spoofing:
        raise OptionError("anti_spoofing is not offered by faceattr; leave it out")
    if detector_backend not in LIVE_DETECTORS:
        raise OptionError(
            f"detector_backend is {detector_backend!r}; on streams it can be "
            f"{', '.join(LIVE_DETECTORS)}"
        )
    check_backend(detector_backend)
    analyzers = BUILTIN if choose_models(models) == "builtin" else ACTIONS
    actions = [analyzers[name] for name in ("emotion", "age", "gender") if enable_face_analysis]
    gallery = _open_gallery(db_path, model_name) if db_path else None
    live = LiveAnalysis(
        actions if gallery is None else [*actions, "identity"],
        gallery=gallery,
        detector=LIVE_DETECTORS[detector_backend],
        freeze="frame",
        frame_threshold=frame_threshold,
        time_threshold=time_threshold,
    )
    frames = open_source(source)
    sink = VideoSink(output_path, fps=frames.fps or 25) if output_path else WindowSink()
    with suggesting_builtin():
        for _ in play(live, paced_for([sink], frames), [sink]):
            pass


def _open_gallery(db_path: str, model_name: str) -> Gallery | None:
    """Return the people of a folder; None, after a warning, if there are none."""
    _, folders, _ = next(os.walk(db_path), ("", [], []))
    if folders:
        warn_once(
            "DeepFace.stream finds the people of db_path by faceattr.Gallery, not by deepface's "
            f"model {model_name!r} and its threshold"
        )
    try:
        return Gallery.open(db_path)
    except GalleryError as error:
        warn_once(f"DeepFace.stream recognizes nobody, but goes on: db_path: {error}")
        return None


@explained
def verify(
    img1_path: ImageSource | list[float],
    img2_path: ImageSource | list[float],
    model_name: str = "VGG-Face",
    detector_backend: str = "opencv",
    distance_metric: Metric = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str = "base",
    silent: bool = False,
    threshold: float | None = None,
    anti_spoofing: bool = False,
    *,
    models: Models | None = None,
) -> dict[str, Any]:
    """Return whether two images show one person, by the two faces that are most alike.

    At deepface's thresholds the network takes two people for one far more often if they are women,
    or if their faces are Asian, Black or Indian; ``models/identity/README.md`` has the figures.

    Args:
        img1_path: As in `extract_faces`, or a descriptor that `represent` has returned.
        img2_path: Likewise.
        model_name: ``"Dlib"``; faceattr has no other.
        detector_backend: As in `extract_faces`.
        distance_metric: ``"cosine"``, ``"euclidean"``, ``"euclidean_l2"``, ``"angular"``, or a
            function of two descriptors.
        enforce_detection: As in `extract_faces`.
        align: As in `extract_faces`.
        expand_percentage: As in `extract_faces`.
        normalization: ``"base"`` suits the network; ``"raw"`` is the same, but for rounding.
            ``"Facenet"``, ``"Facenet2018"``, ``"VGGFace"``, ``"VGGFace2"`` and ``"ArcFace"`` are
            for others.
        silent: Without effect.
        threshold: Largest distance of one person; None for deepface's.
        anti_spoofing: As in `extract_faces`.
        models: ``"deepface"`` for dlib's file, which is downloaded, or read where deepface or
            face_recognition_models has it; ``"builtin"`` for the same network in 8 bits, which
            ships with faceattr and moved no euclidean distance of 78 pairs by more than 0.007;
            None for the environment variable ``FACEATTR_DEEPFACE_MODELS``, else deepface's.

    Raises:
        FaceattrError: As in `extract_faces`, or the weights are missing.
    """
    check_model(model_name)
    return verify_images(
        (img1_path, img2_path),
        Extraction(detector_backend, enforce_detection, align, expand_percentage, anti_spoofing),
        distance_metric,
        threshold,
        normalization,
        choose_models(models),
    )


@explained
def find(
    img_path: ImageSource,
    db_path: str | os.PathLike[str],
    model_name: str = "VGG-Face",
    distance_metric: Metric = "cosine",
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    similarity_search: bool = False,
    k: int | None = None,
    expand_percentage: int = 0,
    threshold: float | None = None,
    normalization: str = "base",
    silent: bool = False,
    refresh_database: bool = True,
    anti_spoofing: bool = False,
    datastore_format: str = "npz",
    return_type: str | None = None,
    *,
    models: Models | None = None,
) -> list[Any]:
    """Return, for each face of an image, the pictures of a folder that show the same person.

    The descriptors of the folder are kept in a file there, in deepface's own form: either reads
    what the other has written. They are biometric data of people. See `verify` on whom the
    network mistakes for others.

    Args:
        img_path: As in `extract_faces`.
        db_path: Folder with JPEG and PNG pictures, on this machine.
        model_name: As in `verify`.
        distance_metric: As in `verify`; with ``return_type="dict"`` a function gets all known and
            all new descriptors, (N, 128) and (M, 128), and returns (M, N) distances.
        enforce_detection: As in `extract_faces`.
        detector_backend: As in `extract_faces`.
        align: As in `extract_faces`.
        similarity_search: Return all pictures, the most similar first.
        k: Most pictures to return for each face; None for all.
        expand_percentage: As in `extract_faces`.
        threshold: As in `verify`.
        normalization: As in `verify`.
        silent: Without effect.
        refresh_database: Look for new, removed and replaced pictures first.
        anti_spoofing: As in `extract_faces`.
        datastore_format: ``"npz"``; faceattr has no other.
        return_type: ``"dict"`` for lists of dicts, ``"pandas"`` for tables, which needs
            ``faceattr[pandas]``; None for tables if pandas is installed.
        models: As in `verify`.

    Raises:
        FaceattrError: As in `verify`, or the folder has no pictures or cannot be written to.
    """
    check_model(model_name)
    if datastore_format != "npz":
        raise OptionError(f"datastore_format is {datastore_format!r}; faceattr keeps 'npz' only")
    return find_people(
        img_path,
        os.fspath(db_path),
        Extraction(detector_backend, enforce_detection, align, expand_percentage, anti_spoofing),
        Search(distance_metric, threshold, similarity_search, k, return_type),
        normalization,
        choose_models(models),
        refresh=refresh_database,
    )


@explained
def represent(
    img_path: ImageSource | list[ImageSource],
    model_name: str = "VGG-Face",
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str = "base",
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    minmax_normalize: bool = False,
    return_face: bool = False,
    *,
    models: Models | None = None,
) -> list[Any]:
    """Return a dict for each face of an image: ``embedding``, ``facial_area``, ``face_confidence``.

    An embedding is a list of 128 numbers. It is biometric data: a person can be found by it.

    Args:
        img_path: As in `extract_faces`; a list or a 4-D array of several images gives a list each.
        model_name: As in `verify`.
        enforce_detection: As in `extract_faces`.
        detector_backend: As in `extract_faces`.
        align: As in `extract_faces`.
        expand_percentage: As in `extract_faces`.
        normalization: As in `verify`.
        anti_spoofing: As in `extract_faces`.
        max_faces: As in `extract_faces`.
        l2_normalize: Scale the embedding to length 1.
        minmax_normalize: Scale its numbers to [0, 1], before that.
        return_face: Add ``face``, the (150, 150, 3) float32 BGR pixels that were described.
        models: As in `verify`.

    Raises:
        FaceattrError: As in `verify`.
    """
    check_model(model_name)
    extraction = Extraction(
        detector_backend, enforce_detection, align, expand_percentage, anti_spoofing, max_faces
    )
    chosen = choose_models(models)

    def represent_one(image: ImageSource) -> list[dict[str, Any]]:
        return represent_image(
            image,
            extraction,
            normalization,
            chosen,
            l2_normalize=l2_normalize,
            minmax_normalize=minmax_normalize,
            return_face=return_face,
        )

    results = _each(represent_one, img_path)
    return results[0] if len(results) == 1 and isinstance(results[0], list) else results


class _Functions(type):
    """A class that says of missing functions what to call instead."""

    if not TYPE_CHECKING:  # for mypy, every name would exist

        def __getattr__(cls, name: str) -> NoReturn:
            refuse(name)


class DeepFace(metaclass=_Functions):
    """These functions under the name that deepface's users import."""

    analyze = staticmethod(analyze)
    build_model = staticmethod(build_model)
    extract_faces = staticmethod(extract_faces)
    find = staticmethod(find)
    represent = staticmethod(represent)
    stream = staticmethod(stream)
    verify = staticmethod(verify)
