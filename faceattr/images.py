"""Pictures from anywhere to BGR arrays: paths, URLs, bytes, base64, PIL images, arrays."""

from __future__ import annotations

import base64
import glob
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # Python 3.10's own
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.errors import ImageError
from faceattr.types import BGRImage

if TYPE_CHECKING:
    from PIL.Image import Image

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image | NDArray[Any]"
)
"""What `load_image` takes: a path, http(s) URL, data URI or base64 text; an encoded picture as
bytes or an open binary file; a PIL image; a BGR array."""

MAX_PIXELS = 100_000_000
MAX_BYTES = 100_000_000

_EXTENSION = re.compile(
    r"\.(a?png|avif|bmp|dib|gif|jfif|jp2|jpe|jpe?g|p[bgnp]m|tiff?|webp)$", re.IGNORECASE
)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{40,}={0,2}")  # 48 characters hold the smallest GIF
_LONGEST_NAME = 255  # characters of a source that a message repeats in full
_CHUNK = 65_536  # bytes

# ITU-T T.81, table B.1. A marker follows 0xFF; stuffing, fill bytes, TEM and RSTn are none to us.
_JPEG_START = b"\xff\xd8"
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END = 0xD9


def load_image(
    source: ImageSource,
    *,
    max_pixels: int = MAX_PIXELS,
    timeout: float = 10.0,
    max_bytes: int = MAX_BYTES,
) -> BGRImage:
    """Return the picture upright, whatever it comes from.

    A file's EXIF orientation is applied, its alpha dropped (libtiff lays a TIFF's on black), 16
    bits become 8, and an animation gives its first frame. A text is base64 if it is long, has
    base64's characters only and names no file.

    An array is (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA. Unsigned 16-bit values are
    divided by 257; bool is black and white; floats up to 1 are fractions of white; other
    numbers lie in [0, 255]. An array that is a picture already may be returned uncopied.

    Args:
        source: The picture. A file object is read from where it stands.
        max_pixels: Largest width times height, checked before anything is decoded.
        timeout: Seconds for the whole fetch of a URL.
        max_bytes: Most bytes fetched from a URL.

    Returns:
        (H, W, 3) BGR uint8, contiguous.

    Raises:
        ImageError: It cannot be read, is no picture, is damaged or exceeds a limit.
    """
    try:
        if isinstance(source, np.ndarray):
            return _convert_array(source, max_pixels)
        if _is_pil(source):
            return _convert_pil(source, max_pixels)
        return _decode(_read(source, timeout=timeout, max_bytes=max_bytes), max_pixels)
    except ImageError as error:
        raise ImageError(f"{describe_source(source)}: {error}") from error.__cause__


def describe_source(source: object) -> str:
    """Return a printable name for the source: its path or URL, or what it is and how large."""
    if isinstance(source, np.ndarray):
        return f"<array {source.shape} {source.dtype}>"
    if _is_pil(source):
        return f"<PIL image {source.width} x {source.height} {source.mode}>"
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{type(source).__name__}: {memoryview(source).nbytes} bytes>"
    name = getattr(source, "name", None) if hasattr(source, "read") else source
    if not isinstance(name, str | os.PathLike):
        return f"<{type(source).__name__}>"
    text = os.fsdecode(name).encode(errors="backslashreplace").decode()
    if len(text) > _LONGEST_NAME:
        return f"{text[:40]}… ({len(text)} characters)"
    return text or "''"


