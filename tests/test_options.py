from __future__ import annotations

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from conftest import Brightness

from faceattr.errors import OptionError
from faceattr.options import (
    Flag,
    PipelineKeywords,
    PipelineOptions,
    SearchKeywords,
    SearchOptions,
    StreamKeywords,
    StreamOptions,
)


@pytest.mark.parametrize(
    ("options", "keywords", "more"),
    [
        (SearchOptions, SearchKeywords, set()),
        (PipelineOptions, PipelineKeywords, {"actions"}),
        (StreamOptions, StreamKeywords, {"actions"}),
    ],
)
def test_each_option_is_a_keyword_argument_of_the_front_door(
    options: Any, keywords: Any, more: set[str]
) -> None:
    assert {one.name for one in fields(options)} == keywords.__annotations__.keys() | more
    assert all(one.default is not MISSING for one in fields(options))


def test_each_option_has_a_flag_that_explains_it() -> None:
    flags = {one.name: one.metadata.get("flag") for one in fields(StreamOptions)}
    assert flags.pop("features") is flags.pop("color") is None  # for Python only
    for name, flag in flags.items():
        assert isinstance(flag, Flag), name
        assert flag.help.endswith("."), name


def test_actions_are_names_in_one_text_or_several() -> None:
    analyzer = Brightness()
    for actions in ("emotion, age", ["emotion", "age"], ("emotion,age", "emotion")):
        assert PipelineOptions(actions=actions).actions == ("emotion", "age")
    assert PipelineOptions(actions=analyzer).actions == (analyzer,)
    assert PipelineOptions(actions=[analyzer, analyzer]).actions == (analyzer,)
    assert PipelineOptions(actions="").actions == ()


def test_equal_options_are_one_key() -> None:
    one = StreamOptions(labels="good=happy+surprise", refresh={"age": 2}, detect_every="3")
    other = StreamOptions(labels={"good": ["happy", "surprise"]}, refresh=["age=2"], detect_every=3)
    assert one == other
    assert hash(one) == hash(other)
    assert replace(one, threads=2).labels == one.labels
    assert replace(one, threads=2).refresh == one.refresh


def test_options_of_a_search_give_way_to_those_that_are_given() -> None:
    own = SearchOptions(threshold=0.6, min_face=20)
    assert SearchOptions(min_face=40).over(own) == SearchOptions(threshold=0.6, min_face=40)
    assert PipelineOptions(max_faces=3, engine="openvino").search == SearchOptions(max_faces=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold is 1.5; it must be at least 0 and at most 1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "high"}, "threshold is 'high'; it must be a number"),
        ({"min_face": 0}, "min_face is 0; it must be above 0"),
        ({"max_faces": 0}, "max_faces is 0; it must be at least 1"),
        ({"max_faces": 2.5}, "max_faces is 2.5; it must be a whole number"),
        ({"max_faces": True}, "max_faces is True; it must be a whole number"),
        ({"tile_size": 99}, "tile_size is 99; it must be at least 100"),
        ({"threads": 0}, "threads is 0; it must be at least 1"),
        ({"precision": "bf16"}, "precision is 'bf16'; it can be 'auto', 'f32' or 'int8'"),
        ({"min_confidence": -1}, "min_confidence is -1"),
        ({"actions": None}, "actions is None; give names of analyzers"),
        ({"detector": ["mtcnn"]}, "detector is ['mtcnn']; give one name or one detector"),
        ({"color": "hsv"}, "color is 'hsv'; it can be 'bgr' or 'rgb'"),
        ({"labels": "good=happy,bad=happy"}, "label 'happy' is given twice"),
    ],
)
def test_values_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as raised:
        PipelineOptions(**options)
    assert message in str(raised.value)


def test_numbers_of_numpy_are_numbers() -> None:
    options = StreamOptions(threshold=np.float32(0.5), max_faces=np.int64(3), max_frames=np.int8(1))
    assert (options.threshold, options.max_faces, options.max_frames) == (0.5, 3, 1)


def test_a_gallery_is_one_or_a_path() -> None:
    assert PipelineOptions(gallery="people").gallery == "people"
    assert PipelineOptions(gallery=Path("people")).gallery == Path("people")
    with pytest.raises(OptionError, match="gallery is 3; give a Gallery or its path"):
        PipelineOptions(gallery=3)  # type: ignore[arg-type]


def test_keyword_types_are_those_of_the_fields() -> None:
    hints = get_type_hints(SearchKeywords)
    assert hints == get_type_hints(SearchOptions)


@pytest.mark.parametrize(
    "value",
    [object(), 1j, 10**400, b"x", ["x", None], [[]], np.array([1, 2]), np.array(1j), int, Path()],
    ids=lambda value: f"{value!r:.20}",
)
@pytest.mark.parametrize(
    "name",
    [  # plugins are looked up by the pipeline, and truth is asked of `features`
        field.name
        for field in fields(StreamOptions)
        if field.name not in ("actions", "detector", "features", "gallery")
    ],
)
def test_a_value_of_any_wrong_type_is_one_clear_error(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(OptionError, match=name):
        StreamOptions(**options)
