"""What makes OpenVINO work in a forked process.

A fork copies one thread only. The other threads of OpenVINO do not exist in the child, which
would make it hang or abort in two cases:

- Another thread is compiling or running a network at the moment of the fork. Nobody releases in
  the child what that thread holds, so the fork waits until the work is done, and until OpenVINO's
  own threads have come to rest.
- The child destroys a network that its parent has compiled, and OpenVINO waits for threads that
  do not exist. So the child never destroys the networks of its parent.

Networks compiled in the child give the same results. They run on one thread there.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from faceattr.errors import EngineError

PATIENCE = 10.0  # seconds that a fork waits for other threads
REST = 0.05  # seconds after which OpenVINO's threads sleep


class ForkGuard:
    """Keeps forks and the work of OpenVINO apart.

    Args:
        patience: Seconds that a fork waits for other threads. After that it goes on, and the
            child cannot use OpenVINO.
    """

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._kept: WeakSet[object] = WeakSet()
        self._is_usable = True
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._wait_for_others,
                after_in_parent=self._let_others_work,
                after_in_child=self._become_child,
            )

    def keep(self, compiled: object) -> None:
        """Never destroy the object in processes that are forked from this one."""
        self._kept.add(compiled)

    def check(self) -> None:
        """Refuse a process in which OpenVINO would hang.

        Raises:
            EngineError: This process was forked although another thread was at work.
        """
        if not self._is_usable:
            raise EngineError(
                "OpenVINO cannot be used in this process, as it was forked while another thread "
                "was busy with a network; use multiprocessing.get_context('spawn') instead"
            )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold back the forks of other threads while the body works with OpenVINO."""
        thread = threading.get_ident()
        with self._changed:
            while self._forking - {thread} and thread not in self._at_work:
                self._changed.wait()
            self._at_work[thread] += 1  # a destructor may run while its thread is at work
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= Counter([thread])
                self._last_work = time.monotonic()
                self._changed.notify_all()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._at_work: Counter[int] = Counter()  # threads, by how often they have begun
        self._forking: set[int] = set()  # threads
        self._is_quiet = True
        self._last_work = -math.inf  # when it ended

    def _wait_for_others(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            self._forking.add(thread)
            self._is_quiet = self._changed.wait_for(
                lambda: not self._at_work.keys() - {thread}, self._patience
            )
        time.sleep(max(self._last_work + REST - time.monotonic(), 0))

    def _let_others_work(self) -> None:
        with self._changed:
            self._forking.discard(threading.get_ident())
            self._changed.notify_all()

    def _become_child(self) -> None:
        self._is_usable = self._is_usable and self._is_quiet
        self._reset()
        for compiled in self._kept:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(compiled))  # also until after exit
