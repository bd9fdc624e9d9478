"""What the header of an encoded image says, read without decoding it.

OpenCV allocates memory and works as a header asks it to. So each header is read here first, the way
OpenCV's decoder reads it; where a file can state a size twice, the larger one counts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from faceattr.errors import ImageError

_SIGNATURES = {
    "JPEG": rb"\xff\xd8",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PNM": rb"P[1-6]\s",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n",
    "AVIF": rb"....ftyp(?:avi[fs]|.{8}(?:.{4}){0,9}avi[fs])",
}
"""How each format that can be read begins, as a regular expression."""

_OTHER_SIGNATURES = {
    "HEIC": rb"....ftyp(?:hei[cfsxm]|hev[cmsx]|mif1|msf1)",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "JPEG 2000 codestream": rb"\xff\x4f\xff\x51",
    "Radiance HDR": rb"#\?(?:RADIANCE|RGBE)",
    "OpenEXR": rb"v/1\x01",
    "PFM": rb"P[Ff]\s",
    "PAM": rb"P7\s",
    "Sun raster": rb"\x59\xa6\x6a\x95",
    "Photoshop": rb"8BPS",
    "icon": rb"\0\0[\1\2]\0",
    "DirectDraw": rb"DDS ",
    "SVG": rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,400}?-->\s*)?<svg",
    "PDF": rb"%PDF-",
}
"""The same for formats that are known but cannot be read."""

_READ = re.compile(b"|".join(b"(%b)" % each for each in _SIGNATURES.values()), re.DOTALL)
_OTHER = re.compile(b"|".join(b"(%b)" % each for each in _OTHER_SIGNATURES.values()), re.DOTALL)


class Header(NamedTuple):
    """What a header says about an image.

    Attributes:
        format: Name of the format.
        width: Width in pixels, before any rotation.
        height: Height in pixels.
        cost: Memory and time to decode a pixel, 1 for a JPEG: 9 bytes and 25 ns.
        quarter_turns: Rotations by 90 degrees counterclockwise that OpenCV leaves out.
        mirror: Axis of the array to be flipped afterwards, None for neither.
        fault: Why it must not be decoded; None if it may be.
    """

    format: str
    width: int
    height: int
    cost: float = 1.0
    quarter_turns: int = 0
    mirror: int | None = None
    fault: str | None = None


def detect_format(data: bytes) -> str | None:
    """Return the name of the format of an encoded image, None if it is not one that is read."""
    found = _READ.match(data)
    return None if found is None else [*_SIGNATURES][(found.lastindex or 0) - 1]


def read_header(data: bytes) -> Header:
    """Return what the header of an encoded image says.

    Raises:
        ImageError: It is not an image that can be read, is cut off, or contradicts itself.
    """
    kind = detect_format(data)
    if kind is None:
        if other := _OTHER.match(data):
            name = [*_OTHER_SIGNATURES][(other.lastindex or 0) - 1]
            raise ImageError(
                f"a file of the format {name}, which cannot be read; save it as JPEG or PNG"
            )
        raise ImageError(f"not a picture that OpenCV can read (it begins with {data[:16]!r})")
    try:
        header = _READERS[kind](data)
    except ImageError:
        raise
    except (IndexError, struct.error) as error:
        raise ImageError(f"truncated {kind}: it ends within its header") from error
    except ValueError as error:
        raise ImageError(f"damaged {kind}: its header cannot be read") from error
    if header.fault is None and (header.width < 1 or header.height < 1):
        raise ImageError(f"damaged {kind}: {header.width} x {header.height} pixels")
    return header


def is_animated(data: bytes) -> bool:
    """Return whether an encoded image, or the beginning of one, has several frames."""
    match detect_format(data):
        case "PNG":
            return any(name == b"acTL" for name, _, _ in _png_chunks(data))
        case "WebP":
            return data[12:16] == b"VP8X" and bool(data[20] & 2)
        case "AVIF":
            return data[8:12] == b"avis"
        case "GIF":
            return len(list(islice(_gif_frames(data), 2))) == 2
    return False


# JPEG, by ITU-T T.81

_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")  # not stuffing, fill bytes, RSTn
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BASELINE, _JPEG_PROGRESSIVE = (0xC0, 0xC1), 0xC2
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_SCAN_VISITS = 45  # of every block in all scans, in the time of a pixel of cost 1


def _read_jpeg(data: bytes) -> Header:
    """Read the first frame header, and go through the scans.

    Each scan visits all blocks of its components, however few bytes it has. A block has two bits
    at least, or one in the first scan of a progressive JPEG; libjpeg paints the rest gray.
    """
    frame = width = height = num_visits = num_bits = min_bits = num_scans = 0
    blocks: dict[int, int] = {}  # of each component
    segments = [*_jpeg_segments(data)]
    for (marker, start), (_, following) in pairwise(segments):
        if marker in _JPEG_FRAMES and not frame:
            frame = marker
            height, width = struct.unpack_from(">HH", data, start + 3)
            blocks = _jpeg_blocks(data[start + 7 : start + 8 + 3 * 255], width, height)
        elif marker == _JPEG_SCAN:
            names = data[start + 3 : start + 3 + 2 * data[start + 2] : 2]
            num_blocks = sum(blocks.get(name, 0) for name in names)
            num_visits += num_blocks
            num_scans += 1
            if data[start + 3 + 2 * len(names)] == 0:  # it has the first coefficient
                min_bits += num_blocks * (2 if frame in _JPEG_BASELINE else 1)
                length = int.from_bytes(data[start : start + 2], "big")
                num_bits += 8 * (following - 2 - start - length)
    fault = None
    if not segments or segments[-1][0] != _JPEG_END:
        fault = "truncated JPEG: its end is missing; copy or download it again"
    elif frame in (*_JPEG_BASELINE, _JPEG_PROGRESSIVE) and num_bits < min_bits:
        fault = "damaged JPEG: its data end long before its last pixel"
    area = max(width * height, 1)
    buffered = 128 * sum(blocks.values()) if frame == _JPEG_PROGRESSIVE or num_scans > 1 else 0
    cost = max((6 * area + buffered) / 9, 64 * num_visits / _SCAN_VISITS) / area
    return Header("JPEG", width, height, max(1.0, cost), fault=fault)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker up to the end and where its segment starts, after the marker.

    Cameras append previews and padding to what ends there.
    """
    start = 2
    while found := _JPEG_MARKER.search(data, start):
        start = found.end()
        yield found[1][0], start
        if found[1][0] == _JPEG_END:
            return
        start += int.from_bytes(data[start : start + 2], "big")


