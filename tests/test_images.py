"""Pictures come in upright and in BGR, or not at all and with a reason."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from PIL import Image

from faceattr.errors import ImageError, OptionError
from faceattr.images import describe_source, find_images, load_image
from faceattr.types import BGRImage

needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")

PIXELS: BGRImage = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]]], np.uint8)
"""(2, 2, 3): blue and green over red and nearly black."""

GRAY = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)
"""Six grays, each a block of 16 px in `JPEG`, which so keeps them."""


def encode(extension: str, image: np.ndarray[Any, Any]) -> bytes:
    return cv2.imencode(extension, image)[1].tobytes()


PNG = encode(".png", PIXELS)
JPEG = encode(".jpg", np.repeat(np.repeat(GRAY, 16, axis=0), 16, axis=1))


def png(header: bytes, **chunks: bytes) -> bytes:
    """A PNG of an IHDR and whatever other chunks."""
    named = {"IHDR": header, **chunks, "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + (name := kind.encode()) + body
        + struct.pack(">I", zlib.crc32(name + body))
        for kind, body in named.items()
    )  # fmt: skip


def jpeg_claiming(width: int, height: int) -> bytes:
    frame = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:frame] + struct.pack(">HH", height, width) + JPEG[frame + 4 :]


def jpeg_turned(orientation: int) -> bytes:
    """`JPEG` with an EXIF segment of one entry."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0"
    return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]


def blocks(image: BGRImage) -> list[list[int]]:
    """The grays of a decoded `JPEG`, to the nearest 10."""
    rounded: list[list[int]] = (np.rint(image[8::16, 8::16, 0] / 10) * 10).astype(int).tolist()
    return rounded


# Sources


@pytest.mark.parametrize("name", ["face.png", "Gesicht & 顔 😀.png"])
def test_a_path_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PNG)
    np.testing.assert_array_equal(load_image(path), PIXELS)
    np.testing.assert_array_equal(load_image(str(path)), PIXELS)


@pytest.mark.parametrize(
    "source",
    [
        PNG,
        bytearray(PNG),
        memoryview(PNG),
        io.BytesIO(PNG),
        base64.b64encode(PNG).decode(),
        base64.encodebytes(PNG).decode(),
        base64.b64encode(PNG),
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
    ],
    ids=[
        "bytes",
        "bytearray",
        "memoryview",
        "file",
        "base64",
        "base64 lines",
        "base64 bytes",
        "data URI",
    ],
)
def test_encoded_pictures_are_decoded(source: Any) -> None:
    np.testing.assert_array_equal(load_image(source), PIXELS)


def test_a_pil_image_is_turned_upright_and_to_bgr() -> None:
    pil = pytest.importorskip("PIL.Image")
    np.testing.assert_array_equal(load_image(pil.open(io.BytesIO(PNG))), PIXELS)
    turned = load_image(pil.open(io.BytesIO(jpeg_turned(6))))
    assert blocks(turned) == [[120, 0], [160, 40], [200, 80]]


def test_a_pil_image_of_16_bits_is_scaled() -> None:
    pil = pytest.importorskip("PIL.Image")
    image = load_image(pil.fromarray(np.array([[0, 65535]], np.uint16)))
    assert image.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_a_truncated_pil_image_is_refused() -> None:
    pil = pytest.importorskip("PIL.Image")
    with pytest.raises(ImageError, match=r"^<PIL image 48 x 32 L>: Pillow cannot decode it"):
        load_image(pil.open(io.BytesIO(JPEG[:-20])))


@pytest.mark.parametrize("source", [None, 7, True, {"a.png"}, iter("ab")])
def test_another_type_is_refused(source: Any) -> None:
    with pytest.raises(ImageError, match=r"^<\w+>: pass a path, URL, "):
        load_image(source)


@pytest.mark.parametrize(
    ("source", "kind"), [(["a.png", "b.png"], "list"), ((PIXELS, PIXELS), "tuple"), ([], "list")]
)
def test_several_images_are_referred_to_analyze_many(source: Any, kind: str) -> None:
    with pytest.raises(ImageError) as error:
        load_image(source)
    assert str(error.value) == f"<{kind}>: a {kind} of images: use analyze_many()"


