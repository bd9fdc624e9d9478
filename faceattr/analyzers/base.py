"""What an analyzer is: something that reads one attribute off face crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from faceattr.alignment import CropSpec, Placement
from faceattr.engines.base import Compiled, Engine
from faceattr.registry import FIRST_CONTRACT
from faceattr.types import Attribute, Crops, Features
from faceattr.weights import Weights


class Analyzer(ABC):
    """Reads one attribute off face crops.

    Attributes:
        attribute: Name under which results are given; several analyzers may share it.
        crop: Form of the crops that `predict` takes.
        labels: Those of its classifications, in order; empty if it gives estimates.
        unit: That of its estimates; empty if it gives classifications.
        refresh: Seconds between two looks at the same face on a stream; 0 for each frame.
        weights: File that `load` fetches; None if there is nothing to download.
        card: Where to read about what comes without such a file; a path in the repository, or
            an address.
        contract: Number of the contract that it was made for, `faceattr.CONTRACT` at that time.
    """

    attribute: ClassVar[str]
    crop: CropSpec
    labels: ClassVar[Sequence[str]] = ()
    unit: ClassVar[str] = ""
    refresh: ClassVar[float] = 0.0
    weights: ClassVar[Weights | None] = None
    card: ClassVar[str] = ""
    contract: ClassVar[int] = FIRST_CONTRACT

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


class PlacedAnalyzer(Analyzer):
    """Reads one attribute off face crops and how the faces lie in them.

    For what a crop alone does not show: how large the face was before, where its eyes are.
    """

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """See the base class; nothing but the crops is known here."""
        return self.predict_placed(crops, [Placement()] * len(crops))

    @abstractmethod
    def predict_placed(self, crops: Crops, placements: Sequence[Placement]) -> Sequence[Attribute]:
        """Return one attribute per crop, in the same order.

        Args:
            crops: (N, H, W, C) uint8 in the form of `crop`, N ≥ 1.
            placements: How each face lies in its crop.
        """
