from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from faceattr.forms import Labels, Output, Unit, Vector, to_cells
from faceattr.types import Attribute, Classification, Descriptor, Estimate

MOOD, YEARS, SPACE = Labels(["good", "bad"]), Unit("years"), Vector(2)
HALF = Descriptor(np.array([0.6, 0.8], np.float32))


@pytest.mark.parametrize(
    ("output", "attribute"),
    [
        (MOOD, Classification({"good": 0.25, "bad": 0.75})),
        (MOOD, Classification({"good": 0.0, "bad": np.float32(1.0001)})),  # half precision
        (YEARS, Estimate(31.5, "years")),
        (YEARS, Estimate(np.float32(31.5), "years", std=0.0)),
        (SPACE, HALF),
    ],
)
def test_what_was_declared_has_no_problem(output: Output, attribute: Attribute) -> None:
    assert output.problem(attribute) is None


@pytest.mark.parametrize(
    ("output", "attribute", "problem"),
    [
        (MOOD, None, "None instead of a Classification"),
        (MOOD, 0.5, "0.5 instead of a Classification"),
        (MOOD, {"good": 0.5, "bad": 0.5}, "instead of a Classification"),
        (MOOD, Classification({"bad": 0.5, "good": 0.5}), "the labels ['bad', 'good']; it decl"),
        (MOOD, Classification({"good": 1.0}), "the labels ['good']"),
        (MOOD, Classification({"good": math.nan, "bad": 0.5}), "not probabilities"),
        (MOOD, Classification({"good": math.inf, "bad": 0.5}), "not probabilities"),
        (MOOD, Classification({"good": 3.0, "bad": -2.0}), "not probabilities"),
        (YEARS, Classification({"good": 1.0}), "instead of an Estimate"),
        (YEARS, Estimate(3.0, "months"), "an estimate in 'months'; it declares 'years'"),
        (YEARS, Estimate(math.nan, "years"), "not finite"),
        (YEARS, Estimate(3.0, "years", std=math.inf), "not finite"),
        (YEARS, Estimate(3.0, "years", std=-1.0), "not finite"),
        (SPACE, Estimate(3.0, "years"), "instead of a Descriptor"),
        (SPACE, Descriptor(np.ones(3, np.float32)), "a vector of shape (3,); it declares (2,)"),
        (SPACE, Descriptor(np.ones(2, np.float32)), "whose length is not 1"),
        (SPACE, Descriptor(np.full(2, np.nan, np.float32)), "whose length is not 1"),
    ],
)
def test_anything_else_is_named(output: Output, attribute: Any, problem: str) -> None:
    assert problem in str(output.problem(attribute))


@pytest.mark.parametrize(
    ("output", "attribute", "cells"),
    [
        (
            MOOD,
            Classification({"good": 0.25, "bad": 0.75}),
            {"x": "bad", "x_confidence": 0.75, "x_good": 0.25, "x_bad": 0.75},
        ),
        (YEARS, Estimate(31.456, "years", 4.25), {"x": 31.46, "x_std": 4.25}),
        (YEARS, Estimate(31.0, "years"), {"x": 31.0, "x_std": None}),
        (SPACE, HALF, {"x_0": pytest.approx(0.6), "x_1": pytest.approx(0.8)}),
    ],
)
def test_cells_fill_the_declared_columns(
    output: Output, attribute: Attribute, cells: dict[str, object]
) -> None:
    assert to_cells(attribute, "x") == cells
    assert output.columns("x") == tuple(cells)


def test_an_uncertain_label_is_an_empty_cell() -> None:
    cells = to_cells(Classification({"good": 0.6, "bad": 0.4}), "x", uncertain=True)
    assert cells == {"x": None, "x_confidence": 0.6, "x_good": 0.6, "x_bad": 0.4}


def test_outputs_make_attributes_and_read_well() -> None:
    assert MOOD.classify(np.array([0.2, 0.8])) == Classification({"good": 0.2, "bad": 0.8})
    assert YEARS.estimate(np.float32(3)) == Estimate(3.0, "years")
    assert [str(one) for one in (MOOD, YEARS, SPACE)] == ["good, bad", "in years", "a vector of 2"]
