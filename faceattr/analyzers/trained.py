"""Analyzers from the files that `faceattr train` writes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from faceattr.analyzers.base import HeadAnalyzer
from faceattr.analyzers.trunks import TRUNKS
from faceattr.engines.base import Engine
from faceattr.errors import WeightsError
from faceattr.forms import Labels
from faceattr.images import printable
from faceattr.networks.formats import trained
from faceattr.networks.formats.trained import TrainedHead
from faceattr.networks.graph import Array, Network
from faceattr.networks.heads import SoftmaxHead
from faceattr.registry import API_VERSION
from faceattr.types import Attribute, Features, Trunk

LOG_STD_LIMITS = (-20.0, 20.0)  # of a standard deviation's logarithm, so that none overflows


class TrainedAnalyzer(HeadAnalyzer):
    """Reads one attribute by a trained head on a built-in trunk.

    `trained_analyzer` makes a subclass for each head.

    Attributes:
        head: The head, and how it was made.
    """

    api_version = API_VERSION
    head: ClassVar[TrainedHead]

    def load_trunk(self, engine: Engine) -> Trunk:
        """See the base class."""
        if self.head.layers is None:
            return TRUNKS[self.head.trunk].load(engine)
        return Trunk(f"{self.head.attribute}_features", engine.compile(trunk_of(self.head)))

    def load_head(self, engine: Engine) -> Callable[[Features], Sequence[Attribute]]:
        """See the base class."""
        kernel, bias, output = self.head.kernel, self.head.bias, self.head.output
        if isinstance(output, Labels):
            scores = SoftmaxHead(kernel, bias)
            return lambda features: [output.classify(row) for row in scores(features)]
        unit = output
        low, high = self.head.bounds or (-np.inf, np.inf)

        def estimate(features: Features) -> Sequence[Attribute]:
            rows = np.matmul(features[:, None], kernel)[:, 0] + bias  # as in SoftmaxHead
            values, std = rows[:, 0].clip(low, high), np.exp(rows[:, 1].clip(*LOG_STD_LIMITS))
            return [unit.estimate(*row) for row in zip(values, std, strict=True)]

        return estimate

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (trained.save(self.head), type(self).__name__)


def trained_analyzer(file: str | Path | TrainedHead, *, name: str = "") -> type[TrainedAnalyzer]:
    """Return the analyzer class of a trained head.

    Args:
        file: The file that `faceattr train` has written, or a head.
        name: Name of the class; empty for that of the file, or of the head's attribute.

    Raises:
        WeightsError: The file is missing, damaged, or was made for a trunk that is not here.
    """
    head = file if isinstance(file, TrainedHead) else trained.load(Path(file))
    if not name:
        name = head.attribute if isinstance(file, TrainedHead) else Path(file).name
    trunk = TRUNKS.get(head.trunk)
    if trunk is None or trunk.identity != head.trunk_identity:
        others = "" if trunk is not None else f" (there are {', '.join(TRUNKS)})"
        raise WeightsError(
            f"{name} was trained on a trunk {head.trunk!r:.100} that this faceattr does not have"
            f"{others}; train it again, or install {_origin(head)}, which made it"
        )
    if len(head.kernel) != trunk.num_features:
        raise WeightsError(
            f"{name} takes {len(head.kernel)} features, but the trunk {trunk.name!r} gives "
            f"{trunk.num_features}; train it again"
        )
    if head.layers is not None and _shapes(head.layers) != _shapes(trunk.layers):
        raise WeightsError(f"{name} has other layers than the trunk {trunk.name!r}; train it again")
    declared: dict[str, Any] = {
        "attribute": head.attribute,
        "output": head.output,
        "crop": trunk.crop,
        "refresh": trunk.refresh,
        "license": trunk.license,
        "head": head,
        "digest": hashlib.sha256(trained.save(head)).hexdigest(),
        "__doc__": _describe(head),
        "__module__": __name__,
    }
    return type(printable(name), (TrainedAnalyzer,), declared)


def trunk_of(head: TrainedHead) -> Network:
    """Return the network below the head: the built-in trunk, or that with weights of its own."""
    trunk = TRUNKS[head.trunk].network
    if head.layers is None:
        return trunk
    digest = hashlib.sha256(trained.save_layers(head.layers)).hexdigest()
    name = f"{trunk.name} for {head.attribute}"
    return replace(trunk, name=name, weights=head.layers, digest=digest, ranges={})


def _shapes(layers: Mapping[str, Sequence[Array]]) -> dict[str, list[tuple[int, ...]]]:
    """Return the shapes of the weights of the layers."""
    return {name: [array.shape for array in arrays] for name, arrays in layers.items()}


def _restore(content: bytes, name: str) -> TrainedAnalyzer:
    return trained_analyzer(trained.load(content), name=name)()


def _describe(head: TrainedHead) -> str:
    """Return one line on a head; notes are only quoted if they have the form that we write."""
    what = f"{head.attribute} ({head.output})"
    how = "trained on the trunk" if head.layers is None else "all layers trained, starting from"
    made = f"{how} {head.trunk} by {_origin(head)}"
    pictures, quality = head.notes.get("pictures"), head.notes.get("quality")
    if isinstance(pictures, int):
        made += f" from {pictures} pictures"
    if isinstance(quality, str):
        made += f"; {quality:.200}"
    return f"{what}, {made}."


def _origin(head: TrainedHead) -> str:
    version = head.notes.get("faceattr")
    return f"faceattr {version:.20}" if isinstance(version, str) else "another faceattr"
