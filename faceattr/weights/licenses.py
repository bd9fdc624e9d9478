"""Which weights are under an open license, and the refusal of all others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from faceattr.errors import LicenseError, OptionError
from faceattr.weights.record import Weights

VARIABLE = "FACEATTR_LICENSES"

OPEN_LICENSES = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0"),
        *("CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib"),
    }
)
"""SPDX identifiers of licenses that allow any use."""


class Terms(NamedTuple):
    """What a plugin says of weights that it uses.

    Attributes:
        file: Name of the file; empty if the weights come with a package.
        license: As in `Weights`; empty if the plugin names none.
    """

    file: str
    license: str


def is_open(license: str) -> bool:
    """Return whether a license, as in `Weights`, begins with the identifier of an open one."""
    return license.partition(";")[0].strip() in OPEN_LICENSES


def only_open() -> bool:
    """Return whether ``FACEATTR_LICENSES`` allows open licenses only.

    Raises:
        OptionError: It has a value that it cannot have.
    """
    allowed = os.environ.get(VARIABLE) or "all"
    if allowed not in {"all", "open"}:
        raise OptionError(f"{VARIABLE} is {allowed!r}; it can be 'open' or 'all'")
    return allowed == "open"


def declared_weights(plugin: object) -> tuple[Weights, ...]:
    """Return the files that a plugin or its class downloads; maybe none."""
    declared = getattr(plugin, "weights", None)
    files = declared if isinstance(declared, tuple) else (declared,)
    return tuple(file for file in files if isinstance(file, Weights))


def terms_of(plugin: object) -> Iterator[Terms]:
    """Yield the terms of each file that a plugin or its class uses; none if it has no weights."""
    files = declared_weights(plugin)
    for weights in files:
        yield Terms(weights.filename, weights.license)
    license = getattr(plugin, "license", "")
    if not files and (license or getattr(plugin, "file", "")):
        yield Terms("", license)


def require_open(plugin: object, name: str, others: Iterable[tuple[str, object]] = ()) -> None:
    """Refuse a plugin whose weights are not open, if ``FACEATTR_LICENSES`` allows only open ones.

    Args:
        plugin: The plugin.
        name: What to call it in messages.
        others: Plugins that could take its place, with their names; looked at only when the
            plugin is refused.

    Raises:
        LicenseError: The message names those of the others that are open.
        OptionError: ``FACEATTR_LICENSES`` has a value that it cannot have.
    """
    if not only_open():
        return
    for _, license in terms_of(plugin):
        if not is_open(license):
            names = [other for other, one in others if other != name and _has_open_terms(one)]
            raise LicenseError(refusal(name, license, " or ".join(map(repr, names))))


def refusal(name: str, license: str, alternative: str) -> str:
    """Return the message that refuses weights.

    Args:
        name: Of the plugin or file.
        license: Its license; empty if it names none.
        alternative: What is open and could be used instead; empty if nothing is.
    """
    reason = f"the license of its weights is {license!r}" if license else "it names no license"
    advice = f"use {alternative}, or " if alternative else ""
    return f"{VARIABLE}=open refuses {name!r}: {reason}; {advice}unset {VARIABLE} if you may use it"


def _has_open_terms(plugin: object) -> bool:
    return all(is_open(license) for _, license in terms_of(plugin))
