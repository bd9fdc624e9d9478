"""OpenCV, imported before any other module does: with a limit on pixels, or with advice."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from faceattr.errors import MissingDependencyError


def _print_one_line(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Show this one error without a traceback, which would hide what to do."""
    if isinstance(error, MissingDependencyError):
        print(f"faceattr: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


# OpenCV reads its own limit when it is imported; it catches what our look at a header misses.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

try:
    import cv2  # noqa: F401
except Exception as error:  # of another processor, or damaged: not an ImportError always
    sys.excepthook = _print_one_line
    raise MissingDependencyError(
        f"OpenCV cannot be loaded: {error}. Install the system's libraries (on Debian and Ubuntu: "
        "apt-get install libgl1 libglib2.0-0), or OpenCV without windows: pip uninstall "
        "opencv-python, then pip install --force-reinstall 'opencv-python-headless>=4.12,<5'"
    ) from error
