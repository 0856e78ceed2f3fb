"""Which request still has something running.

Cancelling a request ends its task at once, but a thread runs to its end. Whoever decides to kill
the process has to know the difference.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Work:
    """Counts what one request has running; calls `on_done` once, when all of it has ended."""

    def __init__(self, on_done: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._running = 1  # The request's own task.
        self._on_done = on_done

    def begin(self) -> None:
        """One more thread works for the request."""
        with self._lock:
            self._running += 1

    def end(self, _: object = None) -> None:
        """The task or a thread has ended."""
        with self._lock:
            self._running -= 1
            done = self._running == 0
        if done:
            self._on_done()


WORK: ContextVar[Work | None] = ContextVar("twintrack_work", default=None)
