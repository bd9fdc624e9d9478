"""Pictures come in upright and in BGR, or not at all and with a reason."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceattr.errors import ImageError
from faceattr.images import describe_source, find_images, load_image
from faceattr.types import BGRImage

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
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
    ],
    ids=["bytes", "bytearray", "memoryview", "file", "base64", "base64 lines", "data URI"],
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


def test_another_type_is_refused() -> None:
    with pytest.raises(ImageError, match=r"^<list>: pass a path, URL, "):
        load_image([1, 2, 3])  # type: ignore[arg-type]


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
        (PNG[:-20], "truncated, damaged or"),
        (PNG[:50] + b"?" + PNG[51:], "truncated, damaged or"),
        (b"<svg width='9' height='9'/>", "truncated, damaged or unknown"),
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
        ("data:image/png,abc", "must be in base64"),
        ("data:image/png;base64,?", "not valid base64"),
        ("A" * 49, "not valid base64"),
    ],
)
def test_bad_base64_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(uri)


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
