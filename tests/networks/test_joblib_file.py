from __future__ import annotations

import os
from pathlib import Path

import joblib
import lz4.frame
import numpy as np
import pytest

from faceattr.errors import WeightsError
from faceattr.networks.formats.joblib_file import read_arrays
from faceattr.networks.graph import Array


def test_arrays_are_those_that_joblib_has_written(tmp_path: Path) -> None:
    kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays: list[Array] = [kernel, np.asfortranarray(kernel), np.ones(5), np.array(7, np.uint8)]
    joblib.dump(arrays, tmp_path / "a.lz4")
    for read, written in zip(read_arrays(tmp_path / "a.lz4"), arrays, strict=True):
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    joblib.dump([Harmful()], tmp_path / "a.lz4")
    with pytest.raises(WeightsError, match="mkdir is no part of an array"):
        read_arrays(tmp_path / "a.lz4")
    assert not (tmp_path / "harm").exists()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    joblib.dump([np.zeros(100)], tmp_path / "a.lz4")
    (tmp_path / "packing.lz4").write_bytes((tmp_path / "a.lz4").read_bytes()[:-9])
    packed = lz4.frame.decompress((tmp_path / "a.lz4").read_bytes())
    (tmp_path / "arrays.lz4").write_bytes(lz4.frame.compress(packed[:-9]))
    for name in ("packing.lz4", "arrays.lz4"):
        with pytest.raises(WeightsError, match=f"{name} cannot be read"):
            read_arrays(tmp_path / name)
