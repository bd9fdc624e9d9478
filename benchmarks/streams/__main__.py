"""Measure videos and live views: speed, age of frames, growth of memory, flicker of labels.

    python -m benchmarks.streams file video.mp4 --actions emotion,age-vgg,gender-vgg
    python -m benchmarks.streams live video.mp4 --actions emotion,age-vgg,gender-vgg --fps 30
    python -m benchmarks.streams memory video.mp4 --frames 60000
    python -m benchmarks.streams flicker *.mp4

The live view is that of a fake camera, which gives the frames of the video in a loop, at its
own pace. Nothing else should run beside ``file`` and ``live``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.streams.measuring import (
    measure_file,
    measure_flicker,
    measure_live,
    measure_memory,
)


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["file", "live", "memory", "flicker"])
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--actions", default="emotion", type=lambda names: names.split(","))
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--detect-every", default=1, type=parse_interval, metavar="N|auto")
    parser.add_argument("--threads", type=int, help="for the networks")
    parser.add_argument("--fps", type=float, nargs="+", default=[25.0, 30.0], help="of the camera")
    parser.add_argument("--seconds", type=float, default=60.0, help="per live view")
    parser.add_argument("--frames", type=int, default=60_000, help="in the memory run")
    arguments = vars(parser.parse_args())
    options = {name: arguments[name] for name in ("actions", "detector", "detect_every", "threads")}
    for video in arguments["videos"]:
        print(video.name)
        match arguments["what"]:
            case "file":
                for freeze in ("face", "off"):
                    print(measure_file(video, options | {"freeze": freeze}))
            case "live":
                for fps in arguments["fps"]:
                    print(measure_live(video, options, fps=fps, seconds=arguments["seconds"]))
            case "memory":
                print(measure_memory(video, options, num_frames=arguments["frames"]))
            case "flicker":
                print(*measure_flicker(video, options), sep="\n")


def parse_interval(text: str) -> int | str:
    """Return a number of frames, or the word that was given instead."""
    return int(text) if text.isdecimal() else text


if __name__ == "__main__":
    main()
