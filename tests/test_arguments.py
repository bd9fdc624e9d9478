"""A wrong argument is named in one error of ours, wherever it is given."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from conftest import Brightness

import faceattr
from faceattr import weights
from faceattr.analyzers import analyzers
from faceattr.analyzers.vgg_face import AgeVggAnalyzer
from faceattr.arguments import explained
from faceattr.errors import FaceattrError, OptionError
from faceattr.evaluation import datasets, evaluate, metrics
from faceattr.outputs import Outputs
from faceattr.results import ImageResult, to_json
from faceattr.testing import FixedDetector
from faceattr.types import Classification, Detection, Face, Frame

IMAGE = np.full((40, 60, 3), 90, np.uint8)
DETECTION = Detection((5.0, 5.0, 25.0, 30.0), 0.9)
EMOTION = Classification({"happy": 0.9, "sad": 0.1})
FACE = Face(DETECTION.bbox, 0.9, None, {"emotion": EMOTION})
FRAME = Frame(IMAGE, 0, 0.0)
SPEC = faceattr.CropSpec((8, 8))
OPTIONS: dict[str, Any] = {"actions": [Brightness()], "detector": FixedDetector([DETECTION])}
PIPELINE = faceattr.Pipeline(**OPTIONS)
FILE = weights.Weights("a.bin", ("http://127.0.0.1:9/a.bin",), "0" * 64, 3, "MIT", "card")
SET = datasets.LabelledSet("set", [IMAGE], {"source": ["happy"]})

ODD: Sequence[Any] = (
    *(None, True, -1, 3, 2.5, float("inf"), float("nan"), 10**400, 1j, np.float64(2), np.int64(3)),
    *("text", "", "a\0b", b"x", Path("no file"), datetime.date(2020, 1, 1), object(), int, ...),
    *([], [None], ["a"], [[1]], {}, {"a": 1}, {1}, np.zeros(3)),
)


def consume(result: Any) -> None:
    """Use up what a call gives: some fail no earlier than that."""
    if isinstance(result, Iterator):
        list(result)


def use_sink(sink: faceattr.Sink, frame: Any = FRAME, faces: Any = (FACE,)) -> None:
    try:
        sink.begin(PIPELINE.columns)
        with suppress(faceattr.SinkError):  # the face has another attribute
            sink.write(frame, faces)
    finally:
        sink.close()


def write(sink: Callable[..., faceattr.Sink], path: str, frame: Any, faces: Any) -> None:
    use_sink(sink(path), frame, faces)


def write_face(sink: Callable[..., faceattr.Sink], path: str, face: Any) -> None:
    write(sink, path, FRAME, [face])


def make_sink(sink: Callable[..., faceattr.Sink], **arguments: Any) -> None:
    use_sink(sink(**arguments))


def step(frame: Any) -> object:
    return faceattr.LiveAnalysis(**OPTIONS).step(frame)


CALLS: dict[str, tuple[Callable[..., object], dict[str, Any]]] = {
    "analyze": (faceattr.analyze, {"image": IMAGE, **OPTIONS, "features": False}),
    "analyze_many": (faceattr.analyze_many, {"images": [IMAGE], "errors": "raise", **OPTIONS}),
    "stream": (faceattr.stream, {"source": [IMAGE], "sinks": (), "max_frames": 1, **OPTIONS}),
    "play": (
        faceattr.play,
        {
            "live": faceattr.LiveAnalysis(**OPTIONS),
            "source": faceattr.Pictures([IMAGE]),
            "sinks": (),
        },
    ),
    "step": (step, {"frame": FRAME}),
    "list": (faceattr.list_analyzers, {"pattern": "*"}),
    "create": (faceattr.create_detector, {"name": "yunet", "threshold": None}),
    "register": (faceattr.register_analyzer, {"name": "brightness", "analyzer": Brightness}),
    "provider": (analyzers.provider, {"name": "emotion"}),
    "crop_faces": (faceattr.crop_faces, {"image": IMAGE, "faces": [DETECTION], "spec": SPEC}),
    "draw_faces": (faceattr.draw_faces, {"image": IMAGE, "faces": [FACE], "color": "bgr"}),
    "show": (faceattr.show, {"image": IMAGE, "faces": [FACE], "color": "bgr"}),
    "crop": (FACE.crop, {"image": IMAGE, "margin": 0.1, "color": "bgr"}),
    "top": (EMOTION.top, {"count": 2}),
    "[]": (FACE.__getitem__, {"name": "emotion"}),
    "from_dict": (faceattr.Face.from_dict, {"described": FACE.to_dict()}),
    "find_images": (faceattr.find_images, {"paths": [], "on_error": None}),
    "load_image": (
        faceattr.load_image,
        {"source": IMAGE, "max_pixels": 10**6, "timeout": 1.0, "max_bytes": None},
    ),
    "open_source": (faceattr.open_source, {"source": [IMAGE], "fps": 10.0}),
    "VideoFile": (faceattr.VideoFile, {"path": "no.mp4"}),
    "from_options": (faceattr.Pipeline.from_options, {"options": PIPELINE.options}),
    "analyze_crops": (PIPELINE.analyze_crops, {"images": [IMAGE]}),
    "read": (PIPELINE.read, {"image": IMAGE, "detections": [DETECTION], "attributes": None}),
    "over": (faceattr.SearchOptions().over, {"defaults": faceattr.SearchOptions()}),
    "CropSpec": (
        faceattr.CropSpec,
        {
            "size": (8, 8),
            "color": "bgr",
            "mode": "box",
            "template": SPEC.template,
            "margin": 0.0,
        },
    ),
    "age-vgg": (AgeVggAnalyzer, {"color": "bgr", "fit": "stretch"}),
    "Labels": (faceattr.Labels, {"names": ["a", "b"]}),
    "classify": (faceattr.Labels(["a", "b"]).classify, {"scores": [0.5, 0.5]}),
    "estimate": (faceattr.Unit("years").estimate, {"value": 1.0, "std": None}),
    "text": (FACE.text, {"name": "emotion"}),
    "classification": (FACE.classification, {"name": "emotion"}),
    "Outputs": (Outputs, {"inputs": (), "overwrite": False}),
    "folder": (Outputs().folder, {"path": "folder"}),
    "FixedDetector": (FixedDetector, {"detections": [DETECTION]}),
    "find": (weights.find, {"weights": FILE}),
    "clear": (weights.clear, {"weights": FILE}),
    "import_file": (weights.import_file, {"path": "no.bin", "weights": FILE, "trust": False}),
    "load_labelled_set": (
        datasets.load_labelled_set,
        {"path": ".", "attribute": "emotion", "split": None},
    ),
    "evaluate": (
        evaluate.evaluate,
        {"pipeline": PIPELINE, "data": SET, "attribute": "brightness", "labels": None},
    ),
    "score": (evaluate.score, {"answers": [FACE.attributes["emotion"]], "data": SET}),
    "report_estimates": (
        metrics.report_estimates,
        {"values": np.ones(1), "ground_truth": np.ones(1), "unit": "years", "std": None},
    ),
}
SINKS: dict[Callable[..., faceattr.Sink], str] = {
    faceattr.JsonLinesSink: "a.jsonl",
    faceattr.CsvSink: "a.csv",
    faceattr.VideoSink: "a.avi",
}
for sink, path in SINKS.items():
    CALLS[sink.__name__] = partial(make_sink, sink), {"path": path, "outputs": None}
    CALLS[f"{sink.__name__}.write"] = (
        partial(write, sink, path),
        {"frame": FRAME, "faces": [FACE]},
    )


@pytest.mark.parametrize("name", CALLS)
def test_an_odd_argument_works_or_is_an_error_of_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setattr("faceattr.streaming.sources.open_capture", refuse)
    monkeypatch.setattr(analyzers, "_registered", {})
    function, valid = CALLS[name]
    for argument in valid:
        for odd in ODD:
            with suppress(FaceattrError):
                consume(function(**{**valid, argument: odd}))


VALUES: dict[str, tuple[Callable[[Any], object], Any]] = {
    "draw_faces": (lambda face: faceattr.draw_faces(IMAGE, [face]), FACE),
    "crop_faces": (lambda face: faceattr.crop_faces(IMAGE, [face], SPEC), DETECTION),
    "read": (lambda face: PIPELINE.read(IMAGE, [face]), DETECTION),
    "step": (step, FRAME),
    "classification": (lambda face: face.classification("emotion"), FACE),
    "crop": (lambda face: face.crop(IMAGE), FACE),
    "score": (lambda data: evaluate.score([FACE.attributes["emotion"]], data), SET),
    "to_json": (lambda result: to_json([result]), ImageResult("a.png", faces=[FACE])),
}
for sink, path in SINKS.items():
    VALUES[f"frame to {sink.__name__}"] = partial(write, sink, path, faces=[FACE]), FRAME
    VALUES[f"face to {sink.__name__}"] = partial(write_face, sink, path), FACE


@pytest.mark.parametrize("name", VALUES)
def test_an_odd_field_of_a_value_works_or_is_an_error_of_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, valid = VALUES[name]
    for field in fields(valid):
        for odd in ODD:
            with suppress(FaceattrError):
                function(replace(valid, **{field.name: odd}))


def refuse(source: object) -> Any:
    raise faceattr.SourceError(f"no capture of {source}")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: faceattr.draw_faces(IMAGE, "text"),  # type: ignore[arg-type]
            r"draw_faces: faces is 'text'; it must be Sequence\[Face\]",
        ),
        (
            lambda: faceattr.CropSpec(size=3),  # type: ignore[arg-type]
            r"CropSpec: size is 3; it must be tuple\[int, int\]",
        ),
        (
            lambda: faceattr.VideoSink(None),  # type: ignore[arg-type]
            r"VideoSink: path is None; it must be str \| os\.PathLike\[str\]",
        ),
        (
            lambda: faceattr.load_image(IMAGE, max_pixels=np.zeros(2)),  # type: ignore[arg-type]
            r"load_image: max_pixels is an array of shape \(2,\) and type float64; it must be int",
        ),
        (
            lambda: faceattr.draw_faces(IMAGE, [replace(FACE, bbox=(1, 2))]),  # type: ignore[arg-type]
            r"draw_faces: bbox of a Face is \(1, 2\); it must be BBox",
        ),
        (
            lambda: step(replace(FRAME, image="text")),  # type: ignore[arg-type]
            r"LiveAnalysis\.step: image of a Frame is 'text'; it must be BGRImage",
        ),
    ],
)
def test_the_error_names_the_argument_and_says_what_it_must_be(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(OptionError, match=message) as raised:
        call()
    assert isinstance(raised.value.__cause__, TypeError | AttributeError | ValueError)


def fail(value: Any) -> None:
    raise KeyError(value)


@explained
def take(
    whole: int = 1,
    number: float | None = None,
    word: Literal["a", "b"] = "a",
    words: Sequence[str] = (),
    pairs: Mapping[str, int] | None = None,
    function: Callable[[], object] = dict,
    array: np.ndarray[Any, np.dtype[np.uint8]] = IMAGE,
) -> None:
    fail(whole)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"whole": np.int64(3), "number": 3},
        {"number": np.float32(2), "words": ("a", "b"), "pairs": {"a": 1}},
        {"words": [], "function": int},
    ],
)
def test_an_error_that_no_argument_explains_stays_as_it_is(arguments: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        take(**arguments)


WRONG: dict[str, Sequence[Any]] = {
    "whole": [True, 1.0, None, "1"],
    "number": [True, float("nan"), 10**400, "1"],
    "word": ["c", None, ["a"]],
    "words": ["text", [1], None, {"a"}],
    "pairs": [[], {"a": "b"}, {1: 1}],
    "function": [None, "dict"],
    "array": [[1], np.zeros(3)],
}


@pytest.mark.parametrize(
    ("argument", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_the_argument_that_does_not_fit_is_blamed(argument: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"^take: {argument} is "):
        take(**{argument: value})


def test_a_missing_argument_stays_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="missing 2 required"):
        faceattr.draw_faces()  # type: ignore[call-arg]


def test_what_goes_on_inside_a_generator_is_explained_too() -> None:
    @explained
    def doubles(numbers: Sequence[int]) -> Iterator[int]:
        for number in numbers:
            yield 2 * number

    assert list(doubles([1, 2])) == [2, 4]
    with pytest.raises(OptionError, match=r"numbers is 3; it must be Sequence\[int\]"):
        list(doubles(3))  # type: ignore[arg-type]
