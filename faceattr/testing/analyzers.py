"""What an analyzer's contract asks, as checks that each say what is not kept."""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import NoReturn, get_args
from unittest.mock import patch

import numpy as np

from faceattr.alignment import MEAN_FACE, Color, CropSpec, Mode, Placement
from faceattr.analyzers.base import Analyzer, PlacedAnalyzer
from faceattr.engines import create_engine
from faceattr.errors import FaceattrError, PluginError
from faceattr.registry import CONTRACT
from faceattr.types import Attribute, Classification, Crops, Estimate
from faceattr.weights import GoogleDrive, Weights, fetch

THREADS = 4
BATCH = 17  # crops; no round number, so that nobody is made for it
TOLERANCE = 1e-3  # of a probability, or as a share of a number
SUM_TOLERANCE = 1e-2  # of the sum of probabilities, which half precision may move


@dataclass(frozen=True)
class Subject:
    """An analyzer that is checked.

    Attributes:
        analyzer: A new one, not loaded yet.
        faces: (N, H, W, C) uint8 crops of real faces, or None.
        longest_load: Seconds that `load` may take, without downloads.
    """

    analyzer: Analyzer
    faces: Crops | None
    longest_load: float

    def complain(self, complaint: str, cause: Exception | None = None) -> NoReturn:
        """Say in what the contract is not kept."""
        raise PluginError(f"{type(self.analyzer).__name__} {complaint}") from cause

    def require(self, condition: bool, complaint: str) -> None:
        """Complain, unless the condition holds."""
        if not condition:
            self.complain(complaint)

    @contextmanager
    def blaming(self, what: str) -> Iterator[None]:
        """Complain of an error that does not derive from `FaceattrError`."""
        try:
            yield
        except FaceattrError:
            raise
        except Exception as error:  # a plugin may fail in any way
            self.complain(f"{what}: {type(error).__name__}: {error}", error)

    @cached_property
    def crops(self) -> Crops:
        """As many crops as a batch has: the faces, or noise that is brighter from crop to crop."""
        crop = self.analyzer.crop
        if self.faces is not None:
            return np.resize(self.faces, (BATCH, *self.faces.shape[1:]))
        noise = np.random.default_rng(0).random((BATCH, *crop.size, crop.channels))
        levels = np.linspace(15, 255, BATCH).reshape(-1, 1, 1, 1)
        return (noise * levels).astype(np.uint8)

    @cached_property
    def load_seconds(self) -> float:
        """Load the analyzer, and return how long that took."""
        if self.analyzer.weights is not None:
            fetch(self.analyzer.weights)
        engine = create_engine("openvino", precision="f32", threads=1)
        start = time.perf_counter()
        with self.blaming("cannot be loaded"):
            self.analyzer.load(engine)
        return time.perf_counter() - start

    def ask(self, crops: Crops) -> Sequence[Attribute]:
        """Return what the analyzer says of crops, which stay as they are whatever it does."""
        return self.hand_over(crops.copy())

    def hand_over(self, crops: Crops) -> Sequence[Attribute]:
        """Return what the analyzer says of crops, as a pipeline asks it."""
        assert self.load_seconds >= 0  # it is loaded
        analyzer = self.analyzer
        with self.blaming(f"failed on {len(crops)} crops"):
            if isinstance(analyzer, PlacedAnalyzer):
                landmarks = (MEAN_FACE * analyzer.crop.size[::-1]).astype(np.float32)
                return analyzer.predict_placed(crops, [Placement(landmarks, 1.0)] * len(crops))
            return analyzer.predict(crops)


Check = Callable[[Subject], None]


