"""The requests that are running: which ids are taken, what to stop, and when all has ended.

A request that is cancelled or answered may leave a thread behind, which runs to its end. Whoever
decides to kill the process has to know the difference, so an id is settled only after that.
"""

from __future__ import annotations

import threading
from functools import partial

from .work import Work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from .value import JsonValue

    RequestId = int | str

_MOST = 4096


class Request:
    """One running request."""

    def __init__(self, request_id: RequestId, on_settled: Callable[[Request], None]) -> None:
        self.id = request_id
        self.work = Work(partial(on_settled, self))
        self.cancelled = False
        self.answered = False
        #: Wants to be told when nothing of it is running any more.
        self.confirm = False
        #: Ends what can be ended; set once it runs.
        self.stop: Callable[[], object] = _nothing
        #: The client took one of its chunks.
        self.taken: Callable[[], object] = _nothing


def _nothing() -> None:
    pass


def is_id(value: JsonValue) -> TypeGuard[RequestId]:
    """What JSON-RPC and MCP allow as an id."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


class Flights:
    """All running requests; called from any thread."""

    def __init__(self, confirm: Callable[[RequestId], None]) -> None:
        self._lock = threading.Lock()
        self._requests: dict[RequestId, Request] = {}
        self._unanswered = 0
        self._tell_settled = confirm

    def running(self, request_id: RequestId) -> bool:
        """Whether the id is taken."""
        known = self._requests.get(request_id)
        return known is not None and not known.answered

    def begin(self, request_id: RequestId) -> Request | None:
        """Take the id, which must be free; None when too much is running."""
        with self._lock:
            if self._unanswered >= _MOST:
                return None
            self._unanswered += 1
            request = self._requests[request_id] = Request(request_id, self._settled)
            return request

    def answer(self, request: Request) -> bool:
        """True when the request may be answered; its id is free from then on."""
        with self._lock:
            if request.answered:
                return False
            request.answered = True
            self._unanswered -= 1
            return not request.cancelled

    def cancel(self, request_id: RequestId, *, confirm: bool) -> None:
        """Stop a request; with `confirm` the other side hears when it has ended."""
        with self._lock:
            request = self._requests.get(request_id)
            if request is not None:
                request.cancelled = True
                request.confirm |= confirm
        if request is not None:
            request.stop()
        elif confirm:
            self._tell_settled(request_id)

    def taken(self, request_id: RequestId) -> None:
        """The client took a chunk of a streamed answer."""
        with self._lock:
            request = self._requests.get(request_id)
        if request is not None:
            request.taken()

    def stop_all(self) -> None:
        """Stop every request, as far as it can be stopped."""
        with self._lock:
            requests = list(self._requests.values())
        for request in requests:
            request.cancelled = True
            request.stop()

    def _settled(self, request: Request) -> None:
        with self._lock:
            if self._requests.get(request.id) is request:
                del self._requests[request.id]
            if not request.answered:
                request.answered = True
                self._unanswered -= 1
        if request.confirm:
            self._tell_settled(request.id)


FULL = f"{_MOST} requests are running already"
