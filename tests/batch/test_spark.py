"""The example for Spark gives the rows of a run, as far as that shows without Spark."""

from __future__ import annotations

import runpy
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("pyarrow")

EXAMPLE = Path(__file__).parents[2] / "examples" / "spark_batch.py"


def test_tables_of_paths_become_tables_of_faces(folder: Path) -> None:
    import pyarrow

    reader = runpy.run_path(str(EXAMPLE))["Reader"]("emotion")
    tables = [pd.DataFrame({"path": [str(folder / name)]}) for name in ("0.png", "more/broken.jpg")]
    first, second = reader(iter(tables))
    table = pyarrow.Table.from_pandas(pd.concat([first, second]), reader.schema)
    assert table["key"].to_pylist() == [str(folder / "0.png"), str(folder / "more/broken.jpg")]
    assert table["width"].to_pylist() == [10, None]
    assert "broken.jpg" in table["error"].to_pylist()[1]
