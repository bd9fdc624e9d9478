"""Write what is on pictures to Parquet with the Spark that a company has already.

spark-submit examples/spark_batch.py LIST.parquet FACES [ACTIONS]

LIST has a column `path` of paths or URIs, which every machine can read; all of them need faceattr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from faceattr.batch import make_schema
from faceattr.batch.plan import Job, Pictures
from faceattr.batch.work import Worker, images_of
from faceattr.options import PipelineOptions

if TYPE_CHECKING:
    import pandas as pd


class Reader:
    """What `mapInPandas` calls: tables of paths to tables of faces.

    Args:
        actions: Analyzers, with commas between.
    """

    def __init__(self, actions: str) -> None:
        self._job = Job("", PipelineOptions(actions=actions, threads=1))
        self.schema = make_schema(self._job.outputs)

    def __call__(self, tables: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Yield a row per face, or picture without one, for each table of paths."""
        import pandas as pd

        worker = Worker(self._job)
        for table in tables:
            images = images_of(Pictures(tuple(table["path"])))
            rows = [row for own in worker.analyze(images) for row in own]
            yield pd.DataFrame(rows, columns=self.schema.names).astype(object)


def main(pictures: str, to: str, actions: str = "emotion") -> None:
    """Read the list, analyze, write the faces."""
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    spark: Any = SparkSession.builder.getOrCreate()
    reader = Reader(actions)
    paths = spark.read.parquet(pictures).select("path")
    faces = paths.mapInPandas(reader, from_arrow_schema(reader.schema))
    faces.write.mode("errorifexists").parquet(to)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main(*sys.argv[1:4])
