"""Names to plugin classes: built-in ones and those of other packages, imported on first use."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from faceattr.errors import (
    DuplicateNameError,
    FaceattrError,
    PluginLoadError,
    UnknownNameError,
    describe_unknown,
)

T = TypeVar("T")

CONTRACT = 1  # between faceattr and plugins; a new one when what kept the old stops to work
FIRST_CONTRACT = 1  # that of a plugin which names none

logger = logging.getLogger(__name__)


class Registry(Generic[T]):
    """A catalogue of classes by the name a user types.

    Listing names imports nothing; a class is imported when it is asked for.

    Args:
        kind: What is catalogued, for messages: ``"analyzer"``.
        group: Entry point group in which other packages announce theirs.
        builtin: Name to ``"module:Class"`` of our own.
        base: Class that each of them derives from.
    """

    def __init__(
        self, *, kind: str, group: str, builtin: Mapping[str, str], base: type = object
    ) -> None:
        self._kind = kind
        self._group = group
        self._builtin = builtin
        self._base = base
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
            PluginLoadError: The plugin fails to import, is no such class or was made for another
                contract.
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

    def create(self, name: str, **options: Any) -> T:
        """Return a new object of the class of that name.

        Args:
            name: As in `get`.
            options: Arguments of the class.

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
                f"{self._kind} {name!r} of {self.origin(name)} cannot be made: "
                f"{type(error).__name__}: {error}"
            ) from error

    def working(self) -> Iterator[tuple[str, type[T]]]:
        """Yield each name with its class; what cannot be had is named in a warning instead."""
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
            PluginLoadError: It is no such class, or was made for another contract.
        """
        if name in self and self._registered.get(name) is not plugin:
            raise DuplicateNameError(
                f"{self._kind} {name!r} exists already, from {self.origin(name)}; "
                "choose another name"
            )
        self._check(plugin, f"{self._kind} {name!r}")
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
        name = f"{self._kind} {entry_point.name!r} of {_origin(entry_point)}"
        try:
            plugin: type[T] = entry_point.load()
        except (Exception, SystemExit) as error:  # a plugin may fail in any way on import
            raise PluginLoadError(f"{name} failed to import: {error}") from error
        if entry_point.dist is not None:  # ours keep the contract of the day
            self._check(plugin, name)
        return plugin

    def _check(self, plugin: object, name: str) -> None:
        """Refuse what would only fail later, and less plainly."""
        if not isinstance(plugin, type) or not issubclass(plugin, self._base):
            raise PluginLoadError(
                f"{name} is {plugin!r}; it has to be a class that derives from "
                f"{self._base.__module__}.{self._base.__qualname__}"
            )
        _check_contract(plugin, name)  # first, as another one has other methods
        missing = sorted(getattr(plugin, "__abstractmethods__", ()))
        if missing:
            raise PluginLoadError(f"{name} lacks what it has to define: {', '.join(missing)}")


def _check_contract(plugin: type, name: str) -> None:
    contract = getattr(plugin, "contract", FIRST_CONTRACT)
    if contract != CONTRACT:
        older = "faceattr" if isinstance(contract, int) and contract > CONTRACT else "the plugin"
        raise PluginLoadError(
            f"{name} was made for contract {contract} of faceattr's plugins, and this faceattr "
            f"keeps contract {CONTRACT}; upgrade {older}"
        )


def _origin(entry_point: EntryPoint) -> str:
    if entry_point.dist is None:
        return "faceattr"
    return f"{entry_point.dist.name} {entry_point.dist.version}"
