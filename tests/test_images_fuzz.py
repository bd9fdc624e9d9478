"""Damaged images of ten formats end as an image or an `ImageError`, within 1 GB and 5 s.

Each batch is decoded in a process of its own, which this file is the script of: a crash names the
seed of the image at which it happened.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from itertools import chain, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL.Image
import pytest

from faceattr.errors import ImageError
from faceattr.images import load_image

FORMATS = ("jpeg", "png", "apng", "webp", "gif", "bmp", "tiff", "pnm", "jp2", "avif")
MAX_RSS = 1_000_000  # kB
MAX_SECONDS = 5.0  # of the processor
EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 10_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Batch(NamedTuple):
    """What became of a batch.

    Attributes:
        num_read: How many were read in spite of the damage.
        num_refused: How many ended in an `ImageError`.
        raw: Other exceptions, with the seed.
        max_rss: Peak of memory in kB, above that of undamaged images.
        max_seconds: Longest time of the processor for one.
    """

    num_read: int
    num_refused: int
    raw: list[str]
    max_rss: int
    max_seconds: float


def bases(kind: str) -> list[bytes]:
    """Return whole images of a format, small ones of several forms."""
    rng = np.random.default_rng(0)
    color = cv2.GaussianBlur(rng.integers(0, 256, (64, 96, 3), np.uint8), (0, 0), 2)
    gray, alpha = color[..., 0], np.dstack([color, color[..., :1]])
    deep = color.astype(np.uint16) * 257

    def encode(extension: str, image: Any, *options: int) -> bytes:
        return cv2.imencode(extension, image, options)[1].tobytes()

    def animation(extension: str) -> bytes:
        frames = cv2.Animation()
        frames.frames = [alpha, np.roll(alpha, 9, axis=1), alpha[::-1].copy()]
        frames.durations = [50] * 3
        return cv2.imencodeanimation(extension, frames)[1].tobytes()

    match kind:
        case "jpeg":
            progressive = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
            return [
                encode(".jpg", color),
                encode(".jpg", gray),
                encode(".jpg", color, *progressive),
            ]
        case "png":
            return [encode(".png", each) for each in (color, gray, alpha, deep)]
        case "apng":
            return [animation(".png")]
        case "webp":
            lossy = encode(".webp", color, cv2.IMWRITE_WEBP_QUALITY, 50)
            return [lossy, encode(".webp", alpha), animation(".webp")]
        case "gif":
            return [encode(".gif", color), animation(".gif")]
        case "bmp":
            return [encode(".bmp", each) for each in (color, gray, alpha)]
        case "tiff":
            ways = (1, 5, 8, 32773)  # none, LZW, deflate, PackBits
            colors = [encode(".tiff", color, cv2.IMWRITE_TIFF_COMPRESSION, way) for way in ways]
            jpeg = io.BytesIO()
            PIL.Image.fromarray(color).save(jpeg, "TIFF", compression="jpeg")
            return [*colors, jpeg.getvalue(), encode(".tiff", deep), encode(".tiff", gray)]
        case "pnm":
            text = encode(".ppm", color, cv2.IMWRITE_PXM_BINARY, 0)
            return [encode(".ppm", color), encode(".pgm", gray), encode(".pbm", gray), text]
        case "jp2":
            with TemporaryDirectory() as folder:  # OpenCV writes those to files only
                paths = [Path(folder, f"{index}.jp2") for index in range(3)]
                for path, image in zip(paths, (color, gray, deep), strict=True):
                    assert cv2.imwrite(str(path), image)
                return [path.read_bytes() for path in paths]
        case "avif":
            return [encode(".avif", color), encode(".avif", alpha), animation(".avif")]
    raise ValueError(kind)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the image with one to eight damages, half of them near its beginning."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        reach = min(len(damaged), 256) if rng.random() < 0.5 else len(damaged)
        start = int(rng.integers(0, max(reach, 1)))
        length = int(rng.integers(1, 64))
        match rng.integers(0, 7):
            case 0:  # random bytes
                damaged[start : start + length] = rng.bytes(min(length, len(damaged) - start))
            case 1:  # one bit
                if damaged:
                    damaged[start] ^= 1 << int(rng.integers(0, 8))
            case 2 | 3:  # an extreme number
                value = EXTREMES[rng.integers(0, len(EXTREMES))]
                form = str(rng.choice(["<I", ">I", "<H", ">H", "B"]))
                size = struct.calcsize(form)
                damaged[start : start + size] = struct.pack(form, value % 256**size)
            case 4:  # a block that is doubled
                damaged[start:start] = damaged[start : start + length]
            case 5:  # a block that is missing
                del damaged[start : start + length]
            case 6:  # cut, seldom
                if rng.random() < 0.2:
                    del damaged[start:]
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        return with_checksums(bytes(damaged))
    return bytes(damaged)


def with_checksums(data: bytes) -> bytes:
    """Return a PNG whose chunks are right by their checksums, so that more than those is tried."""
    repaired, start = bytearray(data), 8
    while start + 12 <= len(repaired):
        (length,) = struct.unpack_from(">I", repaired, start)
        if start + 12 + length > len(repaired):
            break
        body = repaired[start + 4 : start + 8 + length]
        struct.pack_into(">I", repaired, start + 8 + length, zlib.crc32(body))
        start += 12 + length
    return bytes(repaired)


def decode_batch(kinds: Sequence[str], seeds: range) -> None:
    """Decode a batch of each format and print what became of it, after a line for each image."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    images = {kind: bases(kind) for kind in kinds}
    for image in chain.from_iterable(images.values()):
        load_image(image)  # undamaged
    num_read = num_refused = 0
    raw: list[str] = []
    max_seconds = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind, seed in product(kinds, seeds):
        rng = np.random.default_rng([FORMATS.index(kind), seed])
        data = mutate(images[kind][seed % len(images[kind])], rng)
        print(kind, seed, flush=True)
        began = time.process_time()
        try:
            load_image(data)
            num_read += 1
        except ImageError:
            num_refused += 1
        except Exception as error:  # what the test is about
            raw.append(f"{kind} {seed}: {type(error).__name__}: {error}")
        max_seconds = max(max_seconds, time.process_time() - began)
    max_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(Batch(num_read, num_refused, raw, max_rss, max_seconds)))


def check_batch(kinds: Sequence[str], seeds: range) -> None:
    command = [sys.executable, __file__, ",".join(kinds), str(seeds.start), str(seeds.stop)]
    done = subprocess.run(command, capture_output=True, timeout=600, encoding="utf-8")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]}: {done.returncode}, {done.stderr[-500:]}"
    batch = Batch(*json.loads(lines[-1]))
    print(f"{kinds} {seeds}: {batch}")
    assert batch.num_read + batch.num_refused == len(kinds) * len(seeds), batch.raw
    assert batch.max_rss < MAX_RSS
    assert batch.max_seconds < MAX_SECONDS


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="measures by Linux's means")


@needs_linux
def test_some_damaged_images_are_read_or_refused() -> None:
    check_batch(FORMATS, range(25))


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("start", [1000, 1500])
@pytest.mark.parametrize("kind", FORMATS)
def test_ten_thousand_damaged_images_are_read_or_refused(kind: str, start: int) -> None:
    check_batch([kind], range(start, start + 500))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds")
    parser.add_argument("start", type=int)
    parser.add_argument("stop", type=int)
    options = parser.parse_args()
    decode_batch(options.kinds.split(","), range(options.start, options.stop))
