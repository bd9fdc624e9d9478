"""Read attributes off faces: emotion, age, gender and others' plugins."""

from faceattr.api import analyze, analyze_many, detect, stream
from faceattr.errors import FaceattrError
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.types import Classification, Detection, Estimate, Face, Frame

__version__ = "0.1.0"

__all__ = [
    "Classification",
    "Detection",
    "Estimate",
    "Face",
    "FaceattrError",
    "Frame",
    "Pipeline",
    "analyze",
    "analyze_many",
    "detect",
    "load_image",
    "stream",
]
