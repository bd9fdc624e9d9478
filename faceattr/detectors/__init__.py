"""The detectors, which find faces, by name."""

from __future__ import annotations

from faceattr.detectors.base import Detector
from faceattr.registry import Registry

detectors: Registry[Detector] = Registry(
    kind="detector",
    group="faceattr.detectors",
    builtin={
        "dlib-cnn": "faceattr.detectors.dlib:DlibCnnDetector",
        "dlib-hog": "faceattr.detectors.dlib:DlibHogDetector",
        "haar": "faceattr.detectors.haar:HaarDetector",
        "mtcnn": "faceattr.detectors.mtcnn.detector:MtcnnDetector",
        "ssd": "faceattr.detectors.ssd:SsdDetector",
        "whole": "faceattr.detectors.whole:WholeDetector",
        "yunet": "faceattr.detectors.yunet:YunetDetector",
    },
    base=Detector,
)
