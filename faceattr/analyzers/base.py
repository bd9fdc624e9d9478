"""What an analyzer is: something that reads one attribute off face crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from faceattr.alignment import CropSpec
from faceattr.engines.base import Compiled, Engine
from faceattr.types import Attribute, Crops, Features
from faceattr.weights import Weights


class Analyzer(ABC):
    """Reads one attribute off face crops.

    Attributes:
        attribute: Name under which results are given; several analyzers may share it.
        crop: Form of the crops that `predict` takes.
        refresh: Seconds between two looks at the same face on a stream; 0 for each frame.
        weights: File that `load` fetches; None if there is nothing to download.
    """

    attribute: ClassVar[str]
    crop: CropSpec
    refresh: ClassVar[float] = 0.0
    weights: ClassVar[Weights | None] = None

    def load(self, engine: Engine) -> None:
        """Make ready what is heavy; called once, before the first `predict`."""

    @abstractmethod
    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """Return one attribute per crop, in the same order.

        Args:
            crops: (N, H, W, C) uint8 in the form of `crop`, N ≥ 1.
        """


class HeadAnalyzer(Analyzer):
    """Reads one attribute off features, which a trunk makes of crops.

    A trunk works once for all heads that have it. Engines compile networks of one identity to
    one function, so heads share their trunk without knowing of each other.

    Attributes:
        trunk: Crops to features; `load` sets it.
    """

    trunk: Compiled

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """See the base class."""
        return self.predict_from(self.trunk(crops))

    @abstractmethod
    def predict_from(self, features: Features) -> Sequence[Attribute]:
        """Return one attribute per face, in the same order.

        Args:
            features: (N, …) float32 that `trunk` made of N crops, N ≥ 1.
        """