def declares_what_it_reads(subject: Subject) -> None:
    """Check the class data, but for the weights."""
    analyzer = subject.analyzer
    attribute = getattr(analyzer, "attribute", None)
    subject.require(
        isinstance(attribute, str) and re.fullmatch(r"[^\s,=]+", attribute) is not None,
        f"has the attribute {attribute!r}; it has to be a name without spaces, commas and '='",
    )
    crop = getattr(analyzer, "crop", None)
    if not isinstance(crop, CropSpec):
        subject.complain(f"has the crop {crop!r}; it has to be a CropSpec")
    subject.require(
        all(isinstance(side, int) and side > 0 for side in crop.size)
        and len(crop.size) == 2
        and crop.color in get_args(Color)
        and crop.mode in get_args(Mode)
        and np.shape(crop.template) == (5, 2)
        and crop.margin >= 0,
        f"has a crop that cannot be cut: {crop}",
    )
    subject.require(
        isinstance(analyzer.refresh, int | float) and 0 <= analyzer.refresh < math.inf,
        f"has a refresh of {analyzer.refresh!r}; it has to be seconds, 0 for each frame",
    )
    subject.require(
        analyzer.contract == CONTRACT,
        f"was made for contract {analyzer.contract} of faceattr's plugins, not {CONTRACT}",
    )
    labels = list(analyzer.labels)
    subject.require(
        bool(labels) != bool(analyzer.unit),
        "has to declare labels, if it classifies, or else the unit of its estimates",
    )
    subject.require(
        not isinstance(analyzer.labels, str)
        and all(isinstance(label, str) and label for label in labels)
        and len(set(labels)) == len(labels),
        f"has labels that are no different words: {labels}",
    )


def has_papers_of_its_weights(subject: Subject) -> None:
    """Check that the weights' record says where from, which file, whose terms."""
    weights = subject.analyzer.weights
    if weights is None:
        return
    if not isinstance(weights, Weights):
        subject.complain(f"has weights that are no Weights record but {weights!r}")
    lacks = [
        complaint
        for is_there, complaint in (
            (re.fullmatch(r"[^/\\\s]+", weights.filename), "a filename without folders"),
            (weights.sources, "sources"),
            (all(map(_is_address, weights.sources)), "sources that are addresses on the web"),
            (re.fullmatch(r"[0-9a-f]{64}", weights.sha256), "a SHA-256 of 64 hex digits"),
            (weights.num_bytes > 0, "its size in num_bytes"),
            (weights.license.strip(), "a license"),
            (weights.card.strip(), "a card"),
        )
        if not is_there
    ]
    subject.require(not lacks, f"has weights without {', '.join(lacks)}")


def _is_address(source: object) -> bool:
    if isinstance(source, GoogleDrive):
        return bool(source.file_id)
    return isinstance(source, str) and re.match(r"https?://\w", source) is not None


def loads_in_time(subject: Subject) -> None:
    """Check that `load` works, and how long it takes."""
    subject.require(
        subject.load_seconds <= subject.longest_load,
        f"took {subject.load_seconds:.1f} s to load; {subject.longest_load:g} s are allowed",
    )


def says_that_weights_are_missing(subject: Subject) -> None:
    """Check that without its weights it raises an error of ours, which says what to do."""
    if subject.analyzer.weights is None:
        return
    analyzer = copy(subject.analyzer)
    with TemporaryDirectory() as empty, patch.dict(os.environ):
        os.environ.pop("FACEATTR_MIRROR", None)
        os.environ |= {"FACEATTR_HOME": empty, "DEEPFACE_HOME": empty, "FACEATTR_OFFLINE": "1"}
        try:
            analyzer.load(create_engine("openvino", precision="f32", threads=1))
        except FaceattrError:
            return
        except Exception as error:  # a plugin may fail in any way
            subject.complain(
                f"raises {type(error).__name__} instead of a FaceattrError where its weights are "
                f"missing: {error}",
                error,
            )
    subject.complain("loads where its weights are missing; fetch(self.weights) is how to get them")


def answers_for_each_crop(subject: Subject) -> None:
    """Check number, form, labels and range of the answers, of one crop and of many."""
    flat = [np.full_like(subject.crops[:1], level) for level in (0, 128, 255)]
    for crops in (subject.crops[:1], subject.crops, *flat):
        answers = subject.ask(crops)
        subject.require(
            len(answers) == len(crops),
            f"gave {len(answers)} attributes for {len(crops)} crops",
        )
        for answer in answers:
            _check_answer(subject, answer)
    if isinstance(subject.analyzer, PlacedAnalyzer):
        with subject.blaming("failed on a crop of which nothing is known"):
            (answer,) = subject.analyzer.predict(subject.crops[:1])
        _check_answer(subject, answer)


