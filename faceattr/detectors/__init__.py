"""What finds faces in pictures."""

from __future__ import annotations

from faceattr.detectors.base import Detector
from faceattr.registry import Registry

detectors: Registry[Detector] = Registry(
    kind="detector",
    group="faceattr.detectors",
    builtin={
        "haar": "faceattr.detectors.haar:HaarDetector",
        "mtcnn": "faceattr.detectors.mtcnn:MtcnnDetector",
    },
)
