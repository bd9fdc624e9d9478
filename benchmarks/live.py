"""How fast videos are analyzed, how old frames of a live view are, what grows, what flickers.

    python benchmarks/live.py file video.mp4 --actions emotion,age-vgg,gender-vgg
    python benchmarks/live.py live video.mp4 --actions emotion,age-vgg,gender-vgg --fps 30
    python benchmarks/live.py memory video.mp4 --frames 60000
    python benchmarks/live.py flicker *.mp4

The live view is that of a fake camera, which gives the frames of the video in a loop, at its
own pace. Nothing else should run beside `file` and `live`.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceattr.drawing import draw_faces
from faceattr.streaming.analysis import LiveAnalysis, play
from faceattr.streaming.sinks import CallbackSink, JsonLinesSink
from faceattr.streaming.sources import LiveSource, Pictures, VideoFile
from faceattr.types import BGRImage, Classification, Frame

NUM_SAMPLES = 400  # of the memory in use
QUARTERS = 4
SMOOTHING = 0.5  # s, what faceattr does unless told otherwise
SHORT = 0.5  # s, too short for an expression that somebody would name


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["file", "live", "memory", "flicker"])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--actions", default="emotion", type=lambda names: names.split(","))
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--detect-every", default=1, type=every, metavar="N|auto")
    parser.add_argument("--threads", type=int, help="of the networks")
    parser.add_argument("--fps", type=float, nargs="+", default=[25.0, 30.0], help="of the camera")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each live view")
    parser.add_argument("--frames", type=int, default=60_000, help="of the run for memory")
    options = vars(parser.parse_args())
    settings = {name: options[name] for name in ("actions", "detector", "detect_every", "threads")}
    for video in options["videos"]:
        print(video.name)
        match options["what"]:
            case "file":
                for freeze in ("face", "off"):
                    measure_file(video, settings | {"freeze": freeze})
            case "live":
                for fps in options["fps"]:
                    measure_live(video, settings, fps=fps, seconds=options["seconds"])
            case "memory":
                measure_memory(video, settings, num_frames=options["frames"])
            case "flicker":
                measure_flicker(video, settings)


def every(text: str) -> int | str:
    """Return the number, if it is one."""
    return int(text) if text.isdecimal() else text


def measure_file(path: Path, settings: dict[str, Any]) -> None:
    """Print how many frames per second of a file are analyzed, and how often analyzers looked."""
    live = LiveAnalysis(**settings)
    live.load()
    began = time.perf_counter()
    tracks = [[face.track_id for face in faces] for _, faces in play(live, VideoFile(path))]
    seconds = time.perf_counter() - began
    print(
        f"file, freeze={settings['freeze']}: {len(tracks) / seconds:.1f} frames/s "
        f"({len(tracks)} frames), looks {dict(live.looks)}, {live.num_tracks} tracks, "
        f"{sum(len(ids) == live.num_tracks for ids in tracks)} frames with all of them"
    )


def measure_live(path: Path, settings: dict[str, Any], *, fps: float, seconds: float) -> None:
    """Print the age of frames when they have been drawn, and how many were dropped."""
    live = LiveAnalysis(**settings)
    source = LiveSource(lambda: PacedCamera(images_of(path), fps), name="fake camera")
    ages: list[float] = []
    known: list[bool] = []

    def show(frame: Frame, faces: Sequence[Any]) -> None:
        draw_faces(frame.image, faces)
        ages.append(source.age(frame) * 1000)
        known.append(bool(faces) and all(len(face.attributes) == len(live.looks) for face in faces))

    frame = None
    for frame, _ in play(live, source, [CallbackSink(show)]):
        if frame.timestamp > seconds:
            break
    num_came = frame.index + 1 if frame else 0
    median, high, worst = np.percentile(ages, [50, 99, 100])
    print(
        f"live, {fps:g} fps for {seconds:g} s: age of a frame {median:.0f} ms at the median, "
        f"{high:.0f} ms at the 99th percentile, {worst:.0f} ms at most; "
        f"{source.num_dropped} of {num_came} dropped; looks {dict(live.looks)}, "
        f"{live.num_tracks} tracks, everything known in {np.mean(known):.0%} of the frames"
    )


def measure_memory(path: Path, settings: dict[str, Any], *, num_frames: int) -> None:
    """Print the memory in use in each quarter of a long run."""
    live = LiveAnalysis(**settings)
    samples = []
    began = time.perf_counter()
    sinks = [JsonLinesSink(os.devnull)]
    for frame, _ in play(live, Pictures(looped(path)), sinks, max_frames=num_frames):
        if frame.index % max(num_frames // NUM_SAMPLES, 1) == 0:
            samples.append(resident_megabytes())
    gc.collect()
    quarters = [float(np.mean(part)) for part in np.array_split(samples, QUARTERS)]
    print(
        f"memory over {num_frames} frames in {time.perf_counter() - began:.0f} s: "
        f"{', '.join(f'{quarter:.1f}' for quarter in quarters)} MB in the quarters, "
        f"{quarters[-1] / quarters[1] - 1:+.2%} from the second to the last; "
        f"{live.num_tracks} tracks, looks {dict(live.looks)}"
    )


def measure_flicker(path: Path, settings: dict[str, Any]) -> None:
    """Print how often the label of each face changes, as it is read and as it is smoothed."""
    for smoothing in (0.0, SMOOTHING):
        live = LiveAnalysis(**settings, smoothing=smoothing)
        seen: dict[tuple[int, str], list[tuple[float, str | None]]] = {}
        for frame, faces in play(live, VideoFile(path)):
            for face in faces:
                for name, attribute in face.attributes.items():
                    if isinstance(attribute, Classification):
                        labels = seen.setdefault((face.track_id or 0, name), [])
                        labels.append((frame.timestamp, attribute.label))
        for (track_id, name), labels in seen.items():
            begins = [next(spell)[0] for _, spell in groupby(labels, key=itemgetter(1))]
            num_changes, seconds = len(begins) - 1, labels[-1][0] - labels[0][0]
            num_short = sum(begins[i + 1] - begins[i] < SHORT for i in range(1, num_changes))
            print(
                f"smoothing {smoothing:g} s, #{track_id} {name}: {num_changes} changes of the "
                f"label in {seconds:.1f} s, {num_changes / max(seconds, 1e-9):.2f} per second; "
                f"{num_short} labels stood for less than {SHORT:g} s"
            )


class PacedCamera:
    """Gives pictures in a loop, each when it is due."""

    def __init__(self, images: Sequence[BGRImage], fps: float) -> None:
        self._images = cycle(images)
        self._fps = fps
        self._began: float | None = None
        self._num_read = 0

    def read(self) -> tuple[bool, BGRImage]:
        """Wait until the next picture is due, and return it."""
        now = time.perf_counter()
        self._began = self._began or now
        time.sleep(max(0.0, self._began + self._num_read / self._fps - now))
        self._num_read += 1
        return True, next(self._images).copy()

    def get(self, prop: int, /) -> float:
        """Return the frames per second, of all properties."""
        return self._fps if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Nothing is held."""


def images_of(path: Path) -> list[BGRImage]:
    """Return all pictures of a short video."""
    with VideoFile(path) as frames:
        return [frame.image for frame in frames]


def looped(path: Path) -> Iterator[BGRImage]:
    """Yield the pictures of a short video again and again."""
    for image in cycle(images_of(path)):
        yield image.copy()


def resident_megabytes() -> float:
    """Return the memory of this process that is in use (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
