"""Face attribute analysis (emotion, age, gender) for images and video, extensible by plugins.

What this module exports is the public interface. Modules that it does not name may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faceattr import opencv as _opencv  # noqa: F401  # first, as other modules import cv2
from faceattr.alignment import CropSpec, crop_faces
from faceattr.analyzers.base import Analyzer, HeadAnalyzer, Reader
from faceattr.api import (
    analyze,
    analyze_each,
    analyze_many,
    create_analyzer,
    create_detector,
    detect,
    list_analyzers,
    list_detectors,
    register_analyzer,
    register_detector,
    report,
    stream,
    train,
    verify,
)
from faceattr.detectors.base import Detector, Finder, Search
from faceattr.drawing import FramePainter, draw_faces
from faceattr.engines.base import Engine
from faceattr.errors import (
    DuplicateNameError,
    EngineError,
    FaceattrError,
    GalleryError,
    ImageError,
    LicenseError,
    MissingDependencyError,
    NoFaceError,
    OptionError,
    PluginError,
    PluginLoadError,
    SinkError,
    SourceError,
    UnknownAttributeError,
    UnknownNameError,
    WeightsError,
)
from faceattr.forms import Labels, Unit, Vector
from faceattr.images import find_images, load_image
from faceattr.interop import to_dataframe, to_supervision
from faceattr.options import DrawOptions, PipelineOptions, SearchOptions, StreamOptions
from faceattr.pipeline import Pipeline
from faceattr.recognition.gallery import Candidate, Gallery
from faceattr.recognition.verification import Match
from faceattr.registry import API_VERSION
from faceattr.results import ImageResult, show
from faceattr.types import (
    Attribute,
    BGRImage,
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Descriptor,
    Detection,
    Estimate,
    Face,
    Features,
    Frame,
    Identification,
    Trunk,
)
from faceattr.weights import Weights

if TYPE_CHECKING:
    from faceattr.analyzers.trained import trained_analyzer
    from faceattr.streaming.analysis import LiveAnalysis, play
    from faceattr.streaming.sinks import (
        CallbackSink,
        CsvSink,
        JsonLinesSink,
        ParquetSink,
        Sink,
        TimelineSink,
        VideoSink,
        WindowSink,
    )
    from faceattr.streaming.sources import LiveSource, Pictures, Source, VideoFile, open_source
    from faceattr.streaming.statistics import TrackTable
    from faceattr.training.training import Training

__version__ = "0.1.0"

_STREAMING = {  # SciPy and others take a moment, for streams only
    "analysis": ("LiveAnalysis", "play"),
    "sinks": (
        *("CallbackSink", "CsvSink", "JsonLinesSink", "ParquetSink", "Sink", "TimelineSink"),
        *("VideoSink", "WindowSink"),
    ),
    "sources": ("LiveSource", "Pictures", "Source", "VideoFile", "open_source"),
    "statistics": ("TrackTable",),
}

_TRAINING = {"Training": "training.training", "trained_analyzer": "analyzers.trained"}

__all__ = [
    "API_VERSION",
    "Analyzer",
    "Attribute",
    "BGRImage",
    "CallbackSink",
    "Candidate",
    "Classification",
    "CropBatch",
    "CropGeometry",
    "CropSpec",
    "Crops",
    "CsvSink",
    "Descriptor",
    "Detection",
    "Detector",
    "DrawOptions",
    "DuplicateNameError",
    "Engine",
    "EngineError",
    "Estimate",
    "Face",
    "FaceattrError",
    "Features",
    "Finder",
    "Frame",
    "FramePainter",
    "Gallery",
    "GalleryError",
    "HeadAnalyzer",
    "Identification",
    "ImageError",
    "ImageResult",
    "JsonLinesSink",
    "Labels",
    "LicenseError",
    "LiveAnalysis",
    "LiveSource",
    "Match",
    "MissingDependencyError",
    "NoFaceError",
    "OptionError",
    "ParquetSink",
    "Pictures",
    "Pipeline",
    "PipelineOptions",
    "PluginError",
    "PluginLoadError",
    "Reader",
    "Search",
    "SearchOptions",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "StreamOptions",
    "TimelineSink",
    "TrackTable",
    "Training",
    "Trunk",
    "Unit",
    "UnknownAttributeError",
    "UnknownNameError",
    "Vector",
    "VideoFile",
    "VideoSink",
    "Weights",
    "WeightsError",
    "WindowSink",
    "analyze",
    "analyze_each",
    "analyze_many",
    "create_analyzer",
    "create_detector",
    "crop_faces",
    "detect",
    "draw_faces",
    "find_images",
    "list_analyzers",
    "list_detectors",
    "load_image",
    "open_source",
    "play",
    "register_analyzer",
    "register_detector",
    "report",
    "show",
    "stream",
    "to_dataframe",
    "to_supervision",
    "train",
    "trained_analyzer",
    "verify",
]


if not TYPE_CHECKING:  # for mypy, every name would exist

    def __getattr__(name: str) -> Any:
        """Import what only streams and training need when it is asked for."""
        from importlib import import_module

        if name in _TRAINING:
            return getattr(import_module(f"faceattr.{_TRAINING[name]}"), name)
        for module, names in _STREAMING.items():
            if name in names:
                return getattr(import_module(f"faceattr.streaming.{module}"), name)
        raise AttributeError(f"module 'faceattr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
