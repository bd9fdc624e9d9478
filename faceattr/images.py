"""Images from anywhere to BGR arrays: paths, URLs, bytes, base64, PIL images, arrays."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import glob
import inspect
import io
import os
import re
import selectors
import stat
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # Python 3.10's own
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypeGuard, get_args
from urllib.parse import unquote, unquote_to_bytes

import cv2
import numpy as np
from numpy.typing import NDArray

from faceattr.arguments import explained
from faceattr.errors import ImageError, OptionError
from faceattr.headers import detect_format, read_header, without_animation

if TYPE_CHECKING:
    from PIL.Image import Image

    from faceattr.types import BGRImage

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image | NDArray[Any]"
)
"""What `load_image` takes: a path, http(s) URL, data URI or base64 text; an encoded image as
bytes or an open binary file; a PIL image; a BGR array, or an RGB one with ``color="rgb"``."""

ChannelOrder: TypeAlias = Literal["bgr", "rgb"]
"""Order of the channels of arrays that are given; what faceattr returns is always BGR."""

MAX_PIXELS = 100_000_000
SMALL_FILE = 1_000_000  # bytes; one as small must not cost as much as 100 million pixels of a JPEG
MAX_URL_BYTES = 100_000_000
MAX_FILE_BYTES = 1_000_000_000  # 100 million pixels of a TIFF with 16 bits are 600 million bytes

# What a folder is searched for. HEIC and JPEG XL cannot be read; they are listed so that the user
# hears of them.
IMAGE_SUFFIX = re.compile(
    r"\.(a?png|avif|bmp|dib|gif|hei[cf]|hif|jfif|jp2|jpe|jpe?g|jxl|p[bgnp]m|tiff?|webp)$",
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{40,}")  # 48 characters hold the smallest GIF
_LONGEST_NAME = 4096  # characters; no file has a longer path
_CHUNK = 65_536  # bytes


@explained
def load_image(
    source: ImageSource,
    *,
    color: ChannelOrder = "bgr",
    max_pixels: int = MAX_PIXELS,
    timeout: float = 10.0,
    max_bytes: int | None = None,
) -> BGRImage:
    """Return the image, upright, from any kind of source.

    A file's EXIF orientation is applied, its alpha channel dropped (libtiff composes a TIFF's
    with black), 16 bits become 8, and an animation gives its first frame. A text is base64 if it
    decodes to the beginning of an image and names no file.

    An array is (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA; with ``color="rgb"``, RGB or
    RGBA. Unsigned 16-bit values are divided by 257; bool is black and white; floats up to 1 are
    fractions of white; other numbers lie in [0, 255]. A BGR uint8 array may be returned without
    a copy.

    Args:
        source: The image. A file object is read from its current position.
        color: Order of the channels if the source is an array; others state their own.
        max_pixels: Largest width times height, checked before anything is decoded.
        timeout: Seconds for the whole download of a URL, or to wait for the data of a pipe.
        max_bytes: Most bytes read; by default 100 million from a URL, 1 billion from a file.

    Returns:
        (H, W, 3) BGR uint8, contiguous.

    Raises:
        ImageError: It cannot be read, is not an image, is damaged or exceeds a limit.
        OptionError: ``color`` is another word.
    """
    if not (isinstance(color, str) and color in get_args(ChannelOrder)):
        raise OptionError(f"color is {color!r:.100}; it can be 'bgr' or 'rgb'")
    try:
        if isinstance(source, np.ndarray):
            image = _convert_array(source, max_pixels)
            return image if color == "bgr" else np.ascontiguousarray(image[:, :, ::-1])
        if _is_pil(source):
            return _convert_pil(source, max_pixels)
        return _decode(_read(source, timeout, max_bytes), max_pixels)
    except ImageError as error:
        name = printable(describe_source(source))
        raise ImageError(f"{name}: {error}") from error.__cause__


# Names


def describe_source(source: object) -> str:
    """Return a name for the source: its full path or URL, or its type and size.

    The name can be written in any encoding of Unicode, but may hold characters that a terminal
    obeys; see `printable`.
    """
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
    if len(text) > _LONGEST_NAME or (len(text) > 255 and is_inline(text)):
        return f"{text[:40]}… ({len(text)} characters)"
    return text or "''"


def printable(text: str) -> str:
    r"""Return the text with all that a terminal would obey escaped, such as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or unicodedata.category(letter) == "Zs"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )


