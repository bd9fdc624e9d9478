from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceattr.errors import WeightsError
from faceattr.forms import Labels, Unit
from faceattr.networks.formats import trained
from faceattr.networks.formats.trained import TrainedHead


def head(output: Labels | Unit | None = None, **changes: Any) -> TrainedHead:
    rng = np.random.default_rng(0)
    output = output or Labels(["sad", "happy", "neutral"])
    columns = len(output.names) if isinstance(output, Labels) else 2
    given: dict[str, Any] = {
        "kernel": rng.normal(size=(8, columns)).astype(np.float32),
        "bias": rng.normal(size=columns).astype(np.float32),
        "notes": {"pictures": 30},
    }
    return TrainedHead("mood", output, "emotion", "0" * 64, **given | changes)


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(parts: dict[str, bytes], *, compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_header(content: bytes, **changes: Any) -> bytes:
    parts = members(content)
    header = json.loads(parts[trained.HEADER])
    parts[trained.HEADER] = json.dumps(header | changes).encode()
    return pack(parts)


def with_arrays(content: bytes, arrays: bytes) -> bytes:
    import hashlib

    parts = members(content) | {trained.ARRAYS: arrays}
    return with_header(pack(parts), sha256=hashlib.sha256(arrays).hexdigest())


@pytest.mark.parametrize("output", [Labels(["a", "ü, =", "c"]), Unit("years")])
def test_a_head_comes_back_as_it_was_saved(output: Labels | Unit) -> None:
    given = head(output)
    found = trained.load(trained.save(given))
    assert (found.attribute, found.output, found.trunk) == ("mood", output, "emotion")
    assert (found.trunk_identity, found.notes) == ("0" * 64, {"pictures": 30})
    np.testing.assert_array_equal(found.kernel, given.kernel)
    np.testing.assert_array_equal(found.bias, given.bias)


def test_bounds_come_back_and_wrong_ones_are_refused() -> None:
    assert trained.load(trained.save(head(Unit("years"), bounds=(0.0, 80.5)))).bounds == (0.0, 80.5)
    content = trained.save(head(Unit("years")))
    assert trained.load(content).bounds is None
    for wrong in ([1, 1], [0], [0, "1"], ["-Infinity", 1], 3, [0, float("inf")]):
        with pytest.raises(WeightsError, match="its bounds are"):
            trained.load(with_header(content, bounds=wrong))


LAYERS: dict[str, list[NDArray[np.float32]]] = {
    "conv": [np.full((3, 3, 1, 4), 1 / 3, np.float32)],
    "norm": [np.full(4, 1 / 3, np.float32)] * 4,
}


def test_layers_come_back_their_kernels_in_half_precision() -> None:
    found = trained.load(trained.save(head(layers=LAYERS))).layers
    assert found is not None
    assert {name: len(arrays) for name, arrays in found.items()} == {"conv": 1, "norm": 4}
    np.testing.assert_array_equal(found["conv"][0], LAYERS["conv"][0].astype(np.float16))
    np.testing.assert_array_equal(found["norm"][3], LAYERS["norm"][3])
    assert trained.load(trained.save(head())).layers is None


def with_layers(layers: bytes) -> bytes:
    import hashlib

    parts = members(trained.save(head(layers=LAYERS))) | {trained.LAYERS: layers}
    return with_header(pack(parts), layers=hashlib.sha256(layers).hexdigest())


def npy(array: NDArray[Any], *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


FLOATS = np.ones((2, 2), np.float32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pack({"a/0.npy": bytes(trained.MAX_FILE + 1)}, compressed=True), "layers unpack to"),
        (pack({f"a/{i}.npy": npy(FLOATS) for i in range(501)}), "layers have 501 arrays"),
        (pack({"a/1.npy": npy(FLOATS)}), "layers hold 'a/1.npy'"),
        (pack({"a/0.npy": npy(FLOATS.astype(int))}), "of int64 where weights"),
        (pack({"a/0.npy": npy(FLOATS * np.nan)}), "not finite"),
        (pack({"a/0.npy": npy(FLOATS)[:-4]}), "cut off"),
        (pack({"a/0.npy": npy(FLOATS.reshape(1, 1, 1, 2, 2))}), "an array has the shape"),
        (pack({"a/0.npy": npy(np.array([{}]), allow_pickle=True)}), "trained analyzer"),
        (b"no archive", "not a trained analyzer"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,  # an archive tells the time
)
def test_wrong_layers_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        trained.load(with_layers(content))


def test_layers_that_were_changed_or_taken_away_are_refused() -> None:
    whole = trained.save(head(layers=LAYERS))
    other = members(trained.save(head(layers={"conv": LAYERS["conv"]})))[trained.LAYERS]
    with pytest.raises(WeightsError, match="not those that it was saved with"):
        trained.load(pack(members(whole) | {trained.LAYERS: other}))
    with pytest.raises(WeightsError, match=r"it holds no layers\.npz"):
        trained.load(pack({n: d for n, d in members(whole).items() if n != trained.LAYERS}))


def test_equal_heads_are_equal_files_of_a_few_kilobytes() -> None:
    assert trained.save(head()) == trained.save(head())
    assert len(trained.save(head())) < 3000


class Dangerous:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    done = tmp_path / "done"
    buffer = io.BytesIO()
    np.save(buffer, np.array([Dangerous(done)], object), allow_pickle=True)
    valid = trained.save(head())
    bias = members(members(valid)[trained.ARRAYS])[trained.BIAS]
    arrays = pack({trained.KERNEL: buffer.getvalue(), trained.BIAS: bias})
    for content in (with_arrays(valid, arrays), pickle.dumps(Dangerous(done))):
        with pytest.raises(WeightsError):
            trained.load(content)
    assert not done.exists()


def bomb(content: bytes) -> bytes:
    zeros = bytes(trained.MAX_FILE + 1)
    parts = members(content)
    return pack(parts | {trained.HEADER: zeros}, compressed=True)


def inner_bomb(content: bytes) -> bytes:
    zeros = bytes(trained.MAX_FILE + 1)
    arrays = pack({trained.KERNEL: zeros, trained.BIAS: zeros}, compressed=True)
    return with_arrays(content, arrays)


def huge_shape(content: bytes) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    np.lib.format.write_array_header_1_0(buffer, header)
    arrays = members(members(content)[trained.ARRAYS]) | {trained.KERNEL: buffer.getvalue()}
    return with_arrays(content, pack(arrays))


def cut_off_array(content: bytes) -> bytes:
    arrays = members(members(content)[trained.ARRAYS])
    return with_arrays(content, pack(arrays | {trained.KERNEL: arrays[trained.KERNEL][:-4]}))


def wrong_digest(content: bytes) -> bytes:
    arrays = members(members(content)[trained.ARRAYS])
    other = trained.save(head(kernel=np.zeros((8, 3), np.float32)))
    kernel = members(members(other)[trained.ARRAYS])[trained.KERNEL]
    return pack(members(content) | {trained.ARRAYS: pack(arrays | {trained.KERNEL: kernel})})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (bomb, "unpacks to"),
        (inner_bomb, "unpacks to"),
        (huge_shape, "1000000000000"),
        (cut_off_array, "cut off"),
        (wrong_digest, "not those that it was saved with"),
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: b"", "damaged"),
        (lambda content: pack(members(content) | {"more.py": b"print()"}), "more.py"),
        (lambda content: pack({trained.HEADER: b"[" * 100_000, trained.ARRAYS: b""}), "damaged"),
        (lambda content: with_header(content, format=2), "newer faceattr"),
        (lambda content: with_header(content, format="1"), "format"),
        (lambda content: with_header(content, labels=["a"]), "labels"),
        (lambda content: with_header(content, labels=["a", "a", "b"]), "once"),
        (lambda content: with_header(content, labels=["a", "b", "c", "d"]), "shape"),
        (lambda content: with_header(content, labels=None), "neither labels nor a unit"),
        (lambda content: with_header(content, attribute="a, b"), "attribute"),
        (lambda content: with_header(content, attribute=3), "attribute"),
        (lambda content: with_header(content, trunk="emotion"), "trunk"),
        (lambda content: with_header(content, features=10**12), "features"),
        (lambda content: with_header(content, features=True), "features"),
        (lambda content: with_header(content, notes=[]), "notes"),
    ],
)
def test_what_is_damaged_or_malicious_is_refused(
    spoil: Callable[[bytes], bytes], reason: str
) -> None:
    with pytest.raises(WeightsError, match=reason):
        trained.load(spoil(trained.save(head())))


def test_numbers_that_are_not_finite_are_refused() -> None:
    broken = head(bias=np.array([0, np.nan, 0], np.float32))
    with pytest.raises(WeightsError, match="not finite"):
        trained.load(trained.save(broken))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.faceattr"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(WeightsError, match="larger than 32 MB"):
        trained.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"mood\.faceattr.*no such file"):
        trained.load(tmp_path / "mood.faceattr")
