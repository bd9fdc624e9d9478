"""What an analyzer is: the declaration of something that reads one attribute off face crops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from faceattr.alignment import CropSpec
from faceattr.engines.base import Engine
from faceattr.errors import PluginError
from faceattr.forms import Output
from faceattr.types import Attribute, CropBatch, Crops, Features, Trunk
from faceattr.weights import Weights

Reader: TypeAlias = Callable[[CropBatch], Sequence[Attribute]]
"""Reads a batch: one attribute per face, in the same order. Several threads may call it."""


class Analyzer(ABC):  # a subclass defines one of three methods
    """Reads one attribute off face crops.

    An analyzer is a declaration: it keeps its options and is never changed. What is loaded belongs
    to the pipeline that called `load`, so one analyzer serves any number of pipelines.

    A subclass defines one of three methods: `predict` if crops are all it needs; `read` if it
    needs the geometry or a trunk's features too; `load` if something must be loaded first.

    Attributes:
        attribute: Name under which results are given; several analyzers may share it.
        output: What it gives for each face: `Labels`, a `Unit` or a `Vector`.
        crop: Form of the crops that it takes.
        more_crops: Other forms in which it needs the same faces, for `CropBatch.in_form`.
        refresh: Seconds between runs on the same face of a stream; 0 to run on every frame.
        weights: File to download; None if there is none.
        license: License of weights that come with a package, as in `Weights`; empty if there are
            none.
        card: Where to read about a model without such a file: a path in the repository, or a URL.
        digest: Key of what it has learned, where its name alone does not say that: work that is
            resumed with another digest begins anew.
        api_version: Version of the plugin API that it was written for, `faceattr.API_VERSION` at
            that time; plugins of other packages declare it.
    """

    attribute: ClassVar[str]
    output: Output
    crop: CropSpec
    more_crops: Sequence[CropSpec] = ()
    refresh: ClassVar[float] = 0.0
    weights: ClassVar[Weights | None] = None
    license: ClassVar[str] = ""
    card: ClassVar[str] = ""
    digest: ClassVar[str] = ""

    def load(self, engine: Engine) -> Reader:
        """Load what is heavy and return a function that reads batches.

        Called once by each pipeline that uses the analyzer.

        Args:
            engine: Runs the pipeline's networks.
        """
        return self.read

    def read(self, batch: CropBatch) -> Sequence[Attribute]:
        """Return one attribute per face, in the same order."""
        return self.predict(batch.crops)

    def predict(self, crops: Crops) -> Sequence[Attribute]:
        """Return one attribute per crop, in the same order.

        Args:
            crops: (N, H, W, C) uint8 in the form of `crop`, N ≥ 1; not to be written to.
        """
        raise PluginError(f"{type(self).__name__} defines neither predict, read nor load")


class HeadAnalyzer(Analyzer):
    """Reads one attribute off the features that a trunk computes from crops.

    A trunk runs once for all heads on it.
    """

    @abstractmethod
    def load_trunk(self, engine: Engine) -> Trunk:
        """Load the trunk; heads that load the same network share its features."""

    @abstractmethod
    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """Load the head and return a function from (N, …) features to N attributes."""

    def load(self, engine: Engine) -> Reader:
        """See the base class."""
        trunk, head = self.load_trunk(engine), self.load_head(engine)
        return lambda batch: head(batch.features(trunk))
