r"""Measure the time per face beside dlib, and how long it takes to enroll and to search.

    python -m models.identity.speed lfw_folds_1_4.npz --models face_recognition_models/models

Times are processor time on one thread, so that they mean something on a busy machine; the time of
a search, in which NumPy waits for memory, is that of the clock.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from faceattr.analyzers.builtin import load_builtin
from faceattr.analyzers.identity import DLIB_FACE, load_original, to_unit_length
from faceattr.engines import create_engine
from faceattr.evaluation.tables import Table
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.recognition.faces import READER
from faceattr.recognition.gallery import Gallery
from faceattr.types import Descriptor
from models.figures import markdown, write_card

BATCHES = (1, 16)
LAPS = 15
NUM_PICTURES = 1000
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("lfw", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="with dlib's files")
    options = parser.parse_args()
    tables = [
        network_table(options.models / DLIB_FACE.filename),
        enrolment_table(options.lfw),
        search_table(),
    ]
    figures = {table.title: {"header": table.header, "rows": table.rows} for table in tables}
    write_card(Path(__file__).parent, figures, markdown(tables), section="speed")


def network_table(dat: Path) -> Table:
    """Return the processor time per face of each network, on crops."""
    engine = create_engine(precision="f32", threads=1)
    networks = {"int8, in the wheel": load_builtin("identity"), "f32": load_original(dat)}
    ways: dict[str, Callable[[Any], Any]] = {}
    for name, network in networks.items():
        ways[f"{name}, OpenVINO f32"] = engine.compile(network)
    ways["dlib"] = dlib_network(dat)
    rows = []
    for name, run in ways.items():
        times = []
        for batch in BATCHES:
            crops = np.random.default_rng(0).integers(0, 256, (batch, 150, 150, 3), np.uint8)
            times.append(median_time(partial(run, crops)) / batch)
        rows.append([name, *(f"{seconds * 1e3:.1f} ms" for seconds in times)])
    return Table(
        "Processor time per face, without cropping, on one thread",
        ["network", *(f"batch of {batch}" for batch in BATCHES)],
        rows,
    )


def dlib_network(dat: Path) -> Callable[[Any], Any]:
    """Return what runs dlib's own network on crops."""
    import dlib

    network = dlib.face_recognition_model_v1(str(dat))
    return lambda crops: network.compute_face_descriptor(list(crops))


def median_time(work: Callable[[], object]) -> float:
    """Return the median processor time of a run in seconds; the first does not count."""
    work()
    laps = []
    for _ in range(LAPS):
        start = time.process_time()
        work()
        laps.append(time.process_time() - start)
    return statistics.median(laps)


def enrolment_table(path: Path) -> Table:
    """Return what it takes to enroll pictures of LFW, from files to descriptors."""
    with np.load(path) as archive:
        webp, offset = archive["webp"].tobytes(), archive["offset"].tolist()
    pictures = [webp[offset[row] : offset[row + 1]] for row in range(NUM_PICTURES)]
    pipeline = Pipeline([READER], threads=1)
    pipeline.analyze(load_image(pictures[0]))
    gallery = Gallery()
    start = time.process_time()
    for index, result in enumerate(pipeline.analyze_each(pictures)):
        if result.faces:
            gallery.add(f"person {index}", result.faces[0])
    seconds = time.process_time() - start
    return Table(
        f"Enrolling {NUM_PICTURES:,} pictures of 160×160 px, on one thread",
        ["processor time", "per picture", "enrolled"],
        [[f"{seconds:.0f} s", f"{seconds / NUM_PICTURES * 1e3:.0f} ms", f"{len(gallery):,}"]],
    )


def search_table() -> Table:
    """Return time and memory of a search among made-up people."""
    return Table(
        "Searching, with everybody, by NumPy",
        ["people", "descriptors", "process", "to make ready", "each search"],
        list(_searches()),
    )


def _searches() -> Iterator[list[str]]:
    rng = np.random.default_rng(0)
    for count in SIZES:
        vectors = to_unit_length(rng.standard_normal((count, 128), np.float32))
        gallery = Gallery()
        gallery.add_vectors([f"person {index}" for index in range(count)], vectors)
        query = Descriptor(vectors[7], private=True)
        start = time.process_time()
        gallery.search(query)
        ready = time.process_time() - start
        laps = []
        for _ in range(LAPS):
            begin = time.perf_counter()
            best = gallery.search(query)[0]
            laps.append(time.perf_counter() - begin)
        assert best.name == "person 7"
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        yield [
            f"{count:,}",
            f"{vectors.nbytes / 1e6:.0f} MB",
            f"{megabytes:,.0f} MB",
            f"{ready:.2f} s",
            f"{min(laps) * 1e3:.1f} ms",
        ]


if __name__ == "__main__":
    main()
