"""Measure faceattr beside what its users would otherwise pick, and write the page about it.

    python -m benchmarks --output docs
    python -m benchmarks --quick

needs ``pip install 'faceattr[bench]'`` and, unless pictures are given, scikit-image for one. The
first run makes the environments, which takes minutes and some GB; ``--work`` keeps them for the
next. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import platformdirs

from benchmarks.contestants import ALL, CONTESTANTS, OURS, SMALL, Contestant
from benchmarks.environments import FACEATTR, MEASURED, ROOT, TOOLS, Place
from benchmarks.timing import FULL, QUICK, Turn, measure
from faceattr.images import find_images

CHUNK = 2**20  # bytes
PUBLISHED = {  # names of analyzers by files of weights
    "facial_expression_model_weights": "emotion-cnn",
    "age_model_weights": "age-vgg",
    "gender_model_weights": "gender-vgg",
    "race_model_single_batch": "race-vgg",
}


def main() -> None:
    """Make what is needed, measure, and write the page."""
    options = parse()
    place = Place(options.work.absolute())
    pictures = [str(Path(path).absolute()) for path in find_images(options.pictures)]
    for environment in (TOOLS, *MEASURED):
        say(f"environment {environment.name}")
        place.make(environment)
    say("weights")
    given = bring_weights(place, options.weights)
    say("pictures")
    video = ["--video", str(options.video.absolute())] if options.video else []
    files = place.ask(FACEATTR, "workloads.py", str(place.folder / "media"), *pictures, *video)
    effort = QUICK if options.quick else FULL
    began, load = datetime.now(timezone.utc), os.getloadavg()[0]
    seconds = str(effort.picture / 3)
    say("limits of the machine")
    limits = place.ask(FACEATTR, "limits.py", seconds)
    turns = measure(
        place,
        chosen(files["analyzers"], options.only, in_a_hurry=options.quick),
        files,
        effort,
        show,
    )
    say("where the time goes")
    actions = ",".join(OURS[ALL])
    breakdown = place.ask(
        FACEATTR, "breakdown.py", actions, str(effort.batch), files["one"], *files["many"]
    )
    say("differences of auto and f32")
    others = [str(Path(path).absolute()) for path in find_images(options.more_faces)]
    differences = place.ask(FACEATTR, "differences.py", str(effort.faces), *pictures, *others)
    results = {
        "circumstances": {
            "date": f"{began:%Y-%m-%d %H:%M} UTC",
            "minutes": (datetime.now(timezone.utc) - began).total_seconds() / 60,
            "effort": asdict(effort),
            "processor": processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
            "commit": commit(),
            "load": load,
            "given_weights": given,
            "pictures": {name: files[name] for name in ("sizes", "pictures", "faces")},
        },
        "environments": {one.name: place.describe(one) for one in MEASURED},
        "limits": limits,
        "turns": [asdict(turn) for turn in turns],
        "breakdown": breakdown,
        "differences": differences,
    }
    from benchmarks.report import write  # heavy, which the memory of children would show

    write(results, options.output)
    say(f"{options.output}/benchmarks.md")


def parse() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    work = platformdirs.user_cache_path("faceattr-benchmarks", appauthor=False)
    parser.add_argument("--work", type=Path, default=work, metavar="DIR", help="[%(default)s]")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks"), metavar="DIR")
    parser.add_argument("--pictures", nargs="+", metavar="PATH", help="files, folders, globs")
    parser.add_argument("--more-faces", nargs="+", default=[], metavar="PATH")
    parser.add_argument("--video", type=Path, metavar="FILE")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="with files that deepface uses")
    parser.add_argument("--quick", action="store_true", help="be done in five minutes")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these contestants only")
    options = parser.parse_args()
    if options.pictures is None:
        options.pictures = [astronaut()]
    return options


def astronaut() -> str:
    """Return the path of a photograph in the public domain that comes with scikit-image."""
    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        sys.exit("there are no pictures; give some, or pip install scikit-image")
    return str(Path(package.submodule_search_locations[0], "data", "astronaut.png"))


def bring_weights(place: Place, given: Path | None) -> list[str]:
    """Put weights where deepface and faceattr look for them: given ones, else stand-ins.

    Returns:
        Names of the files that were given.
    """
    folder = place.folder / "deepface" / ".deepface" / "weights"
    names = [f"{stem}{suffix}" for stem in PUBLISHED for suffix in (".h5", ".onnx")]
    real = [name for name in names if given is not None and (given / name).is_file()]
    record, state = place.folder / "weights.txt", f"{given} {real} {names}"
    if not record.exists() or record.read_text() != state:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in real:
            (folder / name).symlink_to((given or folder).absolute() / name)
        place.ask(TOOLS, "standins.py", str(folder))
        command = place.python(FACEATTR).with_name("faceattr")
        for stem, name in PUBLISHED.items():
            arguments = ["weights", "import", str(folder / f"{stem}.h5"), "--as", name, "--trust"]
            subprocess.run([str(command), *arguments], env=place.variables(), check=True)
        record.write_text(state)
    for name in names:  # into the disk's cache, for all alike
        with (folder / name).open("rb") as file:
            while file.read(CHUNK):
                pass
    return real


def chosen(
    analyzers: Sequence[str], names: Sequence[str] | None, *, in_a_hurry: bool
) -> list[Contestant]:
    """Return the contestants of these names, all for None.

    Args:
        analyzers: Those that faceattr has; what it has not yet is not asked for.
        names: Of contestants.
        in_a_hurry: Whether to leave out variants.
    """
    has_small = set(OURS[SMALL]) <= set(analyzers)
    return [
        one if has_small or one.environment is not FACEATTR else one.without(SMALL)
        for one in CONTESTANTS
        if (not (in_a_hurry and one.is_variant) if names is None else one.name in names)
    ]


def processor() -> str:
    """Return the processor's name (on Linux)."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """Return which state of the project is measured; nothing if that is not known."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def show(turn: Turn) -> None:
    """Say what a turn has brought."""
    if turn.error:
        say(f"{turn.contestant}: {turn.work}: {turn.error}")
    else:
        best = min(run["seconds"] / run.get("items", 1) for run in turn.runs)
        say(f"{turn.contestant}: {turn.work}: {1000 * best:.1f} ms at best")


def say(words: str) -> None:
    """Print what is being done, and when."""
    print(f"{datetime.now():%H:%M:%S}  {words}", flush=True)


if __name__ == "__main__":
    main()
