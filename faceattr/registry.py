"""Names to plugin classes, built-in or from other packages, imported on first use."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import PurePath
from pkgutil import resolve_name
from typing import Any, Generic, ParamSpec, TypeVar

from faceattr.arguments import explained
from faceattr.errors import (
    DuplicateNameError,
    FaceattrError,
    PluginError,
    PluginLoadError,
    UnknownNameError,
    describe_unknown,
)

T = TypeVar("T")
P = ParamSpec("P")

API_VERSION = 2
"""Version of the plugin API; incremented on breaking changes."""

logger = logging.getLogger(__name__)


class Registry(Generic[T]):
    """A catalogue of plugin classes by the name that a user types.

    Listing names imports nothing; a class is imported when it is asked for.

    Args:
        kind: What is catalogued, for messages: ``"analyzer"``.
        group: Entry point group in which other packages announce their plugins.
        builtin: Name to ``"module:Class"`` of the built-in plugins.
        base: Class that every plugin derives from.
        files: Suffix of files whose paths can stand for names, to ``"module:function"`` that makes
            the class of such a file.
    """

    def __init__(
        self,
        *,
        kind: str,
        group: str,
        builtin: Mapping[str, str],
        base: type = object,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self._kind = kind
        self._group = group
        self._builtin = builtin
        self._base = base
        self._files = files or {}
        self._registered: dict[str, type[T]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._entry_points, *self._registered}))

    def __contains__(self, name: object) -> bool:
        return (
            name in self._registered
            or name in self._entry_points
            or (isinstance(name, str) and self._is_file(name))
        )

    def get(self, name: str) -> type[T]:
        """Return the class of that name, or of that file.

        Raises:
            UnknownNameError: Nothing has that name; the message suggests the nearest.
            DuplicateNameError: Two packages claim the name.
            PluginLoadError: The plugin fails to import, is not a class of this kind or was written
                for another version of the plugin API.
        """
        if not isinstance(name, str):
            raise UnknownNameError(f"{name!r:.100} is not a name; give that of one {self._kind}")
        if name in self._registered:
            return self._registered[name]
        if name not in self._entry_points and self._is_file(name):
            make: Callable[[str], type[T]] = resolve_name(self._files[_suffix(name)])
            return make(name)
        if name not in self._entry_points:
            raise UnknownNameError(describe_unknown(self._kind, name, list(self)))
        first, *others = self._entry_points[name]
        for other in others:
            if other.value != first.value:  # editable installs list a plugin twice
                raise DuplicateNameError(
                    f"{self._kind} {name!r} is claimed by {_provider(first)} and by "
                    f"{_provider(other)}; uninstall one of them"
                )
        return self._load(first)

    def create(self, name: str, **options: Any) -> T:
        """Return a new object of the plugin class of that name.

        Args:
            name: As in `get`.
            options: Arguments of its class.

        Raises:
            FaceattrError: As in `get`, or the class refuses its arguments.
        """
        plugin = self.get(name)
        try:
            return plugin(**options)
        except FaceattrError:
            raise
        except Exception as error:  # a plugin may fail in any way
            raise PluginLoadError(
                f"{self._kind} {name!r} of {self.provider(name)} cannot be created: "
                f"{type(error).__name__}: {error}"
            ) from error

    @explained
    def matching(self, pattern: str) -> list[str]:
        """Return the names that fit a pattern with ``*`` and ``?``, sorted."""
        return [name for name in self if fnmatchcase(name, pattern)]

    def load_all(self) -> Iterator[tuple[str, type[T]]]:
        """Yield (name, class) for every plugin that loads; log a warning for the others."""
        for name in self:
            try:
                plugin = self.get(name)
            except FaceattrError as error:
                logger.warning("%s", error)
            else:
                yield name, plugin

    def register(self, name: str, plugin: type[T]) -> None:
        """Make a class available under a name, in this process.

        Raises:
            DuplicateNameError: The name is taken by another class.
            PluginLoadError: It is not a class of this kind, or was written for another version of
                the plugin API.
        """
        if not (isinstance(name, str) and name):
            raise PluginLoadError(f"{name!r:.100} is not a name for a plugin; give a text")
        if name in self and self._registered.get(name) is not plugin:
            raise DuplicateNameError(
                f"{self._kind} {name!r} exists already, from {self.provider(name)}; "
                "choose another name"
            )
        self._check(plugin, f"{self._kind} {name!r}")
        self._registered[name] = plugin

    @explained
    def provider(self, name: str) -> str:
        """Return the package that provides the name, with its version if it has one.

        Raises:
            UnknownNameError: Nothing has that name.
        """
        if name in self._registered:
            return self._registered[name].__module__
        if name not in self._entry_points and self._is_file(name):
            return f"the file {name}"
        if name not in self._entry_points:
            raise UnknownNameError(describe_unknown(self._kind, name, list(self)))
        return _provider(self._entry_points[name][0])

    @cached_property
    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        found = {
            name: [EntryPoint(name, target, self._group)] for name, target in self._builtin.items()
        }
        for entry_point in entry_points(group=self._group):
            found.setdefault(entry_point.name, []).append(entry_point)
        return found

    def _is_file(self, name: str) -> bool:
        return _suffix(name) in self._files

    def _load(self, entry_point: EntryPoint) -> type[T]:
        name = f"{self._kind} {entry_point.name!r} of {_provider(entry_point)}"
        try:
            plugin: type[T] = entry_point.load()
        except (Exception, SystemExit) as error:  # a plugin may fail in any way on import
            raise PluginLoadError(f"{name} failed to import: {error}") from error
        if entry_point.dist is not None:  # the built-in ones are tested
            self._check(plugin, name)
        return plugin

    def _check(self, plugin: object, name: str) -> None:
        """Refuse what would otherwise fail later, with a message that is less clear."""
        if not isinstance(plugin, type) or not issubclass(plugin, self._base):
            raise PluginLoadError(
                f"{name} is {plugin!r}; it must be a class that derives from "
                f"{self._base.__module__}.{self._base.__qualname__}"
            )
        check_api_version(plugin, name)  # first, as other versions have other methods
        missing = sorted(getattr(plugin, "__abstractmethods__", ()))
        if missing:
            raise PluginLoadError(f"{name} does not define: {', '.join(missing)}")


def check_api_version(plugin: object, name: str) -> None:
    """Refuse a plugin, or its class, that was written for another version of the plugin API.

    Version 1 called it ``contract``. A plugin that declares neither is taken for a current one.

    Raises:
        PluginLoadError: The message says which side to upgrade.
    """
    declared = getattr(plugin, "api_version", getattr(plugin, "contract", API_VERSION))
    if declared != API_VERSION:
        advice = "upgrade the plugin; 'From version 1' in docs/write-an-analyzer.md and in "
        advice += "docs/write-a-detector.md says how"
        if isinstance(declared, int) and declared > API_VERSION:
            advice = "upgrade faceattr"
        raise PluginLoadError(
            f"{name} was written for version {declared!r} of the plugin API, and this faceattr has "
            f"version {API_VERSION}; {advice}"
        )


def require_function(loaded: Callable[P, T], name: str) -> Callable[P, T]:
    """Return what a plugin's `load` returned.

    Args:
        loaded: What it returned.
        name: Name of the plugin.

    Raises:
        PluginError: It is not a function.
    """
    if callable(loaded):
        return loaded
    _refuse_coroutine(loaded, f"{name}.load")
    raise PluginError(f"{name}.load() returned {loaded!r:.100}; it must return a function")


def require_list(results: Iterable[T], name: str) -> list[T]:
    """Return the results of a plugin as a list.

    Args:
        results: What it returned.
        name: Name of the plugin.

    Raises:
        PluginError: It is not a list or another iterable of results.
    """
    if isinstance(results, Iterable) and not isinstance(results, str | bytes | Mapping):
        return list(results)
    _refuse_coroutine(results, name)
    raise PluginError(f"{name} gave {results!r:.100} instead of a list of results")


def _refuse_coroutine(value: object, name: str) -> None:
    if inspect.iscoroutine(value):
        value.close()  # or Python warns that nobody awaits it
        raise PluginError(f"{name} is a coroutine; write it with def instead of async def")


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _provider(entry_point: EntryPoint) -> str:
    if entry_point.dist is None:
        return "faceattr"
    return f"{entry_point.dist.name} {entry_point.dist.version}"
