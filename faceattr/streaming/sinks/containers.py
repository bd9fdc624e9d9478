"""Video files that can be read at any moment, also after the process was killed.

OpenCV writes an MP4 file whose index comes last, and keeps hundreds of kilobytes in memory: a
process that is killed leaves nothing that can be read. Here OpenCV only encodes, a second of video
at a time, into a small file of its own; its packets go into the real file as soon as they are
there.
"""

from __future__ import annotations

import os
import struct
import tempfile
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import cv2

from faceattr.errors import SinkError
from faceattr.outputs import AppendFile
from faceattr.types import BGRImage

JPEG_QUALITY = 80
TIMESCALE = 1000  # ticks per frame in MP4, so that any frame rate fits
MAX_RIFF = 1_000_000_000  # bytes; the parts of an AVI file have sizes of 32 bits
IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # no rotation


class Packet(NamedTuple):
    """A compressed frame.

    Attributes:
        data: The bytes.
        is_key: Whether it can be decoded without those before.
    """

    data: bytes
    is_key: bool


class Encoder(ABC):
    """Compresses frames.

    Attributes:
        config: What a decoder has to know; empty before the first packets.
    """

    config: bytes = b""

    @abstractmethod
    def encode(self, image: BGRImage) -> Sequence[Packet]:
        """Take the next frame and return the packets that are ready, maybe none.

        Raises:
            SinkError: The frame cannot be compressed.
        """

    def finish(self) -> Sequence[Packet]:
        """Return the packets that are left.

        Raises:
            SinkError: A frame cannot be compressed.
        """
        return ()

    def close(self) -> None:
        """Release what encoding took."""


class Mpeg4Encoder(Encoder):
    """MPEG-4 Part 2, by FFmpeg, which every OpenCV wheel has.

    Args:
        size: Width and height in pixels.
        fps: Frames per second; a second is encoded together, the first frame by itself.
    """

    def __init__(self, size: tuple[int, int], fps: float) -> None:
        self._size = size
        self._fps = max(1, round(fps))  # for its bit rate; the container knows the times
        self._folder = tempfile.TemporaryDirectory(prefix="faceattr-", ignore_cleanup_errors=True)
        self._path = os.path.join(self._folder.name, "segment.mp4")
        self._writer = cv2.VideoWriter()
        self._num_frames = 0
        self._length = 1

    def encode(self, image: BGRImage) -> Sequence[Packet]:
        """See the base class."""
        if not self._num_frames:
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            if not self._writer.open(self._path, cv2.CAP_FFMPEG, codec, self._fps, self._size):
                raise SinkError(
                    "this OpenCV cannot write MPEG-4: it has no FFmpeg, or there is no room in "
                    f"{self._folder.name}; write .avi instead, or install opencv-python"
                )
        self._writer.write(image)
        self._num_frames += 1
        if self._num_frames < self._length:
            return ()
        self._length = self._fps
        return self._close_segment()

    def finish(self) -> Sequence[Packet]:
        """See the base class."""
        return self._close_segment() if self._num_frames else ()

    def close(self) -> None:
        """See the base class."""
        self._writer.release()
        self._folder.cleanup()

    def _close_segment(self) -> Sequence[Packet]:
        self._writer.release()
        expected, self._num_frames = self._num_frames, 0
        try:
            with open(self._path, "rb") as file:
                config, packets = read_mp4(file.read())
        except (OSError, LookupError, struct.error) as error:
            raise SinkError(
                f"{self._path}: OpenCV could not write it; is the disk full?"
            ) from error
        if len(packets) < expected:
            raise SinkError(f"{self._path}: OpenCV wrote {len(packets)} of {expected} frames")
        self.config = self.config or config
        return packets


class JpegEncoder(Encoder):
    """Each frame as a JPEG."""

    def encode(self, image: BGRImage) -> Sequence[Packet]:
        """See the base class."""
        ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not ok:
            raise SinkError("OpenCV cannot compress a frame as JPEG")
        return (Packet(data.tobytes(), is_key=True),)


class Container(ABC):
    """A video file that is readable after every `add`.

    Args:
        file: To write to.
        size: Width and height in pixels.
        fps: Frames per second.
    """

    def __init__(self, file: AppendFile, size: tuple[int, int], fps: float) -> None:
        self._file = file
        self._size = size
        self._fps = fps
        self._num_frames = 0

    @abstractmethod
    def begin(self, config: bytes) -> None:
        """Write what comes before the first packet.

        Args:
            config: As in `Encoder`.

        Raises:
            SinkError: It cannot be written.
        """

    @abstractmethod
    def add(self, packets: Sequence[Packet]) -> None:
        """Write packets, the first of them a key frame; all of them or none.

        Raises:
            SinkError: They cannot be written.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what makes seeking fast.

        Raises:
            SinkError: It cannot be written; the file can be read all the same.
        """


