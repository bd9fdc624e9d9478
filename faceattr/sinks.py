"""Where results go: JSON, CSV, annotated pictures in a folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import cv2

from faceattr.drawing import draw_faces
from faceattr.errors import ImageError
from faceattr.pipeline import ImageResult
from faceattr.types import Classification, Face

CONTAINERS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def to_json(results: Iterable[ImageResult]) -> str:
    """Return a JSON list with one object per image."""
    return json.dumps([result.to_dict() for result in results], indent=2, ensure_ascii=False)


def write_csv(results: Sequence[ImageResult], file: IO[str]) -> None:
    """Write one row per face, and one per image that met an error or shows nobody."""
    rows = [row for result in results for row in _rows(result)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    columns.sort(key=lambda name: name == "error")  # to the end
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)


def _rows(result: ImageResult) -> list[dict[str, Any]]:
    if result.error is not None:
        return [{"source": result.source, "error": str(result.error)}]
    rows = [
        {"source": result.source, "face": index, **flatten(face)}
        for index, face in enumerate(result.faces)
    ]
    return rows or [{"source": result.source}]


def flatten(face: Face) -> dict[str, Any]:
    """Return a face as the columns of one row of a table."""
    x1, y1, x2, y2 = (round(value, 1) for value in face.bbox)
    row: dict[str, Any] = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    row["confidence"] = round(face.confidence, 4)
    for name, attribute in face.attributes.items():
        if isinstance(attribute, Classification):
            row[name] = attribute.label
            row[f"{name}_confidence"] = round(attribute.confidence, 4)
            row |= {f"{name}_{label}": round(score, 4) for label, score in attribute.scores.items()}
        else:
            row[name] = round(attribute.value, 2)
            row[f"{name}_std"] = None if attribute.std is None else round(attribute.std, 2)
    return row


class PictureFolder:
    """Writes annotated copies of pictures into a folder, each under its own name.

    Args:
        folder: Made if it is not there.

    Raises:
        ImageError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"{folder}: cannot be made: {error.strerror}") from error
        self._folder = folder
        self._taken: dict[str, int] = {}

    def write(self, result: ImageResult) -> Path:
        """Write the picture with its faces drawn on it.

        Raises:
            ImageError: The file cannot be written.
        """
        assert result.image is not None
        path = self._folder / self._name(result.source)
        ok, data = cv2.imencode(path.suffix, draw_faces(result.image, result.faces))
        if not ok:
            raise ImageError(f"{path}: OpenCV cannot write {path.suffix} pictures")
        try:
            path.write_bytes(data.tobytes())
        except OSError as error:
            raise ImageError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    def _name(self, source: str) -> str:
        """Return a file name like that of the source, which no other picture has."""
        path = Path(urlsplit(source).path if "://" in source else source)
        suffix = path.suffix.lower()
        stem, suffix = (path.stem, suffix) if suffix in CONTAINERS else (path.name, ".png")
        count = self._taken[stem + suffix] = self._taken.get(stem + suffix, 0) + 1
        return f"{stem}{suffix}" if count == 1 else f"{stem}-{count}{suffix}"
