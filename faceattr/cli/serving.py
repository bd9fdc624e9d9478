"""`faceattr serve`: pictures and live video by HTTP and WebSocket, and a page."""

from __future__ import annotations

import time

from faceattr.cli.flags import with_flags
from faceattr.cli.text import say_unless_quiet
from faceattr.errors import MissingDependencyError
from faceattr.serving.options import Limits, LoadOptions, ServerOptions


@with_flags
def serve(options: LoadOptions, server: ServerOptions, limits: Limits) -> None:
    """Serve a page and an interface for programs, until Ctrl-C.

    Requests may ask for what was loaded at the start, and for nothing else: no paths, no URLs.
    Pictures stay in memory while they are worked on; neither they nor results are stored or
    logged. Other machines need an API key, each a line of the file of --keys, or of
    FACEATTR_API_KEYS with commas between.

    Examples:
        faceattr serve                            # http://127.0.0.1:8000
        faceattr serve -a emotion,age --workers 4
        faceattr serve --host 0.0.0.0 --keys keys.txt # for other machines
        curl -F p=@photo.jpg localhost:8000/v1/analyze
    """
    begun = time.monotonic()
    try:
        from faceattr.serving import app, running  # FastAPI takes a moment, and may be missing
    except ImportError as error:
        raise MissingDependencyError(
            f"the server needs more packages ({error}): pip install 'faceattr[serve]'"
        ) from error
    application = app.create_app(options, server, limits)

    def announce(address: str) -> None:
        about = app.describe_start(application)
        say_unless_quiet(f"{address} is ready after {time.monotonic() - begun:.1f} s: {about}")

    running.serve(application, announce)