class Mp4(Container):
    """MP4 and QuickTime: fragments while it grows, an ordinary file with one index at the end.

    Reference: ISO/IEC 14496-12.
    """

    def begin(self, config: bytes) -> None:
        """See the base class."""
        self._config = config
        self._keys = array("I")  # numbers of frames, from 1
        self._lengths = array("I")  # of frames, in bytes
        self._chunks: list[tuple[int, int]] = []  # where each begins, and its number of frames
        head = _box("ftyp", b"isom\0\0\2\0isomiso2mp41")
        self._media = self._file.size + len(head)
        head += _box("free", bytes(8))  # becomes the header of all media data
        self._file.write(head + self._index(fragmented=True))

    def add(self, packets: Sequence[Packet]) -> None:
        """See the base class."""
        samples = b"".join(
            struct.pack(">II", len(data), 0x02000000 if is_key else 0x01010000)
            for data, is_key in packets
        )
        sequence = struct.pack(">I", len(self._chunks) + 1)
        track = struct.pack(">II", 1, TIMESCALE)  # its number, ticks per frame
        time = struct.pack(">Q", self._num_frames * TIMESCALE)

        def fragment(offset: int) -> bytes:
            run = struct.pack(">Ii", len(packets), offset) + samples
            return _box(
                "moof",
                _full("mfhd", sequence),
                _box(
                    "traf",
                    _full("tfhd", track, flags=0x020008),
                    _full("tfdt", time, version=1),
                    _full("trun", run, flags=0x000601),
                ),
            )

        begin = len(fragment(0)) + 8
        data = b"".join(packet.data for packet in packets)
        self._file.write(fragment(begin) + _box("mdat", data))
        self._chunks.append((self._file.size - len(data), len(packets)))
        for data, is_key in packets:
            self._num_frames += 1
            self._lengths.append(len(data))
            if is_key:
                self._keys.append(self._num_frames)

    def finish(self) -> None:
        """See the base class."""
        end = self._file.size
        self._file.write(self._index(fragmented=False))
        self._file.patch(self._media, struct.pack(">I4sQ", 1, b"mdat", end - self._media))

    def _index(self, *, fragmented: bool) -> bytes:
        width, height = self._size
        timescale = round(self._fps * TIMESCALE)
        duration = self._num_frames * TIMESCALE
        rate = struct.pack(">IHH8x", 0x10000, 0x100, 0)
        movie = struct.pack(">QQIQ", 0, 0, timescale, duration)
        track = struct.pack(">QQIIQ", 0, 0, 1, 0, duration)
        sizes = struct.pack(">II", width << 16, height << 16)
        handler = struct.pack(">I4s12x", 0, b"vide") + b"VideoHandler\0"
        reference = _full("dref", struct.pack(">I", 1), _full("url ", flags=1))
        extends = _box("mvex", _full("trex", struct.pack(">IIIII", 1, 1, TIMESCALE, 0, 0)))
        return _box(
            "moov",
            _full("mvhd", movie, rate, IDENTITY, bytes(24), b"\0\0\0\2", version=1),
            _box(
                "trak",
                _full("tkhd", track, bytes(16), IDENTITY, sizes, version=1, flags=3),
                _box(
                    "mdia",
                    _full("mdhd", movie, b"\x55\xc4\0\0", version=1),
                    _full("hdlr", handler),
                    _box(
                        "minf",
                        _full("vmhd", bytes(8), flags=1),
                        _box("dinf", reference),
                        _box("stbl", self._config, *self._tables()),
                    ),
                ),
            ),
            extends if fragmented else b"",
        )

    def _tables(self) -> Iterator[bytes]:
        """Yield where the frames lie and how long they last."""
        times = [(self._num_frames, TIMESCALE)] if self._num_frames else []
        yield _full("stts", _table(">II", times))
        if self._keys:
            yield _full("stss", _table(">I", [(key,) for key in self._keys]))
        runs = [
            (index, number, 1)
            for index, (_, number) in enumerate(self._chunks, start=1)
            if index == 1 or number != self._chunks[index - 2][1]
        ]
        yield _full("stsc", _table(">III", runs))
        lengths = _table(">I", [(length,) for length in self._lengths])
        yield _full("stsz", struct.pack(">I", 0), lengths)
        is_long = bool(self._chunks) and self._chunks[-1][0] >= 1 << 32
        offsets = [(offset,) for offset, _ in self._chunks]
        yield _full("co64" if is_long else "stco", _table(">Q" if is_long else ">I", offsets))


