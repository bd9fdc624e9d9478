"""What an analyzer is: something that reads one attribute off face crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from faceattr.alignment import CropSpec
from faceattr.engines.base import Engine
from faceattr.types import Attribute, Crops


class Analyzer(ABC):
    """Reads one attribute off face crops.

    Attributes:
        attribute: Name under which results are given; several analyzers may share it.
        crop: Form of the crops that `predict` takes.
        refresh: Seconds between two looks at the same face on a stream; 0 for each frame.
    """

    attribute: ClassVar[str]
    crop: ClassVar[CropSpec]
    refresh: ClassVar[float] = 0.0

    def load(self, engine: Engine) -> None:
        """Make ready what is heavy; called once, before the first `predict`."""

    @abstractmethod
    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """Return one attribute per crop, in the same order.

        Args:
            crops: (N, H, W, C) uint8 in the form of `crop`, N ≥ 1.
        """