def test_the_module_imports_neither_requests_nor_pillow_nor_imagesize() -> None:
    code = "import sys, faceattr.images; print({'requests', 'PIL', 'imagesize'} & {*sys.modules})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.strip() == b"set()"


# Arrays


def test_a_bgr_array_is_not_copied() -> None:
    image = load_image(PIXELS)
    np.testing.assert_array_equal(image, PIXELS)
    assert np.shares_memory(image, PIXELS)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 7, 255], np.uint8, [0, 7, 255]),
        ([0, 7, 255], np.int64, [0, 7, 255]),
        ([0, 257, 65535], np.uint16, [0, 1, 255]),
        ([0, 257, 65535], ">u2", [0, 1, 255]),
        ([False, True, False], np.bool_, [0, 255, 0]),
        ([0.0, 0.5, 1.0], np.float32, [0, 128, 255]),
        ([0.0, 7.4, 255.0], np.float64, [0, 7, 255]),
    ],
)
def test_gray_arrays_of_all_types_become_bgr(
    shape: tuple[int, ...], values: list[float], dtype: Any, expected: list[int]
) -> None:
    image = load_image(np.array(values, dtype).reshape(shape))
    assert image.dtype == np.uint8
    assert image.tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize(
    "to_rgb",
    [
        lambda bgr: bgr[..., ::-1],
        lambda bgr: np.ascontiguousarray(bgr[..., ::-1]),
        lambda bgr: np.dstack([bgr[..., ::-1], bgr[..., :1]]),  # RGBA
        lambda bgr: bgr[..., ::-1].astype(np.uint16) * 257,
        lambda bgr: bgr[..., ::-1] / 255,
    ],
    ids=["view", "copy", "RGBA", "16 bits", "floats"],
)
def test_an_array_may_be_rgb(to_rgb: Callable[[BGRImage], np.ndarray[Any, Any]]) -> None:
    image = load_image(to_rgb(PIXELS), color="rgb")
    assert np.array_equal(image, PIXELS)
    assert image.flags.c_contiguous


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
def test_a_gray_array_has_no_order_of_channels(shape: tuple[int, ...]) -> None:
    array = GRAY.reshape(shape)
    assert np.array_equal(load_image(array, color="rgb"), load_image(array))


def test_an_image_that_states_its_colors_is_right_whatever_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    encoded = base64.b64encode(PNG).decode()
    pil = Image.open(io.BytesIO(PNG))
    for source in (tmp_path / "a.png", PNG, encoded, io.BytesIO(PNG), pil, pil.convert("RGBA")):
        assert np.array_equal(load_image(source, color="rgb"), PIXELS)


@pytest.mark.parametrize("color", ["RGB", "gray", None, 3, ["rgb"]])
def test_another_order_of_channels_is_refused(color: Any) -> None:
    with pytest.raises(OptionError, match=r"color is .*; it can be 'bgr' or 'rgb'"):
        load_image(PNG, color=color)


def test_the_alpha_of_an_array_is_dropped() -> None:
    image = load_image(np.dstack([PIXELS, np.zeros((2, 2), np.uint8)]))
    np.testing.assert_array_equal(image, PIXELS)
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(4, np.uint8), r"<array \(4,\) uint8>: a picture has the shape"),
        (np.zeros((1, 4, 4, 3), np.uint8), "a picture has the shape"),
        (np.zeros((3, 4, 5), np.uint8), "a picture has the shape"),
        (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
        (np.full((2, 2), np.nan), "values from nan to nan"),
        (np.array([[0.0, np.inf]]), "values from 0 to inf"),
        (np.array([[-1.0, 1.0]]), "values from -1 to 1"),
        (np.array([[0, 256]]), "values from 0 to 256"),
        (np.array([[0.0, 1.02]]), r"up to 1\.02, neither"),
        (np.zeros((2, 2), np.complex64), "complex64 is no pixel type"),
        (np.array([["a"]]), "<U1 is no pixel type"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array: Any, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(array)


# Kinds of files


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, GRAY),
        (2, GRAY[:, ::-1]),
        (3, GRAY[::-1, ::-1]),
        (4, GRAY[::-1]),
        (5, GRAY.T),
        (6, GRAY[::-1].T),
        (7, GRAY[::-1, ::-1].T),
        (8, GRAY[:, ::-1].T),
    ],
)
def test_exif_orientation_is_applied(orientation: int, expected: Any) -> None:
    assert blocks(load_image(jpeg_turned(orientation))) == expected.tolist()


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_16_bits_become_8(extension: str) -> None:
    image = load_image(encode(extension, PIXELS.astype(np.uint16) * 257))
    np.testing.assert_array_equal(image, PIXELS)


