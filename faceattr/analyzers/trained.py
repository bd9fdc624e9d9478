"""Analyzers from the files that `faceattr train` writes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from faceattr.analyzers.base import Analyzer, Reader
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
from faceattr.types import Attribute, CropBatch, Features, Trunk

LOG_STD_LIMITS = (-20.0, 20.0)  # of a standard deviation's logarithm, so that none overflows


class TrainedAnalyzer(Analyzer):
    """Reads one attribute by a trained head on the features of one or several built-in trunks.

    `trained_analyzer` makes a subclass for each head.

    Attributes:
        head: The head, and how it was made.
    """

    api_version = API_VERSION
    head: ClassVar[TrainedHead]

    def load(self, engine: Engine) -> Reader:
        """See the base class."""
        trunks, answer = self._load_trunks(engine), self._load_head()

        def read(batch: CropBatch) -> Sequence[Attribute]:
            batches = [batch, *map(batch.in_form, self.more_crops)]
            pairs = zip(batches, trunks, strict=True)
            return answer(np.concatenate([own.features(trunk) for own, trunk in pairs], axis=1))

        return read

    def _load_trunks(self, engine: Engine) -> list[Trunk]:
        if self.head.layers is None:
            return [part.load(engine) for part in TRUNKS[self.head.trunk].parts]
        return [Trunk(f"{self.head.attribute}_features", engine.compile(trunk_of(self.head)))]

    def _load_head(self) -> Callable[[Features], Sequence[Attribute]]:
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
    own = None if head.layers is None else [_shapes(head.layers)]
    if own is not None and own != [_shapes(part.layers) for part in trunk.parts]:
        raise WeightsError(f"{name} has other layers than the trunk {trunk.name!r}; train it again")
    crop, *more_crops = (part.crop for part in trunk.parts)
    declared: dict[str, Any] = {
        "attribute": head.attribute,
        "output": head.output,
        "crop": crop,
        "more_crops": more_crops,
        "refresh": trunk.refresh,
        "license": trunk.license,
        "head": head,
        "digest": hashlib.sha256(trained.save(head)).hexdigest(),
        "__doc__": _describe(head),
        "__module__": __name__,
    }
    return type(printable(name), (TrainedAnalyzer,), declared)


def trunk_of(head: TrainedHead) -> Network:
    """Return the network below a head on one: the built-in trunk, or one with its own weights."""
    (part,) = TRUNKS[head.trunk].parts
    trunk = part.network
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
    parts = TRUNKS[head.trunk].parts
    on = "trained on the trunk" if len(parts) == 1 else "trained on the trunks"
    how = on if head.layers is None else "all layers trained, starting from"
    made = f"{how} {' and '.join(part.name for part in parts)} by {_origin(head)}"
    pictures, quality = head.notes.get("pictures"), head.notes.get("quality")
    if isinstance(pictures, int):
        made += f" from {pictures} pictures"
    if isinstance(quality, str):
        made += f"; {quality:.200}"
    return f"{what}, {made}."


def _origin(head: TrainedHead) -> str:
    version = head.notes.get("faceattr")
    return f"faceattr {version:.20}" if isinstance(version, str) else "another faceattr"