class Matroska(Container):
    """Matroska: clusters while it grows, an index at the end.

    Reference: RFC 9559.
    """

    def begin(self, config: bytes) -> None:
        """See the base class."""
        width, height = self._size
        self._cues: list[tuple[int, int]] = []  # milliseconds, and where the cluster begins
        head = _element(
            "1A45DFA3",
            _element("4282", b"matroska"),
            _number("4287", 4),  # version
            _number("4285", 2),  # of readers
        )
        self._segment = len(head) + 12
        self._seek = _element("EC", bytes(71))  # room for where the index is
        app = _element("4D80", b"faceattr") + _element("5741", b"faceattr")
        duration = _element("4489", struct.pack(">d", 0.0))
        info = _element("1549A966", _number("2AD7B1", 1_000_000), app, duration)
        track = _element(
            "AE",
            _number("D7", 1),
            _number("73C5", 1),
            _number("83", 1),
            _element("86", b"V_MPEG4/ISO/ASP"),
            _element("63A2", decoder_config(config)),
            _number("23E383", round(1e9 / self._fps)),
            _element("E0", _number("B0", width), _number("BA", height)),
        )
        self._duration = self._segment + len(self._seek) + len(info) - 8
        segment = bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7  # of unknown size
        self._file.write(head + segment + self._seek + info + _element("1654AE6B", track))

    def add(self, packets: Sequence[Packet]) -> None:
        """See the base class."""
        times = [
            round(1000 * (self._num_frames + index) / self._fps) for index in range(len(packets))
        ]
        blocks = (
            _element(
                "A3", struct.pack(">BhB", 0x81, time - times[0], 0x80 * packet.is_key), packet.data
            )
            for packet, time in zip(packets, times, strict=True)
        )
        start = self._file.size
        self._file.write(_element("1F43B675", _number("E7", times[0]), *blocks))
        self._cues.append((times[0], start - self._segment))
        self._num_frames += len(packets)
        self._file.patch(self._duration, struct.pack(">d", 1000 * self._num_frames / self._fps))

    def finish(self) -> None:
        """See the base class."""
        cues = [
            _element(
                "BB",
                _number("B3", time),
                _element("B7", _number("F7", 1), _number("F1", position)),
            )
            for time, position in self._cues
        ]
        position = self._file.size - self._segment
        self._file.write(_element("1C53BB6B", *cues))
        place = _element("53AB", bytes.fromhex("1C53BB6B")) + _number("53AC", position)
        seek = _element("114D9B74", _element("4DBB", place))
        rest = len(self._seek) - len(seek)
        self._file.patch(self._segment, seek + _element("EC", bytes(rest - 9)))
        self._file.patch(self._segment - 8, _size(self._file.size - self._segment))


class Avi(Container):
    """AVI, in parts of at most a gigabyte; its sizes are kept true while it grows.

    Reference: OpenDML AVI File Format Extensions 1.02.
    """

    def begin(self, config: bytes) -> None:
        """See the base class."""
        self._index: list[bytes] = []
        self._part = 0  # where it begins
        self._total = 0  # frames of the parts before
        self._file.write(_chunk("RIFF", b"AVI " + self._head() + _chunk("LIST", b"movi")))
        self._movi = self._file.size - 12

    def add(self, packets: Sequence[Packet]) -> None:
        """See the base class."""
        if self._file.size - self._part > MAX_RIFF:
            self._finish_part()
            self._part = self._file.size
            self._file.write(_chunk("RIFF", b"AVIX" + _chunk("LIST", b"movi")))
            self._movi = self._file.size - 12
        self._file.write(b"".join(_chunk("00dc", packet.data) for packet in packets))
        if not self._part:
            offset = self._file.size - sum(8 + len(data) + len(data) % 2 for data, _ in packets)
            for data, _ in packets:
                place = offset - self._movi - 8
                self._index.append(struct.pack("<4sIII", b"00dc", 0x10, place, len(data)))
                offset += 8 + len(data) + len(data) % 2
        self._num_frames += len(packets)
        if (self._num_frames - 1) % max(1, round(self._fps)) == 0:  # once a second
            self._patch_sizes(self._file.size)

    def finish(self) -> None:
        """See the base class."""
        self._finish_part()

    def _finish_part(self) -> None:
        end = self._file.size
        if not self._part:
            self._file.write(_chunk("idx1", b"".join(self._index)))
        self._patch_sizes(end)

    def _patch_sizes(self, movi_end: int) -> None:
        self._file.patch(self._part + 4, struct.pack("<I", self._file.size - self._part - 8))
        self._file.patch(self._movi + 4, struct.pack("<I", movi_end - self._movi - 8))
        self._file.patch(12, self._head())

    def _head(self) -> bytes:
        width, height = self._size
        scale = 1000
        rate = round(self._fps * scale)
        in_first = len(self._index)
        main = struct.pack(
            "<10I16x",
            *(round(1e6 / self._fps), 0, 0, 0x10, in_first, 0, 1, 0, width, height),
        )
        stream = struct.pack(
            "<4s4sIHHIIIIIIiI4H",
            *(b"vids", b"MJPG", 0, 0, 0, 0, scale, rate, 0, self._num_frames, 0, -1, 0),
            *(0, 0, width, height),
        )
        picture = struct.pack(
            "<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0
        )
        return _chunk(
            "LIST",
            b"hdrl"
            + _chunk("avih", main)
            + _chunk("LIST", b"strl" + _chunk("strh", stream) + _chunk("strf", picture))
            + _chunk("LIST", b"odml" + _chunk("dmlh", struct.pack("<I244x", self._num_frames))),
        )


