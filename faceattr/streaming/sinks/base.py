"""What a sink is, and one that calls a function."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceattr.arguments import explained
from faceattr.errors import SinkError
from faceattr.types import Face, Frame

if TYPE_CHECKING:
    from typing_extensions import Self


class Sink(ABC):
    """Where the faces of a stream go, frame by frame; a context manager that closes itself.

    Attributes:
        done: Whether the stream shall end, as when a window was closed.
        paths: Files that it writes; `play` refuses one that is its source, or another sink's.
        paces: Whether somebody watches, so that a video file is played at its own speed.
    """

    done: bool = False
    paces: bool = False
    paths: Sequence[Path] = ()

    def __init_subclass__(cls, **options: object) -> None:
        """Let the methods of every sink say which argument made them fail."""
        super().__init_subclass__(**options)
        for name in ("__init__", "begin", "write"):
            if name in vars(cls):
                setattr(cls, name, explained(vars(cls)[name]))

    def begin(self, columns: Sequence[str]) -> None:
        """Learn what is coming; called by `play` before the first frame.

        Args:
            columns: Columns that the attributes take in a table, in their order.

        Raises:
            SinkError: Nothing can be shown or written.
        """

    @abstractmethod
    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Take a frame and its faces.

        Raises:
            SinkError: They cannot be shown or written.
        """

    def close(self) -> None:
        """Finish what was written; may be called again.

        Raises:
            SinkError: It cannot be finished.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CallbackSink(Sink):
    """Calls a function with each frame and its faces.

    Args:
        function: Its return value is ignored.
    """

    def __init__(self, function: Callable[[Frame, Sequence[Face]], object]) -> None:
        self._function = function

    def write(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See the base class."""
        try:
            self._function(frame, faces)
        except Exception as error:  # a callback may fail in any way
            name = getattr(self._function, "__name__", repr(self._function))
            raise SinkError(f"{name} failed: {type(error).__name__}: {error}") from error


def require_time(frame: Frame) -> float:
    """Return the timestamp of a frame in seconds.

    Raises:
        SinkError: It is infinite or not a number, so it cannot be written.
    """
    if not math.isfinite(frame.timestamp):
        raise SinkError(
            f"frame {frame.index} has the timestamp {frame.timestamp}; give frames finite times"
        )
    return frame.timestamp
