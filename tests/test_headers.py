"""A header is read as the decoder reads it, so that no small file takes gigabytes or minutes."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from faceattr.errors import ImageError
from faceattr.headers import MAX_GIF_CLEARS, detect_format, is_animated, read_header
from faceattr.images import load_image

GRAY = np.full((48, 80), 128, np.uint8)
COLOR = np.dstack([GRAY, GRAY // 2, GRAY // 3])

TOO_MUCH = "decoding would take too much memory or time"


def encode(extension: str, image: Any = COLOR, *options: int) -> bytes:
    if extension != ".jp2":
        return cv2.imencode(extension, image, options)[1].tobytes()
    with TemporaryDirectory() as folder:  # OpenCV writes those to files only
        path = Path(folder, "a.jp2")
        assert cv2.imwrite(str(path), image, options)
        return path.read_bytes()


def refusal(data: bytes) -> str:
    with pytest.raises(ImageError) as error:
        load_image(data)
    return str(error.value).partition(">: ")[2]


@pytest.mark.parametrize(
    ("extension", "kind"),
    [
        (".jpg", "JPEG"),
        (".png", "PNG"),
        (".webp", "WebP"),
        (".gif", "GIF"),
        (".bmp", "BMP"),
        (".tiff", "TIFF"),
        (".ppm", "PNM"),
        (".jp2", "JPEG 2000"),
        (".avif", "AVIF"),
    ],
)
def test_the_size_is_the_one_that_is_decoded(extension: str, kind: str) -> None:
    data = encode(extension)
    header = read_header(data)
    assert (detect_format(data), header.format) == (kind, kind)
    assert (header.height, header.width) == load_image(data).shape[:2] == (48, 80)
    assert not is_animated(data)


@pytest.mark.parametrize("extension", [".gif", ".png", ".webp", ".avif"])
def test_an_animation_is_known_by_its_header(extension: str) -> None:
    animation = cv2.Animation()
    animation.frames = [COLOR, COLOR + 50, COLOR]
    animation.durations = [100] * 3
    data = cv2.imencodeanimation(extension, animation)[1].tobytes()
    assert is_animated(data)
    assert (read_header(data).height, read_header(data).width) == (48, 80)
    assert load_image(data).shape == (48, 80, 3)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000 codestream"),
        (encode(".hdr", COLOR.astype(np.float32)), "Radiance HDR"),
        (b"v/1\x01\2\0\0\0", "OpenEXR"),
        (encode(".pfm", GRAY.astype(np.float32)), "PFM"),
        (encode(".pam"), "PAM"),
        (encode(".ras"), "Sun raster"),
        (b"8BPS\0\1", "Photoshop"),
        (b"<?xml version='1.0'?>\n<svg/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_other_formats_are_refused_by_name(start: bytes, name: str) -> None:
    assert refusal(start) == (
        f"a file of the format {name}, which cannot be read; save it as JPEG or PNG"
    )


@pytest.mark.parametrize(
    "data", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0+", b"P6 ", b"P6 1x", b"P5 9"]
)
def test_half_a_header_is_refused(data: bytes) -> None:
    assert refusal(data).startswith(("truncated ", "damaged "))


# JPEG


def with_scans(data: bytes, num_scans: int) -> bytes:
    """Return a progressive JPEG with its last scan repeated."""
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * num_scans + b"\xff\xd9"


def test_scans_of_a_jpeg_are_counted() -> None:
    whole = encode(".jpg", np.full((2000, 2000), 128, np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert load_image(with_scans(whole, 100)).shape == (2000, 2000, 3)
    assert read_header(with_scans(whole, 1300)).cost > 1300 / 45
    assert TOO_MUCH in refusal(with_scans(whole, 1300))


def test_many_tiny_scans_take_no_time() -> None:
    small = encode(".jpg", GRAY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert read_header(with_scans(small, 50_000)).cost > 100


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_whose_data_end_long_before_its_size_is_refused(progressive: int) -> None:
    data = encode(".jpg", GRAY, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    wide = data.replace(struct.pack(">HH", *GRAY.shape), struct.pack(">HH", 900, 900), 1)
    assert refusal(wide) == "damaged JPEG: its data end long before its last pixel"
    assert refusal(wide[:-2]).startswith("truncated JPEG: its end is missing")


@pytest.mark.parametrize("sampling", [0x411111, 0x221111, 0x211111, 0x111111])
def test_flat_jpegs_have_data_enough(sampling: int) -> None:
    flat = np.full((333, 517, 3), 90, np.uint8)
    for progressive in (0, 1):
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        data = encode(".jpg", flat, *options, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
        assert load_image(data).shape == flat.shape


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("kind", [b"tEXt", b"IDAT", b"zTXt", b"iCCP", b"fdAT", b"eXIf", b"PLTE"])
@pytest.mark.parametrize("length", [9, 1_000_000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_chunk_longer_than_the_file_is_refused(kind: bytes, length: int) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0))
    for before in (b"", chunk(b"IEND", b"")):  # OpenCV goes on after an end before the data
        data = b"\x89PNG\r\n\x1a\n" + header + before + struct.pack(">I", length) + kind + bytes(8)
        assert refusal(data).startswith("truncated PNG: it ends within a chunk")


def test_an_apple_png_is_refused() -> None:
    data = encode(".png")
    assert "IHDR" in refusal(data[:8] + chunk(b"CgBI", bytes(4)) + data[8:])


def test_a_cut_animation_still_gives_its_first_frame() -> None:
    animation = cv2.Animation()
    animation.frames = [COLOR, COLOR + 50, COLOR]
    animation.durations = [100] * 3
    data = cv2.imencodeanimation(".png", animation)[1].tobytes()
    np.testing.assert_array_equal(load_image(data[:-40]), COLOR)
    assert refusal(data[:200]).startswith("truncated PNG: it ends within a chunk")


def test_what_follows_the_end_of_a_png_does_not_matter() -> None:
    assert load_image(encode(".png") + b"\xff" * 100).shape == COLOR.shape


# GIF and BMP


def gif(width: int, height: int, codes: bytes) -> bytes:
    blocks = b"".join(bytes([len(part)]) + part for part in
        (codes[start : start + 255] for start in range(0, len(codes), 255)))  # fmt: skip
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2" + blocks + b"\0;"


@pytest.mark.parametrize("bits", [[0, 0, 1], [1, 0, 1], [0, 0, 1, 1, 0, 0], [0, 0, 1] + [0] * 6])
def test_a_gif_that_clears_its_table_without_end_is_refused(bits: Sequence[int]) -> None:
    many = np.tile(bits, 2 * MAX_GIF_CLEARS)
    codes = np.packbits(many.astype(np.uint8), bitorder="little").tobytes()
    assert refusal(gif(1000, 1000, codes)).startswith("damaged GIF: it clears its table")


def test_a_gif_of_noise_is_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 500), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, "GIF")  # 250 kB, so its codes are gone through
    np.testing.assert_array_equal(load_image(data.getvalue())[..., 0], noise)


def test_a_gif_wider_than_32767_is_read_or_refused_for_its_size() -> None:
    data = encode(".gif", np.zeros((2, 40_000, 3), np.uint8))
    assert load_image(data).shape == (2, 40_000, 3)
    assert refusal(gif(40_000, 40_000, b"\x44\1")).startswith("40000 x 40000 pixels, more than")


def test_a_bitmap_of_os2_is_read() -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    rows = b"".join(row.tobytes() + b"\0" for row in pixels[::-1])
    start = b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26)
    data = start + struct.pack("<IHHHH", 12, 5, 4, 1, 24) + rows
    np.testing.assert_array_equal(load_image(data), pixels)
    other = start + struct.pack("<IIIHH", 16, 5, 4, 1, 24) + rows
    assert "a BMP with a header of 16 bytes" in refusal(other)
    assert refusal(data[:18] + b"\xff\xff\xff\xff" + data[22:]).startswith("65535 x 65535 pixels")


# TIFF and PNM


def tiff(tags: Sequence[tuple[int, int, int, int]], body: bytes = b"", order: str = "<") -> bytes:
    """Return a TIFF whose first directory follows the body, which starts at byte 8."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(body))
    directory = b"".join(struct.pack(order + "HHII", *tag) for tag in tags)
    return start + body + struct.pack(order + "H", len(tags)) + directory + bytes(4)


