"""Read labelled images from folders, CSV files and the archives of well-known sets."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isqrt
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import OptionError, describe_unknown
from faceattr.images import ImageSource, find_images
from faceattr.labels import EMOTIONS, GENDERS

GroundTruth: TypeAlias = Sequence[str | float | None]
"""The true label or number of each image; None where it is unknown."""

FER_COLUMNS = ("emotion", "pixels", "Usage")  # of FER2013's CSV file
FERPLUS_COLUMNS = (4, 5, 6, 1, 3, 2, 0)  # column of each of these labels in the FER+ votes
UTKFACE_SPLITS = ("train", "validation")
UTKFACE_GENDERS = GENDERS[::-1]  # in the order of its codes
UTKFACE_RACES = ("white", "black", "asian", "indian", "others")
UTKFACE_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_")  # age_gender_race_date.jpg


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Images of one person each, and their ground truth.

    Attributes:
        name: Name of the set in tables.
        pictures: N images.
        ground_truth: What each source says about each image, by the source's name.
        groups: The group to which each image belongs, by the name of the grouping.
        are_crops: Whether the images are cropped to the face already.
    """

    name: str
    pictures: Sequence[ImageSource]
    ground_truth: Mapping[str, GroundTruth]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    are_crops: bool = False

    def __len__(self) -> int:
        return len(self.pictures)

    @explained
    def map_labels(self, names: Mapping[str, str]) -> LabelledSet:
        """Return the set with other names for its labels, as in ``{"sadness": "sad"}``.

        Args:
            names: The set's own label, in any letter case, to that of the analyzer; ``""`` leaves
                its images out.

        Raises:
            OptionError: No image has one of the labels.
        """
        known = {
            str(truth).casefold(): str(truth)
            for ground_truth in self.ground_truth.values()
            for truth in ground_truth
            if truth is not None
        }
        for name in names:
            if name.casefold() not in known:
                described = describe_unknown("label", name, sorted(known.values()))
                raise OptionError(f"{self.name}: {described}")
        renamed = {name.casefold(): label or None for name, label in names.items()}
        ground_truth = {
            source: [
                truth if truth is None else renamed.get(str(truth).casefold(), truth)
                for truth in truths
            ]
            for source, truths in self.ground_truth.items()
        }
        return replace(self, ground_truth=ground_truth)


