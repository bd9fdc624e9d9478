"""Results as rows of typed columns, which are known before the first picture is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from faceattr.batch.storage import import_arrow
from faceattr.errors import ImageError
from faceattr.forms import Labels, Names, Output, Unit, Vector
from faceattr.results import ImageResult
from faceattr.types import Attribute, Classification, Estimate, Face, Identification

Row: TypeAlias = dict[str, Any]

CORNERS = ("x1", "y1", "x2", "y2")
LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")  # the viewer's sides
PACK = 1000  # rows that are turned into columns at once, which take less memory


def make_schema(outputs: Mapping[str, Output], metadata: Mapping[str, str] | None = None) -> Any:
    """Return the Arrow schema of the parts.

    Args:
        outputs: Form of each attribute, as in `Pipeline.outputs`.
        metadata: Texts that go into the file.
    """
    pa = import_arrow()
    point = pa.struct([("x", pa.float32()), ("y", pa.float32())])
    fields = [
        pa.field("key", pa.string(), nullable=False),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("timestamp", pa.float64(), metadata={"unit": "seconds"}),
        pa.field("face", pa.int32()),
        pa.field("track", pa.int64()),
        pa.field("bbox", pa.struct([(name, pa.float32()) for name in CORNERS])),
        pa.field("confidence", pa.float32()),
        pa.field("landmarks", pa.struct([(name, point) for name in LANDMARKS])),
        *(_to_field(pa, name, form) for name, form in outputs.items() if not _is_private(form)),
        pa.field("error", pa.string()),
    ]
    return pa.schema(fields, metadata=dict(metadata or {}))


def _is_private(form: Output) -> bool:
    return isinstance(form, Vector) and form.private


def _to_field(pa: Any, name: str, form: Output) -> Any:
    number = pa.float32()
    match form:
        case Labels():
            scores = pa.struct([(label, number) for label in form.names])
            parts = [("label", pa.string()), ("confidence", number), ("scores", scores)]
            return pa.field(name, pa.struct(parts))
        case Unit():
            parts = [("value", number), ("std", number)]
            return pa.field(name, pa.struct(parts), metadata={"unit": form.name})
        case Names():
            parts = [("label", pa.string()), ("confidence", number), ("score", number)]
            return pa.field(name, pa.struct(parts))
        case Vector():
            return pa.field(name, pa.list_(number, form.size))


def to_rows(key: str, result: ImageResult, *, timestamp: float | None = None) -> list[Row]:
    """Return a row per face, or one if there is none.

    Args:
        key: Name of the picture in the list.
        result: What was found; the error may name the picture as well.
        timestamp: Of a frame, in seconds.
    """
    row: Row = {"key": to_text(key)}
    if result.error is not None:
        return [{**row, "timestamp": timestamp, "error": to_text(str(result.error))}]
    row |= {"width": result.width, "height": result.height, "timestamp": timestamp}
    faces = ({**row, "face": index, **_cells(face)} for index, face in enumerate(result.faces))
    return list(faces) or [row]


def to_text(text: str) -> str:
    """Return a text that UTF-8 can hold; other bytes of file names become escapes."""
    return text.encode(errors="backslashreplace").decode()


def _cells(face: Face) -> Row:
    landmarks = None
    if face.landmarks is not None:
        points = [{"x": float(x), "y": float(y)} for x, y in face.landmarks]
        landmarks = dict(zip(LANDMARKS, points, strict=True))
    return {
        "track": face.track_id,
        "bbox": dict(zip(CORNERS, map(float, face.bbox), strict=True)),
        "confidence": float(face.confidence),
        "landmarks": landmarks,
        **{
            name: _to_cell(attribute, uncertain=name in face.uncertain)
            for name, attribute in face.attributes.items()
        },
    }


def _to_cell(attribute: Attribute, *, uncertain: bool) -> object:
    match attribute:
        case Identification() | Classification():
            cell: Row = {
                "label": None if uncertain else attribute.label,
                "confidence": float(attribute.confidence),
            }
            if isinstance(attribute, Identification):
                return {**cell, "score": float(attribute.score)}
            return {**cell, "scores": {name: float(one) for name, one in attribute.scores.items()}}
        case Estimate():
            std = None if attribute.std is None else float(attribute.std)
            return {"value": float(attribute.value), "std": std}
        case _:
            return attribute.vector.tolist()  # the table leaves private ones out


class Rows:
    """Rows that become a table.

    Args:
        schema: As `make_schema` returns it.
    """

    def __init__(self, schema: Any) -> None:
        self._pa = import_arrow()
        self._schema = schema
        self._rows: list[Row] = []
        self._packed: list[Any] = []

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, in their order."""
        self._rows += rows
        if len(self._rows) >= PACK:
            self._pack()

    def to_table(self) -> Any:
        """Return all rows as an Arrow table."""
        self._pack()
        return self._pa.Table.from_batches(self._packed, self._schema)

    def _pack(self) -> None:
        self._packed.append(self._pa.RecordBatch.from_pylist(self._rows, self._schema))
        self._rows = []


def forms_in(schema: Any) -> dict[str, Output]:
    """Return the form of each attribute of a part, by its name; names of people are left out."""
    pa = import_arrow()
    forms: dict[str, Output] = {}
    for field in schema:
        if pa.types.is_fixed_size_list(field.type):
            forms[field.name] = Vector(field.type.list_size)
        elif pa.types.is_struct(field.type):
            parts = {part.name: part.type for part in field.type}
            if "scores" in parts:
                forms[field.name] = Labels(label.name for label in parts["scores"])
            elif "value" in parts:
                forms[field.name] = Unit(field.metadata[b"unit"].decode())
    return forms


def to_results(rows: Iterator[Row], outputs: Mapping[str, Output]) -> Iterator[ImageResult]:
    """Yield the results that rows were made from, without their images.

    Args:
        rows: Those of one picture follow each other.
        outputs: Form of each attribute.
    """
    for (key, _), group in groupby(rows, lambda row: (row["key"], row["timestamp"])):
        own = list(group)
        if own[0]["error"] is not None:
            yield ImageResult(key, error=ImageError(own[0]["error"]))
            continue
        faces = [_to_face(row, outputs) for row in own if row["face"] is not None]
        yield ImageResult(key, None, own[0]["width"], own[0]["height"], faces)


def _to_face(row: Row, outputs: Mapping[str, Output]) -> Face:
    points = row["landmarks"]
    read: dict[str, Any] = {}
    for name, form in outputs.items():
        cell = row[name]
        if cell is None:  # slow analyzers have not run yet on each face of a video
            continue
        if isinstance(form, Unit):
            cell = {**cell, "unit": form.name}
        read[name] = cell if isinstance(cell, dict) else {"vector": cell}
    return Face.from_dict(
        {
            "bbox": [row["bbox"][name] for name in CORNERS],
            "confidence": row["confidence"],
            "landmarks": points and [[points[name]["x"], points[name]["y"]] for name in LANDMARKS],
            "attributes": read,
            "track_id": row["track"],
        }
    )