@pytest.mark.parametrize("first", [9, 4])
def test_of_two_sizes_in_a_tiff_the_larger_counts(first: int) -> None:
    sizes = [(256, first, 1, 20_000), (256, 4, 1, 10), (257, first, 1, 20_000), (257, 4, 1, 10)]
    assert refusal(tiff(sizes)).startswith("20000 x 20000 pixels, more than")
    assert refusal(tiff(sizes[::-1])).startswith("20000 x 20000 pixels, more than")


def test_big_endian_and_big_tiffs_are_read_too() -> None:
    assert read_header(tiff([(256, 4, 1, 80), (257, 4, 1, 48)], order=">"))[1:3] == (80, 48)
    entries = struct.pack("<HHQQHHQQ", 256, 16, 1, 80, 257, 4, 1, 48)
    assert read_header(b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2) + entries)[1:3] == (80, 48)


def test_strips_that_share_their_data_are_refused() -> None:
    num_strips, body = 9000, bytes(800_000)
    strips = struct.pack(f"<{num_strips}I", *[8] * num_strips)
    lengths = struct.pack(f"<{num_strips}I", *[len(body)] * num_strips)
    tags = [
        (256, 4, 1, 900), (257, 4, 1, num_strips), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (273, 4, num_strips, 8 + len(body)), (277, 3, 1, 1), (278, 4, 1, 1),
        (279, 4, num_strips, 8 + len(body) + len(strips)),
    ]  # fmt: skip
    assert "its strips claim more data than the file has" in refusal(
        tiff(tags, body + strips + lengths)
    )