def test_the_alpha_of_a_file_is_dropped() -> None:
    transparent = np.dstack([PIXELS, np.zeros((2, 2), np.uint8)])
    np.testing.assert_array_equal(load_image(encode(".png", transparent)), PIXELS)


def test_a_palette_png_gets_its_colors() -> None:
    header = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    data = png(header, PLTE=bytes([1, 2, 3, 4, 5, 6]), IDAT=zlib.compress(b"\0\0\1"))
    assert load_image(data).tolist() == [[[3, 2, 1], [6, 5, 4]]]


def test_a_gif_gives_its_first_frame() -> None:
    frame = b",\0\0\0\0\1\0\1\0\0\2\2%b\1\0"  # one pixel: clear, color, end
    palette = bytes([255, 0, 0, 0, 0, 255])
    data = b"GIF89a\1\0\1\0\x80\0\0" + palette + frame % b"\x44" + frame % b"\x4c" + b";"
    assert load_image(data).tolist() == [[[0, 0, 255]]]


@pytest.mark.parametrize("extension", [".png", ".webp"])
def test_an_animation_gives_its_first_frame(extension: str) -> None:
    animation = cv2.Animation()
    animation.frames = [np.full((16, 16, 3), value, np.uint8) for value in (40, 240)]
    animation.durations = [100, 100]
    data = cv2.imencodeanimation(extension, animation)[1].tobytes()
    assert abs(load_image(data).astype(int) - 40).max() <= 2


def test_a_cmyk_jpeg_becomes_bgr() -> None:
    pil = pytest.importorskip("PIL.Image")
    data = io.BytesIO()
    pil.new("RGB", (16, 16), (200, 100, 30)).convert("CMYK").save(data, "JPEG", quality=95)
    assert abs(load_image(data.getvalue()).astype(int) - [30, 100, 200]).max() <= 3


@pytest.mark.parametrize(
    "data",
    [JPEG + bytes(100), JPEG + JPEG[:50], JPEG[:-2] + b"\xff\xff\xff\xd9"],
    ids=["padding", "preview", "fill bytes"],
)
def test_what_cameras_append_to_a_jpeg_does_not_matter(data: bytes) -> None:
    np.testing.assert_array_equal(load_image(data), load_image(JPEG))


# Bad files


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ImageError, match=r"^no/such\.jpg: no such file$"):
        load_image("no/such.jpg")


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="a folder; find_images"):
        load_image(tmp_path)


@pytest.mark.parametrize("name", ["", "nul\0character", "x" * 300 + ".jpg"])
def test_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ImageError):
        load_image(name)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty, 0 bytes"),
        (b"Hello, world", r"not a picture that OpenCV can read \(it begins with b'Hello, world'\)"),
        (JPEG[:100], "truncated JPEG"),
        (JPEG[:-20], "truncated JPEG"),
        (JPEG[:-20] + bytes(100), "truncated JPEG"),
        (PNG[:-20], "truncated PNG: it ends within a chunk"),
        (PNG[:50] + b"?" + PNG[51:], "truncated, damaged or"),
        (b"<svg width='9' height='9'/>", "a file of the format SVG, which cannot be read"),
    ],
    ids=[
        "empty",
        "text",
        "half a header",
        "half a picture",
        "zero-filled",
        "png",
        "damaged png",
        "svg",
    ],
)
def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=rf"bad\.jpg: {reason}"):
        load_image(path)


