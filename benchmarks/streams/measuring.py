"""One measurement of a video or live view each; they return what is to be printed."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import resident_bytes
from benchmarks.streams.camera import PacedCamera, loop_images, read_images
from faceattr.drawing import FramePainter
from faceattr.streaming.analysis import LiveAnalysis, play
from faceattr.streaming.sinks import CallbackSink, JsonLinesSink
from faceattr.streaming.sources import LiveSource, Pictures, VideoFile
from faceattr.types import Classification, Face, Frame

NUM_SAMPLES = 400  # of resident memory in a run
NUM_QUARTERS = 4
SMOOTHING = 0.5  # seconds, the default of `LiveAnalysis`
SHORT = 0.5  # seconds, too short for an expression that a viewer would name


def measure_file(path: Path, options: Mapping[str, Any]) -> str:
    """Measure how many frames of a file are analyzed per second.

    Args:
        path: The video.
        options: Options of `LiveAnalysis`.
    """
    live = LiveAnalysis(**options)
    live.load()
    began = time.perf_counter()
    tracks = [[face.track_id for face in faces] for _, faces in play(live, VideoFile(path))]
    seconds = time.perf_counter() - began
    return (
        f"file, freeze={options['freeze']}: {len(tracks) / seconds:.1f} frames/s "
        f"({len(tracks)} frames), runs {dict(live.num_runs)}, {live.num_tracks} tracks, "
        f"{sum(len(ids) == live.num_tracks for ids in tracks)} frames with all of them"
    )


def measure_live(path: Path, options: Mapping[str, Any], *, fps: float, seconds: float) -> str:
    """Measure the age of a live view's frames once they are drawn, and how many were dropped.

    Args:
        path: A short video, whose frames a fake camera gives.
        options: Options of `LiveAnalysis`.
        fps: Frames per second of the camera.
        seconds: Duration of the live view.
    """
    live = LiveAnalysis(**options)
    source = LiveSource(lambda: PacedCamera(read_images(path), fps), name="fake camera")
    ages: list[float] = []
    is_complete: list[bool] = []

    painter = FramePainter()

    def show(frame: Frame, faces: Sequence[Face]) -> None:
        painter.draw(frame.image, faces)
        ages.append(source.age(frame) * 1000)
        num_attributes = len(live.num_runs)
        is_complete.append(
            bool(faces) and all(len(face.attributes) == num_attributes for face in faces)
        )

    frame = None
    for frame, _ in play(live, source, [CallbackSink(show)]):
        if frame.timestamp > seconds:
            break
    num_frames = frame.index + 1 if frame else 0
    median, high, highest = np.percentile(ages, [50, 99, 100])
    return (
        f"live, {fps:g} fps for {seconds:g} s: age of a frame {median:.0f} ms at the median, "
        f"{high:.0f} ms at the 99th percentile, {highest:.0f} ms at most; "
        f"{source.num_dropped} of {num_frames} dropped; runs {dict(live.num_runs)}, "
        f"{live.num_tracks} tracks, all attributes known in {np.mean(is_complete):.0%} of frames"
    )


def measure_memory(path: Path, options: Mapping[str, Any], *, num_frames: int) -> str:
    """Measure the resident memory in each quarter of a long run.

    Args:
        path: A short video, which is analyzed in a loop.
        options: Options of `LiveAnalysis`.
        num_frames: Length of the run.
    """
    live = LiveAnalysis(**options, max_frames=num_frames)
    samples = []
    began = time.perf_counter()
    sinks = [JsonLinesSink(os.devnull)]
    for frame, _ in play(live, Pictures(loop_images(path)), sinks):
        if frame.index % max(num_frames // NUM_SAMPLES, 1) == 0:
            samples.append(resident_bytes() / 1e6)
    gc.collect()
    quarters = [float(np.mean(part)) for part in np.array_split(samples, NUM_QUARTERS)]
    return (
        f"memory over {num_frames} frames in {time.perf_counter() - began:.0f} s: "
        f"{', '.join(f'{quarter:.1f}' for quarter in quarters)} MB in the quarters, "
        f"{quarters[-1] / quarters[1] - 1:+.2%} from the second to the last; "
        f"{live.num_tracks} tracks, runs {dict(live.num_runs)}"
    )


def measure_flicker(path: Path, options: Mapping[str, Any]) -> Iterator[str]:
    """Measure how often the label of each face changes, without and with smoothing.

    Args:
        path: The video.
        options: Options of `LiveAnalysis`.
    """
    for smoothing in (0.0, SMOOTHING):
        live = LiveAnalysis(**options, smoothing=smoothing)
        labels: dict[tuple[int, str], list[tuple[float, str | None]]] = {}
        for frame, faces in play(live, VideoFile(path)):
            for face in faces:
                for name, attribute in face.attributes.items():
                    if isinstance(attribute, Classification):
                        track = labels.setdefault((face.track_id or 0, name), [])
                        track.append((frame.timestamp, attribute.label))
        for (track_id, name), track in labels.items():
            begins = [next(spell)[0] for _, spell in groupby(track, key=itemgetter(1))]
            num_changes, seconds = len(begins) - 1, track[-1][0] - track[0][0]
            num_short = sum(begins[i + 1] - begins[i] < SHORT for i in range(1, num_changes))
            yield (
                f"smoothing {smoothing:g} s, #{track_id} {name}: {num_changes} changes of the "
                f"label in {seconds:.1f} s, {num_changes / max(seconds, 1e-9):.2f} per second; "
                f"{num_short} labels lasted less than {SHORT:g} s"
            )