def test_a_tile_larger_than_its_tiff_is_refused() -> None:
    tags = [(256, 4, 1, 100), (257, 4, 1, 100), (322, 4, 1, 16_000), (323, 4, 1, 16_000)]
    assert "tiles are much larger" in refusal(tiff(tags))


def test_scans_within_a_tiff_are_counted() -> None:
    body = b"\xff\xda" * 1000
    tags = [
        (256, 4, 1, 5000), (257, 4, 1, 5000), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 5000), (279, 4, 1, len(body)),
    ]  # fmt: skip
    assert TOO_MUCH in refusal(tiff(tags, body))


@pytest.mark.parametrize(
    "comment", [b"#a\r20000 20000\n10 10\n", b"#a\n#b\r 20000 #c\r20000", b"20000#20000\n9 9"]
)
def test_a_comment_of_a_pnm_ends_at_a_carriage_return(comment: bytes) -> None:
    assert refusal(b"P4\n" + comment).startswith("20000 x 20000 pixels, more than")


# JPEG 2000 and AVIF


def jp2(**changes: Any) -> bytes:
    """Return a flat JPEG 2000 of 80 x 48 pixels with another SIZ marker segment."""
    data = encode(".jp2")
    start = data.index(b"\xff\x4f\xff\x51") + 8
    size = [80, 48, 0, 0, 80, 48, 0, 0]
    names = ["right", "bottom", "left", "top", "tile_width", "tile_height", "tile_left", "tile_top"]
    size = [changes.get(name, value) for name, value in zip(names, size, strict=True)]
    components = struct.pack(">H", changes.get("components", 3))
    return data[:start] + struct.pack(">8I", *size) + components + data[start + 34 :]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"right": 40_000, "bottom": 40_000, "tile_width": 9999, "tile_height": 9999},
            "40000 x 40000 pixels, more than",
        ),
        ({"right": 9000, "bottom": 9000, "tile_width": 9000, "tile_height": 9000}, TOO_MUCH),
        ({"components": 16_000}, "a JPEG 2000 with 16000 components"),
        ({"right": 250, "bottom": 250, "tile_width": 1, "tile_height": 1}, "with 62,500 tiles"),
        ({"tile_width": 0}, None),
    ],
)
def test_a_jpeg_2000_that_costs_too_much_is_refused(changes: Any, reason: str | None) -> None:
    assert (reason or "") in refusal(jp2(**changes))


@pytest.mark.parametrize("size", [{"codeblock_size": (4, 4)}, {"precinct_size": (16, 16)}])
def test_tiny_parts_of_a_jpeg_2000_cost_more(size: Any) -> None:
    costs = []
    for options in ({"codeblock_size": (64, 64)}, {"codeblock_size": (4, 4)} | size):
        data = io.BytesIO()
        Image.fromarray(np.zeros((512, 512, 3), np.uint8)).save(data, "JPEG2000", **options)
        costs.append(read_header(data.getvalue()).cost)
    assert costs[1] > 4 * costs[0] == 4 * 2.5


def test_a_second_codestream_is_refused() -> None:
    data = encode(".jp2")
    decoy = data[data.index(b"\xff\x4f\xff\x51") :]
    box = struct.pack(">I4s", 8 + len(decoy), b"xml ") + decoy
    assert "several codestreams" in refusal(data[:12] + box + data[12:])


def av1_sizes(data: bytes, width: int, height: int) -> bytes:
    """Return an AVIF that claims another size in its container than in its AV1 data."""
    start = data.index(b"ispe") + 8
    return data[:start] + struct.pack(">II", width, height) + data[start + 8 :]


def test_of_two_sizes_in_an_avif_the_larger_counts() -> None:
    data = encode(".avif")
    assert read_header(av1_sizes(data, 8, 8))[1:3] == (80, 48)
    assert refusal(av1_sizes(data, 20_000, 20_000)).startswith("20000 x 20000 pixels")
    start = data.index(b"ipco") + 4
    second = struct.pack(">I4sIII", 20, b"ispe", 0, 30_000, 30_000)
    twice = bytearray(data[:start] + second + data[start:])
    for name in (b"ipco", b"iprp", b"meta"):
        at = twice.index(name) - 4
        twice[at : at + 4] = struct.pack(">I", int.from_bytes(twice[at : at + 4], "big") + 20)
    assert refusal(bytes(twice)).startswith("30000 x 30000 pixels")


