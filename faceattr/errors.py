"""The errors that faceattr raises; all derive from `FaceattrError`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


class FaceattrError(Exception):
    """Base of all errors of faceattr."""


class ImageError(FaceattrError, ValueError):
    """A picture that cannot be read; the message names the source and the reason."""


class SourceError(FaceattrError, OSError):
    """A video, camera or stream that cannot be opened, or that is lost for good."""


class SinkError(FaceattrError, OSError):
    """A result that cannot be shown or written; the message names the sink and the reason."""


class OptionError(FaceattrError, ValueError):
    """An option with a value that it cannot have, or two that exclude each other."""


class NoFaceError(FaceattrError, ValueError):
    """A picture of nobody, where deepface's call demands a face."""


class UnknownNameError(FaceattrError, LookupError):
    """A name that is not in a registry."""


class DuplicateNameError(FaceattrError, ValueError):
    """Two plugins that claim one name."""


class PluginLoadError(FaceattrError, ImportError):
    """A plugin that fails to import or is not what it claims to be."""


class MissingDependencyError(FaceattrError, ImportError):
    """An optional package that is not installed; the message has the command."""


class WeightsError(FaceattrError, OSError):
    """Weights that are missing, damaged or of another shape than their network."""


class EngineError(FaceattrError, RuntimeError):
    """A network that an engine cannot compile or run."""


class PluginError(FaceattrError, RuntimeError):
    """A detector or analyzer that failed at its work, or broke its contract."""


def describe_unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Return a message that suggests the known name nearest to an unknown one."""
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"unknown {kind} {name!r}; {hint}available: {', '.join(known)}"
