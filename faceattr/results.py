"""The result of each of many images, and the files that results are written to."""

from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import os
import re
import textwrap
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeAlias

import cv2
import numpy as np

from faceattr.arguments import explained
from faceattr.drawing import annotate, draw_faces
from faceattr.errors import FaceattrError, SinkError
from faceattr.forms import Labels, Names, Output, Unit, Vector, to_cells
from faceattr.images import ChannelOrder, ImageSource, describe_source, load_image, printable
from faceattr.notebook import to_picture
from faceattr.options import DrawOptions
from faceattr.outputs import (
    AppendFile,
    OutputFile,
    Outputs,
    UnfinishedMark,
    numbered,
    sink_errors,
    to_bytes,
)
from faceattr.types import BGRImage, Face, to_html

if TYPE_CHECKING:
    from typing_extensions import Self

Target: TypeAlias = "str | os.PathLike[str] | IO[str]"
"""Path of a file, or an open text file such as ``sys.stdout``, which is not closed."""

PICTURE_SIDE = 480  # pixels of a picture in a notebook
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
INDENT = "  "  # of a level of JSON
MAX_NAME = 240  # bytes; file systems take 255, and a number may follow
FIRST_COLUMNS = ("source", "face", "x1", "y1", "x2", "y2", "confidence")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # spreadsheets run a cell that begins with one of these

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The result of one of many images: its faces, or an error.

    Attributes:
        source: Path or URL of the image; for others a description, such as its type and size.
        image: (H, W, 3) BGR uint8, or None if it could not be read or is not kept.
        width: Width of the image in pixels, 0 if it could not be read.
        height: Height of the image in pixels, 0 if it could not be read.
        faces: The most confident first; empty if there was an error.
        error: Why there are no faces, or None.
    """

    source: str
    image: BGRImage | None = field(default=None, repr=False, compare=False)
    width: int = 0
    height: int = 0
    faces: list[Face] = field(default_factory=list)
    error: FaceattrError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result in JSON's own types."""
        if self.error is not None:
            return {"source": self.source, "error": str(self.error)}
        return {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
        }

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the annotated image, and a table beside each face."""
        title = f"<p>{escape(printable(self.source))}: {escape(self._summary())}</p>"
        if self.image is None:
            return title + "".join(map(to_html, self.faces))
        picture = to_picture(draw_faces(self.image, self.faces), side=PICTURE_SIDE)
        return title + picture + "".join(to_html(face, self.image) for face in self.faces)

    def _summary(self) -> str:
        if self.error is not None:
            return str(self.error)
        size = f"{self.width}×{self.height} pixels"
        return f"{size}, {len(self.faces)} {'face' if len(self.faces) == 1 else 'faces'}"


@explained
def show(image: ImageSource, faces: Sequence[Face], *, color: ChannelOrder = "bgr") -> ImageResult:
    """Return an image with its faces as one value, which a notebook shows as a picture and tables.

    Args:
        image: As in `load_image`.
        faces: Faces of that image.
        color: As in `load_image`.

    Raises:
        ImageError: The image cannot be read.
    """
    pixels = load_image(image, color=color)
    height, width = pixels.shape[:2]
    return ImageResult(describe_source(image), pixels, width, height, list(faces))


def begin(writers: Sequence[ResultWriter], sources: Sequence[str]) -> list[str]:
    """Prepare writers for the results of these images, before the first image is read.

    If the run resumes an earlier one, the results that every writer has are kept, and their images
    are not done again. Results of images that are not among these are kept too.

    Args:
        writers: Each writes its own file or folder.
        sources: Paths or URLs of the images, in their order.

    Returns:
        The images that are still to do.

    Raises:
        SinkError: A file cannot be written, is not one that can be continued, or was begun with
            other options (`Outputs.options`).
    """
    found = [writer.find(sources) for writer in writers]
    failed: Counter[str] = Counter()
    for one in found:
        failed |= one.failed
    done: Counter[str] | None = None
    for writer, one in zip(writers, found, strict=True):
        # an image that cannot be read has no annotated copy, but need not be tried again
        own = one.done + failed if isinstance(writer, PictureFolder) else one.done
        done = own if done is None else done & own
    done = done or Counter()
    expected = set(map(_key, sources))
    for one in found:
        done |= Counter({key: n for key, n in one.done.items() if key not in expected})
    for writer in writers:
        writer.start(done)
    rest, left = [], done.copy()
    for source in sources:
        key = _key(source)
        if left[key]:
            left[key] -= 1
        else:
            rest.append(source)
    if rest and not all(one.has_known_options for one in found):
        logger.warning(
            "the earlier run was finished, so its options are not known any more; "
            "what is added now has the options of this run"
        )
    return rest


def without_copies(
    sources: Sequence[str], paths: Sequence[str], folder: str | os.PathLike[str]
) -> list[str]:
    """Return the images without the annotated copies that an earlier run left among them.

    Args:
        sources: As `find_images` returns them.
        paths: Files and folders in which they were found; these are never taken for copies.
        folder: Where the copies are; it may lie below one of these.
    """
    real = os.path.realpath(folder)
    if real in map(os.path.realpath, paths):
        return list(sources)
    return [
        one
        for one in sources
        if one in paths or os.path.realpath(one) != os.path.join(real, _picture_name(one))
    ]


class Found(NamedTuple):
    """Images whose results an earlier run wrote; an image may occur several times.

    Attributes:
        done: All of them.
        failed: Those that met an error.
        has_known_options: Whether the run is known to have had the options of this one.
    """

    done: Counter[str]
    failed: Counter[str]
    has_known_options: bool = True


class ResultWriter(ABC):
    """Writes the results of many images, one by one; a context manager that closes itself."""

    @abstractmethod
    def find(self, sources: Sequence[str]) -> Found:
        """Learn which images will come, and return what an earlier run wrote, if it is resumed.

        Raises:
            SinkError: A file cannot be written, is not one that can be continued, or was begun
                with other options.
        """

    @abstractmethod
    def start(self, done: Counter[str]) -> None:
        """Keep these results of an earlier run, and no others.

        Raises:
            SinkError: The file cannot be written.
        """

    @abstractmethod
    def write(self, result: ImageResult) -> Path | None:
        """Write a result, so that it stays readable whatever happens next.

        Returns:
            The file that holds this result alone, if there is one.

        Raises:
            SinkError: It cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Forget the options of the run, as the results of all images are there."""

    def close(self) -> None:
        """Finish what was written; may be called again.

        Raises:
            SinkError: It cannot be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Record(NamedTuple):
    """A result in a file."""

    key: str
    failed: bool
    data: bytes


