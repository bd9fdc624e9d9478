"""Labelled pictures, in the forms in which they are kept."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import OptionError, describe_unknown
from faceattr.images import ImageSource, find_images

Truths: TypeAlias = Sequence[str | float | None]
"""What is true of each picture: a label or a number; None if it is not known."""

FER_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FER_COLUMNS = ("emotion", "pixels", "Usage")  # of FER2013's csv file
FERPLUS_COLUMNS = (4, 5, 6, 1, 3, 2, 0)  # of each of these labels in the FER+ votes
UTKFACE_SPLITS = ("train", "validation")
GENDERS = ("man", "woman")
RACES = ("white", "black", "asian", "indian", "others")
UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_")  # age_gender_race_date.jpg


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Pictures of one person each, and what is true of them.

    Attributes:
        name: What to call it.
        pictures: N pictures.
        truths: What is true of each picture, by who says so.
        groups: Group to which each picture belongs, by what they are grouped by.
        are_crops: Whether the pictures are cut to the face already.
    """

    name: str
    pictures: Sequence[ImageSource]
    truths: Mapping[str, Truths]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    are_crops: bool = False

    def __len__(self) -> int:
        return len(self.pictures)


def load_labelled_set(path: Path, *, attribute: str, split: str | None = None) -> LabelledSet:
    """Return the pictures of a file or folder with what is true of one attribute.

    It may be a folder with one folder of pictures per label; a folder of pictures with
    UTKFace's names; a CSV file with the columns path (from the file's folder) and label or the
    attribute's name, where further columns are groups; FER2013's CSV file; FER2013 or UTKFace
    as npz files.

    Args:
        path: The file or folder.
        attribute: What is wanted, for example ``"age"``.
        split: Part of the set; None for all of it.

    Raises:
        OptionError: It is none of these, or it has no such attribute or split.
        ImageError: The folder has no pictures.
    """
    if path.is_dir():
        return _read_folder(path, attribute, split)
    if not path.is_file():
        raise OptionError(f"{path}: no such file or folder")
    match path.suffix.lower():
        case ".csv":
            return _read_csv(path, attribute, split)
        case ".npz":
            return _read_npz(path, attribute, split)
    raise OptionError(f"{path}: not a labelled set; it can be a folder, a .csv or a .npz file")


def ferplus_majority(votes: NDArray[np.integer]) -> NDArray[np.int_]:
    """Return the index of the label with more than half of all votes; -1 if none has.

    Args:
        votes: (N, 10) votes in the order of FER+.
    """
    seven = votes[:, FERPLUS_COLUMNS].astype(int)
    return np.where(2 * seven.max(axis=1) > votes.sum(axis=1), seven.argmax(axis=1), -1)


def _read_folder(path: Path, attribute: str, split: str | None) -> LabelledSet:
    if split is not None:
        raise OptionError(f"{path}: a folder has no splits; name the folder of the split instead")
    pictures = find_images([path])
    matches = [(name, match) for name in pictures if (match := UTKFACE_NAME.match(Path(name).name))]
    if 2 * len(matches) > len(pictures):  # some of UTKFace's names are incomplete
        facts = np.array([match.groups() for _, match in matches], int)
        return _utkface(path, [name for name, _ in matches], facts, attribute)
    labels = [_first_folder(Path(name).relative_to(path)) for name in pictures]
    if not any(labels):
        raise OptionError(f"{path}: neither has a folder per label nor UTKFace's names of pictures")
    return LabelledSet(path.name, pictures, {"folders": labels})


def _first_folder(path: Path) -> str | None:
    return path.parts[0] if len(path.parts) > 1 else None


def _read_csv(path: Path, attribute: str, split: str | None) -> LabelledSet:
    header, rows = _read_table(path)
    if set(FER_COLUMNS) <= set(header):
        return _read_fer_csv(path, header, rows, attribute, split)
    if "path" not in header:
        header, rows = ["path", "label"], [header, *rows]
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    truth = attribute if attribute in columns else "label"
    if truth not in columns:
        raise OptionError(f"{path}: no column {attribute!r} or 'label', only {', '.join(header)}")
    chosen = _rows_of(path, columns.pop("split", [""] * len(rows)), split)
    columns = {name: [values[row] for row in chosen] for name, values in columns.items()}
    return LabelledSet(
        path.name,
        [path.parent / name for name in columns.pop("path")],
        {truth: columns.pop(truth)},
        groups=columns,
    )


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, ValueError, csv.Error) as error:
        raise OptionError(f"{path}: cannot be read: {error}") from error
    if not lines:
        raise OptionError(f"{path}: is empty")
    for number, line in enumerate(lines, start=1):
        if len(line) != len(lines[0]):
            raise OptionError(
                f"{path}: line {number} has {len(line)} columns, the header {len(lines[0])}"
            )
    return lines[0], lines[1:]


