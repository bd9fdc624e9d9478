"""Trained heads in files: a zip of JSON and arrays that is read as data and never run."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from faceattr.errors import FaceattrError, WeightsError
from faceattr.forms import Labels, Unit, is_number

SUFFIX = ".faceattr"
FORMAT = 1  # version of the file's form
HEADER, ARRAYS, LAYERS = "faceattr.json", "head.npz", "layers.npz"
KERNEL, BIAS = "kernel.npy", "bias.npy"

MAX_FILE = 32 * 1024 * 1024  # bytes; a head of 1000 labels on 2048 features has 8 MB
MAX_HEADER = 1024 * 1024  # bytes of JSON
MAX_LABELS, MAX_TEXT = 1000, 200  # labels, and letters of one
MAX_FEATURES = 100_000
MAX_ARRAYS, MAX_RANK = 500, 4  # of the layers below the head
ATTRIBUTE = re.compile(r"[^\s,=]+")  # as an analyzer declares it
EPOCH = (1980, 1, 1, 0, 0, 0)  # date of the members, so that equal heads are equal files


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHead:
    """A linear head on a trunk's features, and how it was made.

    Attributes:
        attribute: Name under which its answers are given.
        output: The labels, or the unit of an estimate.
        trunk: Name of the trunk.
        trunk_identity: `Network.identity` of the trunk that gave the features in training.
        kernel: (D, C) float32. The C columns are the logits of the labels, or the value of an
            estimate and the logarithm of its standard deviation.
        bias: (C,) float32.
        bounds: Least and greatest value of an estimate, to which its values are clipped.
        layers: Name of each layer of the trunk to its weights, kernels in half precision, where
            all layers were trained; None if they are those of the built-in trunk.
        notes: How it was made and how good it is, in JSON's own types; nothing depends on them.
    """

    attribute: str
    output: Labels | Unit
    trunk: str
    trunk_identity: str
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    bounds: tuple[float, float] | None = None
    layers: Mapping[str, Sequence[NDArray[np.float32]]] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def save(head: TrainedHead) -> bytes:
    """Return the content of the file that `load` reads; the same for the same head."""
    arrays = _zip({KERNEL: _to_npy(head.kernel), BIAS: _to_npy(head.bias)})
    form = (
        {"labels": list(head.output.names)}
        if isinstance(head.output, Labels)
        else {"unit": head.output.name, "bounds": head.bounds}
    )
    header: dict[str, Any] = {
        "format": FORMAT,
        "attribute": head.attribute,
        **form,
        "trunk": {"name": head.trunk, "identity": head.trunk_identity},
        "features": len(head.kernel),
        "sha256": hashlib.sha256(arrays).hexdigest(),
    }
    members = {ARRAYS: arrays}
    if head.layers is not None:
        members[LAYERS] = save_layers(head.layers)
        header["layers"] = hashlib.sha256(members[LAYERS]).hexdigest()
    header["notes"] = head.notes
    text = json.dumps(header, indent=1, ensure_ascii=False, allow_nan=False)
    return _zip({HEADER: text.encode("utf-8", "backslashreplace"), **members})


def save_layers(layers: Mapping[str, Sequence[NDArray[np.float32]]]) -> bytes:
    """Return an archive of the weights of layers, kernels in half precision."""
    return _zip(
        {
            f"{name}/{index}.npy": _to_npy(array, "<f2" if array.ndim > 1 else "<f4")
            for name, arrays in layers.items()
            for index, array in enumerate(arrays)
        }
    )


def load(source: bytes | Path) -> TrainedHead:
    """Read a trained head. Nothing in the file is run, whatever it holds.

    Args:
        source: The file or its content.

    Raises:
        WeightsError: The file is missing, damaged, too large, or something else.
    """
    name = "the file" if isinstance(source, bytes) else str(source)
    try:
        content = source if isinstance(source, bytes) else _read_file(source)
        return _parse(content)
    except FaceattrError as error:
        raise WeightsError(f"{name} cannot be used as a trained analyzer: {error}") from error
    except Exception as error:  # a damaged or malicious file may fail in any way
        raise WeightsError(
            f"{name} is not a trained analyzer, or is damaged: {type(error).__name__}: {error}; "
            "make it again with `faceattr train`"
        ) from error


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise WeightsError("there is no such file" if not path.exists() else "it is not a file")
    with path.open("rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise WeightsError(f"it is larger than {MAX_FILE // 2**20} MB")
    return content


def _parse(content: bytes) -> TrainedHead:
    members = _unzip(content, {HEADER: MAX_HEADER, ARRAYS: MAX_FILE}, {LAYERS: MAX_FILE})
    header = json.loads(members[HEADER])
    _require(isinstance(header, dict), "its header is not an object")
    version = header.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise WeightsError(f"it was made by a newer faceattr (format {version}); upgrade faceattr")
    _require(version == FORMAT, f"its format is {version!r:.50}")
    _require(
        header.get("sha256") == hashlib.sha256(members[ARRAYS]).hexdigest(),
        "its numbers are not those that it was saved with",
    )
    output = _parse_output(header)
    attribute, trunk, notes = header.get("attribute"), header.get("trunk"), header.get("notes", {})
    _require(
        _is_text(attribute) and ATTRIBUTE.fullmatch(attribute) is not None,
        f"its attribute is {attribute!r:.100}",
    )
    _require(
        isinstance(trunk, dict) and _is_text(trunk.get("name")) and _is_text(trunk.get("identity")),
        "it names no trunk",
    )
    _require(isinstance(notes, dict), "its notes are not an object")
    num_features = header.get("features")
    _require(
        type(num_features) is int and 0 < num_features <= MAX_FEATURES,
        f"its number of features is {num_features!r:.50}",
    )
    columns = len(output.names) if isinstance(output, Labels) else 2
    arrays = _unzip(members[ARRAYS], {KERNEL: MAX_FILE, BIAS: MAX_FILE})
    return TrainedHead(
        attribute,
        output,
        trunk["name"],
        trunk["identity"],
        kernel=_from_npy(arrays[KERNEL], (num_features, columns)),
        bias=_from_npy(arrays[BIAS], (columns,)),
        bounds=_parse_bounds(header.get("bounds")),
        layers=_parse_layers(members.get(LAYERS), header.get("layers")),
        notes=notes,
    )


def _parse_output(header: Mapping[str, Any]) -> Labels | Unit:
    labels, unit = header.get("labels"), header.get("unit")
    if labels is None:
        _require(_is_text(unit), "it has neither labels nor a unit")
        return Unit(str(unit))
    _require(
        isinstance(labels, list) and 2 <= len(labels) <= MAX_LABELS and all(map(_is_text, labels)),
        "its labels are not a list of 2 or more texts",
    )
    return Labels(labels)


def _parse_bounds(bounds: object) -> tuple[float, float] | None:
    if bounds is None:
        return None
    _require(
        isinstance(bounds, list) and len(bounds) == 2 and all(map(is_number, bounds)),
        f"its bounds are {bounds!r:.100}",
    )
    low, high = map(float, bounds)  # type: ignore[call-overload]  # two numbers
    _require(-math.inf < low < high < math.inf, f"its bounds are {bounds!r:.100}")
    return low, high


def _parse_layers(
    content: bytes | None, digest: object
) -> dict[str, list[NDArray[np.float32]]] | None:
    """Return the weights of the layers, of whatever shapes: the trunk's are not known here."""
    if content is None:
        _require(digest is None, f"it holds no {LAYERS}")
        return None
    _require(
        hashlib.sha256(content).hexdigest() == digest,
        "the weights of its layers are not those that it was saved with",
    )
    layers: dict[str, list[NDArray[np.float32]]] = {}
    with ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        _require(len(members) <= MAX_ARRAYS, f"its layers have {len(members)} arrays")
        unpacked = sum(member.file_size for member in members)
        _require(unpacked <= MAX_FILE, f"its layers unpack to {unpacked} bytes")
        for member in members:
            name, _, index = member.filename.removesuffix(".npy").rpartition("/")
            arrays = layers.setdefault(name, [])
            _require(index == str(len(arrays)), f"its layers hold {member.filename!r:.100}")
            arrays.append(_from_npy(archive.read(member), None))
    return layers