def read_mp4(data: bytes) -> tuple[bytes, list[Packet]]:
    """Return the sample description and the packets of a file with one track, as OpenCV writes it.

    Raises:
        LookupError: A box is missing.
        struct.error: A box is cut off.
    """
    table = data
    for name in ("moov", "trak", "mdia", "minf", "stbl"):
        table = _find_box(table, name)[8:]
    sizes = _find_box(table, "stsz")
    same, count = struct.unpack_from(">II", sizes, 12)
    lengths = [same] * count if same else struct.unpack_from(f">{count}I", sizes, 20)
    key_numbers = set(range(1, len(lengths) + 1))
    with suppress(LookupError):  # no such box if all are key frames
        keys = _find_box(table, "stss")
        (count,) = struct.unpack_from(">I", keys, 12)
        key_numbers = set(struct.unpack_from(f">{count}I", keys, 16))
    (offset,) = struct.unpack_from(">I", _find_box(table, "stco"), 16)
    packets = []
    for number, length in enumerate(lengths, start=1):  # one track: its chunks lie in a row
        packets.append(Packet(data[offset : offset + length], number in key_numbers))
        offset += length
    return _find_box(table, "stsd"), packets


def decoder_config(description: bytes) -> bytes:
    """Return the decoder's configuration from the sample description of an MP4 file.

    Raises:
        LookupError: There is none.
    """
    entry = _find_box(description[16:], "mp4v")
    descriptors = _find_box(entry[86:], "esds")[12:]
    headers = {3: 3, 4: 13}  # bytes of each descriptor before those in it
    while True:
        tag, rest = descriptors[0], descriptors[1:]
        length = 0
        while True:
            length = length << 7 | rest[0] & 0x7F
            last, rest = not rest[0] & 0x80, rest[1:]
            if last:
                break
        if tag == 5:
            return rest[:length]
        descriptors = rest[headers[tag] :]


def _find_box(data: bytes, name: str) -> bytes:
    """Return the first box of that name, with its header of 8 bytes."""
    offset = 0
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        if kind == name.encode():
            return data[offset : offset + length]
        offset += max(length, 8)
    raise LookupError(f"no box {name}")


def _box(name: str, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name.encode()) + b"".join(parts)


def _full(name: str, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *parts)


def _table(form: str, rows: Sequence[tuple[int, ...]]) -> bytes:
    return struct.pack(">I", len(rows)) + b"".join(struct.pack(form, *row) for row in rows)


def _element(name: str, *parts: bytes) -> bytes:
    """Return an element of Matroska; its name is in hexadecimal, as in the standard."""
    return bytes.fromhex(name) + _size(sum(map(len, parts))) + b"".join(parts)


def _size(size: int) -> bytes:
    return (size | 1 << 56).to_bytes(8, "big")


def _number(name: str, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))


def _chunk(name: str, data: bytes) -> bytes:
    return struct.pack("<4sI", name.encode(), len(data)) + data + bytes(len(data) % 2)


CONTAINERS: dict[str, type[Container]] = {".avi": Avi, ".mkv": Matroska, ".mov": Mp4, ".mp4": Mp4}
"""Classes by the suffix of a file name."""