def is_single_image(source: object) -> bool:
    """Return whether the source is one image, although Python could iterate over it."""
    if isinstance(source, np.ndarray):
        return source.ndim < 3 or (source.ndim == 3 and source.shape[2] in (1, 3, 4))
    kinds = (str, os.PathLike, bytes, bytearray, memoryview)
    return isinstance(source, kinds) or _is_pil(source) or hasattr(source, "read")


def is_inline(text: str) -> bool:
    """Return whether a text holds an image itself: a data URI, or base64."""
    return _is_data_uri(text) or _is_base64(text)


def _is_url(text: str) -> bool:
    return "://" in text and not os.path.exists(text)


def _is_data_uri(text: str) -> bool:
    return text.lstrip()[:5].lower() == "data:" and not os.path.exists(text)


def _is_base64(text: str) -> bool:
    """Return whether a text is an image in base64, by its first characters."""
    start = "".join(text[:200].split())[:100]
    if not _BASE64.match(start) or os.path.exists(text):
        return False
    try:
        data = _decode_base64(start[: len(start) // 4 * 4])
    except ImageError:  # a path may begin like base64
        return False
    return detect_format(data) is not None


def _is_pil(source: object) -> TypeGuard[Image]:
    pil = sys.modules.get("PIL.Image")  # without it, nobody can have made one
    return pil is not None and isinstance(source, pil.Image)


# Folders


@explained
def find_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    on_error: Callable[[ImageError], None] | None = None,
) -> list[str]:
    """Replace folders and globs by the images in them.

    Images are recognized by their extension; those of kinds that cannot be read, such as HEIC,
    are listed too. A folder is searched with its subfolders, linked ones once; hidden files and
    folders are skipped. URLs and names of files, missing ones too, are kept as they are.

    Args:
        paths: Files, folders, globs, URLs.
        on_error: Called with each error instead of raising it; the search goes on.

    Returns:
        Sources for `load_image`, in the order given, sorted within each folder and glob.

    Raises:
        ImageError: A folder or glob has no image, or a folder cannot be read.
    """
    errors: list[ImageError] = []

    def report(error: ImageError) -> None:
        if on_error is None:
            raise error
        errors.append(error)
        on_error(error)

    found: list[str] = []
    for path in _to_texts(paths):
        if os.path.isdir(path):
            names = _walk(path, report)
        elif _is_url(path) or os.path.exists(path) or not glob.has_magic(path):
            found.append(path)
            continue
        else:
            names = _expand_glob(path, report)
        num_errors = len(errors)
        images = sorted(name for name in names if IMAGE_SUFFIX.search(name))
        if not images and len(errors) == num_errors:
            report(ImageError(f"{printable(describe_source(path))}: no pictures there"))
        found += images
    return found


def _to_texts(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    try:
        if isinstance(paths, str | os.PathLike):  # its letters would be searched one by one
            paths = [paths]
        return [os.fsdecode(path) for path in paths]
    except TypeError as error:
        raise ImageError(f"{paths!r:.100}: give a list of paths") from error


def _walk(folder: str, report: Callable[[ImageError], None]) -> Iterator[str]:
    """Yield the files under a folder, each real folder once, however many links lead to it."""

    def refuse(error: OSError) -> None:
        name = printable(describe_source(error.filename))
        report(ImageError(f"{name}: the folder cannot be read: {error.strerror}"))

    seen = set()
    waiting = [folder]
    while waiting:  # links wait, so that a file is named without them where it can be
        for parent, folders, names in os.walk(waiting.pop(0), onerror=refuse):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inside = (os.path.join(parent, name) for name in folders)
            waiting += [path for path in inside if os.path.islink(path)]
            yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _expand_glob(pattern: str, report: Callable[[ImageError], None]) -> Iterator[str]:
    """Yield the files that match; `glob` itself would follow links in circles after ``**``."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from (name for name in glob.iglob(pattern) if not os.path.isdir(name))
        return
    split = parts.index("**")
    for folder in glob.iglob(os.path.join(*parts[:split])) if split else [os.curdir]:
        for path in _walk(folder, report):
            relative = os.path.relpath(path, folder)
            if _matches(Path(relative).parts, parts[split:]):
                yield os.path.join(folder, relative) if split else relative


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not names
    if patterns[0] == "**":
        return any(_matches(names[skip:], patterns[1:]) for skip in range(len(names) + 1))
    return (
        bool(names) and fnmatch.fnmatch(names[0], patterns[0]) and _matches(names[1:], patterns[1:])
    )


# Encoded images


def _read(source: object, timeout: float, max_bytes: int | None) -> bytes:
    """Return the encoded image."""
    match source:
        case bytes() | bytearray() | memoryview():
            data = bytes(source)
            text = data[:200].decode("latin-1")
            return _decode_base64(data.decode("latin-1")) if _is_base64(text) else data
        case str() if _is_data_uri(source):
            return _decode_data_uri(source)
        case str() if _is_url(source):
            return _fetch(source, timeout, MAX_URL_BYTES if max_bytes is None else max_bytes)
        case str() if _is_base64(source):
            return _decode_base64(source)
        case str() | os.PathLike():
            return _read_path(source, timeout, MAX_FILE_BYTES if max_bytes is None else max_bytes)
    if hasattr(source, "read"):
        return _read_file(source, MAX_FILE_BYTES if max_bytes is None else max_bytes)
    if isinstance(source, list | tuple):
        raise ImageError(f"a {type(source).__name__} of images: use analyze_many()")
    if inspect.isawaitable(source):
        _discard(source)
        raise ImageError("it must be awaited first: load_image(await …)")
    raise ImageError("pass a path, URL, bytes, base64, binary file, PIL image or NumPy array")


def _discard(awaitable: object) -> None:
    """Close a coroutine, which would warn otherwise that nobody awaited it."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _decode_data_uri(uri: str) -> bytes:
    header, comma, body = uri.partition(",")
    if not comma:
        raise ImageError("a data URI has a comma before its data: data:image/png;base64,…")
    if header.lower().rstrip().endswith(";base64"):
        return _decode_base64(body)
    return unquote_to_bytes(body)


def _decode_base64(text: str) -> bytes:
    """Decode base64 of either alphabet, padded or not, percent-encoded, with white space in it."""
    letters = "".join(unquote(text).split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError) as error:  # ValueError if it is not ASCII
        raise ImageError(f"not valid base64: {error}") from error


def _fetch(url: str, timeout: float, max_bytes: int) -> bytes:
    """Return what the server sends.

    It is downloaded in a thread of its own, because the timeouts of sockets hold for each packet
    and not at all for name resolution: a server that sends byte by byte would hold us for ever.
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
        raise ImageError(f"cannot be fetched: {printable(str(error))}") from error
    finally:
        given_up.set()
    _check_bytes(len(data), max_bytes)
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


def _read_path(path: str | os.PathLike[str], timeout: float, max_bytes: int) -> bytes:
    """Return the content of a file, or of a pipe that somebody writes to."""
    try:
        mode = os.stat(path).st_mode  # opening a device may have effects
        if stat.S_ISDIR(mode):
            raise ImageError("a folder; find_images() lists the pictures in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise ImageError("a device or socket, not a file")
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            num_bytes = os.fstat(file.fileno()).st_size
            _check_bytes(num_bytes, max_bytes)
            if stat.S_ISFIFO(mode):
                return _read_pipe(file, timeout, max_bytes)
            return _read_all(file, num_bytes + 1, max_bytes)
    except ImageError:
        raise
    except (OSError, ValueError) as error:  # ValueError for a null character in the name
        text = "".join(os.fsdecode(path).split()).rstrip("=")
        if _BASE64.fullmatch(text) and not os.path.exists(path):
            raise ImageError("no such file, and not valid base64 of an image") from error
        if isinstance(error, FileNotFoundError):
            advice = "; find_images() lists the files of a glob" if "*" in os.fsdecode(path) else ""
            raise ImageError(f"no such file{advice}") from error
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', error)}") from error


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for somebody to write to a pipe; Windows has no such pipes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_all(file: io.RawIOBase, chunk: int, max_bytes: int) -> bytes:
    data = bytearray()
    while more := file.read(chunk):
        data += more
        _check_bytes(len(data), max_bytes)
    return bytes(data)


def _read_pipe(pipe: io.RawIOBase, timeout: float, max_bytes: int) -> bytes:
    data = bytearray()
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            more = pipe.read(_CHUNK)
            if more is None:  # somebody has it open, but has not written yet
                selector.select(max(0.0, deadline - time.monotonic()))
            elif more:
                data += more
                _check_bytes(len(data), max_bytes)
            elif data:
                return bytes(data)
            else:
                raise ImageError("a pipe that nobody writes to")
    raise ImageError(f"a pipe that did not end within {timeout:g} s")


def _read_file(file: Any, max_bytes: int) -> bytes:
    try:
        if isinstance(file, io.RawIOBase):  # its read() may give less than there is
            return _read_all(file, _CHUNK, max_bytes)
        try:
            data = file.read(max_bytes + 1)
        except TypeError:  # a read() that takes no size
            data = file.read()
    except ImageError:
        raise
    except Exception as error:  # a file object may fail in any way, a closed one by ValueError
        raise ImageError(f"cannot be read: {error}") from error
    if isinstance(data, str):
        raise ImageError("a file of text; open it in binary mode, 'rb'")
    if inspect.isawaitable(data):
        _discard(data)
        raise ImageError("its read() must be awaited; pass the bytes: await file.read()")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f"its read() gives {type(data).__name__}, not bytes")
    _check_bytes(memoryview(data).nbytes, max_bytes)
    return bytes(data)


def _check_bytes(num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise ImageError(f"larger than max_bytes, {max_bytes:,}")


# Pixels


def _decode(data: bytes, max_pixels: int) -> BGRImage:
    if not data:
        raise ImageError("empty, 0 bytes")
    data = without_animation(data)
    header = read_header(data)
    _check_pixels(header.width, header.height, max_pixels)
    if header.fault is not None:
        raise ImageError(header.fault)
    cost = header.width * header.height * header.cost
    if cost > MAX_PIXELS * max(1, len(data) / SMALL_FILE):
        raise ImageError(
            f"{header.format} of {header.width} x {header.height} pixels in {len(data):,} bytes: "
            "decoding would take too much memory or time; save it as JPEG or PNG"
        )
    flags = cv2.IMREAD_COLOR
    if header.quarter_turns or header.mirror is not None:  # the EXIF data repeat them, if at all
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # OpenCV has limits of its own, 2**20 a side and 2**30 in all
        raise ImageError(f"OpenCV refuses it: {error.err}") from error
    if image is None:
        raise ImageError("truncated, damaged or unknown to OpenCV; save it as JPEG or PNG")
    _check_pixels(image.shape[1], image.shape[0], max_pixels)
    upright = np.rot90(image, header.quarter_turns)
    if header.mirror is not None:
        upright = np.flip(upright, header.mirror)
    return np.ascontiguousarray(upright, np.uint8)


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
