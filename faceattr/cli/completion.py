"""What the shell offers when the user presses Tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from faceattr.analyzers import analyzers
from faceattr.detectors import detectors
from faceattr.engines import engines


def complete_actions(incomplete: str) -> list[str]:
    """Return what the names of analyzers, with commas between, may go on with."""
    before, comma, last = incomplete.rpartition(",")
    given = set(before.split(","))
    return [
        f"{before}{comma}{name}"
        for name in analyzers
        if name.startswith(last) and name not in given
    ]


def complete_plugin(incomplete: str) -> list[str]:
    """Return the analyzers and detectors whose names begin so."""
    return _beginning([*analyzers, *detectors], incomplete)


def complete_detector(incomplete: str) -> list[str]:
    """Return the detectors whose names begin so."""
    return _beginning(detectors, incomplete)


def complete_engine(incomplete: str) -> list[str]:
    """Return the engines whose names begin so."""
    return _beginning(engines, incomplete)


def complete_words(*words: str) -> Callable[[str], list[str]]:
    """Return a function that completes one of these words."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(words, incomplete)

    return complete


FIELDS: dict[str, Callable[[str], list[str]]] = {
    "actions": complete_actions,
    "detector": complete_detector,
    "engine": complete_engine,
    "precision": complete_words("auto", "f32"),
    "freeze": complete_words("face", "frame", "off"),
    "detect_every": complete_words("auto"),
}
"""Options by the names of their fields, with what completes their values."""


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