@pytest.mark.parametrize(
    "data",
    [png(struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)), jpeg_claiming(50_000, 50_000)],
    ids=["png", "jpeg"],
)
def test_a_header_with_too_many_pixels_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="50000 x 50000 pixels, more than max_pixels, 100,000,000"):
        load_image(data)


def test_a_jpeg_cannot_hide_its_size_from_the_limit() -> None:
    hidden = jpeg_claiming(9000, 9000)[2:-2]  # in what looks like a segment, but not to libjpeg
    decoy = bytes.fromhex("ffc0 000b 08 0008 0008 01 011100 ffd9")
    data = b"\xff\xd8\xff\x00" + struct.pack(">H", len(hidden) + 2) + hidden + decoy
    with pytest.raises(ImageError, match="9000 x 9000 pixels"):
        load_image(data, max_pixels=1_000_000)


def test_the_limit_holds_for_arrays_and_pil_images_too() -> None:
    assert load_image(PIXELS, max_pixels=4).shape == (2, 2, 3)
    with pytest.raises(ImageError, match="2 x 2 pixels, more than max_pixels, 3"):
        load_image(PIXELS, max_pixels=3)
    pil = pytest.importorskip("PIL.Image")
    with pytest.raises(ImageError, match="2 x 2 pixels"):
        load_image(pil.open(io.BytesIO(PNG)), max_pixels=3)


def test_a_long_number_in_a_pnm_header_takes_no_time() -> None:
    with pytest.raises(ImageError):
        load_image(b"P6 " + b"1" * 10_000_000)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("data:image/png;base64", "a data URI has a comma"),
        ("data:image/png;base64,?", "not valid base64"),
        ("data:image/png;base64,ä", "not valid base64"),
        ("data:image/png,abc", r"not a picture that OpenCV can read \(it begins with b'abc'\)"),
        ("A" * 49, "no such file, and not valid base64"),
        ("A" * 100_000, r"^A{40}… \(100000 characters\): no such file, and not valid base64"),
        (base64.b64encode(PNG).decode() + "!", "not valid base64"),
    ],
)
def test_bad_base64_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(uri)


def test_a_missing_file_of_letters_and_digits_is_called_missing() -> None:
    for name in (
        "0123456789abcdef" * 4,
        f"{'pictures/' * 8}IMG00012345",
        f"{'d' * 200}/{'e' * 99}",
    ):
        with pytest.raises(ImageError, match=f"^{name}: no such file"):
            load_image(name)


def test_a_file_named_like_base64_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = encode(".png", GRAY)
    name = base64.urlsafe_b64encode(other).decode()[:60]
    Path(name).write_bytes(PNG)
    np.testing.assert_array_equal(load_image(name), PIXELS)


def test_base64_is_read_in_all_its_forms() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 41, 3), np.uint8)
    data = encode(".png", noise)
    data += bytes((1 - len(data)) % 3)  # so that padding is due; readers stop at IEND
    plain, safe = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    assert plain.endswith("==")
    assert {"-", "_"} & {*safe}
    for text in [
        plain.rstrip("="),
        safe,
        safe.rstrip("="),
        f"  {plain}\r\n",
        "data:image/png;base64," + safe.rstrip("="),
        "DATA:image/png;BASE64," + plain,
        "data:image/png;name=a.png;base64," + quote(plain, safe=""),
        "data:;base64," + plain,
        "\n data:;base64," + plain,
        quote(plain, safe=""),
        "data:image/png," + quote(data),
    ]:
        np.testing.assert_array_equal(load_image(text), noise)


