"""Names to plugin classes: built-in ones and those of other packages, imported on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from faceattr.errors import (
    DuplicateNameError,
    PluginLoadError,
    UnknownNameError,
    describe_unknown,
)

T = TypeVar("T")


class Registry(Generic[T]):
    """A catalogue of classes by the name a user types.

    Listing names imports nothing; a class is imported when it is asked for.

    Args:
        kind: What is catalogued, for messages: ``"analyzer"``.
        group: Entry point group in which other packages announce theirs.
        builtin: Name to ``"module:Class"`` of our own.
    """

    def __init__(self, *, kind: str, group: str, builtin: Mapping[str, str]) -> None:
        self._kind = kind
        self._group = group
        self._builtin = builtin
        self._registered: dict[str, type[T]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._entry_points, *self._registered}))

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._entry_points

    def get(self, name: str) -> type[T]:
        """Return the class of that name.

        Raises:
            UnknownNameError: Nothing has that name; the message suggests the nearest.
            DuplicateNameError: Two packages claim the name.
            PluginLoadError: The plugin fails to import.
        """
        if name in self._registered:
            return self._registered[name]
        if name not in self._entry_points:
            raise UnknownNameError(describe_unknown(self._kind, name, list(self)))
        first, *others = self._entry_points[name]
        for other in others:
            if other.value != first.value:  # editable installs list a plugin twice
                raise DuplicateNameError(
                    f"{self._kind} {name!r} is claimed by {_origin(first)} and by "
                    f"{_origin(other)}; uninstall one of them"
                )
        return self._load(first)

    def register(self, name: str, plugin: type[T]) -> None:
        """Make a class available under a name, in this process.

        Raises:
            DuplicateNameError: The name is taken by another class.
        """
        if name in self and self._registered.get(name) is not plugin:
            raise DuplicateNameError(f"{self._kind} {name!r} exists already; choose another name")
        self._registered[name] = plugin

    def origin(self, name: str) -> str:
        """Return the package that offers the name, with its version if it has one."""
        if name in self._registered:
            return self._registered[name].__module__
        return _origin(self._entry_points[name][0])

    @cached_property
    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        found = {
            name: [EntryPoint(name, target, self._group)] for name, target in self._builtin.items()
        }
        for entry_point in entry_points(group=self._group):
            found.setdefault(entry_point.name, []).append(entry_point)
        return found

    def _load(self, entry_point: EntryPoint) -> type[T]:
        try:
            plugin: type[T] = entry_point.load()
        except Exception as error:  # a plugin may fail in any way on import
            raise PluginLoadError(
                f"{self._kind} {entry_point.name!r} of {_origin(entry_point)} failed to import: "
                f"{error}"
            ) from error
        return plugin


def _origin(entry_point: EntryPoint) -> str:
    if entry_point.dist is None:
        return "faceattr"
    return f"{entry_point.dist.name} {entry_point.dist.version}"