def _jpeg_blocks(table: bytes, width: int, height: int) -> dict[int, int]:
    """Return how many blocks of 8 x 8 each component has, from the table of a frame header."""
    components = [(table[index], table[index + 1]) for index in range(1, 3 * table[0], 3)]
    across = max((sampling >> 4 for _, sampling in components), default=1) or 1
    down = max((sampling & 15 for _, sampling in components), default=1) or 1
    return {
        name: -(-width * (sampling >> 4) // (8 * across))
        * -(-height * (sampling & 15) // (8 * down))
        for name, sampling in components
    }


# PNG, by W3C's third edition

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _read_png(data: bytes) -> Header:
    """Read the IHDR chunk, and go through the others: OpenCV allocates what a chunk claims."""
    if data[12:16] != b"IHDR":
        raise ImageError("damaged PNG: it does not begin with an IHDR chunk")
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    fault = None
    if any(end > len(data) for _, _, end in _png_chunks(data)):
        fault = "truncated PNG: it ends within a chunk; copy or download it again"
    cost = max(1.5, _PNG_CHANNELS.get(kind, 4) * depth / 24)
    return Header("PNG", width, height, cost, fault=fault)


def without_animation(data: bytes) -> bytes:
    """Return an animated PNG as a still one, and any other image as it is.

    OpenCV's reader of animations jumps into a function that has returned if the data are damaged.
    """
    if detect_format(data) != "PNG" or not is_animated(data):
        return data
    parts = [
        data[start:end]
        for name, start, end in _png_chunks(data)
        if name not in (b"acTL", b"fcTL", b"fdAT")
    ]
    return data[:8] + b"".join(parts) + b"\0\0\0\0IEND\xae\x42\x60\x82"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each chunk up to the end, which follows the data."""
    start = 8
    has_data = False
    while start + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        if name == b"IEND" and has_data:
            return
        has_data |= name == b"IDAT"
        yield name, start, start + 12 + length
        start += 12 + length


# WebP, by RFC 9649


def _read_webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        return Header("WebP", width, height, 2.0 if data[20] & 2 else 1.3)
    if kind == b"VP8L":
        (sizes,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", 1 + (sizes & 0x3FFF), 1 + (sizes >> 14 & 0x3FFF), 1.3)
    width, height = struct.unpack_from("<HH", data, 26)
    return Header("WebP", width & 0x3FFF, height & 0x3FFF, 1.3)


# GIF, by its specification 89a

MAX_GIF_CLEARS = 30_000


def _read_gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    for start in _gif_frames(data):
        start += 10 + _gif_table_size(data[start + 9 : start + 10])
        code_size, codes = data[start], bytearray()
        start += 1
        while start < len(data) and data[start]:
            codes += data[start + 1 : start + 1 + data[start]]
            start += 1 + data[start]
        if _has_many_clears(bytes(codes), code_size):
            raise ImageError("damaged GIF: it clears its table of codes again and again")
        break
    return Header("GIF", width, height, 2.0)


def _has_many_clears(codes: bytes, code_size: int) -> bool:
    """Return whether LZW codes clear the table too often: OpenCV takes 12 microseconds each time.

    The width of a code depends only on how many came since the table was cleared, so a whole run of
    codes is read in one step.
    """
    if not 2 <= code_size <= 11 or 8 * len(codes) < MAX_GIF_CLEARS * (code_size + 1):
        return False
    clear = 1 << code_size
    widths = np.minimum(np.frexp(clear + 1.0 + np.arange(4096 + 8192))[1], 12)
    ends = np.cumsum(widths)
    padded = np.frombuffer(codes + bytes(3), np.uint8)
    position = num_clears = since = 0  # bits, clears, codes since the last clear
    step = 64
    while position < 8 * len(codes):
        window = slice(since, since + step)
        bits = position + ends[window] - widths[window] - (ends[since] - widths[since])
        bits = bits[bits < 8 * len(codes)]
        where = bits >> 3
        read = padded[where] | padded[where + 1].astype(np.int64) << 8
        read |= padded[where + 2].astype(np.int64) << 16
        read = read >> (bits & 7) & ((1 << widths[window][: len(bits)]) - 1)
        found = np.flatnonzero((read == clear) | (read == clear + 1))  # the end clears it too
        last = found[0] if len(found) else len(bits) - 1
        position = int(bits[last] + widths[since + last])
        if len(found):
            num_clears += 1
            since, step = 0, 64
            if num_clears > MAX_GIF_CLEARS:
                return True
        else:
            since, step = min(since + len(bits), 4096), 8192
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


# BMP and PNM


def _read_bmp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 14)
    if length == 12:  # of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    elif length >= 36:
        width, height = struct.unpack_from("<ii", data, 18)
    else:
        raise ImageError(f"a BMP with a header of {length} bytes; save it as JPEG or PNG")
    return Header("BMP", width, abs(height), 1.5)


_PNM_NUMBER = rb"(?:\s|#[^\n\r]*[\n\r])*0*([0-9]{1,10})(?![0-9])"
_PNM_SIZE = re.compile(_PNM_NUMBER + rb"." + _PNM_NUMBER, re.DOTALL)


def _read_pnm(data: bytes) -> Header:
    """Read the size as OpenCV does: CR ends a comment, and any byte a number."""
    found = _PNM_SIZE.match(data, 2)
    if found is None:
        raise ValueError
    return Header("PNM", int(found[1]), int(found[2]))


# TIFF, by its revision 6.0, and BigTIFF

_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}  # libtiff's too
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_COMPRESSION, _TIFF_SAMPLES = 256, 257, 258, 259, 277
_TIFF_STRIP, _TIFF_TILE = (273, 279), (324, 325)  # offsets and lengths
_TIFF_ARRAYS = _TIFF_STRIP + _TIFF_TILE
_TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 322, 323
_TIFF_JPEG = (6, 7)


def _read_tiff(data: bytes) -> Header:
    """Read the first directory; of a tag that stands there twice, the larger value counts."""
    order = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (num_entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    start += 8 if big else 2
    tags: dict[int, list[int]] = {}
    for index in range(min(num_entries, 4096)):
        entry = start + index * (20 if big else 12)
        tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        if kind not in _TIFF_TYPES or (tag in tags and tag in _TIFF_ARRAYS):
            continue
        value = entry + (12 if big else 8)
        size = struct.calcsize(_TIFF_TYPES[kind])
        if count * size > (8 if big else 4):
            (value,) = struct.unpack_from(order + ("Q" if big else "I"), data, value)
        count = min(count, max(0, len(data) - value) // size if tag in _TIFF_ARRAYS else 1)
        values = [*struct.unpack_from(f"{order}{count}{_TIFF_TYPES[kind]}", data, value)]
        tags[tag] = max(tags.get(tag, values), values)

    def largest(tag: int, default: int) -> int:
        return max(tags.get(tag, ()), default=default)

    width, height = largest(_TIFF_WIDTH, 0), largest(_TIFF_HEIGHT, 0)
    samples, bits = largest(_TIFF_SAMPLES, 1), largest(_TIFF_BITS, 1)
    tile = largest(_TIFF_TILE_WIDTH, 1) * largest(_TIFF_TILE_HEIGHT, 1)
    if tile > 2 * width * height + 2**24:
        raise ImageError("damaged TIFF: its tiles are much larger than the image")
    cost = samples * bits / 20
    for offset_tag, length_tag in (_TIFF_STRIP, _TIFF_TILE):
        offsets, lengths = tags.get(offset_tag, []), tags.get(length_tag, [])
        lengths = [max(0, min(length, len(data))) for length in lengths]
        if sum(lengths) > 2 * len(data) + 2**26:  # strips that share their data
            raise ImageError("damaged TIFF: its strips claim more data than the file has")
        if largest(_TIFF_COMPRESSION, 1) in _TIFF_JPEG and offsets and lengths:
            num_scans = sum(
                data.count(b"\xff\xda", offset, offset + length)
                for offset, length in zip(offsets, lengths, strict=False)
            )
            cost = max(cost, samples * num_scans / len(offsets) / _SCAN_VISITS)
    return Header("TIFF", width, height, max(1.5, cost))


# JPEG 2000, by ITU-T T.800

_J2K_START = b"\xff\x4f\xff\x51"
_J2K_BLOCK, _J2K_PRECINCT = 400, 600  # bytes that OpenJPEG allocates for each
_J2K_TILES = 16_384  # 10 kB each


def _read_jp2(data: bytes) -> Header:
    """Read the codestream's main header and those of its tiles.

    OpenJPEG takes four bytes for each sample, and much more for code blocks of 4 x 4.
    """
    start = data.find(_J2K_START)
    if start < 0:
        raise ValueError
    if data.find(_J2K_START, start + 4) >= 0:
        raise ImageError("damaged JPEG 2000: it has several codestreams")
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, start + 8)
    (num_components,) = struct.unpack_from(">H", data, start + 40)
    width, height = right - left, bottom - top
    num_tiles = -(-right // max(tile_width, 1)) * -(-bottom // max(tile_height, 1))
    if not 1 <= num_components <= 4:
        raise ImageError(f"a JPEG 2000 with {num_components} components; OpenCV reads up to 4")
    if num_tiles > _J2K_TILES:
        raise ImageError(f"a JPEG 2000 with {num_tiles:,} tiles; save it as JPEG or PNG")
    block, precinct = _j2k_smallest_parts(data, start + 2)
    per_sample = 4.5 + _J2K_BLOCK / block + _J2K_PRECINCT / precinct
    return Header("JPEG 2000", width, height, max(2.5, (6 + num_components * per_sample) / 9))


def _j2k_smallest_parts(data: bytes, start: int) -> tuple[int, int]:
    """Return the samples of the smallest code block and of the smallest precinct."""
    block, precinct = 2**12, 2**30
    tile = 0  # where the header of a tile-part began
    while start + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, start)
        if marker == 0xFF90:  # SOT
            (part,) = struct.unpack_from(">I", data, start + 6)
            tile, tile_end = start, start + part if part else len(data)
        elif marker == 0xFF93:  # SOD
            start = max(tile_end, start + 2) if tile else len(data)
            continue
        elif marker in (0xFF52, 0xFF53):  # COD, COC
            style = start + 4 if marker == 0xFF52 else start + 5  # up to 256 components
            coding = start + 9 if marker == 0xFF52 else start + 6
            levels, across, down = data[coding], data[coding + 1] & 15, data[coding + 2] & 15
            block = min(block, 2 ** (across + down + 4))
            if data[style] & 1:
                for size in data[coding + 5 : coding + 6 + levels]:
                    precinct = min(precinct, 2 ** ((size & 15) + (size >> 4)))
        elif marker == 0xFFD9 or marker < 0xFF00:
            break
        start += 2 + length
    return block, precinct


# AVIF, by ISO/IEC 14496-12 and 23008-12, and AV1


_AVIF_FOLDERS = {  # boxes of boxes, and the bytes before the first of these
    b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0,
    b"stbl": 0, b"stsd": 8,
}  # fmt: skip
_AVIF_PARTS = 10_000  # boxes, items, extents, units: more than an image has
_AV1_SEQUENCE, _AV1_FRAMES = 1, (3, 6)


class _Box(NamedTuple):
    kind: bytes
    parent: bytes
    start: int
    end: int


def _read_avif(data: bytes) -> Header:
    """Read all sizes, those in the AV1 data too, and how the image is to be turned.

    libavif decodes all frames of the AV1 data, and scales the result to the size that the
    container claims.
    """
    boxes = list(islice(_avif_boxes(data, 0, len(data)), _AVIF_PARTS))
    if len(boxes) == _AVIF_PARTS:
        raise ImageError("damaged AVIF: it has thousands of boxes")
    sizes = [struct.unpack_from(">II", data, box.start + 4) for box in boxes if box.kind == b"ispe"]
    sizes += [
        struct.unpack_from(">HH", data, box.start + 24) for box in boxes if box.kind == b"av01"
    ]
    num_frames, num_units = 1, 0
    for payload in _avif_payloads(data, boxes):
        if len(payload) in (8, 12) and payload[0] == 0:  # a grid of images
            sizes.append(struct.unpack_from(">II" if payload[1] & 1 else ">HH", payload, 4))
            continue
        units = list(islice(_av1_units(payload), _AVIF_PARTS))
        num_units += len(units)
        if num_units >= _AVIF_PARTS:
            raise ImageError("damaged AVIF: its AV1 data have thousands of parts")
        sizes += [_av1_size(body) for kind, body in units if kind == _AV1_SEQUENCE]
        num_frames = max(num_frames, sum(kind in _AV1_FRAMES for kind, _ in units))
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    turns, mirror = 0, None
    for box in _avif_properties(data, boxes):
        if box.kind == b"irot":
            turns = data[box.start] & 3
        elif box.kind == b"imir":
            mirror = data[box.start] & 1
    return Header("AVIF", width, height, 2.5 * num_frames, turns, mirror)


def _avif_boxes(data: bytes, start: int, end: int, parent: bytes = b"") -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        box_end = min(start + size, end) if size else end
        if box_end < body:
            return
        yield _Box(kind, parent, body, box_end)
        if kind in _AVIF_FOLDERS and kind != parent:
            yield from _avif_boxes(data, body + _AVIF_FOLDERS[kind], box_end, kind)
        start = box_end


def _avif_properties(data: bytes, boxes: list[_Box]) -> Iterator[_Box]:
    """Yield the properties of the primary item."""
    primary = None
    properties = [box for box in boxes if box.parent == b"ipco"]
    for box in boxes:
        if box.kind == b"pitm":
            (primary,) = struct.unpack_from(">I" if data[box.start] else ">H", data, box.start + 4)
    for box in boxes:
        if box.kind != b"ipma":
            continue
        item_form = ">I" if data[box.start] else ">H"
        index_form = ">H" if data[box.start + 3] & 1 else ">B"
        (num_items,) = struct.unpack_from(">I", data, box.start + 4)
        start = box.start + 8
        for _ in range(num_items):
            if start >= box.end:
                break
            (item,) = struct.unpack_from(item_form, data, start)
            start += struct.calcsize(item_form)
            num_properties = data[start]
            start += 1
            for _ in range(num_properties):
                (index,) = struct.unpack_from(index_form, data, start)
                start += struct.calcsize(index_form)
                index &= 0x7FFF if index_form == ">H" else 0x7F
                if item == primary and 0 < index <= len(properties):
                    yield properties[index - 1]


def _avif_payloads(data: bytes, boxes: list[_Box]) -> Iterator[bytes]:
    """Yield the data of each item, and of the first sample of each track."""
    inside = next((box.start for box in boxes if box.kind == b"idat"), 0)
    first_sizes = [  # of samples: one for all, or the first of a table
        int.from_bytes(data[box.start + 4 : box.start + 8], "big")
        or int.from_bytes(data[box.start + 12 : box.start + 16], "big")
        for box in boxes
        if box.kind == b"stsz"
    ]
    for box in boxes:
        if box.kind == b"iloc":
            yield from _avif_items(data, box.start, inside)
        elif box.kind in (b"stco", b"co64"):
            form = ">I" if box.kind == b"stco" else ">Q"
            (offset,) = struct.unpack_from(form, data, box.start + 8)
            yield data[offset : offset + max(first_sizes, default=len(data))]


def _avif_items(data: bytes, start: int, inside: int) -> Iterator[bytes]:
    """Yield the data of each item of an iloc box; ``inside`` is where those of idat begin."""

    def read(num_bytes: int) -> int:
        nonlocal start
        start += num_bytes
        if start > len(data):
            raise ValueError
        return int.from_bytes(data[start - num_bytes : start], "big")

    version = read(1)
    read(3)
    sizes, more_sizes = read(1), read(1)
    budget = 4 * len(data)  # bytes; items may lie over each other
    num_parts = 0
    for _ in range(read(4 if version == 2 else 2)):
        read(4 if version == 2 else 2)
        method = read(2) & 15 if version in (1, 2) else 0
        read(2)
        base = read(more_sizes >> 4) + (inside if method == 1 else 0)
        payload = b""
        for _ in range(read(2)):
            if version in (1, 2):
                read(more_sizes & 15)
            offset, length = read(sizes >> 4), read(sizes & 15)
            part = data[base + offset :][:length] if length else data[base + offset :]
            payload += part
            budget -= len(part)
            num_parts += 1
            if budget < 0 or num_parts > _AVIF_PARTS:
                raise ImageError("damaged AVIF: its items claim more data than the file has")
        yield payload


def _av1_units(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type of each open bitstream unit, and how it begins."""
    start = 0
    while start < len(payload):
        flags = payload[start]
        start += 2 if flags & 4 else 1
        size = len(payload) - start
        if flags & 2:
            size = shift = 0
            while shift < 56 and start < len(payload):
                byte = payload[start]
                size |= (byte & 0x7F) << shift
                shift += 7
                start += 1
                if not byte & 0x80:
                    break
        yield flags >> 3 & 15, payload[start : start + min(size, 1024)]
        start += size


def _av1_size(sequence: bytes) -> tuple[int, int]:
    """Return the largest width and height that a sequence header allows."""
    bits = int.from_bytes(sequence, "big")
    left = 8 * len(sequence)

    def read(num_bits: int) -> int:
        nonlocal left
        left -= num_bits
        if left < 0:
            raise ValueError
        return bits >> left & ((1 << num_bits) - 1)

    read(4)  # profile, still picture
    if read(1):  # a reduced header
        read(5)
    else:
        has_model = delay_bits = 0
        if read(1):  # timing
            read(64)
            if read(1):
                zeros = 0
                while not read(1):
                    zeros += 1
                read(zeros)
            has_model = read(1)
            if has_model:
                delay_bits = read(5) + 1
                read(42)
        has_delay = read(1)
        for _ in range(read(5) + 1):  # operating points
            read(12)
            if read(5) > 7:
                read(1)
            if has_model and read(1):
                read(2 * delay_bits + 1)
            if has_delay and read(1):
                read(4)
    width_bits, height_bits = read(4) + 1, read(4) + 1
    return read(width_bits) + 1, read(height_bits) + 1


_READERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WebP": _read_webp,
    "GIF": _read_gif,
    "BMP": _read_bmp,
    "TIFF": _read_tiff,
    "PNM": _read_pnm,
    "JPEG 2000": _read_jp2,
    "AVIF": _read_avif,
}
