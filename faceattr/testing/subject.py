"""A plugin that is checked, and the rules that analyzers and detectors have in common."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from tempfile import TemporaryDirectory
from typing import Any, Generic, NoReturn, TypeVar
from unittest.mock import patch

from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import FaceattrError, PluginError
from faceattr.registry import API_VERSION
from faceattr.weights import GoogleDrive, Weights, fetch

THREADS = 4
LONGEST_LOAD = 30.0  # seconds

Plugin = TypeVar("Plugin")


class Subject(Generic[Plugin]):
    """A plugin that is checked.

    Args:
        plugin: Analyzer or detector, new.
        weights: The files that it says it downloads.
        longest_load: Seconds that `load` may take, without downloads.
    """

    def __init__(self, plugin: Plugin, weights: Sequence[object], longest_load: float) -> None:
        self.plugin = plugin
        self.weights = weights
        self.longest_load = longest_load

    def fail(self, problem: str, cause: Exception | None = None) -> NoReturn:
        """Raise a `PluginError` that names the plugin."""
        raise PluginError(f"{type(self.plugin).__name__} {problem}") from cause

    def require(self, condition: bool, problem: str) -> None:
        """Fail unless the condition holds."""
        if not condition:
            self.fail(problem)

    @contextmanager
    def blaming(self, problem: str) -> Iterator[None]:
        """Fail if the plugin raises an error that does not derive from `FaceattrError`."""
        try:
            yield
        except FaceattrError:
            raise
        except Exception as error:  # a plugin may fail in any way
            self.fail(f"{problem}: {type(error).__name__}: {error}", error)

    @property
    def state(self) -> dict[str, tuple[object, str]]:
        """The attributes of the plugin and of its class, each with its present `repr`."""
        values = {**vars(type(self.plugin)), **getattr(self.plugin, "__dict__", {})}
        return {name: (value, repr(value)) for name, value in values.items()}

    def require_unchanged(self, before: dict[str, tuple[object, str]], when: str) -> None:
        """Fail if the plugin has other attributes than before, or others in their place."""
        after = self.state
        changed = sorted(
            name
            for name in before.keys() | after.keys()
            if name not in before
            or name not in after
            or before[name][0] is not after[name][0]
            or before[name][1] != after[name][1]
        )
        self.require(
            not changed,
            f"changed its own {', '.join(changed)} {when}; a plugin is a declaration that several "
            "pipelines may use: keep what is loaded in the function that load() returns",
        )


def new_engine() -> Engine:
    """Return an engine with the reference numbers, on one processor thread."""
    return create_engine("openvino", precision="f32", threads=1)


def declares_the_api_version(subject: Subject[Any]) -> None:
    """Check that the plugin says for which version of the plugin API it was written."""
    declared = getattr(subject.plugin, "api_version", None)
    if declared is None and type(subject.plugin).__module__.split(".")[0] == "faceattr":
        return  # the built-in ones always have the current one
    subject.require(
        declared == API_VERSION,
        f"declares api_version = {declared!r}; this faceattr has version {API_VERSION} of the "
        "plugin API",
    )


def has_weights_metadata(subject: Subject[Any]) -> None:
    """Check that the record of each file says where it is, which file it is, and its terms."""
    for weights in subject.weights:
        if not isinstance(weights, Weights):
            subject.fail(f"declares the weights {weights!r}; they must be a Weights record")
        missing = [
            part
            for is_there, part in (
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
        subject.require(not missing, f"declares weights without {', '.join(missing)}")


def _is_address(source: object) -> bool:
    if isinstance(source, GoogleDrive):
        return bool(source.file_id)
    return isinstance(source, str) and re.match(r"https?://\w", source) is not None


def loads_in_time(subject: Subject[Any]) -> None:
    """Check that `load` works, how long it takes, and that it leaves the plugin as it is."""
    for weights in subject.weights:
        if isinstance(weights, Weights):
            fetch(weights)
    before = subject.state
    engine = new_engine()
    start = time.perf_counter()
    with subject.blaming("cannot be loaded"):
        subject.plugin.load(engine)
    seconds = time.perf_counter() - start
    subject.require(
        seconds <= subject.longest_load,
        f"took {seconds:.1f} s to load; {subject.longest_load:g} s are allowed",
    )
    subject.require_unchanged(before, "in load()")


def reports_missing_weights(subject: Subject[Any]) -> None:
    """Check that `load` raises an error of ours where the weights cannot be downloaded."""
    if not subject.weights:
        return
    plugin = copy(subject.plugin)
    with TemporaryDirectory() as empty, patch.dict(os.environ):
        os.environ.pop("FACEATTR_MIRROR", None)
        os.environ |= {"FACEATTR_HOME": empty, "DEEPFACE_HOME": empty, "FACEATTR_OFFLINE": "1"}
        try:
            plugin.load(new_engine())
        except FaceattrError:
            return
        except Exception as error:  # a plugin may fail in any way
            subject.fail(
                f"raises {type(error).__name__} instead of a FaceattrError where its weights are "
                f"missing: {error}",
                error,
            )
    subject.fail("loads although its weights are missing; get them with fetch(self.weights)")


def run_checks(subject: Any, checks: Sequence[Callable[[Any], None]]) -> None:
    """Run the checks in their order, each of which may rely on those before it."""
    for check in checks:
        check(subject)
