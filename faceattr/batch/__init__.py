"""Any number of pictures, on one machine or many, to a folder of Parquet files."""

from faceattr.batch.running import Progress, Summary, run
from faceattr.batch.schema import make_schema
from faceattr.batch.work import Counts

__all__ = ["Counts", "Progress", "Summary", "make_schema", "run"]