def find_images(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Replace folders and globs by the pictures in them.

    Pictures are told by their extension; a folder is searched with its subfolders; what is
    hidden is skipped. URLs and the names of files, missing ones too, are kept as they are.

    Returns:
        Sources for `load_image`, in the order given, sorted within each folder and glob.

    Raises:
        ImageError: A folder or glob has no picture, or a folder cannot be read.
    """
    return [image for path in paths for image in _expand(os.fspath(path))]


def _expand(path: str) -> list[str]:
    if os.path.isdir(path):
        names = _walk(path)
    elif _is_url(path) or os.path.exists(path) or not glob.has_magic(path):
        return [path]
    else:
        names = glob.iglob(path, recursive=True)
    images = sorted(name for name in names if _EXTENSION.search(name))
    if not images:
        raise ImageError(f"{describe_source(path)}: no pictures there")
    return images


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _refuse_folder(error: OSError) -> None:
    name = describe_source(error.filename)
    raise ImageError(f"{name}: the folder cannot be read: {error.strerror}") from error


def _is_url(text: str) -> bool:
    return "://" in text or text.startswith("data:")


def _is_pil(source: object) -> TypeGuard[Image]:
    pil = sys.modules.get("PIL.Image")  # without it, nobody can have made one
    return pil is not None and isinstance(source, pil.Image)


def _read(source: object, *, timeout: float, max_bytes: int) -> bytes:
    """Return the encoded picture."""
    match source:
        case bytes() | bytearray() | memoryview():
            return bytes(source)
        case str() if source.startswith("data:"):
            return _decode_data_uri(source)
        case str() if _is_url(source):
            return _fetch(source, timeout=timeout, max_bytes=max_bytes)
        case str() if _BASE64.fullmatch(source.strip()) and not os.path.exists(source):
            return _decode_base64(source)
        case str() | os.PathLike():
            return _read_path(source)
    if hasattr(source, "read"):
        return _read_file(source)
    raise ImageError("pass a path, URL, bytes, base64, binary file, PIL image or NumPy array")


def _decode_data_uri(uri: str) -> bytes:
    header, _, body = uri.partition(",")
    if not header.endswith(";base64"):
        raise ImageError("a data URI must be in base64: data:image/png;base64,…")
    return _decode_base64(body)


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ImageError(f"not valid base64: {error}") from error


def _fetch(url: str, *, timeout: float, max_bytes: int) -> bytes:
    """Return what the server sends.

    It is fetched in a thread of its own, because the time-outs of sockets hold for each packet
    and not at all for name resolution: a server that drips could hold us for ever.
    """
    scheme = url.partition("://")[0]
    if scheme.lower() not in ("http", "https"):
        raise ImageError(f"{scheme} URLs are not fetched, only http and https")
    answer: Future[bytes] = Future()
    given_up = Event()

    def answer_or_fail() -> None:
        try:
            answer.set_result(_download(url, timeout, max_bytes, given_up))
        except Exception as error:  # raised again by answer.result()
            answer.set_exception(error)

    Thread(target=answer_or_fail, daemon=True).start()
    try:
        data = answer.result(timeout)
    except FutureTimeoutError as error:
        raise ImageError(f"not fetched within {timeout:g} s") from error
    except (OSError, ValueError) as error:  # what requests raises, and what it lets through
        raise ImageError(f"cannot be fetched: {error}") from error
    finally:
        given_up.set()
    if len(data) > max_bytes:
        raise ImageError(f"larger than max_bytes, {max_bytes:,}")
    return data


def _download(url: str, timeout: float, max_bytes: int, given_up: Event) -> bytes:
    """Return what the server sends, at most one chunk more than `max_bytes`."""
    import requests  # takes 50 ms, for URLs only

    data = bytearray()
    with requests.get(url, timeout=timeout, stream=True) as response:
        response.raise_for_status()
        for chunk in response.iter_content(_CHUNK):
            data += chunk
            if len(data) > max_bytes or given_up.is_set():
                break
    return bytes(data)


def _read_path(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise ImageError("no such file") from error
    except IsADirectoryError as error:
        raise ImageError("a folder; find_images() lists the pictures in it") from error
    except (OSError, ValueError) as error:  # ValueError for a null character in the name
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', error)}") from error


def _read_file(file: Any) -> bytes:
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError if it is closed
        raise ImageError(f"cannot be read: {error}") from error
    if not isinstance(data, bytes):
        raise ImageError("a file of text; open it in binary mode, 'rb'")
    return data


def _decode(data: bytes, max_pixels: int) -> BGRImage:
    if not data:
        raise ImageError("empty, 0 bytes")
    width, height = _claimed_size(data)
    _check_pixels(width, height, max_pixels)
    if data.startswith(_JPEG_START) and not _is_complete_jpeg(data):  # OpenCV may fill it
        raise ImageError("truncated JPEG: its end is missing; copy or download it again")
    if width < 1 or height < 1:
        raise ImageError(f"not a picture that OpenCV can read (it begins with {data[:16]!r})")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:  # OpenCV has limits of its own, 2**20 a side and 2**30 in all
        raise ImageError(f"OpenCV refuses it: {error.err}") from error
    if image is None:
        raise ImageError("truncated, damaged or unknown to OpenCV; save it as JPEG or PNG")
    _check_pixels(image.shape[1], image.shape[0], max_pixels)  # an AVIF may claim two sizes
    return np.asarray(image, np.uint8)


def _claimed_size(data: bytes) -> tuple[int, int]:
    """Return the width and height that the header claims, less than 1 if it is of no known kind.

    JPEG is read here, as libjpeg reads it: imagesize can be led to another frame header.
    """
    if data.startswith(_JPEG_START):
        for marker, start in _jpeg_segments(data):
            if marker in _JPEG_FRAMES:
                height, width = data[start + 3 : start + 5], data[start + 5 : start + 7]
                return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        return 0, 0
    import imagesize  # type: ignore[import-untyped]  # no py.typed; 30 ms, not for JPEG

    header = data[:4096] if data.startswith(b"P") else data  # PNM digits take it quadratic time
    size: tuple[int, int] = imagesize.get(io.BytesIO(header), exif_rotation=False)
    return size


def _is_complete_jpeg(data: bytes) -> bool:
    """Tell whether the first picture in the file ends; cameras append previews and padding."""
    return any(marker == _JPEG_END for marker, _ in _jpeg_segments(data))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker of a JPEG and where its segment starts, after the marker."""
    start = len(_JPEG_START)
    while found := _JPEG_MARKER.search(data, start):
        start = found.end()
        yield found[1][0], start
        start += int.from_bytes(data[start : start + 2], "big")


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(f"{width} x {height} pixels, more than max_pixels, {max_pixels:,}")


def _convert_pil(image: Image, max_pixels: int) -> BGRImage:
    from PIL import ImageOps  # whoever made the image has it

    _check_pixels(*image.size, max_pixels)
    try:
        upright = ImageOps.exif_transpose(image)
        deep = upright.mode.startswith(("I", "F"))  # 16 or 32 bits, which Pillow would clip
        pixels = np.asarray(upright) if deep else np.asarray(upright.convert("RGB"))[:, :, ::-1]
    except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes no earlier than here
        raise ImageError(f"Pillow cannot decode it: {error}") from error
    return _convert_array(pixels, max_pixels)


def _convert_array(array: NDArray[Any], max_pixels: int) -> BGRImage:
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError("a picture has the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.size == 0:
        raise ImageError("a picture has at least one pixel")
    height, width = array.shape[:2]
    _check_pixels(width, height, max_pixels)
    pixels = _to_uint8(array).reshape(height, width, -1)
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    kind = array.dtype.type
    if kind is np.uint8:
        return array
    if kind is np.uint16:
        return (array // 257).astype(np.uint8)
    if kind is np.bool_:
        return np.where(array, 255, 0).astype(np.uint8)
    if not issubclass(kind, np.integer | np.floating):
        raise ImageError(f"{array.dtype} is no pixel type; pass uint8")
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 255:  # NaN fails every comparison
        raise ImageError(f"values from {low:g} to {high:g}; a picture's are finite, in [0, 255]")
    if not issubclass(kind, np.floating):
        return array.astype(np.uint8)
    if 1 < high < 2:  # as after a resize that overshoots; taken for 0 to 255 it would be black
        raise ImageError(f"values up to {high:g}, neither in [0, 1] nor in [0, 255]; clip them")
    return np.asarray(np.rint(array * 255 if high <= 1 else array), np.uint8)
