"""The errors that faceattr raises; all derive from `FaceattrError`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class FaceattrError(Exception):
    """Base of all errors of faceattr."""


class ImageError(FaceattrError, ValueError):
    """An image cannot be read; the message names the source and the reason."""


class SourceError(FaceattrError, OSError):
    """A video, camera or stream cannot be opened, or is lost for good."""


class SinkError(FaceattrError, OSError):
    """A result cannot be shown or written; the message names the sink and the reason."""


class OptionError(FaceattrError, ValueError):
    """An option has a value that it cannot have, or two options exclude each other."""


class NoFaceError(FaceattrError, ValueError):
    """No face was found and `enforce_detection` is set."""


class UnknownNameError(FaceattrError, LookupError):
    """A name is not in the registry."""


class UnknownAttributeError(UnknownNameError, AttributeError):
    """An attribute was not read off a face, or `faceattr.deepface` lacks a function of deepface."""


class DuplicateNameError(FaceattrError, ValueError):
    """Two plugins claim the same name."""


class PluginLoadError(FaceattrError, ImportError):
    """A plugin fails to import, or is not a plugin of that kind."""


class MissingDependencyError(FaceattrError, ImportError):
    """An optional package is not installed; the message says how to install it."""


class WeightsError(FaceattrError, OSError):
    """Weights are missing, damaged or do not fit their network."""


class LicenseError(FaceattrError, RuntimeError):
    """The license of weights is not one of those that ``FACEATTR_LICENSES`` allows."""


class GalleryError(FaceattrError, OSError):
    """A gallery of people cannot be read or written, or has nobody of that name."""


class EngineError(FaceattrError, RuntimeError):
    """An engine cannot compile or run a network."""


class PluginError(FaceattrError, RuntimeError):
    """A detector or analyzer failed, or gave a result that its declaration rules out."""


def describe_unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Return a message that names an unknown name and suggests the nearest known one."""
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"unknown {kind} {name!r}; {hint}available: {', '.join(known)}"


@contextmanager
def blaming(name: str) -> Iterator[None]:
    """Turn an error of a plugin into a `PluginError` that names the plugin.

    Ours stay as they are, except for those about arguments that the plugin gave.
    """
    try:
        yield
    except OptionError as error:
        raise PluginError(f"{name} failed: {error}") from error
    except FaceattrError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may fail in any way
        raise PluginError(f"{name} failed: {type(error).__name__}: {error}") from error
