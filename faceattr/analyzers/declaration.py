"""What an analyzer declares: checked before it is used, and the columns that follow from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer
from faceattr.errors import OptionError, PluginError
from faceattr.forms import Labels, Output, Unit, Vector, is_number
from faceattr.labels import Groups, narrow_labels
from faceattr.registry import check_api_version

RESERVED = (
    *("source", "face", "width", "height", "error", "frame", "timestamp", "track"),
    *("x1", "y1", "x2", "y2", "confidence"),
)
"""Columns that every table has for itself."""


def check_declaration(analyzer: object, name: str) -> None:
    """Refuse an object that no pipeline can use.

    Args:
        analyzer: What was given for an analyzer.
        name: What to call it in messages.

    Raises:
        OptionError: It is a class, or not an analyzer.
        PluginError: It does not declare what an analyzer has to declare.
        PluginLoadError: It was written for another version of the plugin API.
    """
    if isinstance(analyzer, type):
        raise OptionError(f"{analyzer.__name__} is a class; give an object: {analyzer.__name__}()")
    check_api_version(analyzer, name)
    if not isinstance(analyzer, Analyzer):
        raise OptionError(
            f"{analyzer!r:.100} is not an analyzer; give the name of one, or an Analyzer"
        )
    for declared in ("attribute", "output", "crop"):
        if not hasattr(analyzer, declared):
            raise PluginError(f"{name} does not declare {declared!r}; an analyzer has to")
    attribute: object = analyzer.attribute
    if not isinstance(attribute, str) or re.fullmatch(r"[^\s,=]+", attribute) is None:
        raise PluginError(
            f"{name} declares the attribute {attribute!r}; it must be a name without spaces, "
            "commas and '='"
        )
    crop: object = analyzer.crop
    if not isinstance(crop, CropSpec):
        raise PluginError(f"{name} declares the crop {crop!r}; it must be a CropSpec")
    more: object = analyzer.more_crops
    if not isinstance(more, list | tuple) or not all(isinstance(one, CropSpec) for one in more):
        raise PluginError(
            f"{name} declares more_crops = {more!r:.100}; it must be a list of CropSpecs"
        )
    output: object = analyzer.output
    if not isinstance(output, Labels | Unit | Vector):
        raise PluginError(
            f"{name} declares the output {output!r}; it must be Labels, a Unit or a Vector"
        )
    refresh = analyzer.refresh
    if not is_number(refresh) or not 0 <= refresh < math.inf:
        raise PluginError(
            f"{name} declares a refresh of {refresh!r}; it must be seconds, 0 for every frame"
        )


class TakesCrops(Protocol):
    """What declares the forms of the crops that it takes."""

    @property
    def crop(self) -> CropSpec:
        """As in `Analyzer`."""

    @property
    def more_crops(self) -> Sequence[CropSpec]:
        """As in `Analyzer`."""


def forms_of(*analyzers: TakesCrops) -> list[CropSpec]:
    """Return the forms of crops that analyzers take, each once."""
    return list(dict.fromkeys(form for one in analyzers for form in (one.crop, *one.more_crops)))


def outputs_of(analyzers: Iterable[Analyzer], groups: Groups) -> dict[str, Output]:
    """Return the form of each attribute after grouping its labels, by the attribute's name."""
    return {
        one.attribute: Labels(narrow_labels(one.output.names, groups))
        if isinstance(one.output, Labels)
        else one.output
        for one in analyzers
    }


def columns_of(outputs: Mapping[str, Output]) -> list[str]:
    """Return the columns that attributes of these forms take in a table, in their order.

    Raises:
        OptionError: Two columns would have the same name.
    """
    owners = dict.fromkeys(RESERVED, "every table")
    for attribute, output in outputs.items():
        for column in output.columns(attribute):
            if column in owners:
                raise OptionError(
                    f"the attribute {attribute!r} needs a column {column!r}, which "
                    f"{owners[column]} has already; rename the attribute or its label"
                )
            owners[column] = f"the attribute {attribute!r}"
    return [name for name in owners if name not in RESERVED]
