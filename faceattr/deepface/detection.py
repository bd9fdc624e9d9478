"""deepface's names of detectors: those that faceattr has, and what stands in for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from faceattr.deepface.areas import LANDMARKS
from faceattr.deepface.differences import warn_once
from faceattr.deepface.finders import (
    AreaFinder,
    DetectorFinder,
    DlibFinder,
    PackageMtcnn,
    SsdFinder,
    YunetFinder,
    find_by_cascade,
)
from faceattr.detectors.yunet import YunetDetector
from faceattr.errors import OptionError, describe_unknown

FINDERS: dict[str, Callable[[], AreaFinder]] = {
    "opencv": lambda: find_by_cascade,
    "mtcnn": lambda: DetectorFinder(PackageMtcnn()),
    "yunet": YunetFinder,
    "ssd": SsdFinder,
    "dlib": DlibFinder,
}
"""What loads deepface's detectors."""

YOLO = ("yolov8", *(f"yolov{version}{size}" for version in (8, 11, 12) for size in "nsml"))
SUBSTITUTES: dict[str, Callable[[], AreaFinder]] = {
    "retinaface": lambda: DetectorFinder(YunetDetector(), LANDMARKS),
    "fastmtcnn": lambda: DetectorFinder(PackageMtcnn()),
    **dict.fromkeys(("mediapipe", "centerface", *YOLO), lambda: DetectorFinder(YunetDetector())),
}
"""What loads the nearest of our detectors, by the names of those that faceattr does not have."""

BACKENDS = (*FINDERS, "skip")

LIVE_DETECTORS: Mapping[str, str] = {
    "opencv": "haar",
    "mtcnn": "mtcnn",
    "yunet": "yunet",
    "ssd": "ssd",
    "dlib": "dlib-hog",
    **dict.fromkeys(SUBSTITUTES, "yunet"),
    "fastmtcnn": "mtcnn",
}
"""Names of our detectors for streams, by deepface's names."""


def check_backend(name: str) -> None:
    """Warn once if another detector stands in for the one of that name.

    Raises:
        OptionError: deepface has no such detector, or ``FACEATTR_DEEPFACE_STRICT`` is set and
            faceattr does not have it.
    """
    if name in SUBSTITUTES:
        warn_once(
            f"detector_backend {name!r} is not in faceattr: its own {LIVE_DETECTORS[name]} finds "
            f"the faces instead; {', '.join(FINDERS)} are those of deepface"
        )
    elif name not in BACKENDS:
        raise OptionError(describe_unknown("detector_backend", name, [*BACKENDS, *SUBSTITUTES]))


@cache
def load_finder(name: str, process_id: int) -> AreaFinder:
    """Return the finder of that name, loaded once in each process.

    Raises:
        FaceattrError: It cannot be loaded.
    """
    return (FINDERS | SUBSTITUTES)[name]()
