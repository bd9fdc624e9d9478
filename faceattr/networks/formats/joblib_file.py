"""Arrays in files written by joblib with LZ4 compression, read without joblib.

Such a file is a pickle in which the description of each array is followed by its raw bytes.
"""

from __future__ import annotations

import math
import os
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from faceattr.errors import WeightsError
from faceattr.networks.graph import Array


def read_arrays(path: Path) -> list[Array]:
    """Return the list of arrays in the file, read-only.

    Raises:
        WeightsError: The file is damaged or holds something else.
    """
    import lz4.frame

    try:
        forms = _Unpickler(BytesIO(lz4.frame.decompress(path.read_bytes()))).load()
        return [form.array for form in forms]
    except Exception as error:  # a damaged pickle may fail in any way
        raise WeightsError(f"{path} cannot be read as arrays of joblib: {error}") from error


class _Unpickler(pickle.Unpickler):
    """Knows only the classes of a list of arrays, so that no file can run code."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self._known: dict[tuple[str, str], type] = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): type("", (_Form,), {"file": file}),
            ("numpy", "dtype"): np.dtype,
            ("numpy", "ndarray"): np.ndarray,
        }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")
        return self._known[module, name]


class _Form:
    """The description of an array in the pickle; reads the array itself from the file."""

    file: ClassVar[BytesIO]
    array: Array

    def __setstate__(self, form: dict[str, Any]) -> None:
        (padding,) = self.file.read(1)
        self.file.seek(padding, os.SEEK_CUR)
        values = self.file.read(math.prod(form["shape"]) * form["dtype"].itemsize)
        self.array = np.frombuffer(values, form["dtype"]).reshape(
            form["shape"], order=form["order"]
        )
