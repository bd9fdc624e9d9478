"""The parts of a run, read again as the results that they were made from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faceattr.batch import storage
from faceattr.batch.running import PART, SETTINGS
from faceattr.batch.schema import Row, forms_in, to_results
from faceattr.errors import ImageError
from faceattr.images import printable
from faceattr.results import ImageResult

if TYPE_CHECKING:
    from faceattr.forms import Output


class Parts:
    """The finished parts in a folder; a run need not be over.

    Args:
        folder: Path or URI.

    Attributes:
        settings: How the results came about, as in `Pipeline.settings`.
        outputs: Form of each attribute, by its name.

    Raises:
        ImageError: There is no part.
        MissingDependencyError: pyarrow is not installed.
    """

    def __init__(self, folder: str) -> None:
        self._arrow = storage.import_arrow()
        with storage.open_stream(storage.join(folder, SETTINGS)) as file:
            self.settings: dict[str, Any] = json.loads(file.read())["settings"]
        self._paths = [one.path for one in storage.entries(folder) if PART.fullmatch(one.name)]
        if not self._paths:
            raise ImageError(f"{printable(folder)}: no part is finished yet")
        self.outputs: dict[str, Output] = forms_in(self._open(self._paths[0]).schema_arrow)

    def __iter__(self) -> Iterator[ImageResult]:
        """Yield the result of each picture, without the image."""
        return to_results(self._rows(), self.outputs)

    def _rows(self) -> Iterator[Row]:
        for path in self._paths:
            for batch in self._open(path).iter_batches():
                yield from batch.to_pylist()

    def _open(self, path: str) -> Any:
        system, inside = storage.locate(path)
        return self._arrow.parquet.ParquetFile(inside, filesystem=system)


def holds_parts(folder: str) -> bool:
    """Return whether a folder on this machine is one to which a run writes."""
    return os.path.isfile(os.path.join(folder, SETTINGS))
