"""The rules that an analyzer keeps, as checks that each say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import cached_property

import numpy as np

from faceattr.alignment import MEAN_FACE, CropSpec, resize_crops
from faceattr.analyzers.base import Analyzer
from faceattr.analyzers.declaration import check_declaration, columns_of, forms_of
from faceattr.analyzers.loaded import LoadedAnalyzer, batch_for
from faceattr.errors import OptionError
from faceattr.testing.subject import (
    LONGEST_LOAD,
    THREADS,
    Subject,
    declares_the_api_version,
    has_weights_metadata,
    loads_in_time,
    new_engine,
    reports_missing_weights,
    run_checks,
)
from faceattr.types import (
    Attribute,
    BGRImage,
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Descriptor,
    Estimate,
)

BATCH_SIZE = 17  # odd and prime, so that no fixed batch size fits by chance
TOLERANCE = 1e-3  # of a probability or component of a vector, or as a share of a number
SUM_TOLERANCE = 1e-2  # of the sum of probabilities, which half precision may move


def check_analyzer(
    analyzer: Analyzer, crops: Crops | None = None, *, longest_load: float = LONGEST_LOAD
) -> None:
    """Check that an analyzer keeps the rules of the plugin API; one line of a test.

    It runs in float32 on one processor thread. Its weights are downloaded if they are missing.

    Args:
        analyzer: The analyzer.
        crops: (N, H, W, C) uint8 crops of real faces in the form of `Analyzer.crop`, from which
            those of other forms are made; None for noise, which tells less.
        longest_load: Seconds that `load` may take, without downloads.

    Raises:
        PluginError: It breaks a rule; the message says which.
        WeightsError: Its weights are missing and cannot be downloaded.
    """
    run_checks(AnalyzerSubject(analyzer, crops, longest_load), ANALYZER_CHECKS)


class AnalyzerSubject(Subject[Analyzer]):
    """An analyzer that is checked.

    Args:
        analyzer: The analyzer.
        faces: (N, H, W, C) uint8 crops of real faces, or None.
        longest_load: Seconds that `load` may take, without downloads.
    """

    def __init__(
        self, analyzer: Analyzer, faces: Crops | None = None, longest_load: float = LONGEST_LOAD
    ) -> None:
        weights = getattr(analyzer, "weights", None)
        super().__init__(analyzer, [] if weights is None else [weights], longest_load)
        self._faces = faces

    @cached_property
    def crops(self) -> Crops:
        """`BATCH_SIZE` crops: the faces again and again, or noise of rising brightness."""
        if self._faces is not None:
            return np.resize(self._faces, (BATCH_SIZE, *self._faces.shape[1:]))
        crop = self.plugin.crop
        noise = np.random.default_rng(0).random((BATCH_SIZE, *crop.size, crop.channels))
        levels = np.linspace(15, 255, BATCH_SIZE).reshape(-1, 1, 1, 1)
        return (noise * levels).astype(np.uint8)

    def batch(self, crops: Crops, *, has_landmarks: bool = True) -> CropBatch:
        """Return a copy of crops as a batch, the landmarks where an upright face has them.

        Crops of the other forms that the analyzer declares are made from these.
        """

        def in_form(spec: CropSpec) -> CropBatch:
            landmarks = (MEAN_FACE * spec.size[::-1]).astype(np.float32) if has_landmarks else None
            geometry = [CropGeometry(landmarks)] * len(crops)
            own = crops.copy() if spec == self.plugin.crop else resize_crops(images, spec).crops
            return CropBatch(own, geometry)

        images = _to_bgr(crops, self.plugin.crop)
        return batch_for(self.plugin, {spec: in_form(spec) for spec in forms_of(self.plugin)})

    def load(self) -> LoadedAnalyzer:
        """Load the analyzer once more, as a pipeline does."""
        return LoadedAnalyzer(self.plugin, new_engine(), {})

    @cached_property
    def loaded(self) -> LoadedAnalyzer:
        """The analyzer as the first pipeline has loaded it."""
        return self.load()

    def read(self, crops: Crops) -> Sequence[Attribute]:
        """Return what the analyzer reads off crops.

        Raises:
            PluginError: It fails, or gives something else than it declares.
        """
        return self.loaded.read(self.batch(crops))


def _to_bgr(crops: Crops, spec: CropSpec) -> list[BGRImage]:
    if spec.color == "gray":
        return list(np.repeat(crops, 3, axis=-1))
    return list(crops if spec.color == "bgr" else crops[..., ::-1])


def declares_what_it_reads(subject: AnalyzerSubject) -> None:
    """Check attribute, crops, output and refresh, and that tables have columns for the output."""
    analyzer = subject.plugin
    check_declaration(analyzer, type(analyzer).__name__)
    try:
        columns_of({analyzer.attribute: analyzer.output})
    except OptionError as error:
        subject.fail(f"cannot be written to tables: {error}", error)


def reads_each_face(subject: AnalyzerSubject) -> None:
    """Check number, form, labels and range of the results, for one crop and for many."""
    flat = [np.full_like(subject.crops[:1], level) for level in (0, 128, 255)]
    for crops in (subject.crops[:1], subject.crops, *flat):
        for attribute in subject.read(crops):
            _check_attribute(subject, attribute)


def _exactly(attribute: Attribute) -> str:
    """Return all digits of an attribute, of which its `repr` shows a few."""
    numbers = (repr(getattr(attribute, one.name)) for one in fields(attribute))
    return f"{type(attribute).__name__}({', '.join(numbers)})"


def _check_attribute(subject: AnalyzerSubject, attribute: Attribute) -> None:
    """Check what a pipeline does not check for every face."""
    if isinstance(attribute, Classification):
        total = sum(map(float, attribute.scores.values()))
        subject.require(
            abs(total - 1) <= SUM_TOLERANCE,
            f"gave scores with the sum {total:.3g} instead of 1: {dict(attribute.scores)}; "
            "logits need a softmax",
        )
    described = attribute.to_dict()
    try:
        same = json.loads(json.dumps(described, allow_nan=False)) == described
    except (TypeError, ValueError) as error:
        subject.fail(f"gave a result that JSON cannot express: {described}: {error}", error)
    subject.require(same, f"gave a result that does not survive a JSON round trip: {described}")


def reads_faces_without_landmarks(subject: AnalyzerSubject) -> None:
    """Check that a face is read whose landmarks are not known."""
    batch = subject.batch(subject.crops[:1], has_landmarks=False)
    with subject.blaming("failed on a face without landmarks"):
        (attribute,) = subject.plugin.load(new_engine())(batch)
    _check_attribute(subject, attribute)


def stays_as_it_is(subject: AnalyzerSubject) -> None:
    """Check that reading does not change the analyzer."""
    before = subject.state
    subject.read(subject.crops)
    subject.require_unchanged(before, "while it read faces")


def serves_several_pipelines(subject: AnalyzerSubject) -> None:
    """Check that loading it again does not disturb who loaded it before."""
    before = subject.read(subject.crops)
    second = subject.load().read(subject.batch(subject.crops))
    for results in (subject.read(subject.crops), second):
        for expected, attribute in zip(before, results, strict=True):
            subject.require(
                _is_close(expected, attribute),
                f"reads {_exactly(attribute)} after it was loaded for a second pipeline, and read "
                f"{_exactly(expected)} before",
            )


def leaves_crops_unchanged(subject: AnalyzerSubject) -> None:
    """Check that the analyzer does not write to the crops, which others read too."""
    batch, intact = (subject.batch(subject.crops) for _ in range(2))
    subject.loaded.read(batch)
    for spec in forms_of(subject.plugin):
        same = np.array_equal(batch.in_form(spec).crops, intact.in_form(spec).crops)
        subject.require(same, "changed its crops")


def is_deterministic(subject: AnalyzerSubject) -> None:
    """Check that a result depends on nothing but the crop."""
    results = [subject.read(subject.crops) for _ in range(2)]
    for first, second in zip(*results, strict=True):
        subject.require(
            first == second,
            f"reads the same crop differently: {_exactly(first)}, then {_exactly(second)}",
        )


def is_batch_invariant(subject: AnalyzerSubject) -> None:
    """Check that a face's result does not depend on the other faces of the batch."""
    for index, attribute in enumerate(subject.read(subject.crops)):
        (alone,) = subject.read(subject.crops[index : index + 1])
        subject.require(
            _is_close(attribute, alone),
            f"reads a crop differently in a batch, {_exactly(attribute)}, than alone, "
            f"{_exactly(alone)}",
        )


