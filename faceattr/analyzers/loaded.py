"""An analyzer that is ready to use, whose results are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.declaration import TakesCrops, forms_of
from faceattr.engines.base import Engine
from faceattr.errors import PluginError, blaming
from faceattr.labels import Groups, narrow
from faceattr.registry import require_function, require_list
from faceattr.types import Attribute, Classification, CropBatch


class LoadedAnalyzer:
    """An analyzer that is ready to use.

    Args:
        analyzer: What to load.
        engine: Runs its networks.
        groups: Labels to keep or merge, where it has all of them.

    Raises:
        FaceattrError: The analyzer cannot be loaded.
    """

    def __init__(self, analyzer: Analyzer, engine: Engine, groups: Groups) -> None:
        self.attribute = analyzer.attribute
        self.crop = analyzer.crop
        self.more_crops = analyzer.more_crops
        self._output = analyzer.output
        self._groups = groups
        self._name = type(analyzer).__name__
        with blaming(self._name):
            self._read = require_function(analyzer.load(engine), self._name)

    def read(self, batch: CropBatch) -> Sequence[Attribute]:
        """Return one attribute per face, in the same order.

        Raises:
            PluginError: The analyzer fails, or gives something else than it declares.
        """
        with blaming(self._name):
            attributes = require_list(self._read(batch), self._name)
        if len(attributes) != len(batch):
            raise PluginError(f"{self._name} gave {len(attributes)} results for {len(batch)} faces")
        for attribute in attributes:
            problem = self._output.problem(attribute)
            if problem is not None:
                raise PluginError(f"{self._name} gave {problem}")
        return [
            narrow(one, self._groups) if isinstance(one, Classification) else one
            for one in attributes
        ]


def batch_for(analyzer: TakesCrops, forms: Mapping[CropSpec, CropBatch]) -> CropBatch:
    """Return what an analyzer is given: its crops, and those of the other forms that it declares.

    Args:
        analyzer: The analyzer.
        forms: The same faces in each of these forms, and maybe in others.
    """
    return forms[analyzer.crop].with_forms({spec: forms[spec] for spec in forms_of(analyzer)})
