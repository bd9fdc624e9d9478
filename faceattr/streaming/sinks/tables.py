"""Tables and JSON lines: what was read off each face, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceattr.errors import MissingDependencyError, SinkError
from faceattr.outputs import AppendFile, Outputs
from faceattr.results import face_cells, to_csv, to_json_line
from faceattr.streaming.sinks.base import Sink, require_time
from faceattr.types import Face, Frame

FACE_COLUMNS = ("frame", "timestamp", "track", "x1", "y1", "x2", "y2", "confidence")
"""Columns of any face of a stream; those of its attributes follow."""

BATCH_ROWS = 10_000  # that are packed into columns together


def to_row(frame: Frame, face: Face) -> dict[str, Any]:
    """Return a face of a stream as one row of a table.

    Raises:
        SinkError: The timestamp is not finite.
    """
    time = round(require_time(frame), 3)
    place = {"frame": frame.index, "timestamp": time, "track": face.track_id}
    return place | face_cells(face)


class JsonLinesSink(Sink):
    """Writes one JSON object per line: a frame with its faces, or a face.

    Args:
        path: File to write.
        per_face: Write one line per face, not per frame.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        per_face: bool = False,
        outputs: Outputs | None = None,
    ) -> None:
        self._output = (outputs or Outputs(overwrite=True)).file(path)
        self.paths = (self._output.path,)
        self._per_face = bool(per_face)
        self._file: AppendFile | None = None

    def begin(self, columns: Sequence[str]) -> None:
        """See the base class."""
        self._file = self._file or self._output.append()

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        self._file = self._file or self._output.append()
        place = {"frame": frame.index, "timestamp": round(require_time(frame), 3)}
        described = [face.to_dict() for face in faces]
        if self._per_face:
            lines = [place | face for face in described]
        else:
            height, width = frame.image.shape[:2]
            lines = [place | {"width": width, "height": height, "faces": described}]
        self._file.write("".join(map(to_json_line, lines)))

    def close(self) -> None:
        """See the base class."""
        if self._file is not None:
            self._file.close()


class CsvSink(Sink):
    """Writes a table with one row per face and frame.

    Args:
        path: File to write.
        columns: Columns of the attributes, as in `LiveAnalysis.columns`; needed only where
            `play` does not tell them.
        outputs: As in `JsonLinesSink`.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        columns: Sequence[str] | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        self._output = (outputs or Outputs(overwrite=True)).file(path)
        self.paths = (self._output.path,)
        self._file: AppendFile | None = None
        self._columns: list[str] = []
        if columns is not None:
            self.begin(columns)

    def begin(self, columns: Sequence[str]) -> None:
        """See the base class."""
        if self._file is None:
            self._columns = [*FACE_COLUMNS, *columns]
            self._file = self._output.append()
            self._file.write(to_csv([self._columns]))

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        rows = [to_row(frame, face) for face in faces]
        require_columns(self._output.path, self._columns, rows)
        assert self._file is not None  # as there are columns
        self._file.write(to_csv([[row.get(name) for name in self._columns] for row in rows]))

    def close(self) -> None:
        """See the base class."""
        if self._file is not None:
            self._file.close()


class ParquetSink(Sink):
    """Writes a Parquet table with one row per face and frame, when it is closed.

    Args:
        path: File to write.
        columns: As in `CsvSink`.
        outputs: As in `JsonLinesSink`.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        SinkError: The file cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        columns: Sequence[str] | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                "Parquet tables need pyarrow: pip install 'faceattr[parquet]'"
            ) from error
        self._arrow = pyarrow
        self._output = (outputs or Outputs(overwrite=True)).file(path)
        self.paths = (self._output.path,)
        self._columns: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._batches: list[Any] = []
        self._is_closed = False
        if columns is not None:
            self.begin(columns)

    def begin(self, columns: Sequence[str]) -> None:
        """See the base class."""
        if not self._columns:
            self._columns = [*FACE_COLUMNS, *columns]

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        rows = [to_row(frame, face) for face in faces]
        require_columns(self._output.path, self._columns, rows)
        self._rows += rows
        if len(self._rows) >= BATCH_ROWS:
            self._pack()

    def close(self) -> None:
        """See the base class."""
        if self._is_closed:
            return
        self._is_closed = True
        self._pack()
        table = self._arrow.concat_tables(self._batches, promote_options="permissive")
        with self._output.replacing() as file:
            self._arrow.parquet.write_table(table, file)

    def _pack(self) -> None:
        """Turn rows into columns, which take less memory."""
        names = self._columns or FACE_COLUMNS
        columns = {name: [row.get(name) for row in self._rows] for name in names}
        self._batches.append(self._arrow.table(columns))
        self._rows = []


def require_columns(
    path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Refuse rows whose columns a table does not have.

    Raises:
        SinkError: The message says how to give the columns.
    """
    if not columns:
        raise SinkError(
            f"{path}: the columns of the attributes are not known; write through play() or "
            "stream(), or give them: columns=live.columns"
        )
    unknown = [name for row in rows for name in row if name not in columns]
    if unknown:
        raise SinkError(
            f"{path}: the table has no column {unknown[0]!r}; its columns were given as "
            f"{', '.join(map(str, columns))}"
        )