class _TextWriter(ResultWriter):
    """A text file to which each result is added.

    Args:
        target: Where to write.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        SinkError: The file cannot be written.
    """

    resumable = True
    _head = ""

    def __init__(self, target: Target, *, outputs: Outputs | None = None) -> None:
        outputs = outputs or Outputs(overwrite=True)
        self._records: list[_Record] = []
        self._output: OutputFile | None = None
        self._file: AppendFile | _Stream | None = None
        self._is_stream = not isinstance(target, str | os.PathLike)
        self._is_ascii = False  # whether JSON has to escape what is not ASCII
        self._mark: UnfinishedMark | None = None
        if isinstance(target, str | os.PathLike):
            self._output = outputs.file(target, resumable=self.resumable)
            self._is_stream = self._output.is_special
            self._resumes = outputs.resume and self._output.exists and not self._is_stream
            if self.resumable and not self._is_stream:
                self._mark = UnfinishedMark(target, outputs.options)
        else:
            self._stream = _Stream(target)
            self._is_ascii = not self._stream.encoding.startswith("utf")
            self._resumes = False

    def find(self, sources: Sequence[str]) -> Found:
        """See the base class."""
        if self._output is not None and self._resumes:
            with sink_errors(self._output.path, "read"):
                self._records = list(self._parse(self._output.path.read_bytes()))
        return Found(
            Counter(record.key for record in self._records),
            Counter(record.key for record in self._records if record.failed),
            self._mark.check() if self._mark and self._records else True,
        )

    def start(self, done: Counter[str]) -> None:
        """See the base class."""
        left, kept = done.copy(), bytearray()
        for record in self._records:
            if left[record.key]:
                left[record.key] -= 1
                kept += record.data
        self._records = []
        if self._output is None:
            self._file = self._stream
            self._file.write(self._head)
        elif kept:
            self._write_mark(resumed=True)
            self._output.write_bytes(to_bytes(self._head) + kept)
            self._file = self._output.append(keep=len(to_bytes(self._head)) + len(kept))
        else:
            self._file = self._output.append()
            self._write_mark(resumed=False)  # not before the results of other options are gone
            self._file.write(self._head)

    def finish(self) -> None:
        """See the base class."""
        if self._mark is not None:
            self._mark.remove()

    def close(self) -> None:
        """See the base class."""
        if self._file is not None:
            self._file.close()

    def _write_mark(self, *, resumed: bool) -> None:
        if self._mark is not None:
            self._mark.write(resumed=resumed)

    def _opened(self) -> AppendFile | _Stream:
        """Return the file; without `begin`, it goes on after what an earlier run wrote."""
        if self._file is None:
            self.start(self.find(()).done)
        assert self._file is not None
        return self._file

    def _parse(self, data: bytes) -> Iterator[_Record]:
        """Yield the complete results in a file; one that is cut off is left out."""
        return iter(())

    def _blame(self, line: int) -> SinkError:
        assert self._output is not None
        return SinkError(
            f"{self._output.path}: line {line} is not a result of this command with these options, "
            "so the file cannot be continued; name another file, or replace it with --overwrite"
        )


