"""Read attributes off faces: emotion, age, gender and others' plugins."""

import os

# OpenCV reads its own limit when it is imported; it catches what our look at a header misses.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

from faceattr import analyzers, detectors
from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.api import analyze, analyze_many, detect, stream
from faceattr.detectors.base import Detector
from faceattr.errors import FaceattrError
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.registry import CONTRACT
from faceattr.types import BGRImage, Classification, Crops, Detection, Estimate, Face, Frame
from faceattr.weights import Weights

__version__ = "0.1.0"

__all__ = [
    "CONTRACT",
    "Analyzer",
    "BGRImage",
    "Classification",
    "CropSpec",
    "Crops",
    "Detection",
    "Detector",
    "Estimate",
    "Face",
    "FaceattrError",
    "Frame",
    "Pipeline",
    "Weights",
    "analyze",
    "analyze_many",
    "analyzers",
    "detect",
    "detectors",
    "load_image",
    "stream",
]
