"""Signals that ask the command to end."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

SIGNALLED = 128  # plus the number of a signal is the exit status
INTERRUPTED = SIGNALLED + signal.SIGINT
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


def catch_signals() -> list[int]:
    """Make signals raise KeyboardInterrupt, so that files are closed before the command ends.

    A signal that is ignored, as by nohup, stays ignored.

    Returns:
        The numbers of the signals received, which is a growing list.
    """
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        is_first = not received
        received.append(number)
        if number == getattr(signal, "SIGHUP", None) and sys.stderr and sys.stderr.isatty():
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # the terminal is gone
        if is_first or number == signal.SIGINT:
            raise KeyboardInterrupt

    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    return received