class FileLike:
    """Its read() gives this answer, whatever is asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def read(self) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Drops(io.RawIOBase):
    """An unbuffered file that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._rest = self._rest[:7], self._rest[7:]
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize(
    "file",
    [FileLike(PNG), FileLike(bytearray(PNG)), FileLike(memoryview(PNG)), Drops(PNG)],
    ids=["bytes", "bytearray", "memoryview", "unbuffered"],
)
def test_a_file_object_may_give_any_kind_of_bytes(file: Any) -> None:
    np.testing.assert_array_equal(load_image(file), PIXELS)


async def answer_later() -> bytes:
    return PNG


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "its read() gives NoneType, not bytes"),
        (7, "its read() gives int, not bytes"),
        ("text", "a file of text; open it in binary mode, 'rb'"),
        (RuntimeError("File is encrypted"), "cannot be read: File is encrypted"),
        (EOFError("cut"), "cannot be read: cut"),
    ],
)
def test_a_file_object_that_gives_something_else_is_refused(answer: object, reason: str) -> None:
    with pytest.raises(ImageError) as error:
        load_image(FileLike(answer))  # type: ignore[arg-type]
    assert str(error.value) == f"<FileLike>: {reason}"


def test_an_image_that_must_be_awaited_is_refused() -> None:
    with pytest.raises(ImageError, match="<coroutine>: it must be awaited first"):
        load_image(answer_later())  # type: ignore[arg-type]


def test_a_file_object_that_must_be_awaited_is_refused() -> None:
    with pytest.raises(ImageError, match=r"its read\(\) must be awaited; pass the bytes"):
        load_image(FileLike(answer_later()))  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [io.BytesIO(PNG), Drops(PNG), FileLike(PNG)])
def test_the_limit_of_bytes_holds_for_file_objects(source: Any) -> None:
    with pytest.raises(ImageError, match=r"larger than max_bytes, 10$"):
        load_image(source, max_bytes=10)


def test_the_limit_of_bytes_holds_for_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert load_image(path, max_bytes=len(PNG)).shape == (2, 2, 3)
    with pytest.raises(ImageError, match=r"larger than max_bytes, 10$"):
        load_image(path, max_bytes=10)


def test_a_sparse_file_of_a_terabyte_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        try:
            file.truncate(1 << 40)
        except OSError:
            pytest.skip("no such files here")
    with pytest.raises(ImageError, match="larger than max_bytes, 1,000,000,000"):
        load_image(path)


@needs_posix
def test_a_pipe_is_read_if_somebody_writes_to_it(tmp_path: Path) -> None:
    pipe = tmp_path / "a.png"
    os.mkfifo(pipe)
    with pytest.raises(ImageError, match="a pipe that nobody writes to"):
        load_image(pipe)
    reader, writer = os.pipe()
    os.write(writer, PNG)
    with pytest.raises(ImageError, match=r"a pipe that did not end within 0\.1 s"):
        load_image(f"/dev/fd/{reader}", timeout=0.1)
    os.write(writer, PNG)
    os.close(writer)
    np.testing.assert_array_equal(load_image(f"/dev/fd/{reader}"), PIXELS)
    os.close(reader)


@needs_posix
def test_devices_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        for name in ("link.jpg", "/dev/zero", "/dev/null", "socket.jpg"):
            with pytest.raises(ImageError, match=f"^{name}: a device or socket, not a file"):
                load_image(name)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="Linux only")
@pytest.mark.parametrize("name", ["mem", "maps", "environ", "pagemap", "attr/current"])
def test_files_of_proc_end_in_an_image_error(name: str) -> None:
    with pytest.raises(ImageError):
        load_image(f"/proc/self/{name}", max_bytes=100_000)


def test_a_text_file_object_is_refused() -> None:
    with pytest.raises(ImageError, match="open it in binary mode"):
        load_image(io.StringIO("text"))  # type: ignore[arg-type]


def test_a_closed_file_object_is_refused() -> None:
    file = io.BytesIO(PNG)
    file.close()
    with pytest.raises(ImageError, match=r"<BytesIO>: cannot be read: .*closed file"):
        load_image(file)


# URLs


