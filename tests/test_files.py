import os
import stat
from pathlib import Path

import numpy as np
import pytest
from disks import full_disk

from faceattr.files import npz_content, write_whole


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    path.write_bytes(b"old")
    write_whole(path, npz_content(ages=np.arange(3)))
    with np.load(path) as archive:
        assert archive["ages"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    path.write_bytes(b"old")
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        write_whole(path, npz_content(ages=np.arange(1000)))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_private_file_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "people"
    write_whole(path, b"faces", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