class CsvTable(_TextWriter):
    """A table with one row per face, and one per image that met an error or has no face.

    Args:
        target: Where to write.
        columns: Columns of the attributes, as in `Pipeline.columns`.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(
        self, target: Target, *, columns: Sequence[str], outputs: Outputs | None = None
    ) -> None:
        super().__init__(target, outputs=outputs)
        self._columns = [*FIRST_COLUMNS, *columns, "error"]
        self._end = "\n" if self._is_stream else "\r\n"  # streams translate it
        self._head = to_csv([self._columns], end=self._end)

    def write(self, result: ImageResult) -> None:
        """See the base class."""
        rows = [[row.get(name) for name in self._columns] for row in to_rows(result)]
        self._opened().write(to_csv(rows, end=self._end))

    def _parse(self, data: bytes) -> Iterator[_Record]:
        head = to_bytes(self._head)
        if head.startswith(data):  # the header is cut off
            return
        if not data.startswith(head):
            raise self._blame(1)
        lines = io.BytesIO(data[len(head) :]).readlines()
        text = (line.decode("utf-8", "replace") for line in lines)
        rows = csv.reader(text)
        source, face, error = map(self._columns.index, ("source", "face", "error"))
        record, first = None, 0
        taken = 0
        for row in rows:
            first, taken = taken, rows.line_num
            if len(row) != len(self._columns):
                break  # cut off
            if row[face] in ("", "0"):
                if record is not None:
                    yield record
                record = _Record(row[source], bool(row[error]), b"")
            if record is None:
                raise self._blame(first + 2)
            record = record._replace(data=record.data + b"".join(lines[first:taken]))
        # the last image may lack rows, so it is done again


class JsonLines(_TextWriter):
    """One JSON object per line and image.

    Args:
        target: Where to write.
        columns: As in `CsvTable`: a file whose faces have other attributes or labels is not
            continued. None to continue any.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        SinkError: The file cannot be written.
    """

    def __init__(
        self,
        target: Target,
        *,
        columns: Sequence[str] | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        super().__init__(target, outputs=outputs)
        self._columns = columns

    def write(self, result: ImageResult) -> None:
        """See the base class."""
        self._opened().write(dump_json(result.to_dict(), ascii_only=self._is_ascii) + "\n")

    def _parse(self, data: bytes) -> Iterator[_Record]:
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                described = json.loads(line)
                record = _Record(_key(described["source"]), "error" in described, line)
                faces = [] if record.failed else described["faces"]
                columns = [_columns_in_json(face) for face in faces]
            except (AttributeError, ValueError, LookupError, TypeError) as error:
                raise self._blame(number) from error
            if self._columns is not None and any(set(self._columns) != one for one in columns):
                raise self._blame(number)
            yield record


class JsonList(_TextWriter):
    """A JSON list with one object per image; in a file it is complete after every image.

    Args:
        target: Where to write.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Raises:
        SinkError: The file cannot be written.
    """

    resumable = False
    _end = "\n]\n"

    def __init__(self, target: Target, *, outputs: Outputs | None = None) -> None:
        super().__init__(target, outputs=outputs)
        self._head = "[" if self._is_stream else "[" + self._end
        self._separator = "\n"

    def write(self, result: ImageResult) -> None:
        """See the base class."""
        file = self._opened()
        described = dump_json(result.to_dict(), indented=True, ascii_only=self._is_ascii)
        text = self._separator + textwrap.indent(described, INDENT)
        if self._is_stream:
            file.write(text)
        else:
            assert isinstance(file, AppendFile)
            file.write(text + self._end, over=self._end.encode())
        self._separator = ",\n"

    def close(self) -> None:
        """See the base class."""
        if self._is_stream and self._file is not None:
            self._file.write(self._end)
        super().close()
        self._file = None


class PictureFolder(ResultWriter):
    """Annotated copies of images in a folder, each under its own name.

    A number is added where names are equal but for letter case.

    Args:
        folder: Made if it is not there.
        drawing: What is drawn of each face; by default, its box and attributes.
        outputs: The files of the run; by default, one that replaces files of these names.

    Raises:
        SinkError: The folder cannot be made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        drawing: DrawOptions | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        self._drawing = drawing or DrawOptions()
        self._outputs = outputs or Outputs(overwrite=True)
        self._folder = self._outputs.folder(folder)
        self._mark = UnfinishedMark(folder, self._outputs.options)
        self._planned: dict[str, list[OutputFile]] = {}  # by source, in their order
        self._taken: set[str] = set()  # names in lower case

    def find(self, sources: Sequence[str]) -> Found:
        """See the base class."""
        names = [_picture_name(source) for source in sources]
        natural = {name.casefold() for name in names}
        done: Counter[str] = Counter()
        for source, name in zip(sources, names, strict=True):
            output = self._claim(name, natural)
            self._planned.setdefault(_key(source), []).append(output)
            # older ones are those that the run was to replace
            is_done = output.exists and self._outputs.resume and self._mark.precedes(output.path)
            done[_key(source)] += is_done
        return Found(+done, Counter(), self._mark.check() if +done else True)

    def start(self, done: Counter[str]) -> None:
        """See the base class."""
        self._mark.write(resumed=self._outputs.resume)
        for key, planned in self._planned.items():
            del planned[: done[key]]

    def write(self, result: ImageResult) -> Path | None:
        """Write the image with its faces drawn on it, if it could be read.

        Raises:
            SinkError: The file cannot be written.
        """
        planned = self._planned.get(_key(result.source))
        output = planned.pop(0) if planned else None
        if result.image is None:
            return None
        output = output or self._claim(_picture_name(result.source), set())
        picture = annotate(result.image, result.faces, self._drawing)
        output.write_bytes(encode_image(picture, output.path.suffix))
        return output.path

    def finish(self) -> None:
        """See the base class."""
        self._mark.remove()

    def _claim(self, name: str, natural: set[str]) -> OutputFile:
        """Return a file of that name, with a number added if the name is taken."""
        for one in numbered(name):
            key = one.casefold()
            if key not in self._taken and (one == name or key not in natural):
                break
        self._taken.add(key)
        return self._folder.file(one, resumable=True)


