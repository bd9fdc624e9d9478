"""Arrays in files that joblib has written and packed by LZ4, read without joblib.

Such a file is a pickle that is interrupted after each array's form by the array's bytes.
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
    """Return the arrays of which the file has a list, in its order; they are not to be changed.

    Raises:
        WeightsError: The file is damaged, or there is something else in it.
    """
    import lz4.frame

    try:
        forms = _Unpickler(BytesIO(lz4.frame.decompress(path.read_bytes()))).load()
        return [form.array for form in forms]
    except Exception as error:  # a damaged pickle may fail in any way
        raise WeightsError(f"{path} cannot be read as arrays of joblib: {error}") from error


class _Unpickler(pickle.Unpickler):
    """Knows only what a list of arrays is made of, so that no file can make it run code."""

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
    """What the pickle says of an array; takes the array itself from the file at once."""

    file: ClassVar[BytesIO]
    array: Array

    def __setstate__(self, form: dict[str, Any]) -> None:
        (padding,) = self.file.read(1)
        self.file.seek(padding, os.SEEK_CUR)
        values = self.file.read(math.prod(form["shape"]) * form["dtype"].itemsize)
        self.array = np.frombuffer(values, form["dtype"]).reshape(
            form["shape"], order=form["order"]
        )