class Handler(BaseHTTPRequestHandler):
    """A server of one picture and many troubles."""

    def do_GET(self) -> None:
        """See the base class."""
        trouble = self.path.strip("/")
        if trouble == "missing":
            self.send_error(404)
            return
        self.send_response(302 if trouble in ("away", "file") else 200)
        if trouble == "away":
            self.send_header("Location", "/picture.png")
        if trouble == "file":
            self.send_header("Location", "file:///etc/hostname")
        if trouble == "cut":
            self.send_header("Content-Length", str(len(PNG) + 1))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client may hang up
            if trouble == "drip":
                self.drip()
            self.wfile.write(b"<!DOCTYPE html>" if trouble == "page" else PNG)

    def drip(self) -> None:
        pause = threading.Event()
        for _ in range(100):
            self.wfile.write(b"x")
            pause.wait(0.05)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http,
        pytest.MonkeyPatch.context() as env,
    ):
        http.daemon_threads = True
        env.setenv("NO_PROXY", "127.0.0.1")
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.mark.parametrize("page", ["picture.png", "away"])
def test_a_url_is_fetched(server: str, page: str) -> None:
    np.testing.assert_array_equal(load_image(f"{server}/{page}"), PIXELS)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("missing", "cannot be fetched: 404"),
        ("file", "cannot be fetched: No connection adapters were found for 'file:"),
        ("cut", "cannot be fetched"),
        ("page", r"not a picture that OpenCV can read \(it begins with b'<!DOCTYPE html>'\)"),
    ],
)
def test_a_url_without_picture_is_refused(server: str, page: str, reason: str) -> None:
    with pytest.raises(ImageError, match=f"^{server}/{page}: {reason}"):
        load_image(f"{server}/{page}")


def test_a_server_that_drips_is_given_up(server: str) -> None:
    with pytest.raises(ImageError, match=r"not fetched within 0\.3 s"):
        load_image(f"{server}/drip", timeout=0.3)


def test_a_download_stops_at_its_limit(server: str) -> None:
    assert load_image(f"{server}/picture.png", max_bytes=len(PNG)).shape == (2, 2, 3)
    with pytest.raises(ImageError, match=r"larger than max_bytes, 10$"):
        load_image(f"{server}/picture.png", max_bytes=10)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x.png"])
def test_other_schemes_are_not_fetched(url: str) -> None:
    with pytest.raises(ImageError, match="URLs are not fetched, only http and https"):
        load_image(url)


@pytest.mark.parametrize("url", ["http://", "http://a b/", f"http://{'a' * 300}.com/"])
def test_an_impossible_url_is_refused(url: str) -> None:
    with pytest.raises(ImageError, match="cannot be fetched"):
        load_image(url)


# Names