def _check_answer(subject: Subject, answer: object) -> None:
    if isinstance(answer, Classification):
        _check_scores(subject, answer)
    elif isinstance(answer, Estimate):
        _check_number(subject, answer)
    else:
        subject.complain(f"gave {answer!r}; it has to be a Classification or an Estimate")
    described = answer.to_dict()
    try:
        same = json.loads(json.dumps(described, allow_nan=False)) == described
    except (TypeError, ValueError) as error:
        subject.complain(f"gave what JSON cannot say: {described}: {error}", error)
    subject.require(same, f"gave what is another thing in JSON: {described}")


def _check_scores(subject: Subject, answer: Classification) -> None:
    declared = list(subject.analyzer.labels)
    subject.require(
        list(answer.scores) == declared,
        f"gave the labels {list(answer.scores)}, but declares {declared}",
    )
    values = [float(score) for score in answer.scores.values()]
    subject.require(
        all(0 <= value <= 1 for value in values) and abs(sum(values) - 1) <= SUM_TOLERANCE,
        f"gave scores that are no probabilities with the sum 1: {answer.scores}; logits need a "
        "softmax",
    )


def _check_number(subject: Subject, answer: Estimate) -> None:
    subject.require(
        answer.unit == subject.analyzer.unit,
        f"gave an estimate in {answer.unit!r}, but declares {subject.analyzer.unit!r}",
    )
    subject.require(
        math.isfinite(answer.value) and (answer.std is None or 0 <= answer.std < math.inf),
        f"gave an estimate that is no number: {answer!r}",
    )


def changes_no_crop(subject: Subject) -> None:
    """Check that the crops are as before; other analyzers get the same ones."""
    crops = subject.crops.copy()
    subject.hand_over(crops)
    subject.require(np.array_equal(crops, subject.crops), "changed its crops")


def says_the_same_again(subject: Subject) -> None:
    """Check that an answer depends on nothing but the crops."""
    once, again = subject.ask(subject.crops), subject.ask(subject.crops)
    for first, second in zip(once, again, strict=True):
        subject.require(
            first == second, f"says another thing of the same crop: {first!r}, then {second!r}"
        )


def says_the_same_alone(subject: Subject) -> None:
    """Check that a face's answer does not depend on the faces beside it."""
    together = subject.ask(subject.crops)
    for index, answer in enumerate(together):
        (alone,) = subject.ask(subject.crops[index : index + 1])
        subject.require(
            _alike(answer, alone),
            f"says another thing of a crop among others, {answer!r}, than alone, {alone!r}",
        )


def says_the_same_in_threads(subject: Subject) -> None:
    """Check that several threads may ask at once."""
    singles = np.split(subject.crops, BATCH)
    expected = [subject.ask(crop)[0] for crop in singles]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for (answer,) in pool.map(subject.ask, singles * THREADS)]
    for answer, known in zip(answers, expected * THREADS, strict=True):
        subject.require(
            _alike(answer, known),
            f"says another thing in several threads, {answer!r}, than in one, {known!r}",
        )


def _alike(one: Attribute, other: Attribute) -> bool:
    if isinstance(one, Classification) and isinstance(other, Classification):
        return list(one.scores) == list(other.scores) and all(
            abs(score - other.scores[label]) <= TOLERANCE for label, score in one.scores.items()
        )
    if isinstance(one, Estimate) and isinstance(other, Estimate):
        return abs(one.value - other.value) <= TOLERANCE * max(1.0, abs(one.value))
    return False


ANALYZER_CHECKS: Sequence[Check] = (
    declares_what_it_reads,
    has_papers_of_its_weights,
    loads_in_time,
    answers_for_each_crop,
    changes_no_crop,
    says_the_same_again,
    says_the_same_alone,
    says_the_same_in_threads,
    says_that_weights_are_missing,
)
"""In the order in which one depends on what those before it have shown."""