def _read_fer_csv(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    attribute: str,
    split: str | None,
) -> LabelledSet:
    _check_attribute(path, attribute, ["emotion"])
    emotion, pixels, usage = (header.index(name) for name in FER_COLUMNS)
    chosen = [rows[index] for index in _rows_of(path, [row[usage] for row in rows], split)]
    try:
        return LabelledSet(
            path.name,
            [_to_picture(row[pixels]) for row in chosen],
            {"fer2013": [FER_LABELS[int(row[emotion])] for row in chosen]},
            are_crops=True,
        )
    except (IndexError, OverflowError, ValueError) as error:
        raise OptionError(f"{path}: is not as FER2013 is: {error}") from error


def _to_picture(text: str) -> NDArray[np.uint8]:
    """Return the square gray picture of FER2013's column ``pixels``."""
    px = np.array(text.split(), np.uint8)
    return px.reshape(isqrt(px.size), isqrt(px.size))


def _read_npz(path: Path, attribute: str, split: str | None) -> LabelledSet:
    try:
        with np.load(path) as archive:
            arrays: dict[str, NDArray[Any]] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise OptionError(f"{path}: cannot be read: {error}") from error
    if {"images", "label", "split", "ferplus_votes"} <= arrays.keys():
        return _read_fer_npz(path, arrays, attribute, split)
    if {"webp", "offset", "age", "gender", "race", "split"} <= arrays.keys():
        return _read_utkface_npz(path, arrays, attribute, split)
    raise OptionError(f"{path}: neither FER2013 nor UTKFace; it has {', '.join(arrays)}")


def _read_fer_npz(
    path: Path, arrays: Mapping[str, NDArray[Any]], attribute: str, split: str | None
) -> LabelledSet:
    _check_attribute(path, attribute, ["emotion"])
    chosen = _rows_of(path, arrays["splits"][arrays["split"]].tolist(), split)
    majority = ferplus_majority(arrays["ferplus_votes"][chosen])
    return LabelledSet(
        path.name,
        list(arrays["images"][chosen]),
        {
            "fer2013": [FER_LABELS[index] for index in arrays["label"][chosen]],
            "ferplus": [FER_LABELS[index] if index >= 0 else None for index in majority],
        },
        are_crops=True,
    )


def _read_utkface_npz(
    path: Path, arrays: Mapping[str, NDArray[Any]], attribute: str, split: str | None
) -> LabelledSet:
    chosen = _rows_of(path, [UTKFACE_SPLITS[index] for index in arrays["split"]], split)
    webp, offset = arrays["webp"].tobytes(), arrays["offset"].tolist()
    pictures = [webp[offset[row] : offset[row + 1]] for row in chosen]
    facts = np.column_stack([arrays[name][chosen] for name in ("age", "gender", "race")])
    return _utkface(path, pictures, facts, attribute, are_crops=True)


def _utkface(
    path: Path,
    pictures: Sequence[ImageSource],
    facts: NDArray[np.integer],
    attribute: str,
    *,
    are_crops: bool = False,
) -> LabelledSet:
    """Return the set of N pictures whose age, gender and race are (N, 3) facts."""
    ages, genders, races = facts.T.tolist()
    gender, race = [GENDERS[index] for index in genders], [RACES[index] for index in races]
    truths: dict[str, Truths] = {
        "age": ages,
        "gender": gender,
        "race": [None if name == "others" else name for name in race],
    }
    _check_attribute(path, attribute, list(truths))
    groups = {"age": [_decade(age) for age in ages], "gender": gender, "race": race}
    return LabelledSet(path.name, pictures, {"utkface": truths[attribute]}, groups, are_crops)


def _decade(age: int) -> str:
    return "90+" if age >= 90 else f"{age // 10 * 10}–{age // 10 * 10 + 9}"


def _check_attribute(path: Path, attribute: str, known: Sequence[str]) -> None:
    if attribute not in known:
        raise OptionError(f"{path} says nothing of {attribute}, only of {', '.join(known)}")


def _rows_of(path: Path, splits: Sequence[str], split: str | None) -> list[int]:
    """Return the rows of a split, or all rows."""
    if split is None:
        return list(range(len(splits)))
    rows = [row for row, name in enumerate(splits) if name.casefold() == split.casefold()]
    if not rows:
        raise OptionError(f"{path}: {describe_unknown('split', split, sorted(set(splits)))}")
    return rows