@explained
def load_labelled_set(
    path: str | os.PathLike[str], *, attribute: str, split: str | None = None
) -> LabelledSet:
    """Return the images of a file or folder with their ground truth for one attribute.

    Supported are a folder with one folder of images per label; a folder of images named as in
    UTKFace; a CSV file with the columns ``path`` (relative to the file) and ``label`` or the
    attribute's name, whose other columns are groupings; FER2013's CSV file; FER2013 or UTKFace
    as npz files.

    Args:
        path: The file or folder.
        attribute: Name of the attribute, for example ``"age"``.
        split: Part of the set; None for all of it.

    Raises:
        OptionError: It is none of these, or it has no such attribute or split.
        ImageError: The folder has no images.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, attribute, split)
    if not path.is_file():
        raise OptionError(f"{path}: no such file or folder")
    match path.suffix.lower():
        case ".csv":
            return _read_csv(path, attribute, split)
        case ".npz":
            return _read_npz(path, attribute, split)
    raise OptionError(f"{path}: not a labelled set, which is a folder, a .csv or a .npz file")


@explained
def ferplus_majority(votes: NDArray[np.integer]) -> NDArray[np.int_]:
    """Return the index of the label with more than half of all votes, or -1 if there is none.

    Args:
        votes: (N, 10) votes in FER+'s order of columns.
    """
    seven = votes[:, FERPLUS_COLUMNS].astype(int)
    return np.where(2 * seven.max(axis=1) > votes.sum(axis=1), seven.argmax(axis=1), -1)


def _read_folder(path: Path, attribute: str, split: str | None) -> LabelledSet:
    if split is not None:
        raise OptionError(f"{path}: a folder has no splits; name the folder of the split instead")
    pictures = find_images([path])
    matches = [(name, match) for name in pictures if (match := UTKFACE_NAME.match(Path(name).name))]
    if 2 * len(matches) > len(pictures):  # a few of UTKFace's own names are incomplete
        codes = np.array([match.groups() for _, match in matches], int)
        return _utkface(path, [name for name, _ in matches], codes, attribute)
    folders = [Path(name).relative_to(path).parts[:-1] for name in pictures]
    labels = [parts[0] if parts else None for parts in folders]
    if not any(labels):
        raise OptionError(
            f"{path}: neither has one folder per label nor pictures named as in UTKFace"
        )
    return LabelledSet(path.name, pictures, {"folders": labels})


def _read_csv(path: Path, attribute: str, split: str | None) -> LabelledSet:
    header, rows = _read_table(path)
    if set(FER_COLUMNS) <= set(header):
        return _read_fer_csv(path, header, rows, attribute, split)
    if "path" not in header:
        header, rows = ["path", "label"], [header, *rows]
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    source = attribute if attribute in columns else "label"
    if source not in columns:
        raise OptionError(
            f"{path}: has no column {attribute!r} or 'label', only {', '.join(header)}"
        )
    chosen = _rows_of(path, columns.pop("split", [""] * len(rows)), split)
    columns = {name: [values[row] for row in chosen] for name, values in columns.items()}
    return LabelledSet(
        path.name,
        [path.parent / name for name in columns.pop("path")],
        {source: columns.pop(source)},
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
            [_to_image(row[pixels]) for row in chosen],
            {"fer2013": [EMOTIONS[int(row[emotion])] for row in chosen]},
            are_crops=True,
        )
    except (IndexError, OverflowError, ValueError) as error:
        raise OptionError(f"{path}: does not have the form of FER2013: {error}") from error


def _to_image(text: str) -> NDArray[np.uint8]:
    """Return the square gray image in FER2013's column ``pixels``."""
    pixels = np.frombuffer(bytearray(map(int, text.split())), np.uint8)  # refuses 256 and more
    return pixels.reshape(isqrt(pixels.size), isqrt(pixels.size))


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
    raise OptionError(f"{path}: is neither FER2013 nor UTKFace; its arrays are {', '.join(arrays)}")


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
            "fer2013": [EMOTIONS[index] for index in arrays["label"][chosen]],
            "ferplus": [EMOTIONS[index] if index >= 0 else None for index in majority],
        },
        are_crops=True,
    )


def _read_utkface_npz(
    path: Path, arrays: Mapping[str, NDArray[Any]], attribute: str, split: str | None
) -> LabelledSet:
    chosen = _rows_of(path, [UTKFACE_SPLITS[index] for index in arrays["split"]], split)
    webp, offset = arrays["webp"].tobytes(), arrays["offset"].tolist()
    pictures = [webp[offset[row] : offset[row + 1]] for row in chosen]
    codes = np.column_stack([arrays[name][chosen] for name in ("age", "gender", "race")])
    return _utkface(path, pictures, codes, attribute, are_crops=True)


def _utkface(
    path: Path,
    pictures: Sequence[ImageSource],
    codes: NDArray[np.integer],
    attribute: str,
    *,
    are_crops: bool = False,
) -> LabelledSet:
    """Return the set of N images with the (N, 3) codes of age, gender and race."""
    ages, genders, races = codes.T.tolist()
    gender = [UTKFACE_GENDERS[code] for code in genders]
    race = [UTKFACE_RACES[code] for code in races]
    ground_truth: dict[str, GroundTruth] = {
        "age": ages,
        "gender": gender,
        "race": [None if name == "others" else name for name in race],
    }
    _check_attribute(path, attribute, list(ground_truth))
    groups = {"age": [_decade(age) for age in ages], "gender": gender, "race": race}
    source = {"utkface": ground_truth[attribute]}
    return LabelledSet(path.name, pictures, source, groups, are_crops)


def _decade(age: int) -> str:
    return "90+" if age >= 90 else f"{age // 10 * 10}–{age // 10 * 10 + 9}"


def _check_attribute(path: Path, attribute: str, known: Sequence[str]) -> None:
    if attribute not in known:
        raise OptionError(f"{path} has no {attribute!r}, only {', '.join(known)}")


def _rows_of(path: Path, splits: Sequence[str], split: str | None) -> list[int]:
    """Return the rows of a split, or all rows."""
    if split is None:
        return list(range(len(splits)))
    rows = [row for row, name in enumerate(splits) if name.casefold() == split.casefold()]
    if not rows:
        raise OptionError(f"{path}: {describe_unknown('split', split, sorted(set(splits)))}")
    return rows
