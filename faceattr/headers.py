"""What kind of image a file is, by its first bytes."""

from __future__ import annotations

import re

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