def test_all_frames_within_an_avif_are_counted() -> None:
    data = encode(".avif")
    at = data.index(b"mdat")
    payload = data[at + 4 :]
    frames = payload + payload[2:] * 40
    head = data[: at - 4].replace(struct.pack(">I", len(payload)), struct.pack(">I", len(frames)))
    many = head + struct.pack(">I", 8 + len(frames)) + b"mdat" + frames
    assert read_header(many).cost == 41 * 2.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_and_mirrored_as_its_boxes_say(orientation: int) -> None:
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow writes no AVIF")
    across, down = np.linspace(0, 255, 120), np.linspace(0, 255, 80)[:, None]
    pixels = np.dstack([across + 0 * down, 0 * across + down, 0 * across * down])
    exif = Image.Exif()
    exif[0x112] = orientation
    data = {}
    for form in ("JPEG", "AVIF"):
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, form, exif=exif, quality=95)
        data[form] = file.getvalue()
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data["JPEG"]))).convert("RGB")
    image = load_image(data["AVIF"])
    assert image.shape[:2] == np.asarray(upright).shape[:2]
    assert abs(image[..., ::-1].astype(int) - np.asarray(upright)).mean() < 8


# Memory and time


def endless_extents() -> bytes:
    """Return an AVIF whose items have 65,535 extents each, in no bytes."""
    items = struct.pack(">HHH", 1, 0, 65_535) * 40_000
    iloc = struct.pack(">4sIBBH", b"iloc", 0, 0, 0, 40_000) + items
    meta = struct.pack(">4sI", b"meta", 0) + struct.pack(">I", 4 + len(iloc)) + iloc
    return b"\0\0\0\x10ftypavif\0\0\0\0" + struct.pack(">I", 4 + len(meta)) + meta


def endless_properties() -> bytes:
    """Return an AVIF of thousands of boxes, each of which claims as many items as there are."""
    ipma = struct.pack(">I4sII", 16, b"ipma", 0, 0xFFFFFFFF)
    return b"\0\0\0\x10ftypavif\0\0\0\0" + ipma * 9_000


def endless_tags() -> bytes:
    """Return a TIFF whose tags are all the same list of a megabyte."""
    return tiff([(279, 4, 240_000, 8)] * 4000, bytes(960_000))


@pytest.mark.parametrize(
    "make",
    [
        endless_extents,
        endless_properties,
        endless_tags,
        lambda: b"\xff\xd8" + b"\xff\xe1\0\2" * 250_000,
        lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"tEXt", b"") * 80_000,
        lambda: b"P6 " + b"#\n" * 500_000,
        lambda: b"GIF89a" + bytes(7) + b"!\xfe\0" * 330_000,
    ],
)
def test_a_header_is_read_in_no_time(make: Callable[[], bytes]) -> None:
    data = make()
    began = time.process_time()
    with pytest.raises(ImageError):
        load_image(data)
    assert time.process_time() - began < 2


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured with Linux's means")
@pytest.mark.parametrize(
    "make",
    [
        lambda: encode(".png", np.zeros((9900, 9900), np.uint8), cv2.IMWRITE_PNG_COMPRESSION, 9),
        lambda: encode(".jp2", np.zeros((4000, 4000, 3), np.uint8)),
        lambda: encode(".avif", np.zeros((4000, 4000, 3), np.uint8), cv2.IMWRITE_AVIF_SPEED, 10),
        lambda: gif(9900, 9900, b"\x44\1"),
        lambda: tiff([(256, 9, 1, 20_000), (256, 4, 1, 9), (257, 9, 1, 20_000), (257, 4, 1, 9)]),
    ],
    ids=["png", "jp2", "avif", "gif", "tiff"],
)
def test_a_small_file_takes_less_than_a_gigabyte(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(make())
    assert path.stat().st_size < 1_000_000
    code = (
        "import resource, sys, faceattr\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: faceattr.load_image(sys.argv[1])\n"
        "except faceattr.FaceattrError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    assert int(done.stdout) < 1_000_000


def test_opencv_has_a_limit_of_its_own() -> None:
    code = (
        "import faceattr, cv2, numpy\n"
        "data = b'P4 20000 20000 '\n"
        "try: cv2.imdecode(numpy.frombuffer(data, numpy.uint8), 1)\n"
        "except cv2.error as error: print(error.err)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"CV_IO_MAX_IMAGE_PIXELS" in done.stdout