class _Stream:
    """A text stream that the caller opened and will close.

    Args:
        file: The stream.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.encoding = codecs.lookup(getattr(file, "encoding", None) or "utf-8").name

    def write(self, text: str) -> None:
        with sink_errors(str(getattr(self._file, "name", "output"))):
            try:
                self._file.write(text)
            except UnicodeEncodeError as error:
                self._file.write(
                    text.encode(error.encoding, "backslashreplace").decode(error.encoding)
                )
            self._file.flush()

    def close(self) -> None:
        pass


@explained
def to_json(results: Iterable[ImageResult]) -> str:
    """Return a JSON list with one object per image.

    Raises:
        SinkError: A number is not finite.
    """
    return dump_json([result.to_dict() for result in results], indented=True)


def to_json_line(value: Mapping[str, Any]) -> str:
    """Return an object as a line of JSON.

    Raises:
        SinkError: A number is not finite.
    """
    return dump_json(value) + "\n"


def dump_json(value: object, *, indented: bool = False, ascii_only: bool = False) -> str:
    """Return a value as JSON.

    Args:
        value: The value.
        indented: Give each entry of an object a line of its own; lists of numbers, and of lists
            of numbers, stay on one.
        ascii_only: Escape what is not ASCII.

    Raises:
        SinkError: A number is not finite.
    """
    encoder = json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=False, default=_to_plain)
    try:
        return _indent(value, encoder.encode) if indented else encoder.encode(value)
    except ValueError as error:
        raise SinkError(
            "a result has a number that is infinite or NaN, which JSON cannot express"
        ) from error


def _indent(value: object, encode: Callable[[object], str], margin: str = "\n") -> str:
    """Return a value as JSON, each entry of an object, and each object of a list, on its line."""
    inner = margin + INDENT
    if isinstance(value, Mapping) and value:
        entries = [
            f"{encode(key)}: {_indent(entry, encode, inner)}" for key, entry in value.items()
        ]
        return f"{{{inner}{f',{inner}'.join(entries)}{margin}}}"
    if isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        entries = [_indent(entry, encode, inner) for entry in value]
        return f"[{inner}{f',{inner}'.join(entries)}{margin}]"
    return encode(value)


def _to_plain(value: object) -> object:
    """Return a number of NumPy as one of Python.

    Raises:
        TypeError: It is something else that JSON cannot express.
    """
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r:.100} cannot be written as JSON")


@explained
def write_csv(results: Iterable[ImageResult], file: IO[str], *, columns: Sequence[str]) -> None:
    """Write one row per face, and one per image that met an error or has no face.

    Args:
        results: One per image.
        file: Open text file to write to.
        columns: Columns of the attributes, as in `Pipeline.columns`.
    """
    with CsvTable(file, columns=columns) as table:
        begin([table], ())
        for result in results:
            table.write(result)


def to_rows(result: ImageResult) -> list[dict[str, Any]]:
    """Return the rows of a table: one per face, or one for an image without any."""
    if result.error is not None:
        return [{"source": result.source, "error": str(result.error)}]
    rows = [
        {"source": result.source, "face": index, **face_cells(face)}
        for index, face in enumerate(result.faces)
    ]
    return rows or [{"source": result.source}]


def face_cells(face: Face) -> dict[str, Any]:
    """Return a face as cells of a table, by column."""
    x1, y1, x2, y2 = (round(float(value), 1) for value in face.bbox)
    cells: dict[str, Any] = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    cells["confidence"] = round(float(face.confidence), 4)
    for name, attribute in face.attributes.items():
        cells |= to_cells(attribute, name, uncertain=name in face.uncertain)
    return cells


def to_csv(rows: Iterable[Sequence[object]], *, end: str = "\r\n") -> str:
    """Return rows as CSV; text that a spreadsheet would run as a formula begins with ``'``."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(map(_to_text, row) for row in rows)
    return text.getvalue()


