"""Measure faceattr beside its peers, and write the page docs/benchmarks.md.

    python -m benchmarks --output docs
    python -m benchmarks --quick

needs ``pip install 'faceattr[bench]'`` and, unless pictures are given, scikit-image. The first run
makes an environment for each peer, which takes minutes and some 20 GB; they are kept in ``--work``
for later runs. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import platformdirs

from benchmarks.machine import processor
from benchmarks.media import astronaut
from benchmarks.peers.contestants import ALL, CONTESTANTS, OURS, Contestant
from benchmarks.peers.environments import FACEATTR, MEASURED, ROOT, TOOLS, Workspace
from benchmarks.peers.measuring import FULL, QUICK, Run, measure
from faceattr.images import find_images

CHUNK = 2**20  # bytes
PUBLISHED = {  # name of a weights file to that of its analyzer
    "facial_expression_model_weights": "emotion-cnn",
    "age_model_weights": "age-vgg",
    "gender_model_weights": "gender-vgg",
    "race_model_single_batch": "race-vgg",
}


def main() -> None:
    """Prepare the environments and inputs, measure, and write the page."""
    options = parse()
    workspace = Workspace(options.work.absolute())
    pictures = absolute(options.pictures)
    given, files = prepare(workspace, options, pictures)
    settings = QUICK if options.quick else FULL
    began, load = datetime.now(timezone.utc), os.getloadavg()[0]
    say("limits of the machine")
    limits = workspace.call(FACEATTR, "limits", str(settings.picture / 3))
    contestants = choose(options.only, quick=options.quick)
    runs = measure(workspace, contestants, files, settings, show)
    say("where the time goes")
    actions, seconds = ",".join(OURS[ALL]), str(settings.batch)
    breakdown = workspace.call(
        FACEATTR, "breakdown", actions, seconds, files["one"], *files["many"]
    )
    say("differences of auto and f32")
    faces = str(settings.faces)
    others = absolute(options.more_faces)
    differences = workspace.call(FACEATTR, "differences", faces, *pictures, *others)
    results = {
        "circumstances": {
            "date": f"{began:%Y-%m-%d %H:%M} UTC",
            "minutes": (datetime.now(timezone.utc) - began).total_seconds() / 60,
            "settings": asdict(settings),
            "processor": processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
            "commit": commit(),
            "load": load,
            "given_weights": given,
            "pictures": {name: files[name] for name in ("sizes", "pictures", "faces")},
        },
        "environments": {one.name: workspace.describe(one) for one in MEASURED},
        "limits": limits,
        "runs": [asdict(run) for run in runs],
        "breakdown": breakdown,
        "differences": differences,
    }
    from benchmarks.peers.report import write  # heavy: its memory would count for child processes

    write(results, options.output)
    say(f"{options.output}/benchmarks.md")


def absolute(patterns: Sequence[str]) -> list[str]:
    """Return the absolute paths of the images that files, folders and globs name."""
    return [str(Path(path).absolute()) for path in find_images(patterns)]


def prepare(
    workspace: Workspace, options: argparse.Namespace, pictures: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Make environments, weights, pictures and the video.

    Returns:
        The names of the weights files that were given, and what `workloads` printed.
    """
    for environment in (TOOLS, *MEASURED):
        say(f"environment {environment.name}")
        workspace.make(environment)
    say("weights")
    given = install_weights(workspace, options.weights)
    say("pictures")
    video = ["--video", str(options.video.absolute())] if options.video else []
    media = str(workspace.folder / "media")
    return given, workspace.call(FACEATTR, "workloads", media, *pictures, *video)


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
    parser.add_argument("--quick", action="store_true", help="take five minutes")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure these contestants only")
    options = parser.parse_args()
    if options.pictures is None:
        options.pictures = [str(astronaut())]
    return options


def install_weights(workspace: Workspace, given: Path | None) -> list[str]:
    """Put the weights where deepface and faceattr look for them, stand-ins for missing ones.

    Returns:
        Names of the files that were given.
    """
    folder = workspace.folder / "deepface" / ".deepface" / "weights"
    names = [f"{stem}{suffix}" for stem in PUBLISHED for suffix in (".h5", ".onnx")]
    real = [name for name in names if given is not None and (given / name).is_file()]
    record, state = workspace.folder / "weights.txt", f"{given} {real} {names}"
    if not record.exists() or record.read_text() != state:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in real:
            (folder / name).symlink_to((given or folder).absolute() / name)
        workspace.call(TOOLS, "stand_ins", str(folder))
        command = workspace.python(FACEATTR).with_name("faceattr")
        for stem, name in PUBLISHED.items():
            arguments = ["weights", "import", str(folder / f"{stem}.h5"), "--as", name, "--trust"]
            subprocess.run([str(command), *arguments], env=workspace.variables(), check=True)
        record.write_text(state)
    for name in names:  # read once, so that the disk's cache has them for all alike
        with (folder / name).open("rb") as file:
            while file.read(CHUNK):
                pass
    return real


def choose(names: Sequence[str] | None, *, quick: bool) -> list[Contestant]:
    """Return the contestants of these names; all for None, without variants if it is quick."""
    if names is not None:
        return [one for one in CONTESTANTS if one.name in names]
    return [one for one in CONTESTANTS if not (quick and one.is_variant)]


def commit() -> str:
    """Return the commit of this checkout, or nothing if it is unknown."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def show(run: Run) -> None:
    """Print the result of a run."""
    if run.error:
        say(f"{run.contestant}: {run.task}: {run.error}")
    else:
        best = min(one["seconds"] / one.get("items", 1) for one in run.repetitions)
        say(f"{run.contestant}: {run.task}: {1000 * best:.1f} ms at best")


def say(words: str) -> None:
    """Print a line with the time."""
    print(f"{datetime.now():%H:%M:%S}  {words}", flush=True)


if __name__ == "__main__":
    main()