def _unzip(
    content: bytes, limits: Mapping[str, int], optional: Mapping[str, int] | None = None
) -> dict[str, bytes]:
    """Return the members, none larger than its limit: all of these, and some of the optional ones.

    Python reads no more of a member than the size stated in the archive.
    """
    known = {**limits, **(optional or {})}
    with ZipFile(BytesIO(content)) as archive:
        members = archive.infolist()
        names = sorted(member.filename for member in members)
        _require(
            len(set(names)) == len(names) and set(limits) <= set(names) <= set(known),
            f"it holds {', '.join(names)[:200] or 'nothing'}",
        )
        for member in members:
            _require(
                member.file_size <= known[member.filename],
                f"{member.filename} in it unpacks to {member.file_size} bytes",
            )
        return {member.filename: archive.read(member) for member in members}


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:  # stored: float32 hardly compress
        for name, data in members.items():
            archive.writestr(ZipInfo(name, EPOCH), data)
    return buffer.getvalue()


def _to_npy(array: NDArray[np.float32], dtype: str = "<f4") -> bytes:
    buffer = BytesIO()
    np.lib.format.write_array(
        buffer, np.ascontiguousarray(array, dtype), version=(1, 0), allow_pickle=False
    )
    return buffer.getvalue()


def _from_npy(data: bytes, shape: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Return the array if it is whole and finite; NumPy's reader would allocate any.

    Args:
        data: Content of an npy file.
        shape: The shape that it must have in float32; None for any, in half precision too.
    """
    buffer = BytesIO(data)
    version = np.lib.format.read_magic(buffer)
    _require(version == (1, 0), f"an array has version {version}")
    stated, fortran, dtype = np.lib.format.read_array_header_1_0(buffer)
    fits = (
        len(stated) <= MAX_RANK and min(stated, default=1) > 0
        if shape is None
        else (stated == shape)
    )
    known = ("<f4", "<f2") if shape is None else ("<f4",)
    _require(
        fits and not fortran and dtype in [np.dtype(one) for one in known],
        f"an array has the shape {stated!r:.100} of {dtype} where "
        f"{'weights' if shape is None else shape} of float32 belong",
    )
    array = np.frombuffer(buffer.read(), dtype)
    _require(array.size == math.prod(stated), "an array is cut off")
    _require(bool(np.isfinite(array).all()), "an array holds numbers that are not finite")
    return array.reshape(stated).astype(np.float32)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise WeightsError(problem)