def test_a_source_is_described_briefly(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(PNG)
    assert describe_source(path) == str(path)
    with path.open("rb") as file:
        assert describe_source(file) == str(path)
    assert describe_source("https://example.org/face.png") == "https://example.org/face.png"
    assert describe_source(b"1234") == "<bytes: 4 bytes>"
    assert describe_source(np.zeros((480, 640, 3), np.uint8)) == "<array (480, 640, 3) uint8>"
    assert describe_source(io.BytesIO()) == "<BytesIO>"
    assert describe_source("data:image/png;base64," + "A" * 400) == (
        "data:image/png;base64,AAAAAAAAAAAAAAAAAA… (422 characters)"
    )
    text = base64.b64encode(encode(".png", np.zeros((99, 99), np.uint8)) + bytes(300)).decode()
    assert describe_source(text) == f"{text[:40]}… ({len(text)} characters)"


def test_a_long_path_is_described_in_full() -> None:
    path = "/".join([*(letter * 60 for letter in "abcdefgh"), "IMG00012345"])
    assert describe_source(path) == path
    assert describe_source(f"https://example.org/{path}") == f"https://example.org/{path}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[31mb\x07.jpg", r"a\x1b[31mb\x07.jpg"),
        ("c\rd\ne.jpg", r"c\rd\ne.jpg"),
        ("g\u202egpj.exe", r"g\u202egpj.exe"),
        ("h\x9b31m\u2028\u2066.jpg", r"h\x9b31m\u2028\u2066.jpg"),
        ("Gesicht & 顔\u3000😀.jpg", "Gesicht & 顔\u3000😀.jpg"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped_in_messages(name: str, shown: str) -> None:
    with pytest.raises(ImageError) as error:
        load_image(name)
    assert str(error.value) == f"{shown}: no such file"
    assert describe_source(name) == name  # results keep the name as it is


def test_a_description_can_be_printed() -> None:
    assert describe_source(os.fsdecode(b"caf\xe9.jpg")).encode() == b"caf\\udce9.jpg"


def test_folders_and_globs_become_their_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ["b.JPG", "a.png", "notes.txt", "sub/c.webp", ".hidden.png", ".cache/d.png"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert find_images(["."]) == ["./a.png", "./b.JPG", "./sub/c.webp"]
    assert find_images([Path("sub"), "*"]) == ["sub/c.webp", "a.png", "b.JPG"]
    assert find_images(["**/*.webp"]) == ["sub/c.webp"]


def test_urls_and_named_files_stay_as_they_are(tmp_path: Path) -> None:
    odd = tmp_path / "face[1].dat"
    odd.touch()
    named = ["https://example.org/a?b=*", "missing.jpg", str(odd)]
    assert find_images(named) == named


def test_linked_folders_are_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("all/x", "elsewhere"):
        Path(folder).mkdir(parents=True)
        Path(folder, f"{Path(folder).name}.png").touch()
    try:
        os.symlink(tmp_path / "elsewhere", "all/link")
    except OSError:
        pytest.skip("no links here")
    for target, name in [("all", "elsewhere/back"), ("all", "all/self"), ("all/x", "all/a_link")]:
        os.symlink(tmp_path / target, name)
    expected = [os.path.join("all", "link", "elsewhere.png"), os.path.join("all", "x", "x.png")]
    assert find_images(["all"]) == expected
    assert find_images(["all/**/*.png"]) == expected
    assert find_images(["all/**/x/*.png", "*/self/x/x.png"]) == [expected[1], "all/self/x/x.png"]
    assert len(find_images(["**"])) == 2


def test_after_an_error_the_search_goes_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").touch()
    paths = [str(tmp_path / name) for name in ("*.jpeg", "*.png", "empty", "no.jpg")]
    errors: list[ImageError] = []
    assert find_images(paths, on_error=errors.append) == [paths[1][:-5] + "a.png", paths[3]]
    assert [str(error) for error in errors] == [
        f"{paths[0]}: no pictures there",
        f"{paths[2]}: no pictures there",
    ]


def test_an_unreadable_folder_costs_no_other_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    errors: list[ImageError] = []
    closed = tmp_path / "closed"
    assert find_images([tmp_path, closed], on_error=errors.append) == [str(tmp_path / "a.png")]
    assert [str(error) for error in errors] == [
        f"{closed}: the folder cannot be read: Permission denied"
    ] * 2


def test_pictures_of_kinds_that_cannot_be_read_are_found_too(tmp_path: Path) -> None:
    for name in ("a.HEIC", "b.jxl"):
        (tmp_path / name).touch()
    assert find_images([tmp_path]) == [str(tmp_path / "a.HEIC"), str(tmp_path / "b.jxl")]


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_a_folder_or_glob_without_pictures_is_named(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "notes.txt").touch()
    path = os.path.join(tmp_path, pattern)
    with pytest.raises(ImageError) as error:
        find_images([path])
    assert str(error.value) == f"{path}: no pictures there"


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ImageError, match="the folder cannot be read: Permission denied"):
        find_images([tmp_path])


def test_paths_of_a_wrong_type_are_one_error_and_a_lone_one_is_taken(tmp_path: Path) -> None:
    for paths in (None, 3, [None], [["a.png"]]):
        with pytest.raises(ImageError, match="give a list of paths"):
            find_images(paths)  # type: ignore[arg-type]
    assert find_images(str(tmp_path / "a.png")) == [str(tmp_path / "a.png")]
