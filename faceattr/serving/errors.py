"""What a request is answered with when it cannot be done."""

from __future__ import annotations

import logging

from faceattr.errors import (
    EngineError,
    FaceattrError,
    ImageError,
    NoFaceError,
    OptionError,
    PluginError,
    UnknownNameError,
)
from faceattr.images import describe_source

logger = logging.getLogger("faceattr.serving")


class RequestError(FaceattrError):
    """A request is refused or failed.

    Args:
        status: HTTP status.
        code: Short name of the reason, which stays the same from version to version.
        message: What is wrong, why, and what to do.
        retry_after: Seconds after which to try again; None if that does not help.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def to_dict(self) -> dict[str, str]:
        """Return message and code."""
        return {"error": str(self), "code": self.code}


def to_request_error(error: FaceattrError, picture: bytes | None = None) -> RequestError:
    """Return what a client is told of an error of the library.

    Args:
        error: The error.
        picture: The encoded picture in which it occurred, if it was one.
    """
    text = str(error)
    if picture is not None:
        text = text.removeprefix(f"{describe_source(picture)}: ")
    match error:
        case RequestError():
            return error
        case ImageError():
            return RequestError(422, "bad_picture", f"the picture cannot be read: {text}")
        case NoFaceError():
            return RequestError(422, "no_face", "no face was found in the picture")
        case OptionError() | UnknownNameError():
            return RequestError(422, "bad_option", text)
    logger.error("%s", error)
    if isinstance(error, PluginError | EngineError):
        return RequestError(500, "analysis_failed", "the analysis failed; see the server's log")
    return RequestError(500, "internal", "the server failed; its log says why")