def _to_text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _columns_in_json(face: Mapping[str, Any]) -> set[str]:
    """Return the columns that the attributes of a face take in a table."""
    columns: set[str] = set()
    for name, attribute in face["attributes"].items():
        form: Output
        if "scores" in attribute:
            form = Labels(attribute["scores"])
        elif "candidates" in attribute:
            form = Names()
        elif "vector" in attribute:
            form = Vector(len(attribute["vector"]), private=attribute.get("private", False))
        else:
            form = Unit(attribute["unit"])
        columns.update(form.columns(name))
    return columns


def _key(source: str) -> str:
    """Return a source as it reads in a table, where formulas and surrogates are escaped."""
    return to_bytes(str(_to_text(source))).decode()


def encode_image(image: BGRImage, suffix: str) -> bytes:
    """Return an image in the format of that suffix.

    Raises:
        SinkError: OpenCV cannot write it, because of its size or format.
    """
    height, width = image.shape[:2]
    try:
        ok, data = cv2.imencode(suffix, image)
    except cv2.error as error:
        raise SinkError(f"OpenCV cannot write {width}×{height} pixels as {suffix}") from error
    if not ok:
        raise SinkError(f"OpenCV cannot write {width}×{height} pixels as {suffix}")
    return data.tobytes()


def _picture_name(source: str) -> str:
    """Return a file name like that of the source, in a format that OpenCV writes."""
    if "://" in source:  # urlsplit() refuses some addresses
        source = re.sub("^.*?://[^/?#]*|[?#].*", "", source, flags=re.DOTALL)
    path = Path(source)
    suffix = path.suffix.lower()
    stem, suffix = (path.stem, suffix) if suffix in PICTURE_SUFFIXES else (path.name, ".png")
    if os.name == "nt":
        stem = re.sub(r'[<>:"|?*\x00-\x1f]', "_", stem)
    while len(os.fsencode(stem + suffix)) > MAX_NAME:
        stem = stem[:-1]
    return (stem or "image") + suffix
