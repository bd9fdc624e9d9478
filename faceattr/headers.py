"""What the header of an encoded image says, without decoding it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

_SIGNATURES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PNM": rb"P[1-6][\s#]",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n",
    "AVIF": rb"....ftyp(?:avi[fs]|.{4}.{4}(?:.{4}){0,9}avi[fs])",
}
"""Start of each kind of file that can be read, as a regular expression."""

_FORMAT = re.compile(b"|".join(b"(%b)" % pattern for pattern in _SIGNATURES.values()), re.DOTALL)


def detect_format(data: bytes) -> str | None:
    """Return the name of the format of an encoded image, None if it is not one that we read."""
    found = _FORMAT.match(data)
    return None if found is None else [*_SIGNATURES][(found.lastindex or 0) - 1]


def is_animated(data: bytes) -> bool:
    """Return whether an encoded image, or the beginning of one, has several frames."""
    match detect_format(data):
        case "PNG":
            return 0 < data.find(b"acTL") < data.find(b"IDAT")
        case "WebP":
            return data[12:16] == b"VP8X" and bool(data[20] & 2)
        case "AVIF":
            return data[8:12] == b"avis"
        case "GIF":
            return len(list(islice(_gif_frames(data), 2))) == 2
    return False


def _gif_frames(data: bytes) -> Iterator[int]:
    """Yield where the descriptor of each frame of a GIF starts."""
    start = 13 + _gif_table_size(data[10:11])
    while data[start : start + 1] in (b"!", b","):
        if data[start] == ord("!"):  # an extension
            start += 2
        else:  # a frame: its descriptor, color table and size of codes
            yield start
            start += 11 + _gif_table_size(data[start + 9 : start + 10])
        while start < len(data) and data[start]:
            start += 1 + data[start]
        start += 1


def _gif_table_size(flags: bytes) -> int:
    """Return the bytes of a color table."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