def is_thread_safe(subject: AnalyzerSubject) -> None:
    """Check that several threads may read at once."""
    singles = np.split(subject.crops, BATCH_SIZE)
    expected = [subject.read(crop)[0] for crop in singles]
    with ThreadPoolExecutor(THREADS) as pool:
        results = [attribute for (attribute,) in pool.map(subject.read, singles * THREADS)]
    for attribute, known in zip(results, expected * THREADS, strict=True):
        subject.require(
            _is_close(attribute, known),
            f"reads a crop differently in several threads, {_exactly(attribute)}, than in one, "
            f"{_exactly(known)}",
        )


def _is_close(one: Attribute, other: Attribute) -> bool:
    if isinstance(one, Estimate) and isinstance(other, Estimate):
        return abs(one.value - other.value) <= TOLERANCE * max(1.0, abs(one.value))
    if isinstance(one, Classification) and isinstance(other, Classification):
        return all(
            abs(score - other.scores[label]) <= TOLERANCE for label, score in one.scores.items()
        )
    if isinstance(one, Descriptor) and isinstance(other, Descriptor):
        return float(np.abs(one.vector - other.vector).max()) <= TOLERANCE
    return False


ANALYZER_CHECKS: Sequence[Callable[[AnalyzerSubject], None]] = (
    declares_the_api_version,
    declares_what_it_reads,
    has_weights_metadata,
    loads_in_time,
    reads_each_face,
    reads_faces_without_landmarks,
    stays_as_it_is,
    leaves_crops_unchanged,
    is_deterministic,
    is_batch_invariant,
    is_thread_safe,
    serves_several_pipelines,
    reports_missing_weights,
)
"""In the order in which one relies on those before it."""
