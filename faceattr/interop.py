"""Results in the forms of other packages: pandas' DataFrame, supervision's Detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

from faceattr.arguments import describe_value, explained
from faceattr.errors import FaceattrError, MissingDependencyError, OptionError
from faceattr.results import FIRST_COLUMNS, ImageResult, face_cells, to_rows
from faceattr.types import UNCERTAIN, Classification, Face, Frame

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv

Row: TypeAlias = dict[str, Any]

Result: TypeAlias = (
    "Face | Sequence[Face] | FaceattrError | ImageResult | tuple[Frame, Sequence[Face]]"
)
"""What `to_dataframe` takes several of: a face, the faces or the error of an image, an
`ImageResult`, a frame with its faces."""

PLACE = FIRST_COLUMNS[1:]  # of a face whose image is not known
TYPES = {
    **dict.fromkeys(("face", "frame", "track"), "Int64"),  # of pandas, with gaps
    **dict.fromkeys(("x1", "y1", "x2", "y2", "confidence"), "float64"),
}


@explained
def to_dataframe(results: Iterable[Result], *, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return a table with one row per face, its columns those of the CSV files.

    Args:
        results: Faces, as `analyze` returns them; lists of faces, as `analyze_many` does, whose
            ``source`` is the number of the image; results of `analyze_each`; or frames with their
            faces, from `stream`. An image that met an error or has no face has a row, too.
        columns: Columns that are there even if no face has the attribute, as in
            `Pipeline.columns`.

    Raises:
        MissingDependencyError: pandas is not installed.
        OptionError: A result is something else, or results of several kinds are mixed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            "to_dataframe() needs pandas: pip install 'faceattr[pandas]'"
        ) from error
    kinds: set[tuple[str, ...]] = set()
    rows: list[Row] = []
    for index, result in enumerate(results):
        place, own = _to_rows(index, result)
        kinds.add(place)
        rows += own
    if len(kinds) > 1:
        raise OptionError("results are of several kinds; make a table of each")
    place = kinds.pop() if kinds else PLACE
    last = ["error"] if place == FIRST_COLUMNS else []
    read = [name for row in rows for name in row if name not in last]
    names = list(dict.fromkeys([*place, *columns, *read, *last]))
    table = pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=names)
    return table.astype({name: TYPES[name] for name in names if name in TYPES})


def _to_rows(index: int, result: Result) -> tuple[tuple[str, ...], list[Row]]:
    """Return the columns that say where a face is, which tell kinds of results apart, and rows."""
    match result:
        case Face():
            track = {} if result.track_id is None else {"track": result.track_id}
            return PLACE, [{"face": index, **track, **face_cells(result)}]
        case ImageResult():
            return FIRST_COLUMNS, to_rows(result)
        case (Frame() as frame, [*faces]) if _are_faces(faces):
            from faceattr.streaming.sinks.tables import FACE_COLUMNS, to_row  # SciPy takes a moment

            return FACE_COLUMNS, [to_row(frame, face) for face in faces]
        case FaceattrError() as error:
            return FIRST_COLUMNS, [{"source": index, "error": str(error)}]
        case [*_] if _are_faces(result):
            rows = to_rows(ImageResult("", faces=list(result)))
            return FIRST_COLUMNS, [row | {"source": index} for row in rows]
    raise OptionError(
        f"{describe_value(result)} is not a result; give what analyze(), analyze_many(), "
        "analyze_each() or stream() returned"
    )


def _are_faces(values: Sequence[object]) -> TypeGuard[Sequence[Face]]:
    return all(isinstance(value, Face) for value in values)


@explained
def to_supervision(faces: Iterable[Face], *, classes: str | None = None) -> sv.Detections:
    """Return the faces of one image as supervision's ``Detections``.

    ``class_id`` and ``data["class_name"]`` are the labels of one classification, and ``data`` has
    the columns of every attribute as in the CSV files: ``data["emotion_happy"]``, ``data["age"]``.
    ``tracker_id`` is set if each face has a track.

    Args:
        faces: Faces of one image or frame.
        classes: Name of the classification that gives the classes; None for the first one that was
            read. A face of which it is uncertain, or was not read, has a class after the others,
            ``uncertain``. Without classifications, all faces are of the class ``face``.

    Raises:
        MissingDependencyError: supervision is not installed.
        OptionError: No face has that classification.
    """
    try:
        import supervision as sv
    except ImportError as error:
        raise MissingDependencyError(
            "to_supervision() needs supervision: pip install 'faceattr[supervision]'"
        ) from error
    faces = list(faces)
    if not _are_faces(faces):
        raise OptionError(f"{describe_value(faces)} are not faces; give what analyze() returned")
    if not faces:
        return sv.Detections.empty()
    ids, names = _to_classes(faces, classes)
    tracks = [face.track_id for face in faces if face.track_id is not None]
    return sv.Detections(
        xyxy=np.array([face.bbox for face in faces], np.float32),
        confidence=np.array([face.confidence for face in faces], np.float32),
        class_id=np.array(ids),
        tracker_id=np.array(tracks) if len(tracks) == len(faces) else None,
        data={"class_name": np.array(names), **dict(_to_columns(faces))},
    )


def _to_classes(faces: Sequence[Face], name: str | None) -> tuple[list[int], list[str]]:
    """Return number and name of each face's class."""
    known = {
        attribute: list(read.scores)
        for face in faces
        for attribute, read in face.attributes.items()
        if isinstance(read, Classification)
    }
    if name is None and not known:
        return [0] * len(faces), ["face"] * len(faces)
    if name is None:
        name = next(iter(known))
    if name not in known:
        raise OptionError(
            f"classes is {name!r}; the classifications of these faces are "
            f"{', '.join(known) or 'none'}"
        )
    names = [
        UNCERTAIN
        if name in face.uncertain or name not in face.attributes
        else face.classification(name).label
        for face in faces
    ]
    labels = [*known[name], UNCERTAIN]
    return [labels.index(one) for one in names], names


def _to_columns(faces: Sequence[Face]) -> Iterator[tuple[str, Any]]:
    """Yield the columns of the attributes; NaN and ``uncertain`` where a face has no value."""
    labelled = {
        name
        for face in faces
        for name, read in face.attributes.items()
        if isinstance(read, Classification)
    }
    rows = [face_cells(face) for face in faces]
    for name in dict.fromkeys(name for row in rows for name in row if name not in FIRST_COLUMNS):
        values = [row.get(name) for row in rows]
        if name in labelled:
            yield name, np.array([UNCERTAIN if value is None else value for value in values])
        else:
            yield name, np.array(values, np.float64)  # None becomes NaN
